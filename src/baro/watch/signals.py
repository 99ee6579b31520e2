"""Cheap signs of how a run is going, each a number that a rule can look at."""

from __future__ import annotations

import math
from collections.abc import Sequence as Items

import numpy as np


def explained_by(scores: Items[float], trait: Items[float]) -> float:
    """Share of the scores' variance that a straight line in `trait` (the length) explains, signed by its slope.

    Pearson's r · |r|, between -1 and 1; 0 where one of the two does not vary.
    """
    y, x = np.asarray(scores, dtype=np.float64), np.asarray(trait, dtype=np.float64)
    y, x = y - y.mean(), x - x.mean()
    size = float(np.sqrt((y * y).sum() * (x * x).sum()))
    r = float((x * y).sum()) / size if size > 0 else 0.0
    return r * abs(r)


def repeated(answers: Items[tuple[str, str]]) -> float:
    """Share of answers that are word for word the answer to another prompt of the same rollout.

    Args:
        answers: (prompt, answer).
    """
    prompts: dict[str, set[str]] = {}
    for prompt, answer in answers:
        prompts.setdefault(answer, set()).add(prompt)
    return sum(len(prompts[answer]) > 1 for _, answer in answers) / len(answers) if answers else 0.0


def mismatch(sampled: Items[Items[float]], trained: Items[Items[float]]) -> float:
    """Mean distance (nats per token) of the log-probabilities noted while sampling from those the trainer computes."""
    pairs = [(a, b) for one, other in zip(sampled, trained, strict=True) for a, b in zip(one, other, strict=True)]
    return float(np.mean([abs(a - b) for a, b in pairs])) if pairs else 0.0


def slope(values: Items[float]) -> float:
    """Change per step of the straight line that fits `values`, taken at equal steps, best (least squares)."""
    middle = (len(values) - 1) / 2
    weights = [place - middle for place in range(len(values))]
    size = sum(weight * weight for weight in weights)
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) / size if size else 0.0


def efficiency(gain: float, nats: float) -> float:
    """What a drift of so many nats has bought, as a share of what it could have, between 0 and 1.

    Of all policies `nats` away from a reference whose rewards are normally distributed, the best one gains √(2·nats)
    standard deviations: it is the reference tilted by exp(r/β). (Gao et al. 2023, arXiv:2210.10760, measure in √nats.)

    Args:
        gain: rise of the mean reward, in standard deviations of one answer's reward under the reference.
    """
    return min(max(gain / math.sqrt(2 * nats), 0.0), 1.0) if nats > 0 else 1.0
