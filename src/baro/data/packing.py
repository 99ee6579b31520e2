"""Sequences laid end to end in one row, without padding.

Every function but `dealt` keeps the order it is given. Nothing here loops over tokens in Python: packing is part of
every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import TypeVar

import numpy as np
import torch

from baro.core.errors import DataError
from baro.core.types import Batch, Sequence

R = TypeVar("R", bound=tuple[Sequence, ...])
Row = TypeVar("Row")

WORTH = 16
"""Sharing prompts moves rows about in every layer; it pays from one token saved in so many."""


def pack(sequences: Iterable[Sequence]) -> Batch:
    """One batch of all `sequences`, in order. Equal prompts (what stands before the first learnt token) are shared.

    Sequences without a learnt token stay in and weigh nothing: `count` is the number of learnt tokens.

    Returns:
        Batch with tokens, positions (T,) int64, learn (T,) bool, False at the first position of every sequence.
    """
    rows = list(sequences)
    assert rows, "a batch holds at least one sequence"
    lengths = [len(row.tokens) for row in rows]
    assert all(lengths), "a sequence holds at least one token"
    assert lengths == [len(row.learn) for row in rows], "tokens and learn are of one length"
    total, sizes = sum(lengths), np.asarray(lengths)
    starts = np.cumsum(sizes) - sizes
    tokens = np.fromiter(chain.from_iterable(row.tokens for row in rows), np.int64, total)
    learn = np.fromiter(chain.from_iterable(row.learn for row in rows), np.bool_, total)
    learn[starts] = False  # nothing stands before a first token, so nothing predicts it
    return Batch(
        tokens=torch.from_numpy(tokens),
        positions=torch.from_numpy(np.arange(total, dtype=np.int64) - np.repeat(starts, sizes)),
        lengths=tuple(lengths),
        learn=torch.from_numpy(learn),
        count=int(learn.sum()),
        where=tuple(row.where for row in rows),
        shared=_shared(tokens, learn, starts, sizes),
    )


def _shared(
    tokens: np.ndarray, learn: np.ndarray, starts: np.ndarray, sizes: np.ndarray
) -> tuple[tuple[int, int], ...]:
    """(s, n) of each sequence, as `Batch.shared` has them; nothing when it would not pay."""
    learnt = np.append(np.flatnonzero(learn), len(learn))
    first = np.minimum(learnt[np.searchsorted(learnt, starts)], starts + sizes)
    owners: dict[bytes, int] = {}
    found = []
    for index, (start, end) in enumerate(zip(starts, first, strict=True)):
        owner = owners.setdefault(tokens[start:end].tobytes(), index)
        found.append((owner, 0 if owner == index else int(end - start)))
    saved = sum(size for _, size in found)
    return tuple(found) if saved * WORTH >= len(tokens) else ()


def micro_batches(
    sequences: Iterable[Sequence], *, max_tokens: int | None = None, max_sequences: int | None = None
) -> list[Batch]:
    """`sequences` cut, in order, into packed batches that keep both limits.

    Args:
        sequences: the rows of one update.
        max_tokens: tokens one batch may hold; None for no limit.
        max_sequences: sequences one batch may hold; None for no limit.

    Raises:
        DataError: one sequence alone is longer than `max_tokens`.
    """
    groups = _groups([(row,) for row in sequences], max_tokens, max_sequences)
    return [pack(row for (row,) in group) for group in groups]


def pairs(rows: Iterable[tuple[Sequence, Sequence]]) -> Batch:
    """One batch of (chosen, rejected) pairs: segments chosen0, rejected0, chosen1, …; `count` is the number of pairs.

    A pair counts whatever it learns; leave out pairs in which nothing is left to learn (`Sequence.count == 0`) before.
    """
    return _pack_pairs(list(rows))


def pair_batches(
    rows: Iterable[tuple[Sequence, Sequence]], *, max_tokens: int | None = None, max_pairs: int | None = None
) -> list[Batch]:
    """Pairs cut, in order, into batches as `pairs` makes them; a pair is never divided.

    Raises:
        DataError: one pair alone is longer than `max_tokens`.
    """
    return [_pack_pairs(group) for group in _groups(list(rows), max_tokens, max_pairs)]


def dealt(rows: list[Row], max_rows: int, size: Callable[[Row], int]) -> list[list[Row]]:
    """The rows of an update in as few groups of at most `max_rows` as there can be, each about as much work.

    Processes wait for the one that has the most. The longest row left goes to the group that holds least (Graham 1969);
    within a group rows keep their order.

    Args:
        max_rows: at least 1.
        size: tokens of a row.
    """
    groups: list[list[int]] = [[] for _ in range(-(-len(rows) // max_rows))]
    held = [0] * len(groups)
    sizes = [size(row) for row in rows]
    for index in sorted(range(len(rows)), key=sizes.__getitem__, reverse=True):
        lightest = min((g for g in range(len(groups)) if len(groups[g]) < max_rows), key=held.__getitem__)
        groups[lightest].append(index)
        held[lightest] += sizes[index]
    return [[rows[index] for index in sorted(group)] for group in groups]


def documents_to_blocks(sequences: Iterable[Sequence], block: int) -> list[Sequence]:
    """Long documents cut into pieces of at most `block` tokens, each a sequence of its own; short ones stay whole.

    A piece begins with the last token of the piece before it, which it sees and does not learn: so every token that
    was learnt in the document is learnt in exactly one piece.

    Args:
        sequences: documents.
        block: tokens of the longest piece, at least 2.
    """
    if block < 2:
        raise DataError(f"a block of {block} tokens cannot be learnt from.", hint="Use at least 2.")
    return [piece for document in sequences for piece in _blocks(document, block)]


def _blocks(document: Sequence, block: int) -> list[Sequence]:
    if len(document.tokens) <= block:
        return [document]
    starts = range(0, len(document.tokens) - 1, block - 1)
    return [
        Sequence(
            document.tokens[start : start + block],
            [False, *document.learn[start + 1 : start + block]],
            document.where,
        )
        for start in starts
    ]


def _pack_pairs(rows: list[tuple[Sequence, Sequence]]) -> Batch:
    return replace(pack(chain.from_iterable(rows)), count=len(rows))


def _groups(rows: list[R], max_tokens: int | None, max_rows: int | None) -> list[list[R]]:
    """Rows gathered in order until the next one would break a limit."""
    groups: list[list[R]] = []
    held = 0
    for row in rows:
        size = sum(len(sequence.tokens) for sequence in row)
        if max_tokens is not None and size > max_tokens:
            what = "sequence" if len(row) == 1 else "pair"
            raise DataError(
                f"a {what} of {size} tokens does not fit into a micro-batch of {max_tokens}.",
                where=row[0].where,
                hint="Lower max_length or raise the tokens of a micro-batch.",
            )
        full = not groups or (max_tokens is not None and held + size > max_tokens)
        if full or (max_rows is not None and len(groups[-1]) >= max_rows):
            groups.append([])
            held = 0
        groups[-1].append(row)
        held += size
    return groups
