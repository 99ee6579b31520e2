"""Names that come from outside, as files inside a folder."""

from __future__ import annotations

import re
from pathlib import Path

from baro.core.errors import DataError

DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def inside(root: Path, name: str) -> Path:
    """The file or folder called `name` below `root`, links followed.

    Raises:
        DataError: the name is absolute, climbs (`..`), leaves the root by a link, holds NUL, a backslash or a colon, is
            a name that Windows keeps for devices, or nothing (or no plain file or folder) is there. Nothing is opened.
    """
    parts = name.split("/")
    bad = any(part in ("", ".", "..") or DEVICES.fullmatch(part.strip()) for part in parts)
    if bad or re.search(r"[\x00-\x1f\x7f\\:]", name):
        raise DataError("the name cannot be used.", hint="Give the name of a file below the folder that is served.")
    base = root.resolve()
    try:
        found = (base / name).resolve(strict=True)
    except (OSError, RuntimeError):
        found = None
    if found is None or not found.is_relative_to(base) or not (found.is_file() or found.is_dir()):
        raise DataError("there is no such file.", hint="Give the name of a file below the folder that is served.")
    return found
