"""Answers changed on purpose, to see what a reward model makes of them, and two traits that rewards like too well."""

from __future__ import annotations

import re
from random import Random

from baro.core.types import Sequence

_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+", re.MULTILINE)
_REFUSAL = re.compile(
    r"\b(?:I (?:can't|cannot|can not|won't|am unable|am not able)|I'm (?:sorry|unable|not able)"
    r"|as an AI|I apologi[sz]e)"
    r"|(?:죄송|도와\s?드릴 수 없|할 수 없습니다|답변할 수 없|어렵습니다)",
    re.IGNORECASE,
)
_SAME = [
    ("don't", "do not"),
    ("doesn't", "does not"),
    ("isn't", "is not"),
    ("it's", "it is"),
    ("I'm", "I am"),
    ("can't", "cannot"),
    ("won't", "will not"),
    ("you're", "you are"),
    ("that's", "that is"),
    ("이것은", "이건"),
    ("그것은", "그건"),
    ("저는", "전"),
    ("하였", "했"),
    ("되었", "됐"),
]
"""Ways to say the same thing."""


def items(text: str) -> int:
    """Lines of a text that are items of a list."""
    return len(_ITEM.findall(text))


def refuses(text: str) -> bool:
    """Whether an answer declines, in English or Korean."""
    return _REFUSAL.search(text) is not None


def rephrased(text: str) -> str:
    """The same said otherwise: the first contraction met written out (or drawn together), else one more space.

    The change is one that no reader minds, so a score should hardly move.
    """
    for short, long in _SAME:
        for old, new in ((short, long), (long, short)):
            if (at := text.find(old)) >= 0:
                return text[:at] + new + text[at + len(old) :]
    head, gap, tail = text.partition(" ")
    return f"{head}  {tail}" if gap else text + " "


def twice(text: str) -> str:
    """The answer, and the answer again."""
    return f"{text.rstrip()} {text.lstrip()}"


def shuffled(text: str, roll: Random) -> str:
    """The same words in random order."""
    words = text.split()
    roll.shuffle(words)
    return " ".join(words)


def scrambled(text: str, roll: Random) -> str:
    """Every word's letters in random order: text unlike any that was trained on, of the same length."""
    return " ".join("".join(roll.sample(word, len(word))) for word in text.split(" "))


def cut(sequence: Sequence) -> Sequence:
    """The first half of the answer's tokens, without an end token."""
    answer = sequence.count
    keep = len(sequence.tokens) - answer + max(1, answer // 2)
    return Sequence(sequence.tokens[:keep], sequence.learn[:keep], sequence.where)
