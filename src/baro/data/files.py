"""Files as rows: JSONL, JSON arrays, CSV, TSV, Parquet and text, also gzipped, with the number of every row.

Rows are numbered as an editor numbers lines: JSONL by line, CSV and TSV by the line a row begins in (the header is line
1), text by the line a document begins in. Entries of a JSON array and of a Parquet file are counted from 1.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from baro.core.errors import DataError

Paths = str | Path | Iterable[str | Path]
Separate = Literal["blank", "line", "none"]
ROW_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
STORES = (".db", ".sqlite")
"""People's choices, see `choices`: read when named, not when a directory is."""
BOM = b"\xef\xbb\xbf"
CONVERT = "Convert the file, for example: iconv -f cp949 -t utf-8 OLD > NEW."


class Row(NamedTuple):
    """One row of a file: its number and its columns, or what is wrong with it."""

    number: int
    columns: dict[str, Any]
    problem: str = ""
    hint: str = ""


# --- which files -----------------------------------------------------------------------------------------------------


def find(paths: Paths, *, text: bool = False) -> list[Path]:
    """The files meant by paths, globs and directories (their own files, not those of subdirectories), sorted in each.

    Args:
        paths: one or several of them.
        text: True if `.txt` files are wanted too.

    Raises:
        DataError: something named is not there, or no file of a readable kind is; all of them are named at once.
    """
    named = [paths] if isinstance(paths, str | Path) else list(paths)
    suffixes = (*ROW_SUFFIXES, ".txt") if text else ROW_SUFFIXES
    kinds = ", ".join(suffixes)
    files: list[Path] = []
    problems: list[str] = []
    for name in map(str, named):
        if os.path.isdir(name):
            inside = sorted(entry for entry in Path(name).iterdir() if _suffix(entry) in suffixes and entry.is_file())
            files += inside
            if not inside:
                problems.append(f"{name}: the directory holds no file of a kind that can be read here ({kinds})")
        elif os.path.exists(name):
            files.append(Path(name))
            if _suffix(Path(name)) not in (*suffixes, *STORES):
                problems.append(f"{name}: found a {_suffix(Path(name)) or 'nameless'} file, expected {kinds} (or .gz)")
        elif matches := sorted(path for path in glob.glob(name, recursive=True) if _suffix(Path(path)) in suffixes):
            files += map(Path, matches)
        elif glob.has_magic(name):
            problems.append(f"{name}: no file matches")
        else:
            problems.append(f"{name}: no such file")
    if not named:
        problems.append("no file was named")
    if problems:
        raise DataError("; ".join(problems) + ".", hint="Check the paths; they are relative to the current directory.")
    return files


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower().replace(".ndjson", ".jsonl")


# --- their rows ------------------------------------------------------------------------------------------------------


def rows_of(path: Path, *, separate: Separate = "blank") -> Iterator[Row]:
    """The rows of one file, in order; blank lines are no rows.

    Args:
        path: the file.
        separate: where documents of a `.txt` file end: at a "blank" line, at every "line", or "none": one document.

    Raises:
        DataError: the file as a whole cannot be read. What is wrong with a single row stands in that row.
    """
    suffix = _suffix(path)
    try:
        if path.stat().st_size == 0:
            raise DataError("the file is empty.", where=str(path), hint="Give a file with rows.")
        if suffix == ".parquet":
            yield from _parquet(path)
            return
        if suffix in STORES:
            yield from _choices(path)
            return
        with path.open("rb") as file:
            stream = io.BufferedReader(gzip.GzipFile(fileobj=file)) if path.name.endswith(".gz") else file
            head = stream.peek(4096)[:4096].removeprefix(BOM)
            if head.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise DataError(
                    "the file is UTF-16; expected UTF-8.", where=str(path), hint=CONVERT.replace("cp949", "utf-16")
                )
            if suffix in (".csv", ".tsv"):
                yield from _table(stream, path, suffix)
            elif suffix == ".txt":
                yield from _documents(stream, path, separate)
            elif head.lstrip().startswith(b"["):
                yield from _array(stream, path)
            else:
                yield from _lines(stream, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"the gzip file is damaged: {error}.", where=str(path), hint="Fetch the file again.") from error
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror or error}.", where=str(path)) from error


