"""Rule-based quality of an answer to an instruction, 0 to 1: what can be seen without knowing what is true.

Every rule gives a fault between 0 (none) and 1 (certain), and

    quality = Π over rules (1 - weight · fault)

so one certain fault of weight 1 is enough for 0, and small faults add up. The faults stay visible, one column each.
"""

from __future__ import annotations

import re
from collections import Counter

WEIGHTS = {
    "empty": 1.0,
    "placeholder": 1.0,
    "runs_on": 0.9,
    "echo": 0.8,
    "repeats": 0.8,
    "refusal": 0.5,
    "garbled": 0.7,
    "cut_off": 0.4,
    "careless": 0.3,
    "curt": 0.3,
}
"""Rule → how much of the quality a certain fault takes.

empty        no letter or digit
placeholder  "N/A", "<noinput>", "TODO" and the like in place of an answer
runs_on      a second instruction or turn inside the answer
echo         the answer is the instruction again
repeats      share of the answer's 3-grams of words that stood there before, beyond a fifth
refusal      the answer is that an AI cannot answer
garbled      share of characters that are neither letters, digits, spaces nor common signs, beyond a tenth
cut_off      ten words or more without a sign at the end
careless     begins with a small letter, or doubles signs ("..", "!!")
curt         one word where ten or more were asked
"""
_PLACEHOLDER = re.compile(
    r"^\W*(n/?a|none|null|nan|todo|tbd|no ?input|no ?output|placeholder|lorem ipsum.*|없음|해당 ?없음)\W*$",
    re.IGNORECASE,
)
_SECOND_TURN = re.compile(
    r"(?:^|\n)\s*(?:#+\s*(?:instruction|input|response|output|human|user|assistant)\b|"
    r"(?:instruction|human|user|assistant|질문|지시)\s*:)|<\|(?:im_start|user|assistant|endoftext)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"^\W*(?:i(?:'|’)?m sorry|sorry|i apologi[sz]e|as an ai\b|i(?: can(?:no|')t|'m unable| am unable)|죄송)[^.]*"
    r"(?:cannot|can't|unable|not able|없습니다)",
    re.IGNORECASE,
)
_END = re.compile(r"""[.!?…:;)\]}"'”’`~。]\s*$|[요다까네죠지음함]\s*[ㅋㅎㅠ]*\s*$""")
_COMMON = re.compile(r"""[\w\s.,!?;:'"()\[\]{}<>/\\|@#$%^&*+=_`~\-–—…“”‘’·°€£₩×÷→•]""")
_WORDS = re.compile(r"\w+")


def faults(instruction: str, answer: str) -> dict[str, float]:
    """Rule → fault, 0 to 1, of one answer; the keys of `WEIGHTS`."""
    said, asked = answer.strip(), instruction.strip()
    words = _WORDS.findall(said.lower())
    empty = not words
    return {
        "empty": float(empty),
        "placeholder": float(_PLACEHOLDER.match(said) is not None),
        "runs_on": float(_SECOND_TURN.search(said) is not None),
        "echo": float(not empty and words == _WORDS.findall(asked.lower())),
        "repeats": _beyond(repeated(words), 0.2),
        "refusal": float(_REFUSAL.search(said[:200]) is not None),
        "garbled": _beyond(1 - len(_COMMON.findall(said)) / len(said), 0.1) if said else 0.0,
        "cut_off": float(len(words) >= 10 and _END.search(said) is None),
        "careless": float(
            re.match(r"[a-z]", said) is not None or re.search(r"(?<!\.)\.\.(?!\.)|[!?]{2}", said) is not None
        ),
        "curt": float(len(words) == 1 and _wanted_words(asked) >= 10),
    }


def quality(found: dict[str, float]) -> float:
    """The product over the rules, 0 to 1."""
    score = 1.0
    for rule, fault in found.items():
        score *= 1 - WEIGHTS[rule] * fault
    return score


def repeated(words: list[str], n: int = 3) -> float:
    """Share of n-grams that stood there before; 0 where there are fewer than two."""
    grams = Counter(zip(*(words[place:] for place in range(n)), strict=False))
    total = sum(grams.values())
    return (total - len(grams)) / total if total > 1 else 0.0


def _beyond(share: float, allowed: float) -> float:
    """0 up to `allowed`, then rising to 1."""
    return max(0.0, (share - allowed) / (1 - allowed))


def _wanted_words(instruction: str) -> int:
    """The number of words or sentences that the instruction names, 0 where it names none."""
    found = re.search(r"\b(\d+)[- ]words?\b|\b(essay|paragraph|story|article|poem)\b", instruction, re.IGNORECASE)
    return 0 if not found else int(found[1]) if found[1] else 50
