"""One document through all steps that look at nothing but it: what comes out, or why it is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from baro.data.corpus import rules
from baro.data.corpus.duplicates import exact_key, signature
from baro.data.corpus.language import language_of
from baro.data.corpus.sources import Raw
from baro.data.corpus.text import normalised, unwrapped, without_persons
from baro.data.curate.learnt import Learnt
from baro.data.doctor.overlap import grams

EXAMPLES = 3
SHOWN = 300
"""Letters of an example."""


@dataclass(frozen=True)
class Steps:
    """What is done.

    Attributes:
        languages: kept languages; none keeps all. use: rules that apply: c4, gopher, repetition. limits: theirs.
        held_out: word runs of the evaluation, see `held_out_runs`. persons: whether personal data are masked.
        value: the classifier of educational value, None for none. least_value: what a document must reach.
    """

    languages: frozenset[str] = frozenset()
    use: frozenset[str] = frozenset(("c4", "gopher", "repetition"))
    limits: rules.Limits = field(default_factory=rules.Limits)
    held_out: frozenset[int] = frozenset()
    persons: bool = True
    value: Learnt | None = None
    least_value: float = 0.5


@dataclass
class Account:
    """What happened to documents: counts add up over files.

    Attributes:
        documents, characters: that went in. left_out: reason → [documents, characters]. lines: removed by C4.
        masked: kind of personal data → how many. languages: language → documents that had one told.
        examples: reason → [{"where", "text"}], the first few.
    """

    documents: int = 0
    characters: int = 0
    left_out: dict[str, list[int]] = field(default_factory=dict)
    lines: int = 0
    masked: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def leave_out(self, reason: str, raw: Raw, text: str) -> None:
        """One document is left out."""
        count = self.left_out.setdefault(reason, [0, 0])
        count[0] += 1
        count[1] += len(raw.text)
        self.show(reason, raw.where, text or raw.problem)

    def show(self, reason: str, where: str, text: str) -> None:
        """Keep an example, while there are few."""
        kept = self.examples.setdefault(reason, [])
        if len(kept) < EXAMPLES:
            kept.append({"where": where, "text": text[:SHOWN]})

    def __iadd__(self, other: Account) -> Account:
        self.documents += other.documents
        self.characters += other.characters
        self.lines += other.lines
        for reason, (count, size) in other.left_out.items():
            held = self.left_out.setdefault(reason, [0, 0])
            held[0] += count
            held[1] += size
        self.masked = dict(Counter(self.masked) + Counter(other.masked))
        self.languages = dict(Counter(self.languages) + Counter(other.languages))
        for reason, found in other.examples.items():
            for each in found:
                self.show(reason, each["where"], each["text"])
        return self


def held_out_runs(texts: Iterable[str]) -> frozenset[int]:
    """The runs of 13 words of what a model will be asked (Brown et al. 2020), of shorter texts the whole."""
    return frozenset(run for text in texts for run in grams(text))


def through(raw: Raw, steps: Steps, account: Account) -> dict[str, Any] | None:
    """The document as a row {"text", "where", "language", "key", "signature"}, or None if it is left out."""
    account.documents += 1
    account.characters += len(raw.text)
    text = unwrapped(normalised(raw.text))
    if not text:
        account.leave_out("unreadable" if raw.problem else "empty", raw, text)
        return None
    language = language_of(text)
    account.languages[language] = account.languages.get(language, 0) + 1
    if steps.languages and language not in steps.languages:
        account.leave_out(f"language: {language}", raw, text)
        return None
    if "c4" in steps.use:
        whole, (text, gone) = text, rules.kept_lines(text, steps.limits)
        account.lines += gone
        if not text:
            account.leave_out("c4: no line is a sentence", raw, whole)
            return None
    if reason := _broken(text, language, steps):
        account.leave_out(reason, raw, text)
        return None
    if steps.held_out and overlaps(text, steps.held_out):
        account.leave_out("evaluation overlap", raw, text)
        return None
    if steps.value is not None and (worth := float(steps.value.scores([text])[0])) < steps.least_value:
        account.leave_out("educational value", raw, f"({worth:.2f}) {text}")
        return None
    if steps.persons:
        before, (text, masked) = text, without_persons(text)
        for kind, count in masked.items():
            account.masked[kind] = account.masked.get(kind, 0) + count
            account.show(f"masked: {kind}", raw.where, _around(before, text))
    return {
        "text": text,
        "where": raw.where,
        "language": language,
        "key": exact_key(text),
        "signature": signature(text),
    }


def overlaps(text: str, held_out: frozenset[int]) -> bool:
    """Whether the text holds a run of 13 words of the evaluation, or consists of a shorter question."""
    own = grams(text)
    if len(own) == 1:
        return own[0] in held_out
    return any(run in held_out for run in own)


def _broken(text: str, language: str, steps: Steps) -> str:
    """The first rule that the text breaks."""
    if "c4" in steps.use and (reason := rules.c4(text, steps.limits)):
        return reason
    if "gopher" in steps.use and (reason := rules.gopher(text, language, steps.limits)):
        return reason
    return rules.repetition(text) if "repetition" in steps.use else ""


def _around(before: str, after: str) -> str:
    """The first place where two texts part, with a little before it; the masked one, so that no page repeats it."""
    at = next((n for n, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), 0)
    return after[max(0, at - 60) : at + 60]
