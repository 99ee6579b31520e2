"""Rows as the model sees them: what is cut, what is learnt, how they begin and end, and how they will be served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.doctor.case import Case
from baro.data.doctor.registry import EVERY, Hit, Places, SetCheck, Setting, Severity, set_check, short
from baro.data.records import Dialogue, Message
from baro.data.templates import end_tokens, render_all, render_pairs, render_prompts, render_texts
from baro.data.traits import templated, traits_of

AT_ONCE = 256
MEASURED = 1_000_000  # rows whose lengths are remembered
CLOSELY = 200  # rows whose template is looked at turn by turn
NAMES: dict[str, Severity] = {
    "truncated": "warning",
    "nothing-learnt": "warning",
    "double-bos": "warning",
    "double-end": "warning",
    "unknown-token": "warning",
    "template-refuses": "error",
    "template-drops": "warning",
    "train-serve-mismatch": "warning",
    "no-end-token": "warning",
    "end-is-not-eos": "warning",
    "pad-is-eos": "warning",
    "special-in-text": "warning",
}


def rendered(tokenizer: Any, noun: str, records: list[Any]) -> list[tuple[Sequence, ...]]:
    """Sequences of every record, whole: one each, of a preference two."""
    match noun:
        case "texts":
            return [(row,) for row in render_texts(tokenizer, records)]
        case "preferences":
            return list(render_pairs(tokenizer, records))
        case "judgements":
            records = [Dialogue((*row.prompt, *row.completion), row.plain, row.where) for row in records]
        case "prompts":
            ids = render_prompts(tokenizer, records)
            return [(Sequence(row, [False] * len(row), at.where),) for row, at in zip(ids, records, strict=True)]
    return [(row,) for row in render_all(tokenizer, records)]


@set_check(NAMES, EVERY - {None})
class Tokens(SetCheck):
    """Everything that needs the tokenizer; nothing without one. `lengths`: (tokens, learnt) of each row rendered."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.found = setting, Places()
        self.held: list[Case] = []
        self.lengths: list[tuple[int, int]] = []
        if setting.tokenizer is not None:
            self.traits = traits_of(setting.tokenizer)
            self.ends = set(end_tokens(setting.tokenizer))

    def add(self, case: Case) -> None:
        """One more row; rendered with others."""
        if self.setting.tokenizer is None or case.record is None:
            return
        if case.place >= self.setting.tokenised and (not self.setting.sampled or case.place % self.setting.sampled):
            return
        self.held.append(case)
        if len(self.held) == AT_ONCE:
            self._render()

    def state(self) -> tuple[Places, list[tuple[int, int]]]:
        """What was found, and the lengths."""
        if self.held:
            self._render()
        return self.found, self.lengths

    def join(self, state: tuple[Places, list[tuple[int, int]]]) -> None:
        """In the next stretch."""
        self.found.join(state[0])
        self.lengths += state[1][: max(0, MEASURED - len(self.lengths))]

    def hits(self) -> Iterator[Hit]:
        """What was found."""
        if self.setting.tokenizer is not None and self.setting.noun != "texts":
            yield from _about_tokenizer(self.setting.tokenizer)
        yield from self.found.hits()

    def _render(self) -> None:
        cases, self.held = self.held, []
        noun = self.setting.noun or ""
        try:
            sides = rendered(self.setting.tokenizer, noun, [case.record for case in cases])
        except DataError:
            sides, kept = [], []
            for case in cases:
                try:
                    sides += rendered(self.setting.tokenizer, noun, [case.record])
                    kept.append(case)
                except DataError as error:
                    self.found.add("template-refuses", case.place, short(error.message))
            cases = kept
        for case, found in zip(cases, sides, strict=True):
            for name, text in self._about_row(case, found).items():
                self.found.add(name, case.place, text)

    def _about_row(self, case: Case, sides: tuple[Sequence, ...]) -> dict[str, str]:
        tokenizer, limit, found = self.setting.tokenizer, self.setting.max_length, dict[str, str]()
        learns = self.setting.noun != "prompts"
        self.lengths.append((sum(len(s.tokens) for s in sides), sum(s.count for s in sides)))
        for side in sides:
            size, left = len(side.tokens), sum(side.learn[1:limit])
            if learns and (side.count == 0 or left == 0):
                found["nothing-learnt"] = f"{size:,} tokens, none of them learnt" + (
                    f" within max_length {limit:,}" if side.count else ""
                )
            elif size > limit and self.setting.noun != "texts":  # texts are cut into pieces, not cut off
                lost = f", of them {side.count - left:,} of an answer and its end" if learns else ""
                found["truncated"] = f"{size:,} tokens, {size - limit:,} beyond max_length {limit:,} are lost{lost}"
            if (
                self.traits.bos is not None
                and self.traits.bos not in self.ends
                and side.tokens.count(self.traits.bos) > 1
            ):
                found["double-bos"] = f"{side.tokens.count(self.traits.bos)} begin tokens"
            if any(a == b and a in self.ends for a, b in zip(side.tokens, side.tokens[1:], strict=False)):
                found["double-end"] = f"… {short(tokenizer.decode(side.tokens[-12:]))}"
            unknown = side.tokens.count(tokenizer.unk_token_id) if tokenizer.unk_token_id is not None else 0
            if unknown * 20 >= size and tokenizer.unk_token_id not in self.ends and unknown:
                found["unknown-token"] = (
                    f"{unknown:,} of {size:,} tokens are unknown: {short(case.answer or case.question, 80)}"
                )
        if case.place < CLOSELY and not getattr(case.record, "plain", False):
            found |= self._about_turns(case)
        return found

    def _about_turns(self, case: Case) -> dict[str, str]:
        found: dict[str, str] = {}
        special = self.traits.special
        for piece in case.pieces:
            if special and isinstance(piece.value, str) and (match := special.search(piece.value)):
                found["special-in-text"] = f"{piece.name} holds {match[0]}, which is read as ordinary text"
        messages = getattr(case.record, "messages", ())
        if found or not messages:
            return found
        text = templated(self.setting.tokenizer, self.traits, messages, messages[-1].role != "assistant", case.where)
        lost = [turn for turn in messages if turn.content.strip() and turn.content.strip() not in text]
        if lost:
            found["template-drops"] = f"the {lost[0].role}'s turn is not in what is learnt: {short(lost[0].content)}"
        if messages[-1].role == "assistant" and (mismatch := _served_otherwise(self.setting.tokenizer, messages, case)):
            found["train-serve-mismatch"] = mismatch
        return found


