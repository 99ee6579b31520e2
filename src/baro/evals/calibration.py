"""Whether a reward model is as sure as it is right.

A reward model says with probability σ(gap) that the first of two answers is the better one (Bradley & Terry 1952). Its
confidence in the answer it scores higher is σ(|gap|), between one half and 1; calibrated means that among pairs of one
confidence, that share is ordered as people ordered them.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit


@dataclass(frozen=True)
class Bin:
    """Pairs of like confidence: their mean confidence, the share ordered rightly, and how many they are."""

    confidence: float
    accuracy: float
    count: int


def reliability(gaps: Items[float] | np.ndarray, *, bins: int = 10) -> list[Bin]:
    """The reliability diagram: bins of equal width over confidences 0.5 to 1, the empty ones left out.

    Args:
        gaps: score of the preferred answer minus score of the other, logits. A gap of 0 is half right.
    """
    array = np.asarray(gaps, dtype=np.float64)
    confidence, right = expit(np.abs(array)), (np.sign(array) + 1) / 2
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    return [
        Bin(float(confidence[place == b].mean()), float(right[place == b].mean()), int((place == b).sum()))
        for b in range(bins)
        if (place == b).any()
    ]


def expected_error(diagram: Items[Bin]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy, weighted by pairs (Guo et al. 2017)."""
    total = sum(one.count for one in diagram)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in diagram) / total if total else float("nan")


def log_loss(gaps: Items[float] | np.ndarray, *, temperature: float = 1.0) -> float:
    """Mean -log σ(gap / temperature), nats; ln 2 is a coin."""
    return float(np.logaddexp(0.0, -np.asarray(gaps, dtype=np.float64) / temperature).mean())


def mending_temperature(gaps: Items[float] | np.ndarray) -> float:
    """The T for which σ(gap / T) predicts the pairs best: above 1 the model is too sure, below 1 too shy.

    The loss is convex in 1/T, so its slope has one zero. Infinity where no confidence is deserved (the mean gap is not
    positive), 0 where every pair is ordered rightly and no confidence is too high.
    """
    array = np.asarray(gaps, dtype=np.float64)
    array = array[array != 0]
    if array.size == 0 or array.mean() <= 0:
        return float("inf")
    if (array > 0).all():
        return 0.0

    def slope(inverse: float) -> float:
        return float((array * expit(-inverse * array)).mean())

    high = 1.0 / float(np.abs(array).max())
    while slope(high) > 0:
        high *= 2
    return 1 / float(brentq(slope, 0.0, high, xtol=1e-12, rtol=1e-12))
