"""The executor: files to parts, parts to shards. Every file is a task of its own, and a finished task is kept.

    parts     OUT/.parts/N.jsonl.gz   what came through of file N, in order; N.json its account
    shards    OUT/train/00000.jsonl.gz …, OUT/validation/00000.jsonl.gz …

Many machines share a folder and take every n-th file each (`worker` of `workers`); whoever has all parts before it
writes the shards. What comes out depends on the files, their names and the settings only, not on machines or on order.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from baro.core.errors import DataError
from baro.data.corpus.duplicates import Seen
from baro.data.corpus.sources import Raw, documents
from baro.data.corpus.steps import Account, Steps, through
from baro.data.files import Separate

PARTS = ".parts"


class Reading(NamedTuple):
    """How files are read: the key of all settings, the column of rows that holds the text, where .txt documents end."""

    key: str
    column: str = "text"
    separate: Separate = "none"


def part(file: Path, name: str, number: int, out: Path, steps: Steps, how: Reading) -> bool:
    """Make the part of one file, unless it is there; returns whether anything was done.

    Args:
        number: of the file among all. how: a part made with another key, or of a file that has changed since, is made
            again.
    """
    stamp = hashlib.sha256(f"{how.key} {name} {_digest(file)}".encode()).hexdigest()
    account_file, rows_file = out / PARTS / f"{number:06d}.json", out / PARTS / f"{number:06d}.jsonl.gz"
    if account_file.is_file() and json.loads(account_file.read_text(encoding="utf-8"))["stamp"] == stamp:
        return False
    account = Account()

    def rows() -> Iterator[dict[str, Any]]:
        try:
            for raw in documents(file, name, column=how.column, separate=how.separate):
                if (row := through(raw, steps, account)) is not None:
                    yield row
        except DataError as error:  # one damaged file of thousands stops nothing: it is in the account
            through(Raw("", name, str(error)), steps, account)

    account_file.unlink(missing_ok=True)
    write_rows(rows_file, rows())
    draft = account_file.with_suffix(".draft")
    draft.write_text(json.dumps({"stamp": stamp, **asdict(account)}, ensure_ascii=False), encoding="utf-8")
    draft.replace(account_file)
    return True


def missing(out: Path, count: int) -> list[int]:
    """Numbers of the parts that are not there yet."""
    return [number for number in range(count) if not (out / PARTS / f"{number:06d}.json").is_file()]


def shards(
    out: Path,
    count: int,
    *,
    near: float | None,
    validation: float,
    seed: int,
    shard_size: int,
    progress: Callable[[int], None] | None = None,
) -> tuple[Account, dict[str, int]]:
    """All parts, in order, without what is there twice, as shards for training and validation.

    Args:
        near: Jaccard similarity of near duplicates, None to look for exact ones only.
        validation: share of the documents held out. A document is held out by its own text and the seed, whatever else
            there is.
        shard_size: documents of a shard.

    Returns:
        The account of everything, and the number of documents of each split.
    """
    account, seen = Account(), Seen(near or 1.0)
    writers = {name: _Writer(out / name, shard_size) for name in ("train", "validation")}
    for number in range(count):
        found = json.loads((out / PARTS / f"{number:06d}.json").read_text(encoding="utf-8"))
        account += Account(**{key: value for key, value in found.items() if key != "stamp"})
        for row in read_rows(out / PARTS / f"{number:06d}.jsonl.gz"):
            kind, first = seen.add(row["where"], row["key"], row["signature"] if near else "")
            if kind:
                text = f"as {first}: {row['text']}"
                account.leave_out(f"{kind} duplicate", Raw(row["text"], row["where"]), text)
                continue
            name = "validation" if held_out(row["key"], validation, seed) else "train"
            writers[name].add({key: row[key] for key in ("text", "where", "language")})
        if progress:
            progress(number + 1)
    return account, {name: writer.close() for name, writer in writers.items()}


def held_out(key: str, share: float, seed: int) -> bool:
    """Whether the document of this key is for validation."""
    digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


class _Writer:
    """Documents into shards; shards of an earlier run that are not written again are removed."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.rows: list[dict[str, Any]] = []
        self.shards = self.documents = 0

    def add(self, row: dict[str, Any]) -> None:
        """One more document."""
        self.rows.append(row)
        self.documents += 1
        if len(self.rows) >= self.size:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        write_rows(self.folder / f"{self.shards:05d}.jsonl.gz", self.rows)
        self.shards += 1
        self.rows = []

    def close(self) -> int:
        """Write the rest; returns the number of documents."""
        if self.rows:
            self.flush()
        for old in self.folder.glob("*.jsonl.gz"):
            if int(old.name.split(".")[0]) >= self.shards:
                old.unlink()
        return self.documents


def write_rows(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Rows as gzipped JSON lines: equal rows give equal bytes, for neither time nor name is written into the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".partial")
    with (
        draft.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as stream,
    ):
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
    draft.replace(file)


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a part, which may be none."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
