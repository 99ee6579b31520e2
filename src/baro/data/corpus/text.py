"""Text made uniform, and persons made unrecognisable."""

from __future__ import annotations

import re
import unicodedata
from functools import partial

from baro.data.doctor.text import CARD, CONTROL, EMAIL, INVISIBLE, PHONE, RESIDENT, luhn

_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n{3,}")
BULLET = re.compile(r"[-*•·●▪‣○□◦] |\d+[.)] ")
NARROW, WIDE, RAGGED, MOSTLY = 40, 110, 10, 0.8  # characters of a full line; of raggedness; share of full lines
PERSONAL = (("email", EMAIL), ("resident", RESIDENT), ("card", CARD), ("phone", PHONE))
"""What is replaced, in this order: a resident number would else be taken for a phone's."""


def normalised(text: str) -> str:
    """NFC, one kind of line end and space, no control or invisible characters, at most one blank line in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = INVISIBLE.sub("", CONTROL.sub("", text))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return _LINES.sub("\n\n", "\n".join(lines)).strip()


def unwrapped(text: str) -> str:
    """The text with paragraphs that were broken into lines of one width (README files, mails, docstrings) as one line.

    Rules of lines are meant for paragraphs: of such a text they would leave half sentences. Lines of one paragraph are
    joined when most of them could not have held the next one's first word, and one of them goes on in mid-sentence;
    so verses, lists and addresses stay as they are.
    """
    found: list[str] = []
    held: list[str] = []
    for line in [*text.split("\n"), ""]:
        if held and (not line or BULLET.match(line)):
            found += [" ".join(held)] if _is_wrapped(held) else held
            held = []
        if line:
            held.append(line)
        else:
            found.append(line)
    return "\n".join(found).strip()


def _is_wrapped(lines: list[str]) -> bool:
    width = max(map(len, lines))
    if len(lines) < 2 or not NARROW <= width <= WIDE:
        return False
    after = [line.split(" ", 1)[0] for line in lines[1:]]
    full = sum(len(line) + 1 + len(word) > width - RAGGED for line, word in zip(lines[:-1], after, strict=True))
    return full >= MOSTLY * len(after) and any(word[0].isalpha() and not word[0].isupper() for word in after)


def without_persons(text: str) -> tuple[str, dict[str, int]]:
    """The text with e-mail addresses, Korean resident, card and phone numbers as [email] …, and how many there were."""
    counts = {}
    for name, pattern in PERSONAL:
        text, count = pattern.subn(partial(_masked, name), text)
        if count:
            counts[name] = count
    return text, counts


def _masked(name: str, match: re.Match[str]) -> str:
    return match[0] if name == "card" and not luhn(match[0]) else f"[{name}]"
