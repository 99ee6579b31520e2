"""Text made uniform, and persons made unrecognisable."""

from __future__ import annotations

import re
import unicodedata
from functools import partial

from baro.data.doctor.text import CARD, CONTROL, EMAIL, INVISIBLE, PHONE, RESIDENT, luhn

_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n{3,}")
PERSONAL = (("email", EMAIL), ("resident", RESIDENT), ("card", CARD), ("phone", PHONE))
"""What is replaced, in this order: a resident number would else be taken for a phone's."""


def normalised(text: str) -> str:
    """NFC, one kind of line end and space, no control or invisible characters, at most one blank line in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = INVISIBLE.sub("", CONTROL.sub("", text))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return _LINES.sub("\n\n", "\n".join(lines)).strip()


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
