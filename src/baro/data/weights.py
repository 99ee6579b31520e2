"""Mixtures: how often the rows of each source are seen in one epoch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Generic, TypeVar

from baro.data.stream import permutation

R = TypeVar("R")


class Mixture(Generic[R]):
    """The rows of several sources, source by source, each as often as its weight says; gone through in order.

    Args:
        sources: each is gone through once for every pass begun.
        weights: passes over each source per epoch: 2 gives every row twice, 0.5 a random half of them, 1.25 every row
            once and a random quarter twice.
        seed: of the choice.
    """

    def __init__(self, sources: Sequence[Collection[R]], weights: Sequence[float], *, seed: int) -> None:
        self.passes: list[tuple[Collection[R], list[int] | None]] = []
        for number, (source, weight) in enumerate(zip(sources, weights, strict=True)):
            whole = int(weight)
            part = round((weight - whole) * len(source))
            self.passes += [(source, None)] * whole
            if part:
                chosen = permutation(len(source), seed=seed, epoch=number)[:part]
                self.passes.append((source, sorted(chosen.tolist())))

    def __len__(self) -> int:
        return sum(len(source) if chosen is None else len(chosen) for source, chosen in self.passes)

    def __contains__(self, row: object) -> bool:
        return any(row == each for each in self)

    def __iter__(self) -> Iterator[R]:
        for source, chosen in self.passes:
            if chosen is None:
                yield from source
                continue
            wanted = iter([*chosen, len(source)])
            following = next(wanted)
            for place, row in enumerate(source):
                if place == following:
                    yield row
                    following = next(wanted)
