"""Answers that are not one answer: runaway, merged, looping, echoing, cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from baro.data.doctor.case import Case
from baro.data.doctor.registry import ANSWERED, Hit, Places, SetCheck, Setting, row_check, set_check, short

RUNAWAY = re.compile(
    r"#{3,}[ \t]*Instructions?\b"
    r"|^[ \t]*(?:#{2,}[ \t]*(?:Input|Human|User|Question|지시|질문|명령)\b"
    r"|(?:Instruction|Human|User|지시문?|사용자)[ \t]*:[ \t]*\S)",
    re.MULTILINE,
)
FORM = re.compile(r"^[ \t]*(Input|Output|입력|출력)[ \t]*:[ \t]*\S", re.MULTILINE)
DIALOGUE = re.compile(r"\n\n(?:Human|User|사용자)[ \t]*:")
MERGED = re.compile(r'"(?:instruction|output|prompt|completion|messages|conversations|chosen|rejected)"\s*:\s*["\[{]')
MARKS = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|end|user|assistant|system|pad"
    r"|bos|eos)\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>|(?:^|\s)<s>|<(?:pad|unk|bos|eos)>"
)
MACHINE = re.compile(
    r"\b(?:as an? (?:AI|artificial intelligence)(?: language)? (?:model|assistant)|as a large language model)\b"
    r"|(?:저는|나는)?\s*(?:인공지능|AI)\s*(?:언어\s*)?모델(?:로서|이기\s*때문에|이라서)",
    re.IGNORECASE,
)
WORD = re.compile(r"\w+")


def _answers(case: Case) -> Iterator[tuple[str, str]]:
    """(name, text) of the answers of a row, the worse one too."""
    for piece in (*case.answered, *case.rejected):
        if isinstance(piece.value, str):
            yield piece.name, piece.value


@row_check("runaway-answer", "warning", ANSWERED)
def runaway(case: Case) -> str | None:
    """An answer that goes on with a further instruction, as a base model without an end does."""
    for name, text in _answers(case):
        if ":" not in text and "#" not in text:
            continue
        form = list(FORM.finditer(text))
        if match := RUNAWAY.search(text) or (form[1] if len(form) > 1 else None):
            return f"{name}: {short(text[max(0, match.start() - 30) : match.end() + 90].strip())}"
    return None


@row_check("merged-turns", "warning", ANSWERED)
def merged_turns(case: Case) -> str | None:
    """A dialogue written into one answer: the model learns to speak for the user."""
    for name, text in _answers(case):
        if match := DIALOGUE.search(text):
            return f"{name}: {short(text[max(0, match.start() - 30) : match.end() + 90].strip())}"
    return None


@row_check("merged-rows", "warning", ANSWERED)
def merged_rows(case: Case) -> str | None:
    """A second row of JSON within an answer: a quote was lost."""
    for name, text in _answers(case):
        if len(MERGED.findall(text)) >= 2:
            return f"{name}: {short(text)}"
    return None


@row_check("template-marks")
def template_marks(case: Case) -> str | None:
    """Marks of a chat template typed into a text: another model's rendering, or an attack."""
    for piece in case.pieces:
        text = piece.value if isinstance(piece.value, str) else ""
        if ("<" in text or "[" in text) and (match := MARKS.search(text)):
            return f"{piece.name}: {short(text[max(0, match.start() - 40) : match.end() + 40])}"
    return None


@row_check("echo", "warning", ANSWERED)
def echo(case: Case) -> str | None:
    """An answer that is, or begins with, the whole question."""
    asked = case.question.strip()
    if len(asked) < 16 or not case.answer:
        return None
    return short(case.answer) if case.answer.strip().startswith(asked) else None


@row_check("boilerplate", "warning", ANSWERED)
def boilerplate(case: Case) -> str | None:
    """'As an AI language model': another model speaks here, and is imitated."""
    said = case.answer.lower()
    if "model" not in said and "assistant" not in said and "모델" not in said:
        return None  # the pattern is slow
    for piece in case.answered:
        if isinstance(piece.value, str) and (match := MACHINE.search(piece.value)):
            return f"{piece.name}: {short(piece.value[max(0, match.start() - 20) : match.end() + 80])}"
    return None


@row_check("loop", "warning", ANSWERED | {"texts"})
def loop(case: Case) -> str | None:
    """A text that says the same again and again: fewer than 3 of 10 of its word triples are new."""
    for name, text in _answers(case):
        if len(text) < 100:
            continue
        words = WORD.findall(text)
        if len(words) >= 24 and len(set(words)) * 10 < len(words) * 3 + 14:  # each word's first use makes a new triple
            triples = list(zip(words, words[1:], words[2:], strict=False))
            if len(set(triples)) * 10 < len(triples) * 3:
                return f"{name}: {short(text)}"
    return None


@row_check("open-code", "warning", ANSWERED)
def open_code(case: Case) -> str | None:
    """A block of code that is never closed: the answer was cut."""
    for name, text in _answers(case):
        if text.count("```") % 2:
            return f"{name}: … {short(text[-120:])}"
    return None


ENDS = (".", "!", "?", "。", "！", "？", "…", '"', "'", "”", "’", ")", "]", "}", "`", ">", ":", "~", "*", "|", "♥", "♡")
OPEN = re.compile(
    r"(?:,|;|\b(?:and|or|but|the|a|an|of|to|in|with|that|because|그리고|하지만|그러나|또는))$", re.IGNORECASE
)


@set_check({"cut-off": "warning"}, frozenset(("conversations",)))
class CutOff(SetCheck):
    """Long answers that stop within a sentence, where nearly all others end one."""

    def __init__(self, setting: Setting) -> None:
        self.long, self.ended = 0, 0
        self.open = Places()

    def add(self, case: Case) -> None:
        """One more row: its last answer."""
        last = case.answered[-1].value if case.answered else None
        if not isinstance(last, str) or len(last) < 40:
            return
        text = last.rstrip()
        self.long += 1
        if text.endswith(ENDS):
            self.ended += 1
        elif OPEN.search(text):
            self.open.add("cut-off", case.place, f"… {short(text[-100:])}")

    def state(self) -> tuple[int, int, Places]:
        """Long answers, those that end a sentence, those that do not."""
        return self.long, self.ended, self.open

    def join(self, state: tuple[int, int, Places]) -> None:
        """Those of the next stretch."""
        self.long += state[0]
        self.ended += state[1]
        self.open.join(state[2])

    def hits(self) -> Iterator[Hit]:
        """Only where the file's own habit is to end sentences."""
        if self.long >= 20 and self.ended * 10 >= self.long * 9:
            yield from self.open.hits()
