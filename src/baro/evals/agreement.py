"""Do people who compare answers agree: with each other, with themselves, and whatever side an answer stood on?

Pure functions of ratings. A rating is (item, rater, label); the labels of comparisons are "a", "b" and "tie", and a
pair that was skipped has none. Intervals are 95 %: bootstrap over items (Efron 1979) for agreement, Wilson (1927) for
shares. Where chance alone would already agree fully (everybody always says the same) a coefficient has no value: NaN.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Items
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baro.evals.statistics import Interval

Numbers = NDArray[np.float64]
RESAMPLES = 1000
NORMAL_95 = 1.959963984540054
NOTHING = Interval(float("nan"), float("nan"), float("nan"))


class Rating(NamedTuple):
    """One person's label for one item."""

    item: str | int
    rater: str
    label: str


# --- coefficients, of weighted items ---------------------------------------------------------------------------------


def observed(counts: Numbers, weights: Numbers | None = None) -> float:
    """The share of pairs of raters that agree, each item with two ratings or more counting the same.

    Args:
        counts: (N, C) how many raters gave item n the label c.
        weights: (N,) how often each item counts; once each by default.
    """
    raters, weights = counts.sum(1), _weights(counts, weights)
    return _share(((counts * (counts - 1)).sum(1) / (raters * (raters - 1))) @ weights, weights.sum())


def fleiss(counts: Numbers, weights: Numbers | None = None) -> float:
    """Fleiss' kappa (1971), in the form for any number of raters per item (Gwet 2014, eq. 2.16). Arguments as above."""
    weights = _weights(counts, weights)
    shares = weights @ (counts / counts.sum(1, keepdims=True)) / max(weights.sum(), 1e-300)
    return _beyond_chance(observed(counts, weights), float((shares**2).sum()))


def krippendorff(counts: Numbers, weights: Numbers | None = None) -> float:
    """Krippendorff's alpha for nominal labels (2011, "Computing Krippendorff's alpha-reliability", section C)."""
    raters, weights = counts.sum(1), _weights(counts, weights)
    total, each = float(raters @ weights), weights @ counts
    if total <= 1:
        return math.nan
    agreed = float(((counts * (counts - 1)).sum(1) / (raters - 1)) @ weights) / total
    return _beyond_chance(agreed, float((each * (each - 1)).sum()) / (total * (total - 1)))


def cohen(table: Numbers) -> float:
    """Cohen's kappa (1960) of two raters; (C, C) how often the one said c while the other said d."""
    total = table.sum()
    if not total:
        return math.nan
    return _beyond_chance(float(np.trace(table) / total), float(table.sum(1) @ table.sum(0) / total**2))


# --- the same of ratings, with intervals -----------------------------------------------------------------------------


def percent_agreement(ratings: Iterable[Rating]) -> Interval:
    """`observed` of the items that two or more people rated."""
    return _over_items(observed, tabulate(ratings))


def fleiss_kappa(ratings: Iterable[Rating]) -> Interval:
    """`fleiss` of the items that two or more people rated."""
    return _over_items(fleiss, tabulate(ratings))


def krippendorff_alpha(ratings: Iterable[Rating]) -> Interval:
    """`krippendorff` of the items that two or more people rated."""
    return _over_items(krippendorff, tabulate(ratings))


def cohen_kappas(ratings: Iterable[Rating]) -> dict[tuple[str, str], tuple[Interval, int]]:
    """Two raters → Cohen's kappa of the items both rated, and how many those are."""
    ratings = list(ratings)
    labels = {label: place for place, label in enumerate(sorted({one.label for one in ratings}))}
    by_rater: dict[str, dict[str | int, int]] = defaultdict(dict)
    for one in ratings:
        by_rater[one.rater].setdefault(one.item, labels[one.label])
    found, size = {}, len(labels)
    for first, second in combinations(sorted(by_rater), 2):
        shared = sorted(by_rater[first].keys() & by_rater[second].keys(), key=str)
        if not shared:
            continue
        cells = np.zeros((len(shared), size * size))
        places = [by_rater[first][item] * size + by_rater[second][item] for item in shared]
        cells[np.arange(len(shared)), places] = 1

        found[first, second] = (_over_items(_cohen_of_cells, cells), len(shared))
    return found


