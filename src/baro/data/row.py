"""One row of a file, and the lines it is read from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from baro.core.errors import DataError

LONGEST = 64 << 20  # bytes of one row: more is a file without line ends, not a row
CONVERT = "Convert the file, for example: iconv -f cp949 -t utf-8 OLD > NEW."


class Row(NamedTuple):
    """One row of a file: its number and its columns, or what is wrong with it; `repeated`: keys it names twice."""

    number: int
    columns: dict[str, Any]
    problem: str = ""
    hint: str = ""
    repeated: tuple[str, ...] = ()


def limited(stream: IO[bytes], path: Path) -> Iterator[bytes]:
    """The lines of a stream, none of them longer than a row may be."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise too_long(path, number)
        yield line


def too_long(path: Path, number: int) -> DataError:
    """A row that is none."""
    return DataError(
        f"the row is longer than {LONGEST >> 20} MiB.",
        where=f"{path}:{number}",
        hint="Is a line end missing? Write one row per line, and cut very long documents.",
    )


def kind_of(value: Any) -> str:
    """What a JSON value is, in words for an error."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number"}
    return "nothing (null)" if value is None else names.get(type(value), f"a {type(value).__name__}")
