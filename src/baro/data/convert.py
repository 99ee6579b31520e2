"""Files of any format and kind written as any other that can hold them, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from baro.core.errors import DataError
from baro.data.dialects import NAMED, QUESTIONS, Columns, Noun, layout_of, noun_of, renamed
from baro.data.doctor.text import mended
from baro.data.files import rows_of
from baro.data.find import Paths, find
from baro.data.judgements import judgements
from baro.data.layouts import bridge, laid_out
from baro.data.read import Found, Way, records
from baro.data.write import write_rows

USED = NAMED | {"output", "question", "Q", "A", "instances", "context", "completions", "kto_tag", "turns"}


def convert(
    paths: Paths,
    out: Path,
    format: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    read_as: str | None = None,
    mend: bool = False,
) -> str:
    """Writes the rows of `paths` to `out`, whose name tells the kind of file; returns what was done, for people.

    Columns that mean nothing to a format travel along. Reading is as in training: a row that cannot be used, or that
    the format cannot hold, stops the conversion, and `out` stays as it was.

    Args:
        paths: files, folders, globs, hub names.
        out: .jsonl, .json, .csv, .tsv or .parquet, the first four also with .gz or .zst.
        format: one of `dialects.FORMATS`; None to change the kind of file alone.
        columns, read_as: names and format of the rows read, as in `read_dialogues`.
        mend: UTF-8 that was read as cp1252 is mended.

    Raises:
        ConfigError: an unknown format.
        DataError: something cannot be read, held or written.
    """
    target = layout_of(format) if format is not None else None
    files = find(paths, text=True)
    if any(out.exists() and file.resolve() == out.resolve() for file in files):
        raise DataError("the file is read and written at once.", where=str(out), hint="Write to another name.")
    noun = layout_of(read_as).noun if read_as else _noun(files[0], columns)
    if target is not None and not bridge(noun, target.noun):
        what = noun or "columns of no format"
        raise DataError(f"the file holds {what}; the format {format} holds {target.noun}.", where=str(files[0]))

    def rows() -> Iterator[Columns]:
        for row in _rows(files, noun, columns, read_as, format):
            yield _mended(row) if mend else row

    count = write_rows(out, rows)
    return f"{count:,} rows written to {out}" + (f" as {format}" if format else "")


def _noun(file: Path, columns: Mapping[str, str] | None) -> Noun | None:
    first = next((row for row in islice(rows_of(file), 100) if row.columns), None)
    return noun_of(renamed(first, columns, str(file))) if first else None


def _rows(
    files: list[Path], noun: Noun | None, columns: Mapping[str, str] | None, read_as: str | None, format: str | None
) -> Iterator[Columns]:
    if format is None:
        for path in files:
            for row in rows_of(path):
                yield renamed(row, columns, f"{path}:{row.number}")
        return
    assert noun is not None, "a format holds something"
    for found in records(Way(noun, columns, read_as), files):
        if found.problem is not None:
            raise found.problem
        rest = _rest(found, columns)
        pieces: Iterable[Any] = (found.record,)
        if noun == "preferences" and layout_of(format).noun == "judgements":
            pieces = judgements(found.record)
        for piece in pieces:
            yield {**laid_out(piece, format), **rest}


def _rest(found: Found, columns: Mapping[str, str] | None) -> Columns:
    """The columns that only travel along."""
    used = {*USED, *(columns or {}).values()}
    if "instruction" not in found.row.columns:
        used |= {*QUESTIONS, "response", "answer", "Answer", "답변"}
    if "output" not in found.row.columns:
        used |= {"response", "answer"}
    return {name: value for name, value in found.row.columns.items() if name not in used}


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return mended(value) or value
    if isinstance(value, list):
        return [_mended(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _mended(entry) for name, entry in value.items()}
    return value