def _lines(stream: IO[bytes], path: Path) -> Iterator[Row]:
    """JSON Lines. Bytes are split, not text: a line of text may hold U+2028, which is no end of a row."""
    for number, raw in enumerate(stream, 1):
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
            columns = json.loads(line.decode())
        except UnicodeDecodeError as error:
            yield Row(number, {}, f"byte 0x{line[error.start]:02x} is not UTF-8; expected UTF-8.", CONVERT)
        except (json.JSONDecodeError, RecursionError) as error:
            what = (
                f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else "nested too deep"
            )
            yield Row(number, {}, f"the line is not JSON ({what}); expected one object", "Mend or remove the line.")
        else:
            yield _object(number, columns)


def _array(stream: IO[bytes], path: Path) -> Iterator[Row]:
    try:
        entries = json.loads(stream.read().removeprefix(BOM).decode())
    except UnicodeDecodeError as error:
        raise _not_utf8(error, path) from error
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise DataError(
            f"the file begins as a JSON array and is not one: {error}.",
            where=f"{path}:{line}",
            hint="Mend the line, or write one row per line (JSONL).",
        ) from error
    for number, columns in enumerate(entries, 1):
        yield _object(number, columns)


def _choices(path: Path) -> Iterator[Row]:
    from baro.data.choices.export import rows_in

    yield from (Row(number, columns) for number, columns in enumerate(rows_in(path), 1))


def _object(number: int, columns: Any) -> Row:
    if isinstance(columns, dict):
        return Row(number, columns)
    return Row(number, {}, f"found {kind_of(columns)}, expected an object with columns.", "Mend or remove the row.")


def _table(stream: IO[bytes], path: Path, suffix: str) -> Iterator[Row]:
    """CSV as RFC 4180; TSV as IANA defines it, where quotes are letters like any other."""
    csv.field_size_limit(sys.maxsize)
    # bytes that are not UTF-8 become lone surrogates here, which the column that holds them is blamed for
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    tabs = suffix == ".tsv"
    reader = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(text, strict=True)
    header: list[str] = []
    line = 0
    while True:
        number, line = line + 1, line
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield Row(number, {}, f"the row is not {suffix[1:].upper()}: {error}.", "Check the quotes of this row.")
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
            hint = "A TSV file has no quoting." if tabs else "Put fields that hold commas or newlines in quotes."
            yield Row(number, {}, f"found {len(fields)} fields, expected {len(header)} as in the header.", hint)


def _documents(stream: IO[bytes], path: Path, separate: Separate) -> Iterator[Row]:
    try:
        text = stream.read().removeprefix(BOM).decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _not_utf8(error, path) from error
    if separate == "none":
        yield Row(1, {"text": text})
        return
    begin = 1
    held: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            begin = begin if held else number
            held.append(line)
        if held and (separate == "line" or not line.strip()):
            yield Row(begin, {"text": "\n".join(held)})
            held = []
    if held:
        yield Row(begin, {"text": "\n".join(held)})


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        number = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for columns in batch.to_pylist():
                    number += 1
                    yield Row(number, columns)
    except pa.ArrowException as error:
        raise DataError(f"the Parquet file cannot be read: {error}.", where=str(path)) from error


def _not_utf8(error: UnicodeDecodeError, path: Path) -> DataError:
    line = error.object[: error.start].count(b"\n") + 1
    return DataError(
        f"byte 0x{error.object[error.start]:02x} is not UTF-8; expected UTF-8.", where=f"{path}:{line}", hint=CONVERT
    )


def kind_of(value: Any) -> str:
    """What a JSON value is, in words for an error."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", int: "a number"}
    return "nothing (null)" if value is None else names.get(type(value), f"a {type(value).__name__}")


# --- writing ---------------------------------------------------------------------------------------------------------


def write_jsonl(path: str | Path, rows: Iterable[dict[str, Any]]) -> int:
    """Writes one object per line as UTF-8, gzipped if the name ends in `.gz`; returns the number of rows.

    The file takes the place of an older one only when it is complete.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    count = 0
    with gzip.open(partial, "wb") if path.name.endswith(".gz") else partial.open("wb") as stream:
        for count, row in enumerate(rows, 1):  # noqa: B007 the last number is the count
            stream.write(json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace") + b"\n")
    partial.replace(path)
    return count
