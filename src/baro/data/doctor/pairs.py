"""Preferences that teach nothing, or something else than what was meant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

from baro.data.dialects import Noun
from baro.data.doctor.case import Case
from baro.data.doctor.registry import Hit, SetCheck, Setting, row_check, set_check, short

PAIRS: frozenset[Noun | None] = frozenset(("preferences",))


@row_check("chosen-equals-rejected", "error", PAIRS)
def chosen_equals_rejected(case: Case) -> str | None:
    """Two equal answers: a gradient of zero, and an accuracy that counts for nothing."""
    same_prompt = case.other_asked is None or _texts(case.asked) == _texts(case.other_asked)
    equal = case.answer.strip() and case.answer.strip() == case.worse.strip() and same_prompt
    return short(case.answer.strip()) if equal else None


@row_check("prompts-differ", "warning", PAIRS)
def prompts_differ(case: Case) -> str | None:
    """The two answers are to different prompts: it is the prompts that are compared."""
    if case.other_asked is None:
        return None
    own, other = "\n".join(_texts(case.asked)), "\n".join(_texts(case.other_asked))
    if own == other:
        return None
    at = next((i for i, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), min(len(own), len(other)))
    start = max(0, at - 20)
    return f"{short(own[start : at + 60], 80)} ↔ {short(other[start : at + 60], 80)}"


def _texts(pieces) -> list[str]:
    return [piece.value if isinstance(piece.value, str) else repr(piece.value) for piece in pieces]


@row_check("negative-margin", "warning", PAIRS)
def negative_margin(case: Case) -> str | None:
    """A margin below zero: the row itself says that the rejected answer is better."""
    margin = case.columns.get("margin")
    if isinstance(margin, str):
        try:
            margin = float(margin)
        except ValueError:
            return None
    below = isinstance(margin, int | float) and not isinstance(margin, bool) and margin < 0
    return f"margin is {margin}" if below else None


def needed(effect: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """Pairs needed to tell a win rate of 0.5 + effect from 0.5: two-sided test of one proportion, normal approximation.

    n = ((z_{1-level/2} · 0.5 + z_power · √(p (1-p))) / effect)²     (Fleiss et al. 2003, eq. 2.14)
    """
    normal, share = NormalDist(), 0.5 + effect
    half = normal.inv_cdf(1 - level / 2) * 0.5 + normal.inv_cdf(power) * math.sqrt(share * (1 - share))
    return math.ceil((half / effect) ** 2)


def detectable(pairs: int, *, power: float = 0.8, level: float = 0.05) -> float:
    """The smallest effect that so many pairs tell, to the next tenth of a percent; 0.5 is the largest there is."""
    steps = (step / 1000 for step in range(1, 500))
    return next((effect for effect in steps if needed(effect, power=power, level=level) <= pairs), 0.5)


@set_check({"length-bias": "warning", "few-pairs": "warning"}, PAIRS)
class Lengths(SetCheck):
    """Are chosen answers longer, so that length alone is learnt; are there enough of them."""

    LEAST, SURE = 0.05, 3.3  # 5 % from even, and 3.3 standard errors: 1 in 1,000 by chance

    def __init__(self, setting: Setting) -> None:
        self.longer, self.shorter, self.pairs, self.gaps = 0, 0, 0, 0

    def add(self, case: Case) -> None:
        """One more pair, measured in characters."""
        if case.record is None:
            return
        gap = len(case.answer.strip()) - len(case.worse.strip())
        self.pairs += 1
        self.longer += gap > 0
        self.shorter += gap < 0
        self.gaps += gap

    def state(self) -> tuple[int, ...]:
        """Pairs whose chosen answer is longer, shorter; all of them; characters by which it is longer in all."""
        return self.longer, self.shorter, self.pairs, self.gaps

    def join(self, state: tuple[int, ...]) -> None:
        """Those of the next stretch."""
        known = zip(self.state(), state, strict=True)
        self.longer, self.shorter, self.pairs, self.gaps = (ours + theirs for ours, theirs in known)

    def hits(self) -> Iterator[Hit]:
        """About the file as a whole."""
        total = self.longer + self.shorter
        if total:
            share = self.longer / total
            sure = abs(share - 0.5) / (0.5 / math.sqrt(total))
            if abs(share - 0.5) >= self.LEAST and sure >= self.SURE:
                word = "longer" if share > 0.5 else "shorter"
                mean = self.gaps / self.pairs
                text = (
                    f"chosen is the {word} one in {max(share, 1 - share):.1%} of {total:,} pairs "
                    f"({mean:+.0f} characters on average): length alone predicts so much"
                )
                yield Hit("length-bias", None, text)
        least = needed(0.05)
        if 0 < self.pairs < least:
            told = f"{self.pairs:,} pairs tell effects from {detectable(self.pairs):.1%}"
            yield Hit("few-pairs", None, f"{told}; an effect of 5 % (win rate 55 %) needs {least:,}")
