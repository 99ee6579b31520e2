"""Rows written as files; a file takes the place of an older one only when it is complete."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from baro.core.errors import DataError
from baro.data.row import kind_of
from baro.data.sniff import suffix_of

Rows = Iterable[dict[str, Any]]
AT_ONCE = 1000
WRITTEN = (".jsonl", ".json", ".csv", ".tsv", ".parquet")


def write_jsonl(path: str | Path, rows: Rows) -> int:
    """Writes one object per line as UTF-8, packed if the name ends in `.gz` or `.zst`; returns the number of rows."""
    path = Path(path)
    with _partial(path) as partial, _packed(path, partial) as stream:
        return sum(1 for row in rows if stream.write(_line(row) + b"\n"))


def write_rows(path: Path, rows: Callable[[], Rows]) -> int:
    """Writes rows as the kind of file the name tells; returns their number.

    Args:
        path: .jsonl, .json, .csv, .tsv or .parquet, all but the last also with .gz or .zst.
        rows: called once or twice: a table needs to know its columns before the first row.

    Raises:
        DataError: this kind of file cannot be written, or cannot hold a row.
    """
    match suffix_of(path):
        case ".jsonl":
            return write_jsonl(path, rows())
        case ".json":
            return _array(path, rows())
        case ".csv" | ".tsv" as kind:
            return _table(path, rows, kind)
        case ".parquet":
            return _parquet(path, rows)
    raise DataError(f"found {path.name}; expected a name that ends in {', '.join(WRITTEN)}.", where=str(path))


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _packed(path: Path, partial: Path) -> Iterator[IO[bytes]]:
    name = path.name.lower()
    if name.endswith((".zst", ".zstd")):
        import pyarrow as pa

        with pa.output_stream(str(partial), compression="zstd") as stream:
            yield stream  # type: ignore[misc]
        return
    with gzip.open(partial, "wb") if name.endswith(".gz") else partial.open("wb") as file:
        yield file  # type: ignore[misc]


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")


def _array(path: Path, rows: Rows) -> int:
    count = 0
    with _partial(path) as partial, _packed(path, partial) as stream:
        for count, row in enumerate(rows, 1):
            stream.write((b",\n" if count > 1 else b"[\n") + _line(row))
        stream.write(b"\n]\n" if count else b"[]\n")
    return count


def _table(path: Path, rows: Callable[[], Rows], kind: str) -> int:
    names = list(dict.fromkeys(chain.from_iterable(rows())))
    count = 0
    with _partial(path) as partial, _packed(path, partial) as stream:
        for count, row in enumerate(chain([dict(zip(names, names, strict=True))], rows())):
            cells = [_cell(row.get(name), name, kind, path, count) for name in names]
            line = io.StringIO()
            if kind == ".tsv":
                line.write("\t".join(cells) + "\n")
            else:
                csv.writer(line, lineterminator="\n").writerow(cells)
            stream.write(line.getvalue().encode("utf-8", "backslashreplace"))
    return count


def _cell(value: Any, name: str, kind: str, path: Path, number: int) -> str:
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else value
    if isinstance(text, int | float):
        text = repr(text)
    if not isinstance(text, str):
        what = f"{name} of row {number} is {kind_of(value)}, which {kind[1:].upper()} cannot hold."
        raise DataError(what, where=str(path), hint="Write .jsonl, or take a format of strings, such as alpaca.")
    if kind == ".tsv" and any(mark in text for mark in "\t\n\r"):
        what = f"{name} of row {number} holds a tab or a line end, which TSV cannot hold."
        raise DataError(what, where=str(path), hint="Write .csv or .jsonl.")
    return text


def _batches(rows: Rows) -> Iterator[list[dict[str, Any]]]:
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        yield some


def _parquet(path: Path, rows: Callable[[], Rows]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    try:
        schemas = [pa.Table.from_pylist(some).schema for some in _batches(rows())]
        schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
        with _partial(path) as partial, pq.ParquetWriter(partial, schema) as writer:
            for some in _batches(rows()):
                writer.write_table(pa.Table.from_pylist(some, schema=schema))
                count += len(some)
    except pa.ArrowException as error:
        what = f"the rows do not fit into one table of Parquet: {error}."
        raise DataError(what, where=str(path), hint="Write .jsonl.") from error
    return count
