"""Damage to letters, and what should not be in anybody's training data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from baro.data.doctor.case import Case
from baro.data.doctor.registry import Hit, Places, SetCheck, Setting, row_check, set_check, short

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1d\x1f\x7f-\x9f]")
INVISIBLE = re.compile("[\u00ad\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
REPLACED = "\ufffd"
JAMO = re.compile("[\u1100-\u1112][\u1161-\u1175]")  # a syllable in pieces
PIECES = re.compile("[A-Za-z][\u0300-\u036f]")
MARKUP = re.compile(
    r"</?(?:div|span|p|br|b|i|a|img|table|tr|td|ul|li|script|font|h[1-6])(?:\s+[\w-]+=[^<>]*)?\s*/?>"
    r"|&(?:amp|lt|gt|quot|nbsp|#39|#x27);",
    re.IGNORECASE,
)
CODE = re.compile(r"```|<(?:html|!doctype|body|head)\b|\bhtml\b", re.IGNORECASE)
ESCAPED = re.compile(r"(?<!\\)\\n(?![a-z])")
EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![\w@])")
NOBODY = re.compile(r"@(?:[\w-]+\.)*(?:example|test|invalid|localhost|domain|email|yourdomain)\b", re.IGNORECASE)
PHONE = re.compile(
    r"(?<![\d.-])(?:"
    r"(?:\+82[-. ]?1|01)[016-9][-. ]?\d{3,4}[-. ]?\d{4}"  # Korean mobile
    r"|0(?:2|[3-6]\d)[-.) ]{1,2}\d{3,4}[-. ]\d{4}"  # Korean landline
    r"|(?:\+1[-. ]?)?\(?[2-9]\d{2}\)?[-. ]\d{3}[-. ]\d{4}"  # North American
    r"|\+(?!82|1\b)\d{1,3}[-. ]\d{2,4}[-. ]\d{3,4}[-. ]\d{3,4}"  # international
    r")(?![\d-])"
)
RESIDENT = re.compile(r"(?<!\d)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])[- ]?[1-8]\d{6}(?!\d)")
CARD = re.compile(r"(?<![\d.-])(?:\d{4}[- ]){3}\d{4}(?![\d-])")
KEYS = ("sk-", "hf_", "ghp_", "AKIA", "PRIVATE KEY")  # one of which stands in every key: many times faster to look for
KEY = re.compile(
    r"\b(?:sk-[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|ghp_[A-Za-z0-9]{30,}|AKIA[0-9A-Z]{16})\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def _first(case: Case, pattern: re.Pattern[str]) -> str | None:
    if not pattern.search(case.whole):
        return None
    for name, text in case.strings:
        if match := pattern.search(text):
            return f"{name}: {short(_around(text, match))}"
    return None


def _around(text: str, match: re.Match[str]) -> str:
    shown = re.sub(CONTROL, lambda each: f"\\x{ord(each[0]):02x}", text[max(0, match.start() - 40) : match.end() + 40])
    return INVISIBLE.sub(lambda each: f"\\u{ord(each[0]):04x}", shown)


@row_check("control-character")
def control(case: Case) -> str | None:
    """Characters that command a terminal and mean nothing in a text."""
    return _first(case, CONTROL)


@row_check("invisible-character")
def invisible(case: Case) -> str | None:
    """Zero-width characters, marks of direction, a byte order mark within: words that look alike and are not."""
    return None if case.whole.isascii() else _first(case, INVISIBLE)


@row_check("replacement-character")
def replaced(case: Case) -> str | None:
    """U+FFFD stands where a reader gave up: the character is lost."""
    if REPLACED not in case.whole:
        return None
    return next((f"{name}: {short(text)}" for name, text in case.strings if REPLACED in text), None)


def mended(text: str) -> str | None:
    """The text of which this one is the UTF-8 bytes read as cp1252 (or Latin-1); None if it is none such."""
    if text.isascii():
        return None
    try:
        raw = b"".join(_byte(letter) for letter in text)
        found = raw.decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None
    return found if len(found) < len(text) else None


def _byte(letter: str) -> bytes:
    """cp1252, and Latin-1 for the five bytes that cp1252 leaves open."""
    return letter.encode("latin-1") if "\x80" <= letter <= "\x9f" else letter.encode("cp1252")


@row_check("mojibake")
def mojibake(case: Case) -> str | None:
    """UTF-8 that somebody read as cp1252: í•œ where 한 was."""
    if case.whole.isascii() or not MANGLED.search(case.whole):
        return None
    for name, text in case.strings:
        if text.isascii():
            continue
        if (found := mended(text)) is not None:
            return f"{name}: {short(text, 60)} was {short(found, 60)}"
        for run in MANGLED.finditer(text):  # within a text that is otherwise sound
            if (part := mended(run[0])) is not None:
                return f"{name}: {run[0]} was {part}"
    return None


MANGLED = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]+"
)


@row_check("decomposed-letters")
def decomposed(case: Case) -> str | None:
    """Syllables in pieces (NFD, as macOS writes file names): other tokens than the same words composed."""
    if case.whole.isascii() or unicodedata.is_normalized("NFC", case.whole):
        return None
    for name, text in case.strings:
        if JAMO.search(text) or PIECES.search(text):
            return f"{name}: {short(unicodedata.normalize('NFC', text))}"
    return None


@row_check("carriage-return")
def carriage_return(case: Case) -> str | None:
    """Windows line ends within a text: the model learns to write them."""
    if "\r" not in case.whole:
        return None
    return next((f"{name}: {short(text)}" for name, text in case.strings if "\r" in text), None)


@row_check("markup")
def markup(case: Case) -> str | None:
    """Tags and entities of HTML that were never taken out."""
    if "<" not in case.whole and "&" not in case.whole:
        return None
    for name, text in case.strings:
        if ("<" in text or "&" in text) and (match := MARKUP.search(text)) and not CODE.search(text):
            return f"{name}: {short(_around(text, match))}"
    return None


@row_check("escaped-newline")
def escaped_newline(case: Case) -> str | None:
    """A backslash and an n where a line should end: a text encoded twice."""
    if "\\n" not in case.whole:
        return None
    for name, text in case.strings:
        if "\\n" in text and "def " not in text and len(ESCAPED.findall(text)) >= 2 and "\n" not in text:
            return f"{name}: {short(text)}"
    return None


@row_check("personal-email")
def email(case: Case) -> str | None:
    """An address of somebody."""
    if "@" not in case.whole:
        return None
    for name, text in case.strings:
        if "@" in text and (match := EMAIL.search(text)) and not NOBODY.search(match[0]):
            return f"{name}: {_hidden(match[0])}"
    return None


@row_check("personal-phone")
def phone(case: Case) -> str | None:
    """A telephone number of somebody."""
    if not (case.numbers and PHONE.search(case.whole)):
        return None
    for name, text in case.strings:
        if (match := PHONE.search(text)) and "555" not in match[0]:
            return f"{name}: {_hidden(match[0])}"
    return None


@row_check("personal-resident-number")
def resident(case: Case) -> str | None:
    """A Korean resident registration number: birthday, then the digit of century and sex, then six more."""
    if not (case.numbers and RESIDENT.search(case.whole)):
        return None
    for name, text in case.strings:
        if match := RESIDENT.search(text):
            return f"{name}: {_hidden(match[0])}"
    return None


@row_check("personal-card")
def card(case: Case) -> str | None:
    """A card number with a right check digit (Luhn)."""
    if not (case.numbers and CARD.search(case.whole)):
        return None
    for name, text in case.strings:
        if (match := CARD.search(text)) and luhn(match[0]):
            return f"{name}: {_hidden(match[0])}"
    return None


def luhn(number: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1)."""
    digits = [int(letter) for letter in reversed(number) if letter.isdigit()]
    return sum(d if place % 2 == 0 else d * 2 - 9 * (d > 4) for place, d in enumerate(digits)) % 10 == 0