def _served_otherwise(tokenizer: Any, messages: tuple[Message, ...], case: Case) -> str:
    """Where the ids before the last answer in training differ from those other servers make of the same turns."""
    if tokenizer.chat_template is None:
        return ""
    turns = [message.as_dict() for message in messages[:-1]]
    served = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    learnt = render_all(tokenizer, [case.record])[0].tokens
    at = next((i for i, (a, b) in enumerate(zip(served, learnt, strict=False)) if a != b), None)
    if at is None and len(served) <= len(learnt):
        return ""
    at = len(learnt) if at is None else at
    pieces = (short(tokenizer.decode(ids[at : at + 6]), 40) for ids in (learnt, served))
    return "token {}: learnt {!r}, served {!r}".format(at, *pieces)


def _about_tokenizer(tokenizer: Any) -> Iterator[Hit]:
    traits = traits_of(tokenizer)
    word: Callable[[int], str] = lambda index: repr(tokenizer.convert_ids_to_tokens(index))  # noqa: E731
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id in (traits.eos, traits.end_ids[-1]):
        text = (
            f"pad and end are both {word(tokenizer.pad_token_id)}: tools that mask padding by its id never learn to end"
        )
        yield Hit("pad-is-eos", None, text)
    if tokenizer.chat_template is None:
        return
    if not traits.end:
        yield Hit(
            "no-end-token", None, f"the template writes no end token behind an answer; {word(traits.eos)} is put there"
        )
    elif traits.end_ids[-1] != traits.eos:
        text = f"answers end with {word(traits.end_ids[-1])}, eos is {word(traits.eos)}: serve with both as stop tokens"
        yield Hit("end-is-not-eos", None, text)
