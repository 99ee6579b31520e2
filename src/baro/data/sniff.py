"""What a file really is, told by its first bytes; its name is only believed where the bytes say nothing."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, NamedTuple

from baro.core.errors import DataError

Form = Literal["jsonl", "array", "csv", "tsv", "semicolons", "parquet", "arrow", "text", "choices"]
BOM = b"\xef\xbb\xbf"
HEAD = 1 << 16
SUFFIXES: dict[str, Form] = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "text",
}
PACKINGS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
IN_WORDS: dict[str, str] = {
    "jsonl": "JSON lines",
    "array": "a JSON array",
    "csv": "CSV",
    "tsv": "TSV",
    "semicolons": "CSV with semicolons",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "text": "text",
    "choices": "a store of people's choices",
}
REFUSED = {
    b"PK\x03\x04": ("a zip archive or an Excel workbook", "Unpack it, or save the sheet as CSV (UTF-8)."),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Save the sheet as CSV (UTF-8)."),
    b"BZh": ("a bzip2 file", "Unpack it with bunzip2."),
    b"\xfd7zXZ": ("an xz file", "Unpack it with unxz."),
    b"%PDF": ("a PDF document", "Extract its text first."),
}


class Kind(NamedTuple):
    """packing: "", "gzip" or "zstd"; form: how rows lie in it; remark: said where the name promised something else."""

    packing: str
    form: Form
    remark: str = ""


def suffix_of(path: Path) -> str:
    """The suffix that names the kind: `.jsonl` of `a.ndjson.gz`."""
    name = path.name.lower()
    for packing in PACKINGS:
        name = name.removesuffix(packing)
    return Path(name).suffix.replace(".ndjson", ".jsonl")


@contextlib.contextmanager
def opened(path: Path, packing: str) -> Iterator[IO[bytes]]:
    """The unpacked bytes of a file."""
    if packing == "zstd":
        import pyarrow as pa

        with pa.input_stream(str(path), compression="zstd") as stream:
            yield io.BufferedReader(stream, HEAD)  # type: ignore[type-var]
        return
    with path.open("rb") as file:
        yield io.BufferedReader(gzip.GzipFile(fileobj=file), HEAD) if packing == "gzip" else file  # type: ignore


def kind_of_file(path: Path) -> Kind | None:
    """What the file is; None if neither its bytes nor its name tell.

    Raises:
        DataError: it is of a kind that can be told and not read (zip, Excel, UTF-16, …).
        OSError, EOFError, zlib.error: it cannot be unpacked.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    packing = next((name for mark, name in MAGIC.items() if magic.startswith(mark)), "")
    promised = next((name for suffix, name in PACKINGS.items() if path.name.lower().endswith(suffix)), "")
    if promised and not packing and not magic.lstrip().startswith((b"{", b"[")):
        packing = promised  # no such file either: opening it says what is wrong
    with opened(path, packing) as stream:
        head = stream.read(HEAD)
    found = _form(head, path)
    if found is None:
        return None
    remarks = []
    if packing != promised:
        remarks.append(f"packed with {packing}" if packing else f"not packed with {promised}")
    expected = SUFFIXES.get(suffix_of(path))
    if found != expected and not (found == "array" and expected == "jsonl" and suffix_of(path) == ".json"):
        remarks.append(IN_WORDS[found])
    return Kind(packing, found, f"{path.name} is {' and '.join(remarks)}, and is read so" if remarks else "")


def _form(head: bytes, path: Path) -> Form | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    if head.startswith(b"SQLite format 3\x00"):
        return "choices"
    for mark, (what, hint) in REFUSED.items():
        if head.startswith(mark):
            raise DataError(f"the file is {what}; expected rows or text.", where=str(path), hint=hint)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = "Convert the file, for example: iconv -f utf-16 -t utf-8 OLD > NEW."
        raise DataError("the file is UTF-16; expected UTF-8.", where=str(path), hint=hint)
    promised = SUFFIXES.get(suffix_of(path))
    if promised in ("parquet", "arrow"):
        return promised  # a damaged one: reading it says so
    begin = head.removeprefix(BOM).lstrip()
    line = begin.split(b"\n", 1)[0].strip()
    if begin.startswith(b"[") and (promised == "jsonl" or begin[1:].lstrip().startswith(b"{")):
        return "array"
    if begin.startswith(b"{") and (promised == "jsonl" or _is_object(line) or (promised is None and len(line) > 4096)):
        return "jsonl"
    if promised == "text":
        return "text"
    table = _table(line)
    if promised in ("csv", "tsv"):
        # one column of a name without any separator is what the name says
        return table or promised
    return table or promised


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _table(line: bytes) -> Form | None:
    """The form of a table whose header this line could be: several short names, all different."""
    text = line.decode("utf-8", "replace")
    forms: tuple[tuple[str, Form], ...] = (("\t", "tsv"), (",", "csv"), (";", "semicolons"))
    for separator, form in forms:
        if separator not in text:
            continue
        try:
            names = [name.strip() for name in next(csv.reader([text], delimiter=separator))]
        except (csv.Error, StopIteration):
            return None
        short = all(name and len(name) <= 64 and not set(name) & set("{}[]:.!?") for name in names)
        return form if short and len(set(names)) == len(names) else None
    return None