@row_check("secret-key")
def secret(case: Case) -> str | None:
    """A key that opens somebody's account."""
    if not any(mark in case.whole for mark in KEYS) or not KEY.search(case.whole):
        return None
    for name, text in case.strings:
        if match := KEY.search(text):
            return f"{name}: {_hidden(match[0])}"
    return None


def _hidden(text: str) -> str:
    """Enough to find it, not enough to use it."""
    return text[:3] + re.sub(r"\w", "*", text[3:])


SCRIPTS = (
    ("Hangul", re.compile("[\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e]")),
    ("Latin", re.compile("[A-Za-z\u00c0-\u024f]")),
    ("Kana", re.compile("[\u3041-\u30ff]")),
    ("Han", re.compile("[\u4e00-\u9fff]")),
    ("Cyrillic", re.compile("[\u0400-\u04ff]")),
    ("Arabic", re.compile("[\u0600-\u06ff]")),
)


TWELVE = re.compile("(?:[^A-Za-z]*[A-Za-z]){12}")


def script_of(text: str) -> str:
    """The script of most of its letters; "" for fewer than twelve letters, or when no script has two thirds."""
    if text.isascii():
        return "Latin" if TWELVE.match(text) else ""
    hangul = len(SCRIPTS[0][1].findall(text))
    if hangul >= 12 and hangul * 3 >= 2 * sum(map(str.isalpha, text)):
        return "Hangul"
    counts = {name: len(pattern.findall(text)) for name, pattern in SCRIPTS}
    total = sum(counts.values())
    name = max(counts, key=lambda each: counts[each])
    return name if total >= 12 and counts[name] * 3 >= total * 2 else ""


@set_check({"other-language": "warning", "mixed-languages": "warning"})
class Languages(SetCheck):
    """Rows in another script than the file's."""

    def __init__(self, setting: Setting) -> None:
        self.found = Places()

    def add(self, case: Case) -> None:
        """One more row; code is no language."""
        text = f"{case.question}\n{case.answer}"
        name = "" if "```" in text else script_of(text)
        if name:
            self.found.add(name, case.place, short(text.strip(), 100))

    def state(self) -> Places:
        """Rows by script."""
        return self.found

    def join(self, state: Places) -> None:
        """Those of the next stretch."""
        self.found.join(state)

    def hits(self) -> Iterator[Hit]:
        """Up to 5 % of the rows are strangers; more make a mixture."""
        total = sum(map(len, self.found.rows.values()))
        if total < 20:
            return
        (usual, rows), *others = sorted(self.found.rows.items(), key=lambda each: -len(each[1]))
        for name, places in others:
            if len(places) * 20 <= total:
                shown = f"{name}, elsewhere {usual}: {self.found.examples[name]}"
                yield from (Hit("other-language", place, shown) for place in places)
            else:
                yield Hit("mixed-languages", None, f"{usual} {len(rows):,} rows, {name} {len(places):,} rows")
