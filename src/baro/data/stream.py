"""The order in which rows are seen: a pure function of (seed, epoch, index).

The order knows nothing of ranks or micro-batches, so any number of ranks visits the same global sequence, and a run
resumed at any step goes on with the rows the uninterrupted run would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from typing import Any

import numpy as np

from baro.core.errors import CheckpointError, DataError
from baro.core.types import Batch


def permutation(n: int, *, seed: int, epoch: int) -> np.ndarray:
    """(n,) int64: the order of `n` rows in one epoch.

    The rows are sorted by raw 64-bit Philox draws (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"),
    whose values numpy keeps from version to version, unlike those of its `permutation`.
    """
    draws = np.random.Philox(np.random.SeedSequence([seed, epoch])).random_raw(n)
    return np.argsort(draws, kind="stable")


def steps_in(n: int, per_update: int, *, epochs: float = 1.0, drop_last: bool = False) -> int:
    """Optimiser steps that `epochs` passes over `n` rows take, rounded up."""
    per_epoch = n // per_update if drop_last else ceil(n / per_update)
    return ceil(per_epoch * epochs)


class Stream:
    """Lists of row indices, one list per optimiser step.

    Every epoch has its own order and ends with its own last step, which may be a smaller one.

    Args:
        n: rows.
        updates: optimiser steps in all, over as many epochs as they take.
        per_update: rows of one step, over all ranks.
        seed: non-negative seed of the order.
        drop_last: leave the smaller last step of every epoch out.

    Raises:
        DataError: there is no row, or `drop_last` leaves none.
    """

    def __init__(self, n: int, *, updates: int, per_update: int, seed: int, drop_last: bool = False) -> None:
        self.per_epoch = steps_in(n, per_update, drop_last=drop_last)
        if self.per_epoch == 0:
            raise DataError(
                f"{n} rows do not fill one update of {per_update}.",
                hint="Lower the batch size or add data." if n else "The data set is empty.",
            )
        self.n, self.updates, self.per_update, self.seed, self.drop_last = n, updates, per_update, seed, drop_last
        self.done = 0
        self._epoch = -1
        self._order = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return self.updates

    def __iter__(self) -> Iterator[list[int]]:
        return self

    def __next__(self) -> list[int]:
        if self.done >= self.updates:
            raise StopIteration
        rows = self.at(self.done)
        self.done += 1
        return rows

    def at(self, step: int) -> list[int]:
        """Row indices of optimiser step `step`, counted from 0, whatever was drawn before."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, permutation(self.n, seed=self.seed, epoch=epoch)
        return self._order[place * self.per_update : (place + 1) * self.per_update].tolist()

    @property
    def epoch(self) -> float:
        """Epochs done."""
        return self.done / self.per_epoch

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON."""
        return {"done": self.done, **self._identity()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after the steps `state` had done.

        Raises:
            CheckpointError: rows, batch or seed are not those of the state, so the order would be another one.
        """
        changed = {name: (state.get(name), now) for name, now in self._identity().items() if state.get(name) != now}
        if changed:
            what = ", ".join(f"{name} {then} → {now}" for name, (then, now) in changed.items())
            raise CheckpointError(
                f"the order of the data is not the one of the checkpoint: {what}.",
                hint="Resume with the same data, batch and seed, or start a new run.",
            )
        self.done = int(state["done"])

    def _identity(self) -> dict[str, Any]:
        return {"n": self.n, "per_update": self.per_update, "seed": self.seed, "drop_last": self.drop_last}


class Updates:
    """The micro-batches of every optimiser step: `build` applied to the rows a stream names.

    Args:
        stream: the order.
        build: row indices of one step → its micro-batches.
    """

    def __init__(self, stream: Stream, build: Callable[[list[int]], list[Batch]]) -> None:
        self.stream, self.build = stream, build

    def __len__(self) -> int:
        return len(self.stream)

    def __iter__(self) -> Iterator[list[Batch]]:
        return self

    def __next__(self) -> list[Batch]:
        return self.build(next(self.stream))

    def state(self) -> dict[str, Any]:
        """What `restore` needs, as plain JSON."""
        return self.stream.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on after the steps `state` had done."""
        self.stream.restore(state)
