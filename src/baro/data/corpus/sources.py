"""Files as raw documents: text, HTML (its main text), rows with a `text` column, and web archives (WARC)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from baro.core.errors import DataError
from baro.data.files import Separate, rows_of

HTML, WARC = (".html", ".htm", ".xhtml"), (".warc",)
ROWS = (".txt", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
PACKED = (".gz", ".zst")


class Raw(NamedTuple):
    """One document as found: its text, `file:row`, and what is wrong with it where it could not be read."""

    text: str
    where: str
    problem: str = ""


def sources(paths: list[Path]) -> list[tuple[str, Path]]:
    """(name, file) of every readable file at or below the paths, sorted by name, which no machine changes.

    Raises:
        DataError: a path is not there, or there is nothing to read.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(Path(top) / name for top, _, names in os.walk(path) for name in names)
            found |= {str(file.relative_to(path)): file for file in inside if kind_of(file)}
        elif path.is_file():
            if not kind_of(path):
                raise DataError(
                    f"found a {path.suffix or 'nameless'} file; expected {', '.join((*ROWS, *HTML, *WARC))}, "
                    "also packed as .gz or .zst.",
                    where=str(path),
                )
            found[path.name if path.name not in found else str(path)] = path
        else:
            raise DataError("no such file or folder.", where=str(path), hint="Check the path.")
    if not found:
        raise DataError("there is no file to read.", where=", ".join(map(str, paths)), hint="Give text, HTML or rows.")
    return sorted(found.items())


def kind_of(file: Path) -> str:
    """html, warc or rows; "" for what is not read."""
    name = file.name.lower()
    if file.name.startswith("."):
        return ""
    for suffix in PACKED:
        name = name.removesuffix(suffix)
    suffix = Path(name).suffix
    return "html" if suffix in HTML else "warc" if suffix in WARC else "rows" if suffix in ROWS else ""


def documents(file: Path, name: str, *, column: str = "text", separate: Separate = "none") -> Iterator[Raw]:
    """The documents of one file, in order.

    Args:
        name: what the file is called in `where`. column: the column of rows that holds the text.
        separate: where documents of a text file end, as in `data.files.rows_of`.

    Raises:
        DataError: the file as a whole cannot be read.
    """
    kind = kind_of(file)
    if kind == "html":
        yield Raw(main_text(file.read_bytes()), f"{name}:1")
    elif kind == "warc":
        yield from _archive(file, name)
    else:
        for row in rows_of(file, separate=separate):
            where = f"{name}:{row.number}"
            value = row.columns.get(column)
            if row.problem:
                yield Raw("", where, row.problem)
            elif isinstance(value, str):
                yield Raw(value, where)
            else:
                yield Raw("", where, f"no text in the column {column!r}; the row has {', '.join(row.columns)}")


def main_text(page: bytes | str) -> str:
    """The main text of an HTML page, without navigation and comments (trafilatura); "" if there is none."""
    import trafilatura

    return trafilatura.extract(page, include_comments=False, include_tables=True, deduplicate=False) or ""


def _archive(file: Path, name: str) -> Iterator[Raw]:
    """The HTML answers of a web archive."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    with file.open("rb") as stream:
        try:
            for number, record in enumerate(ArchiveIterator(stream), 1):
                kind = _header(record.http_headers, "Content-Type") or _header(record.rec_headers, "Content-Type")
                if record.rec_type in ("response", "resource") and "html" in kind:
                    where = f"{name}:{number} {_header(record.rec_headers, 'WARC-Target-URI')}"
                    yield Raw(main_text(record.content_stream().read()), where)
                elif record.rec_type == "conversion":
                    yield Raw(record.content_stream().read().decode("utf-8", "replace"), f"{name}:{number}")
        except ArchiveLoadFailed as error:
            raise DataError(f"the web archive cannot be read: {error}.", where=str(file)) from error


def _header(headers: Any, key: str) -> str:
    return (headers.get_header(key) or "") if headers is not None else ""
