"""Files as rows: JSONL, JSON arrays, CSV, TSV, Parquet, Arrow and text, also packed, with the number of every row.

Rows are numbered as an editor numbers lines: JSONL by line, CSV and TSV by the line a row begins in (the header is line
1), text by the line a document begins in. Entries of a JSON array, of Parquet and of Arrow are counted from 1.
What a file is, its bytes tell (`sniff`). No kind but `.txt` is held in memory as a whole.
"""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal

from baro.core.errors import DataError
from baro.data.find import Paths, find
from baro.data.jsonrows import array, lines
from baro.data.row import CONVERT, Row, kind_of, limited
from baro.data.sniff import BOM, kind_of_file, opened
from baro.data.write import write_jsonl

__all__ = ["Paths", "Row", "Separate", "find", "kind_of", "rows_of", "write_jsonl"]

Separate = Literal["blank", "line", "none"]
AT_ONCE = 1024


def rows_of(path: Path, *, separate: Separate = "blank") -> Iterator[Row]:
    """The rows of one file, in order; blank lines are no rows.

    Args:
        path: the file.
        separate: where documents of a text file end: at a "blank" line, at every "line", or "none": one document.

    Raises:
        DataError: the file as a whole cannot be read. What is wrong with a single row stands in that row.
    """
    try:
        if path.stat().st_size == 0:
            raise DataError("the file is empty.", where=str(path), hint="Give a file with rows.")
        kind = kind_of_file(path)
        if kind is None:
            raise DataError(
                "neither the name nor the content tells what this file is.",
                where=str(path),
                hint="Expected JSONL, a JSON array, CSV, TSV, Parquet, Arrow or .txt.",
            )
        if kind.form in WHOLE:
            yield from WHOLE[kind.form](path)
            return
        with opened(path, kind.packing) as stream:
            if kind.form in TABLES:
                yield from _table(stream, path, kind.form)
            elif kind.form == "text":
                yield from _documents(stream, path, separate)
            else:
                yield from (array if kind.form == "array" else lines)(stream, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"the gzip file is damaged: {error}.", where=str(path), hint="Fetch the file again.") from error
    except OSError as error:
        reason = str(error.strerror or error).rstrip(".")
        damaged = path.name.lower().endswith((".zst", ".zstd")) and error.strerror is None
        what = "the zstd file is damaged" if damaged else "the file cannot be read"
        raise DataError(f"{what}: {reason}.", where=str(path)) from error


# --- tables and texts ------------------------------------------------------------------------------------------------

TABLES: dict[str, dict[str, Any]] = {
    "csv": {"strict": True},
    "semicolons": {"delimiter": ";", "strict": True},
    "tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE},
}


def _table(stream: IO[bytes], path: Path, form: str) -> Iterator[Row]:
    """CSV as RFC 4180; TSV as IANA defines it, where quotes are letters like any other."""
    csv.field_size_limit(sys.maxsize)
    # bytes that are not UTF-8 become lone surrogates here, which the column that holds them is blamed for
    lines = (raw.decode("utf-8", "surrogateescape") for raw in limited(stream, path))
    reader = csv.reader(_without_bom(lines), **TABLES[form])
    header: list[str] = []
    line = 0
    while True:
        number, line = line + 1, line
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            what = "TSV" if form == "tsv" else "CSV"
            yield Row(number, {}, f"the row is not {what}: {error}.", "Check the quotes of this row.")
            continue
        finally:
            line = reader.line_num
        if not fields:
            continue
        if not header:
            header = [name.strip() for name in fields]
            if len(set(header)) < len(header):
                raise DataError(f"the header names a column twice: {', '.join(header)}.", where=f"{path}:{number}")
        elif len(fields) == len(header):
            yield Row(number, dict(zip(header, fields, strict=True)))
        else:
            hint = (
                "A TSV file has no quoting." if form == "tsv" else "Put fields that hold commas or newlines in quotes."
            )
            yield Row(number, {}, f"found {len(fields)} fields, expected {len(header)} as in the header.", hint)


def _without_bom(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\ufeff")


def _documents(stream: IO[bytes], path: Path, separate: Separate) -> Iterator[Row]:
    if separate == "none":
        yield Row(1, {"text": _decoded(stream.read().removeprefix(BOM), path, 1).replace("\r\n", "\n")})
        return
    begin = 1
    held: list[str] = []
    for number, raw in enumerate(limited(stream, path), 1):
        line = _decoded(raw.removeprefix(BOM) if number == 1 else raw, path, number)
        line = line.removesuffix("\n").removesuffix("\r")
        if line.strip():
            begin = begin if held else number
            held.append(line)
        if held and (separate == "line" or not line.strip()):
            yield Row(begin, {"text": "\n".join(held)})
            held = []
    if held:
        yield Row(begin, {"text": "\n".join(held)})


def _decoded(raw: bytes, path: Path, first: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = first + raw[: error.start].count(b"\n")
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8; expected UTF-8."
        raise DataError(what, where=f"{path}:{line}", hint=CONVERT) from error


# --- columns ---------------------------------------------------------------------------------------------------------


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as pq

    def batches() -> Iterator[Any]:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=AT_ONCE)

    return _batches(batches, path, "Parquet")


def _arrow(path: Path) -> Iterator[Row]:
    """An Arrow file or stream, as `datasets` keeps them."""
    import pyarrow as pa

    def batches() -> Iterator[Any]:
        with pa.memory_map(str(path)) as source:
            if source.read(6) == b"ARROW1":
                reader = pa.ipc.open_file(source)
                found = (reader.get_batch(place) for place in range(reader.num_record_batches))
            else:
                source.seek(0)
                found = iter(pa.ipc.open_stream(source))
            for batch in found:
                yield from (batch.slice(start, AT_ONCE) for start in range(0, batch.num_rows, AT_ONCE))

    return _batches(batches, path, "Arrow")


def _batches(batches: Callable[[], Iterator[Any]], path: Path, what: str) -> Iterator[Row]:
    import pyarrow as pa

    try:
        number = 0
        for batch in batches():
            for columns in batch.to_pylist():
                number += 1
                yield Row(number, columns)
    except pa.ArrowException as error:
        raise DataError(f"the {what} file cannot be read: {error}.", where=str(path)) from error


def _choices(path: Path) -> Iterator[Row]:
    """The choices people made, as preferences."""
    from baro.data.choices.export import rows_in

    yield from (Row(number, columns) for number, columns in enumerate(rows_in(path), 1))


WHOLE: dict[str, Callable[[Path], Iterator[Row]]] = {"parquet": _parquet, "arrow": _arrow, "choices": _choices}
"""Kinds of file that are no stream of bytes."""
