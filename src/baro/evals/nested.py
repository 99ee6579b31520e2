"""Intervals where both the seeds of training and the prompts of the evaluation are samples.

A bootstrap over prompts alone says how sure one trained model's score is; another seed may still lie outside. So seeds
and prompts are both drawn with replacement (Davison & Hinkley 1997, section 3.8), prompts the same for all seeds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from baro.evals.statistics import RESAMPLES, Interval


def nested(scores: ArrayLike, *, seed: int = 0) -> Interval:
    """The mean of (seeds, prompts) scores with its 95 % interval over both."""
    table = _table(scores)
    draws = np.random.default_rng(seed)
    return _interval(float(table.mean()), _means(table, draws, _prompts(table, draws)))


def difference(ours: ArrayLike, theirs: ArrayLike, *, seed: int = 0) -> Interval:
    """The mean of `ours` less that of `theirs`, (seeds, prompts) each, on the same prompts, with its interval.

    Prompts are drawn together, for they are the same; seeds of the two apart, for they are not.
    """
    left, right = _table(ours), _table(theirs)
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"{left.shape[1]} and {right.shape[1]} prompts cannot be compared one by one")
    draws = np.random.default_rng(seed)
    prompts = _prompts(left, draws)
    found = _means(left, draws, prompts) - _means(right, draws, prompts)
    return _interval(float(left.mean() - right.mean()), found)


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"expected (seeds, prompts) scores, found the shape {table.shape}")
    return table


def _prompts(table: NDArray[np.float64], draws: np.random.Generator) -> NDArray[np.int64]:
    return draws.integers(table.shape[1], size=(RESAMPLES, table.shape[1]))


def _means(table: NDArray[np.float64], draws: np.random.Generator, prompts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(RESAMPLES,) means over drawn seeds and the given prompts."""
    seeds = draws.integers(len(table), size=(RESAMPLES, len(table)))
    # weights instead of an index over both: how often each seed was drawn
    weights = np.stack([(seeds == place).mean(1) for place in range(len(table))], axis=1)
    return np.stack([weights[n] @ table[:, prompts[n]].mean(1) for n in range(RESAMPLES)])


def _interval(mean: float, found: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(found, [2.5, 97.5])
    return Interval(mean, float(low), float(high))
