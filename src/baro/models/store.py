"""Where keys and values lie while sequences are continued.

In a store every sequence has a slot, and all end at the same column, where the newest tokens are: so a pass writes one
column, a sliding window is the last columns of all, and what is hidden from a sequence are the columns before its first
token. Slots are filled without holes, sequences of similar length side by side, so that attention reads plain views,
group by group, each as wide as its longest sequence.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from itertools import pairwise

import torch
from torch import Tensor

from baro.models import invariant

BLOCK = invariant.BLOCK
"""A store is this many columns long, or a multiple of it."""

GROUPS = (1, 2, 4)
"""Slots are read in so many groups, whichever costs least; of these the borders of fewer are borders of more."""

CALL = 350
"""What one more group costs on a CPU, in columns read of one sequence."""


def borders(count: int, groups: int) -> list[int]:
    """Where groups of `count` sequences begin, and the end of the last; all about as large."""
    return [count * group // groups for group in range(groups + 1)]


def groups(lengths: Items[int], device: torch.device) -> list[tuple[int, int, int]]:
    """(first slot, end, longest) of the groups in which sequences of these lengths are read at the least cost."""
    best, least = [(0, len(lengths), max(lengths))], 0
    for number in GROUPS if device.type == "cpu" else GROUPS[:1]:
        edges = pairwise(borders(len(lengths), number))
        found = [(start, end, max(lengths[start:end])) for start, end in edges if start < end]
        cost = sum((end - start) * longest + CALL for start, end, longest in found)
        if number == GROUPS[0] or cost < least:
            best, least = found, cost
    return best


def seated(held: Items[int], lengths: Items[int]) -> list[int]:
    """A slot for each of n sequences, 0 … n - 1, the longest in the first group, the next in the second.

    Args:
        held: the slot that each is in now; it stays there if that is in its group.
    """
    order = sorted(range(len(held)), key=lambda index: (-lengths[index], held[index]))
    seats = [0] * len(held)
    for start, end in pairwise(borders(len(held), GROUPS[-1])):
        members = order[start:end]
        free = iter(sorted(set(range(start, end)) - {held[index] for index in members}))
        for index in members:
            seats[index] = held[index] if start <= held[index] < end else next(free)
    return seats


class Store:
    """Keys (slots, Hkv, Dh, length) and values (slots, Hkv, length, Dh) of every layer, made at its first write.

    Lying so, they are read in the order of memory by both products of attention. The last token of every sequence is in
    column `end` - 1.
    """

    def __init__(self, slots: int) -> None:
        self.slots, self.length, self.end = slots, 0, 0
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}

    def advance(self, longest: int, kept: int) -> None:
        """Make room for the next token of every sequence.

        Args:
            longest: tokens that any sequence then has. kept: tokens that any has now.
        """
        if longest <= self.end + 1 <= self.length:
            self.end += 1
            return
        length = self.length
        if 4 * longest > 3 * length:  # otherwise there is room enough before the longest
            length = -(-(longest + longest // 2) // BLOCK) * BLOCK
        self._lay(self.slots, length, longest - 1, kept)
        self.end = longest

    def fit(self, slots: int, longest: int, kept: int) -> None:
        """Make room for so many sequences of up to so many tokens, to which no more are added; `kept` as above."""
        if slots > self.slots or longest > self.length:
            length = max(self.length, -(-longest // BLOCK) * BLOCK)
            self._lay(max(slots, self.slots + self.slots // 2), length, length, kept)

    def _lay(self, slots: int, length: int, end: int, kept: int) -> None:
        """Have so many slots and columns; the last `kept` tokens of every sequence now end at `end`."""
        for layer, pair in self.layers.items():
            made = []
            for axis, old in ((3, pair[0]), (2, pair[1])):
                shape = list(old.shape)
                shape[0], shape[axis] = slots, length
                new = old.new_zeros(shape)
                new[: self.slots].narrow(axis, end - kept, kept).copy_(old.narrow(axis, self.end - kept, kept))
                made.append(new)
            self.layers[layer] = (made[0], made[1])
        self.slots, self.length, self.end = slots, length, end

    def write(self, layer: int, slot: int, key: Tensor, value: Tensor) -> None:
        """Store the (Hkv, M, Dh) keys and values of a sequence of M tokens."""
        keys, values = self._of(layer, key, value)
        start = self.end - key.shape[1]
        keys[slot, :, :, start : self.end] = key.transpose(1, 2)
        values[slot, :, start : self.end] = value

    def append(self, layer: int, key: Tensor, value: Tensor) -> None:
        """Store the (Hkv, B, Dh) keys and values of the newest token of the sequences in slots 0 … B - 1."""
        keys, values = self._of(layer, key, value)
        count = key.shape[1]
        keys[:count, :, :, self.end - 1] = key.transpose(0, 1)
        values[:count, :, self.end - 1] = value.transpose(0, 1)

    def _of(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        if layer not in self.layers:
            self.layers[layer] = (
                key.new_zeros(self.slots, len(key), key.shape[2], self.length),
                value.new_zeros(self.slots, len(value), self.length, value.shape[2]),
            )
        return self.layers[layer]

    def heads(self, layer: int) -> int:
        """Key heads of a layer."""
        return self.layers[layer][0].shape[1]

    def columns(self, layer: int, start: int, end: int, width: int) -> tuple[Tensor, Tensor]:
        """(n * Hkv, Dh, width) keys and (n * Hkv, width, Dh) values of the last tokens in slots `start` to `end`."""
        keys, values = self.layers[layer]
        heads, size, deep = keys.shape[1], keys.shape[2], values.shape[3]
        count, row, first = (end - start) * heads, start * heads, self.end - width
        return (  # as slices of views would give them, in a third of the time
            keys.as_strided(
                (count, size, width), (size * self.length, self.length, 1), row * size * self.length + first
            ),
            values.as_strided((count, width, deep), (self.length * deep, deep, 1), (row * self.length + first) * deep),
        )

    def read(self, layer: int, slot: int, count: int) -> tuple[Tensor, Tensor]:
        """(Hkv, count, Dh) keys and values of the last tokens of a sequence."""
        keys, values = self.layers[layer]
        tokens = slice(self.end - count, self.end)
        return keys[slot, :, :, tokens].transpose(1, 2), values[slot, :, tokens]

    def move(self, held: Items[int], seats: Items[int], lengths: Items[int]) -> None:
        """Bring sequences of these lengths from the slots `held` into the slots `seats`."""
        moves = {new: (old, size) for old, new, size in zip(held, seats, lengths, strict=True) if old != new}
        order = []
        while moves:
            read = {old for old, _ in moves.values()}
            free = [new for new in moves if new not in read]
            order += [(*moves.pop(new), new) for new in free]
            if not free:
                break
        for pair in self.layers.values() if moves or order else ():
            for axis, stored in ((2, pair[0]), (1, pair[1])):
                for old, size, new in order:
                    start = self.end - size
                    stored[new].narrow(axis, start, size).copy_(stored[old].narrow(axis, start, size))
                circle = [stored[old].clone() for old, _ in moves.values()]  # these overwrite one another
                for new, part in zip(moves, circle, strict=True):
                    stored[new].copy_(part)
