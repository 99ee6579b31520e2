"""Writing files so that a crash leaves either the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Bytes = bytes | memoryview


def write(path: Path, chunks: Iterable[Bytes]) -> dict[str, Any]:
    """Write `chunks` to a new file and wait until they are on the disk.

    Returns:
        {"bytes": size, "sha256": hex digest} of what was meant to be written.

    Raises:
        OSError: the file system refused (full, read-only, input/output error).
    """
    digest, size = hashlib.sha256(), 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        for chunk in chunks:
            view = memoryview(chunk)
            digest.update(view)
            size += len(view)
            while len(view):  # a write may take only a part
                view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    return {"bytes": size, "sha256": digest.hexdigest()}


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk; fsync of a file does not cover its name."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, text: str) -> None:
    """Replace a file's content at once: a reader sees the old text or the new."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        write(draft, [text.encode()])
        os.replace(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def replace_json(path: Path, value: Any) -> None:
    """`replace` with a value as indented JSON."""
    replace(path, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def fingerprint(path: Path) -> dict[str, Any]:
    """{"bytes": size, "sha256": hex digest} of a file as it is on the disk."""
    with path.open("rb") as stream:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