def tabulate(ratings: Iterable[Rating]) -> Numbers:
    """(N, C) counts of labels of the items with two ratings or more, items and labels in sorted order.

    A rater's first rating of an item counts; a later one of the same item is a matter of self-consistency.
    """
    first: dict[tuple[str, str], str] = {}
    for one in ratings:
        first.setdefault((str(one.item), one.rater), one.label)
    items: dict[str, list[str]] = defaultdict(list)
    for (item, _), label in first.items():
        items[item].append(label)
    labels = {label: place for place, label in enumerate(sorted(set(first.values())))}
    rows = [given for _, given in sorted(items.items()) if len(given) > 1]
    counts = np.zeros((len(rows), len(labels)))
    for place, given in enumerate(rows):
        for label in given:
            counts[place, labels[label]] += 1
    return counts


# --- one person ------------------------------------------------------------------------------------------------------


def share(successes: int, of: int) -> Interval:
    """A share with its Wilson interval (1927)."""
    if of == 0:
        return NOTHING
    rate, z2 = successes / of, NORMAL_95**2
    middle = (rate + z2 / (2 * of)) / (1 + z2 / of)
    half = NORMAL_95 / (1 + z2 / of) * math.sqrt(rate * (1 - rate) / of + z2 / (4 * of**2))
    return Interval(rate, max(0.0, middle - half), min(1.0, middle + half))


def self_consistency(twice: Items[tuple[str, str]]) -> Interval:
    """The share of pairs judged alike by the same person both times; (label, label), sides already undone."""
    return share(sum(one == other for one, other in twice), len(twice))


def side_bias(sides: Items[str]) -> Interval:
    """The share of choices (ties apart) for the answer on the left: 0.5 when the side plays no part."""
    decided = [side for side in sides if side in ("left", "right")]
    return share(decided.count("left"), len(decided))


def median(values: Items[float], *, seed: int = 0) -> Interval:
    """The median with its bootstrap interval: one long pause moves it little."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return NOTHING
    draws = np.random.default_rng(seed).integers(array.size, size=(RESAMPLES, array.size))
    low, high = np.percentile(np.median(array[draws], axis=1), [2.5, 97.5])
    return Interval(float(np.median(array)), float(low), float(high))


# --- their pieces ----------------------------------------------------------------------------------------------------


def _weights(counts: Numbers, weights: Numbers | None) -> Numbers:
    return np.ones(len(counts)) if weights is None else weights


def _cohen_of_cells(cells: Numbers, weights: Numbers | None = None) -> float:
    """Cohen's kappa of (N, C·C): for each item, which cell of the table it falls into."""
    size = math.isqrt(cells.shape[1])
    return cohen((_weights(cells, weights) @ cells).reshape(size, size))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _beyond_chance(agreed: float, chance: float) -> float:
    """(agreed - chance) / (1 - chance); NaN where chance is 1."""
    return (agreed - chance) / (1 - chance) if chance < 1 - 1e-12 else math.nan


def _over_items(figure: Callable[..., float], counts: Numbers, *, seed: int = 0) -> Interval:
    """`figure(counts)` with its percentile interval over resampled items.

    Items with equal counts are interchangeable: how many of each kind a resample holds is all that matters.
    """
    if not len(counts):
        return NOTHING
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    draws = np.random.default_rng(seed).multinomial(len(counts), times / len(counts), size=RESAMPLES)
    values = np.array([figure(kinds, weights.astype(np.float64)) for weights in draws])
    values = values[~np.isnan(values)]
    low, high = np.percentile(values, [2.5, 97.5]) if values.size else (math.nan, math.nan)
    return Interval(figure(counts), float(low), float(high))
