"""Results of this machine: one JSON file, a key a work, size and number of threads; a new run replaces its key."""

from __future__ import annotations

import json
import os
import platform
import re
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


def machine() -> str:
    """The processor's name and its cores, as a file name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return re.sub(r"\W+", "-", f"{name.strip()} {os.cpu_count()} cores".lower()).strip("-")


def file() -> Path:
    """Where this machine's results are."""
    return FOLDER / f"{machine()}.json"


def known() -> dict[str, Any]:
    """What was measured here so far."""
    return json.loads(file().read_text(encoding="utf-8")) if file().is_file() else {}


def keep(key: str, found: dict[str, Any]) -> None:
    """Write the figures of one work."""
    import torch

    stamp = {"date": time.strftime("%Y-%m-%d"), "torch": torch.__version__, "python": platform.python_version()}
    FOLDER.mkdir(exist_ok=True)
    file().write_text(json.dumps(known() | {key: found | stamp}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
