"""A curve with fewer points that looks the same, and a smoother one."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter


def thinned(x: np.ndarray, y: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """At most about `points` of the points, in order: the lowest and highest of every stretch, and the two ends.

    So no spike is lost, which drawing every k-th point would do.
    """
    count = len(y)
    if count <= max(points, 4):
        return x, y
    size = -(-count // (max(points, 4) // 2))
    rows = np.pad(y, (0, -count % size), mode="edge").reshape(-1, size)
    starts = np.arange(len(rows)) * size
    kept = np.concatenate([[0], starts + rows.argmin(1), starts + rows.argmax(1), [count - 1]])
    kept = np.unique(np.minimum(kept, count - 1))
    return x[kept], y[kept]


def smoothed(y: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving mean, its start not pulled towards 0 (Kingma & Ba 2015, section 3).

    Args:
        weight: of what came before, in [0, 1); 0 changes nothing.
    """
    if weight <= 0 or len(y) < 2:
        return y
    means = lfilter([1 - weight], [1, -weight], y)
    start = min(len(y), math.ceil(math.log(1e-17) / math.log(weight)))  # behind it the pull is below rounding
    means[:start] /= 1 - weight ** np.arange(1, start + 1)
    return means
