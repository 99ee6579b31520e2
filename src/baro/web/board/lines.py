"""Files of figures that grow: only what is new is read."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow.json import ReadOptions, read_json

from baro.web.board.thin import smoothed, thinned

CHUNK = 1 << 22
"""Bytes read at a time, so that the first look at a long run is not the last of a patient person."""
NAN = float("nan")


class Figures:
    """A file of JSON lines with a `step` and numbers, as columns.

    A line still being written is left for later. A file that was replaced or became shorter is read anew.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        self.identity, self.offset, self.size = 0, 0, 0
        self.steps, self.columns = array("d"), dict[str, array]()

    @property
    def version(self) -> str:
        """Another one when there is something new."""
        return f"{self.identity}:{len(self.steps)}"

    @property
    def behind(self) -> bool:
        """Whether more is in the file than has been read."""
        return self.offset < self.size

    def look(self) -> None:
        """How long the file is by now, without reading it."""
        with self.lock, contextlib.suppress(OSError):
            self.size = max(self.path.stat().st_size, self.offset)

    def refresh(self) -> None:
        """Read what is new, at most CHUNK bytes of it."""
        with self.lock:
            try:
                with self.path.open("rb") as file:
                    status = self.path.stat()
                    if status.st_ino != self.identity or status.st_size < self.offset:
                        self.identity, self.offset = status.st_ino, 0
                        self.steps, self.columns = array("d"), {}
                    self.size = status.st_size
                    if self.offset == self.size:
                        return
                    file.seek(self.offset)
                    block = file.read(CHUNK)
            except OSError:
                return
            whole = block.rfind(b"\n") + 1
            self.offset += whole
            if not whole and len(block) < CHUNK:
                self.size = self.offset  # half a line: come back later
            if not self._add_together(block[:whole]):
                for line in block[:whole].splitlines():
                    self._add(line)

    def _add_together(self, block: bytes) -> bool:
        """All lines at once, some times faster; False where they are not regular enough for that."""
        try:
            table = read_json(io.BytesIO(block), ReadOptions(use_threads=False, block_size=len(block) + 1))
            steps = table.column("step")
        except (pa.ArrowInvalid, KeyError):
            return False
        if steps.null_count or not _number(steps):
            return False
        before, count = len(self.steps), table.num_rows
        self.steps.frombytes(_numbers(steps))
        for key in table.column_names:
            if key != "step" and _number(table.column(key)):
                column = self.columns.setdefault(key, array("d", [NAN]) * before)
                column.frombytes(_numbers(table.column(key)))
        for column in self.columns.values():
            if len(column) == before:
                column.extend([NAN] * count)
        return True

    def _add(self, line: bytes) -> None:
        try:
            row = json.loads(line)
            step = float(row.pop("step"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return  # not a line of figures
        for key, value in row.items():
            if isinstance(value, int | float):
                if key not in self.columns:
                    self.columns[key] = array("d", [NAN]) * len(self.steps)
                self.columns[key].append(value)
        self.steps.append(step)
        for column in self.columns.values():
            if len(column) < len(self.steps):
                column.append(NAN)

    def curve(self, key: str, *, points: int, smooth: float) -> dict[str, list[float]] | None:
        """{"x": steps, "y": values} of a column, smoothed and then thinned; None where it has none."""
        with self.lock:
            if key not in self.columns:
                return None
            x, y = np.array(self.steps), np.array(self.columns[key])
        real = np.isfinite(y)
        x, y = thinned(x[real], smoothed(y[real], smooth), points)
        return {"x": x.tolist(), "y": [float(f"{value:.6g}") for value in y]}


def _number(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def _numbers(column: pa.ChunkedArray) -> bytes:
    """As float64; NaN where there is none."""
    return column.cast(pa.float64()).to_numpy().tobytes()


def tail(path: Path, rows: int, most: int = 1 << 18) -> list[Any]:
    """The last rows of a file of JSON lines, newest last; those that end within its last `most` bytes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            lines = file.read().split(b"\n")[1 if size > most else 0 : -1]
    except OSError:
        return []
    found = []
    for line in lines[-rows:]:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
