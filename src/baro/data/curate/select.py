"""Which rows to keep, given one score a row: pure functions of arrays. Ties go to the earlier row.

`random_rows` and `longest` are the controls: a selection that does not beat them has chosen nothing
(Zhao et al. 2024, "Long is more for alignment").
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Choose = Callable[[NDArray[np.int64], int], list[int]]


def ranks(values: Items[float] | Array, *, descending: bool = False) -> Array:
    """(n,) shares in (0, 1]: the part of the known values that is not better; equal values share their best one.

    Args:
        values: NaN is unknown and gets 0.
        descending: True where small is good.
    """
    array = np.asarray(values, dtype=np.float64)
    known = np.isfinite(array)
    held = -array[known] if descending else array[known]
    found = np.zeros(len(array))
    if held.size:
        found[known] = np.searchsorted(np.sort(held), held, side="right") / held.size
    return found


def combined(columns: dict[str, Array], by: Items[str], descending: Items[str]) -> Array:
    """(n,) product of the ranks by every score named, in [0, 1]: a row must be good by all (Deita's c · q).

    Args:
        columns: score → (n,) values. by: names of scores. descending: those of which little is good.
    """
    found = np.ones(len(next(iter(columns.values()))))
    for name in by:
        found *= ranks(columns[name], descending=name in descending)
    return found


def top(scores: Array, rows: NDArray[np.int64], keep: int) -> list[int]:
    """The `keep` rows of `rows` with the highest scores, best first."""
    order = np.argsort(-scores[rows], kind="stable")
    return rows[order][:keep].tolist()


def diverse(
    scores: Array, embeddings: NDArray[np.floating], rows: NDArray[np.int64], keep: int, *, nearest: float = 0.9
) -> list[int]:
    """Greedy: again and again the row with the largest score × distance to its nearest kept row (cf. Liu et al. 2024).

    Deita walks down the scores and skips a row whose nearest kept neighbour has a cosine similarity above τ = 0.9.
    Here such rows come last instead of never, so that `keep` rows are found, and among the others distance counts too.

    Args:
        scores: (n,) not negative. embeddings: (n, D), any length. rows: candidates. nearest: τ.
    """
    lengths = np.linalg.norm(embeddings[rows], axis=1, keepdims=True)
    units = (embeddings[rows] / np.maximum(lengths, 1e-12)).astype(np.float32)
    held = scores[rows]
    distance = np.full(len(rows), 2.0)
    left = np.ones(len(rows), dtype=bool)
    kept: list[int] = []
    for _ in range(min(keep, len(rows))):
        near = distance < 1 - nearest
        gain = np.where(left, held * distance - near * 1e6, -np.inf)
        best = int(np.argmax(gain))
        kept.append(int(rows[best]))
        left[best] = False
        distance = np.minimum(distance, 1 - units @ units[best])
    return kept


def quotas(kinds: Items[str], keep: int, *, equal: bool) -> dict[str, int]:
    """How many rows of each kind make up `keep`.

    Args:
        kinds: the kind of every row.
        equal: the same number of every kind, what a small kind lacks going to the others; False: in proportion to the
            kinds' sizes, remainders to the largest fractions.
    """
    sizes: dict[str, int] = {}
    for kind in kinds:
        sizes[kind] = sizes.get(kind, 0) + 1
    keep = min(keep, len(kinds))
    if equal:
        shares = dict.fromkeys(sizes, 0)
        for _ in range(keep):
            shares[min((kind for kind in sizes if shares[kind] < sizes[kind]), key=shares.__getitem__)] += 1
        return shares
    exact = {kind: keep * size / len(kinds) for kind, size in sizes.items()}
    shares = {kind: int(value) for kind, value in exact.items()}
    for kind in sorted(sizes, key=lambda kind: shares[kind] - exact[kind])[: keep - sum(shares.values())]:
        shares[kind] += 1
    return shares


def by_kind(kinds: Items[str], rows: NDArray[np.int64], keep: int, choose: Choose, *, equal: bool) -> list[int]:
    """`choose` within every kind, as many as its quota."""
    names = [kinds[row] for row in rows]
    kept: list[int] = []
    for kind, share in quotas(names, keep, equal=equal).items():
        kept += choose(rows[np.array([name == kind for name in names])], share)
    return kept


def random_rows(rows: NDArray[np.int64], keep: int, *, seed: int) -> list[int]:
    """The control: `keep` rows drawn without replacement."""
    return np.random.default_rng(seed).choice(rows, size=min(keep, len(rows)), replace=False).tolist()


def longest(lengths: Items[int], keep: int) -> list[int]:
    """The other control: the rows with the longest answers."""
    return top(np.asarray(lengths, dtype=np.float64), np.arange(len(lengths)), keep)
