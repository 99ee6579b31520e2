"""Mixtures: how often the rows of each source are seen in one epoch."""

from __future__ import annotations

from collections.abc import Sequence

from baro.data.stream import permutation


def mixed(sizes: Sequence[int], weights: Sequence[float], *, seed: int) -> list[tuple[int, int]]:
    """(source, row) of every row of a mixture, source by source.

    Args:
        sizes: rows of each source.
        weights: passes over each source per epoch: 2 gives every row twice, 0.5 a random half of them, 1.25 every row
            once and a random quarter twice.
        seed: of the choice.
    """
    chosen: list[tuple[int, int]] = []
    for source, (size, weight) in enumerate(zip(sizes, weights, strict=True)):
        whole = int(weight)
        part = round((weight - whole) * size)
        extra = sorted(permutation(size, seed=seed, epoch=source)[:part].tolist())
        chosen += [(source, row) for _ in range(whole) for row in range(size)]
        chosen += [(source, row) for row in extra]
    return chosen
