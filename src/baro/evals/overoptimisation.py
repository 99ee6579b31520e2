"""How the true reward rises and falls as a proxy of it is optimised (Gao, Schulman & Hilton 2022, 2210.10760).

With d = √KL(π‖π_init), √nats, and R the gain of the true reward over π_init:

    best-of-n                R(d) = d (α - β d)        highest at d = α/2β, where R = α²/4β
    reinforcement learning   R(d) = d (α - β ln d)     highest at d = exp(α/β - 1), where R = β d
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Form = Literal["best_of_n", "rl"]


@dataclass(frozen=True)
class Law:
    """One of the two forms with its coefficients, in units of the true reward per √nat (β of best-of-n: per nat)."""

    form: Form
    alpha: float
    beta: float

    def at(self, d: ArrayLike) -> NDArray[np.float64]:
        """(N,) gains at distances d ≥ 0; 0 at d = 0."""
        rise, fall = _columns(self.form, d)
        return self.alpha * rise - self.beta * fall

    @property
    def peak(self) -> tuple[float, float] | None:
        """(d, gain) of the maximum; None where the law has none at a positive distance: it rises for ever, or falls."""
        if self.beta <= 0 or (self.form == "best_of_n" and self.alpha <= 0):
            return None
        if self.form == "best_of_n":
            return self.alpha / (2 * self.beta), self.alpha**2 / (4 * self.beta)
        d = math.exp(min(self.alpha / self.beta - 1, 700.0))
        return d, self.beta * d


def fit(form: Form, d: ArrayLike, gains: ArrayLike) -> tuple[Law, float]:
    """The law nearest to the points by least squares, and its R² (1 - residual over total sum of squares).

    Args:
        d: (N,) distances, √nats. gains: (N,) true reward gained there.

    Raises:
        ValueError: fewer than two different positive distances, which do not determine α and β.
    """
    x, y = np.asarray(d, dtype=np.float64), np.asarray(gains, dtype=np.float64)
    if len(np.unique(x[x > 0])) < 2:
        raise ValueError(f"two coefficients need two different positive distances; found {len(np.unique(x[x > 0]))}")
    rise, fall = _columns(form, x)
    alpha, beta = np.linalg.lstsq(np.stack([rise, -fall], 1), y, rcond=None)[0]
    law = Law(form, float(alpha), float(beta))
    total = float(((y - y.mean()) ** 2).sum())
    left = float(((y - law.at(x)) ** 2).sum())
    return law, 1 - left / total if total > 0 else float("nan")


def _columns(form: Form, d: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) what α and -β are multiplied with."""
    x = np.asarray(d, dtype=np.float64)
    if form == "best_of_n":
        return x, x * x
    return x, x * np.log(np.where(x > 0, x, 1.0))
