"""Rows written as files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


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
