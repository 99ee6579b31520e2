"""Tokenised rows on the disk: as many as the disk holds, of which memory holds one at a time.

Two files without a name, gone when the process ends: the ids of all sequences end to end (four bytes each, the highest
bit saying whether it is learnt), and where each sequence begins and came from. They are read with `pread`, not mapped:
what is not asked for again does not count as the process's memory.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from baro.core.errors import BaroError
from baro.core.types import Sequence

LEARNT = np.uint32(1 << 31)
ENTRY = np.dtype([("start", "<i8"), ("size", "<i4"), ("file", "<i4"), ("row", "<i8")])
AT_ONCE = 1 << 20  # ids written at once


class Store:
    """Sequences by their number, as they were given.

    Args:
        folder: where the files lie; not a folder in memory, as /tmp may be.
        sequences: gone through once.

    Raises:
        BaroError: the disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path, sequences: Iterable[Sequence]) -> None:
        self._names: dict[str, int] = {}
        self._size = 0
        try:
            self._ids = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115, it lives as long as the store
            self._index = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
            self._write(sequences)
        except OSError as error:
            hint = "Four bytes for every token are needed; choose an output_dir on a disk with more room."
            raise BaroError(f"cannot keep tokens here: {error.strerror}.", where=str(folder), hint=hint) from error
        self._files = list(self._names)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, number: int) -> Sequence:
        if not 0 <= number < self._size:
            raise IndexError(number)
        entry = np.frombuffer(_read(self._index, ENTRY.itemsize, number * ENTRY.itemsize), ENTRY)[0]
        start, size, row = int(entry["start"]), int(entry["size"]), int(entry["row"])
        marked = np.frombuffer(_read(self._ids, size * 4, start * 4), "<u4")
        name = self._files[entry["file"]]
        learn = (marked >= LEARNT).tolist()
        return Sequence((marked & ~LEARNT).tolist(), learn, name if row < 0 else f"{name}:{row}")

    def __iter__(self) -> Iterator[Sequence]:
        return (self[number] for number in range(self._size))

    def _write(self, sequences: Iterable[Sequence]) -> None:
        start = held = 0
        ids: list[np.ndarray] = []
        entries: list[tuple[int, int, int, int]] = []
        for sequence in sequences:
            size = len(sequence.tokens)
            marked = np.asarray(sequence.tokens, "<u4")
            marked[np.asarray(sequence.learn, bool)] |= LEARNT
            name, _, row = sequence.where.rpartition(":")
            known = (name, int(row)) if row.isascii() and row.isdigit() and row == str(int(row)) else None
            name, number = known or (sequence.where, -1)
            entries.append((start, size, self._names.setdefault(name, len(self._names)), number))
            ids.append(marked)
            start, held = start + size, held + size
            if held >= AT_ONCE:
                self._flush(ids, entries)
                ids, entries, held = [], [], 0
        self._flush(ids, entries)

    def _flush(self, ids: list[np.ndarray], entries: list[tuple[int, int, int, int]]) -> None:
        if entries:
            self._ids.write(np.concatenate(ids).tobytes())
            self._index.write(np.array(entries, ENTRY).tobytes())
            self._size += len(entries)
        self._ids.flush()
        self._index.flush()


def _read(file: IO[bytes], size: int, start: int) -> bytes:
    found = os.pread(file.fileno(), size, start)
    while len(found) < size:  # a read of more than 2 GiB, or one that a signal broke off
        more = os.pread(file.fileno(), size - len(found), start + len(found))
        if not more:
            raise OSError("tokens that were written are gone")
        found += more
    return found
