"""Cheap signs of how a run is going, each a number that a rule can look at."""

from __future__ import annotations

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
