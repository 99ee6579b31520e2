"""progress.json: how far a run is, for whoever looks at its folder from elsewhere (`baro board`).

words, folder          what to type after `baro`, and where, to start or resume the run
pid, born, host        the process, when the system says it was born, and its machine
state                  running, done, stopped or failed; error says why
started, time, left    seconds since 1970 of the start and of this record; seconds to go
stages                 name, method, inputs, state (waiting, running, done, skipped), seconds, done, total, unit, text
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from baro.core.signals import Stopped
from baro.engine import files

NAME = "progress.json"
EVERY = 1.0
"""Seconds between two records while a stage goes on."""


class Journal:
    """The record of one run.

    Args:
        folder: of the run; made when missing.
        stages: (name, method, names of the stages it reads), in order.
    """

    def __init__(self, folder: Path, stages: Iterable[tuple[str, str, Iterable[str]]]) -> None:
        self.file, self.written = Path(folder) / NAME, 0.0
        rows = [{"name": n, "method": m, "inputs": list(i), "state": "waiting"} for n, m, i in stages]
        self.stages: dict[str, dict[str, Any]] = {str(row["name"]): row for row in rows}
        self.record: dict[str, Any] = {
            "words": sys.argv[1:],
            "folder": str(Path.cwd()),
            "pid": os.getpid(),
            "born": born(os.getpid()),
            "host": platform.node(),
            "state": "running",
            "error": "",
            "started": time.time(),
            "left": None,
        }

    def note(self, stage: str, *, left: float | None = None, **facts: Any) -> None:
        """What is new about a stage. A change of its state is written at once, other news once a second."""
        row = self.stages.setdefault(stage, {"name": stage, "method": "", "inputs": [], "state": "waiting"})
        row.update(facts)
        self.record["left"] = left
        if "state" in facts or time.monotonic() - self.written > EVERY:
            self.write()

    def close(self, error: BaseException | None) -> None:
        """The run has ended, by itself (None) or not."""
        stopped = isinstance(error, Stopped | KeyboardInterrupt | SystemExit)
        self.record["state"] = "done" if error is None else "stopped" if stopped else "failed"
        self.record["error"] = "" if error is None else str(error) or type(error).__name__
        self.record["left"] = 0 if error is None else None
        for row in self.stages.values():
            if row["state"] == "running":
                row["state"] = "waiting"
        self.write()

    def write(self) -> None:
        """Replace the file. A folder that cannot be written is the run's own trouble, not this record's."""
        self.written = time.monotonic()
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            files.replace_json(self.file, self.record | {"time": time.time(), "stages": list(self.stages.values())})


def born(pid: int) -> str:
    """When the system says that process was born, "" where it does not say or there is none.

    A number of a process is given again after its end; number and birth together are not.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = text[text.rindex(")") + 2 :].split()  # what is in brackets may hold spaces
    return "" if fields[0] == "Z" else fields[19]
