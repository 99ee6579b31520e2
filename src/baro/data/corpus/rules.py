"""Rules that tell running text from the rest of the web, as two corpora published them.

C4 (Raffel et al. 2020, section 2.2): lines without a sign at their end, of fewer than five words, or about JavaScript
or cookies go; then documents with "lorem ipsum" or a brace, or of fewer than three sentences.
Gopher (Rae et al. 2021, table A1 and section A.1.1): numbers of words, their length, symbols, bullets, ellipses,
letters, stop words; and repetition of lines, of the commonest n-grams, and of longer n-grams.

Korean has other words: its mean length is counted from 1.5 letters, and its stop words are the endings of words.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_ENDS = re.compile(r"""[.!?…。"”’')\]]$""")
_LINE_NOISE = re.compile(
    r"javascript|cookie|terms of (?:use|service)|privacy policy|all rights reserved|"
    r"자바스크립트|쿠키|이용약관|개인정보 ?처리",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?。]+(?=[\s\"”’')\]]|$)")
_BULLET = re.compile(r"^\s*(?:[-*•·●▪‣○□◦]|\d+[.)]\s)")
_ELLIPSIS = re.compile(r"(?:\.\.\.|…)\s*$")
_STOP = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
_KOREAN_END = re.compile(r"[가-힣](은|는|이|가|을|를|에|의|도|로|와|과|다|요|고|며|에서|으로)[.,!?]*$")
TOP_GRAMS = {2: 0.20, 3: 0.18, 4: 0.16}
REPEATED_GRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
"""n → largest share of characters, of the commonest n-gram or of all that occur again (Gopher, table A1)."""


@dataclass(frozen=True)
class Limits:
    """What the corpus allows; the defaults are the papers'.

    Attributes:
        min_words, max_words: of a document (Gopher). min_sentences: of a document (C4). line_words: of a line (C4).
    """

    min_words: int = 50
    max_words: int = 100_000
    min_sentences: int = 3
    line_words: int = 5


def kept_lines(text: str, limits: Limits) -> tuple[str, int]:
    """C4's line rules: the text of the lines that stay, and how many went. Blank lines stay."""
    lines = text.split("\n")
    stay = [line for line in lines if not line.strip() or _sentence_like(line, limits)]
    return "\n".join(stay).strip(), len(lines) - len(stay)


def c4(text: str, limits: Limits) -> str:
    """The document rule of C4 that is broken; "" if none is."""
    if "lorem ipsum" in text.lower():
        return "c4: lorem ipsum"
    if "{" in text:
        return "c4: brace"
    if len(_SENTENCE.findall(text)) < limits.min_sentences:
        return "c4: too few sentences"
    return ""


def gopher(text: str, language: str, limits: Limits) -> str:
    """The quality rule of Gopher that is broken; "" if none is."""
    words, lines = text.split(), [line for line in text.split("\n") if line.strip()]
    if len(words) < limits.min_words:
        return "gopher: too few words"
    if len(words) > limits.max_words:
        return "gopher: too many words"
    mean = sum(map(len, words)) / max(len(words), 1)
    if not (1.5 if language == "ko" else 3) <= mean <= 10:
        return "gopher: mean length of words"
    if max(text.count("#"), text.count("...") + text.count("…")) / len(words) > 0.1:
        return "gopher: symbols"
    if sum(_BULLET.match(line) is not None for line in lines) > 0.9 * len(lines):
        return "gopher: bullets"
    if sum(_ELLIPSIS.search(line) is not None for line in lines) > 0.3 * len(lines):
        return "gopher: lines end in an ellipsis"
    if sum(any(letter.isalpha() for letter in word) for word in words) < 0.8 * len(words):
        return "gopher: words without letters"
    if not _stop_words(words, language):
        return "gopher: stop words"
    return ""


def repetition(text: str) -> str:
    """The repetition rule of Gopher that is broken; "" if none is."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    again = [line for line, count in Counter(lines).items() for _ in range(count - 1)]
    if len(again) > 0.3 * len(lines) or sum(map(len, again)) > 0.2 * sum(map(len, lines)):
        return "repetition: lines"
    words = text.split()
    total = sum(map(len, words))
    for n, limit in TOP_GRAMS.items():
        if total and _top(words, n) > limit * total:
            return f"repetition: commonest {n}-gram"
    for n, limit in REPEATED_GRAMS.items():
        if total and _again(words, n) > limit * total:
            return f"repetition: {n}-grams"
    return ""


def _sentence_like(line: str, limits: Limits) -> bool:
    said = line.strip()
    return (
        _ENDS.search(said) is not None
        and not said.endswith("...")
        and len(said.split()) >= limits.line_words
        and _LINE_NOISE.search(said) is None
    )


def _stop_words(words: list[str], language: str) -> bool:
    """At least two different ones; only English and Korean are asked."""
    if language == "en":
        return len(_STOP & {word.lower().strip(".,;:!?\"'") for word in words}) >= 2
    if language == "ko":
        return len({found[1] for word in words if (found := _KOREAN_END.search(word))}) >= 2
    return True


def _top(words: list[str], n: int) -> int:
    """Characters in all occurrences of the commonest n-gram that occurs at least twice."""
    grams = Counter(zip(*(words[place:] for place in range(n)), strict=False))
    if not grams:
        return 0
    gram, count = max(grams.items(), key=lambda item: (item[1], sum(map(len, item[0]))))
    return count * sum(map(len, gram)) if count > 1 else 0


def _again(words: list[str], n: int) -> int:
    """Characters of words that lie in an n-gram that has occurred before; every word counts once."""
    seen: set[tuple[str, ...]] = set()
    marked = [False] * len(words)
    for place in range(len(words) - n + 1):
        gram = tuple(words[place : place + n])
        if gram in seen:
            marked[place : place + n] = [True] * n
        seen.add(gram)
    return sum(len(word) for word, again in zip(words, marked, strict=True) if again)
