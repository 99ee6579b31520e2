"""Which files are meant by paths, globs, folders and names on the hub."""

from __future__ import annotations

import glob
import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from baro.core.errors import DataError
from baro.data import hub
from baro.data.sniff import SUFFIXES, kind_of_file, suffix_of

Paths = str | Path | Iterable[str | Path]
ROW_SUFFIXES = tuple(suffix for suffix in SUFFIXES if suffix != ".txt")


def find(paths: Paths, *, text: bool = False) -> list[Path]:
    """The files meant by paths, globs, folders and hub names, sorted in each.

    A folder means its own files, or those below where it has none; a folder that `datasets` has saved means its table,
    of several splits the one named train. A name on the hub (`owner/name`, `owner/name@split`) is fetched.

    Args:
        paths: one or several of them.
        text: True if `.txt` files are wanted too.

    Raises:
        DataError: something named is not there, or no file of a readable kind is; all of them are named at once.
    """
    named = [paths] if isinstance(paths, str | Path) else list(paths)
    files: list[Path] = []
    problems: list[str] = [] if named else ["no file was named"]
    for name in map(str, named):
        try:
            files += _meant(os.path.expanduser(name), text)
        except DataError as error:
            problems.append(str(error).rstrip("."))
    if problems:
        raise DataError("; ".join(problems) + ".", hint="Check the paths; they are relative to the current directory.")
    return files


def _meant(name: str, text: bool) -> list[Path]:
    suffixes = (*ROW_SUFFIXES, ".txt") if text else ROW_SUFFIXES
    kinds = ", ".join(suffixes)
    if os.path.isdir(name):
        return _folder(Path(name), suffixes)
    if os.path.exists(name):
        if suffix_of(Path(name)) not in suffixes and not _rows_all_the_same(Path(name), text):
            found = f"a {suffix_of(Path(name))}" if suffix_of(Path(name)) else "a nameless"
            raise DataError(f"found {found} file, expected {kinds} (or these packed as .gz or .zst)", where=name)
        return [Path(name)]
    if matches := sorted(path for path in glob.glob(name, recursive=True) if suffix_of(Path(path)) in suffixes):
        return list(map(Path, matches))
    if glob.has_magic(name):
        raise DataError("no file matches", where=name)
    if hub.is_name(name):
        return _folder(*hub.fetched(name, suffixes))
    raise DataError("no such file", where=name)


def _rows_all_the_same(path: Path, text: bool) -> bool:
    """Whether a file of another name holds rows."""
    try:
        kind = kind_of_file(path)
    except (OSError, EOFError, zlib.error):
        return False
    return kind is not None and (text or kind.form != "text")


def _folder(folder: Path, suffixes: tuple[str, ...], split: str = "") -> list[Path]:
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8")).get("splits", [])
        chosen = split or ("train" if "train" in splits else splits[0] if len(splits) == 1 else "")
        if not chosen:
            raise DataError(f"the folder holds the splits {', '.join(splits)}; name one as a folder", where=str(folder))
        return _folder(folder / chosen, suffixes)
    if (folder / "state.json").is_file():
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return [folder / entry["filename"] for entry in state.get("_data_files", [])]
    own = [entry for entry in folder.iterdir() if entry.is_file()]
    below = [path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder))]
    for files in (own, below):
        if inside := sorted(path for path in files if suffix_of(path) in suffixes and path.name not in hub.NO_DATA):
            return hub.of_split(inside, folder, split) if split else inside
    kinds = ", ".join(suffixes)
    raise DataError(f"the directory holds no file of a kind that can be read here ({kinds})", where=str(folder))


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)
