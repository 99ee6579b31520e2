"""Data sets of the Hugging Face hub, fetched when a user names one, and read as the files they consist of."""

from __future__ import annotations

import re
from pathlib import Path

from baro.core.errors import DataError
from baro.data.sniff import PACKINGS, SUFFIXES, suffix_of

NAME = re.compile(r"(?P<name>[\w-][\w.-]*/[\w.-]+)(@(?P<split>[\w.-]+))?")
NO_DATA = {"dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json", "config.json"}


def is_name(name: str) -> bool:
    """Whether a path that is not there could name a data set on the hub: owner/name or owner/name@split."""
    if not NAME.fullmatch(name) or suffix_of(Path(name.partition("@")[0])) in SUFFIXES:
        return False
    return not Path(name).parent.is_dir() and not name.lower().endswith(tuple(PACKINGS))


def fetched(name: str, suffixes: tuple[str, ...]) -> tuple[Path, tuple[str, ...], str]:
    """The folder of a data set's files, fetched or kept from before; the suffixes looked for; the split.

    Raises:
        DataError: the hub has no such data set, or cannot be reached and nothing was kept.
    """
    import logging

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    match = NAME.fullmatch(name)
    assert match, "asked for a name"
    patterns = [f"*{suffix}{packing}" for suffix in suffixes for packing in ("", *PACKINGS)]
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        folder = snapshot_download(match["name"], repo_type="dataset", allow_patterns=[*patterns, "*.json"])
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise DataError("no such file here, and the hub gave no data set of this name", where=name) from error
    return Path(folder), suffixes, match["split"] or "train"


def of_split(files: list[Path], folder: Path, split: str) -> list[Path]:
    """Of the files of a data set those of one split, told by a folder or a part of their name; all if none is."""

    def words(path: Path) -> set[str]:
        return set(re.split(r"[^a-z0-9]+", str(path.relative_to(folder)).lower()))

    found = [path for path in files if split.lower() in words(path)]
    if not found and split != "train":
        raise DataError(f"no file of it is of the split {split}", where=str(folder))
    return found or files
