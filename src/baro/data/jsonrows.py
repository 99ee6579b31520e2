"""Rows of JSON: one object per line, or the entries of an array, read piece by piece."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from baro.core.errors import DataError
from baro.data.row import CONVERT, LONGEST, Row, kind_of, limited, too_long
from baro.data.sniff import BOM

PIECE = 1 << 20  # characters


class _Repeating(dict):
    """An object of a JSON text that names a key twice."""

    repeated: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    columns = dict(pairs)
    if len(columns) == len(pairs):
        return columns
    names = [name for name, _ in pairs]
    marked = _Repeating(columns)
    marked.repeated = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
    return marked


DECODER = json.JSONDecoder(object_pairs_hook=_pairs)


def _row(number: int, columns: Any) -> Row:
    if type(columns) is dict:
        return Row(number, columns)
    if isinstance(columns, _Repeating):
        return Row(number, dict(columns), repeated=columns.repeated)
    return Row(number, {}, f"found {kind_of(columns)}, expected an object with columns.", "Mend or remove the row.")


def lines(stream: IO[bytes], path: Path) -> Iterator[Row]:
    """JSON Lines. Bytes are split, not text: a line of text may hold U+2028, which is no end of a row."""
    for number, raw in enumerate(limited(stream, path), 1):
        line = (raw.removeprefix(BOM) if number == 1 else raw).strip()
        if not line:
            continue
        if number == 1 and line == b"{":
            raise DataError(
                "the file is one JSON object over several lines; expected one object per line, or an array of objects.",
                where=f"{path}:1",
                hint="Write one row per line (JSONL).",
            )
        try:
            columns = DECODER.decode(line.decode())
        except UnicodeDecodeError as error:
            yield Row(number, {}, f"byte 0x{line[error.start]:02x} is not UTF-8; expected UTF-8.", CONVERT)
        except (json.JSONDecodeError, RecursionError) as error:
            what = (
                f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
            )
            yield Row(number, {}, f"the line is not JSON ({what}); expected one object", "Mend or remove the line.")
        else:
            yield _row(number, columns)


def array(stream: IO[bytes], path: Path) -> Iterator[Row]:
    """The entries of a JSON array."""
    window = _Window(stream, path)
    number = 0
    window.expect("[")
    if window.mark() == "]":
        return
    while True:
        number += 1
        yield _row(number, window.entry())
        if window.mark() != ",":
            break
        window.expect(",")
    window.expect("]")
    if window.mark():
        raise window.broken("something follows its end")


class _Window:
    """A stretch of a JSON text, as much of it as the entry at hand needs."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self.text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        self.path, self.held, self.place, self.line, self.ended = path, "", 0, 1, False

    def more(self, size: int) -> None:
        """Reads on; what is done with goes."""
        self.line += self.held.count("\n", 0, self.place)
        self.held, self.place = self.held[self.place :], 0
        try:
            piece = self.text.read(size)
        except UnicodeDecodeError as error:
            before = self.held.count("\n") + error.object[: error.start].count(b"\n")
            what = f"byte 0x{error.object[error.start]:02x} is not UTF-8; expected UTF-8."
            raise DataError(what, where=f"{self.path}:{self.line + before}", hint=CONVERT) from error
        self.ended = not piece
        self.held += piece

    def mark(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            while self.place < len(self.held) and self.held[self.place] in " \t\r\n":
                self.place += 1
            if self.place < len(self.held) or self.ended:
                return self.held[self.place : self.place + 1]
            self.more(PIECE)

    def expect(self, mark: str) -> None:
        """Passes over the next character, which must be `mark`."""
        found = self.mark()
        if found != mark:
            what = f"found {found!r}" if found else "it has no end"
            raise self.broken(what if mark != "]" or not found else f"expected ',' or ']', {what}")
        self.place += 1

    def entry(self) -> Any:
        """The value that begins here."""
        self.mark()
        size = PIECE
        while True:
            try:
                value, end = DECODER.raw_decode(self.held, self.place)
            except json.JSONDecodeError as error:
                if self.ended:
                    raise self.broken(error.msg, error.pos) from error
            except RecursionError as error:
                raise self.broken("nested too deep") from error
            else:
                if end < len(self.held) or self.ended:
                    self.place = end
                    return value
            if len(self.held) - self.place > LONGEST:
                raise too_long(self.path, self.line)
            self.more(size)
            size *= 2  # an entry is tried again only after twice as much

    def broken(self, reason: str, at: int | None = None) -> DataError:
        """What is wrong, and in which line."""
        line = self.line + self.held.count("\n", 0, self.place if at is None else at)
        return DataError(
            f"the file begins as a JSON array and is not one: {reason}.",
            where=f"{self.path}:{line}",
            hint="Mend the line, or write one row per line (JSONL).",
        )
