"""MinHash (Broder 1997): a few numbers of a set from which the share that two sets have in common can be told.

Two sets have the same smallest value under a random function of their items with the probability of their Jaccard
similarity. The functions are the multiply-add-shift ones of Dietzfelbinger (1996): (a x + b) mod 2⁶⁴ / 2³².
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CHUNK = 4096
"""Items that are hashed at a time."""


def sketch(items: Collection[int], functions: int = 64) -> NDArray[np.uint64]:
    """(functions,) the smallest value, below 2³², that each function gives to an item; 2³² - 1 for no items.

    Args:
        items: hashes below 2³².
    """
    factors, offsets = _drawn(functions)
    smallest = np.full(functions, 2**32 - 1, np.uint64)
    every = np.fromiter(items, np.uint64, len(items))
    for start in range(0, len(every), CHUNK):
        values = (factors * every[start : start + CHUNK] + offsets) >> np.uint64(32)
        np.minimum(smallest, values.min(1), out=smallest)
    return smallest


@lru_cache
def _drawn(functions: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The (functions, 1) factors and offsets: the same on every machine."""
    first, second = np.random.default_rng(1).integers(0, 2**64, (2, functions, 1), np.uint64)
    return first, second
