"""Means, rates and wins with 95 % bootstrap intervals over prompts."""

from __future__ import annotations

from collections.abc import Hashable
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with the 2.5 % and 97.5 % percentiles of its bootstrap distribution (Efron 1979)."""

    mean: float
    low: float
    high: float


def bootstrap(values: Items[float], *, groups: Items[Hashable] | None = None, seed: int = 0) -> Interval:
    """The mean of `values` (n,) and its percentile interval; all NaN when there is nothing to average.

    Args:
        groups: what each value belongs to (its prompt): whole groups are drawn, for the values of one are not
            independent. Default: every value is its own.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    counts = np.ones_like(array)
    sums = array
    if groups is not None:
        places: dict[Hashable, int] = {}
        owner = np.array([places.setdefault(group, len(places)) for group in groups])
        sums, counts = (np.bincount(owner, weights).astype(np.float64) for weights in (array, counts))
    draws = np.random.default_rng(seed).integers(sums.size, size=(RESAMPLES, sums.size))
    low, high = np.percentile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [2.5, 97.5])
    return Interval(float(array.mean()), float(low), float(high))


def wins(scores: Items[float], baseline: Items[float]) -> list[float]:
    """Per prompt: 1 where `scores` is higher than `baseline`, 0 where it is lower, one half for a tie."""
    pairs = zip(scores, baseline, strict=True)
    return [1.0 if ours > theirs else 0.0 if ours < theirs else 0.5 for ours, theirs in pairs]


def distinct(answers: Items[Items[int]], n: int = 2) -> float:
    """Distinct n-grams over all n-grams of the answers' tokens together (Li et al. 2016); 0 without any n-gram."""
    grams = [tuple(tokens[i : i + n]) for tokens in answers for i in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0
