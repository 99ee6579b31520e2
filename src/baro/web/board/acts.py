"""Stopping a run and starting it again, on this machine only."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from baro.core.errors import BaroError
from baro.pipeline.journal import born
from baro.web.board.runs import Run

METHODS = ("run", "pretrain", "sft", "reward", "rejection", "ppo", "dpo", "group", "rloo", "grpo")
"""Commands of ours that a record may name; no other is ever started."""


def stop(run: Run) -> None:
    """Ask the run's process to finish its update, save and end.

    Raises:
        BaroError: it is not running here, or the number belongs to another process by now.
    """
    record = run.record()
    _here(record)
    if not run.alive(record):
        raise BaroError("the run is not running.", where=run.name)
    pid = int(record["pid"])
    try:
        handle = os.pidfd_open(pid)  # from here on the number cannot come to mean another process
    except OSError:
        raise BaroError("the run is not running.", where=run.name) from None
    try:
        if born(pid) != record["born"]:
            raise BaroError("the run is not running.", where=run.name)
        signal.pidfd_send_signal(handle, signal.SIGTERM)
    except PermissionError:
        raise BaroError("the run belongs to another user.", where=run.name) from None
    finally:
        os.close(handle)


def resume(run: Run) -> int:
    """Start the recorded command again, in its folder; what it prints goes to board.log. Returns its process number.

    Raises:
        BaroError: it runs already, was recorded elsewhere, or the record names no command of ours.
    """
    record = run.record()
    _here(record)
    if run.alive(record):
        raise BaroError("the run is running already.", where=run.name)
    words, folder = record.get("words"), Path(str(record.get("folder", "")))
    if (
        not isinstance(words, list)
        or not words
        or words[0] not in METHODS
        or not all(isinstance(w, str) for w in words)
    ):
        raise BaroError("the record names no command that could be started.", where=run.name)
    if not folder.is_dir():
        raise BaroError("the folder it was started in is gone.", where=run.name)
    with (run.folder / "board.log").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "baro", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives the page
        )
    return started.pid


def _here(record: dict[str, Any]) -> None:
    if record.get("host") != platform.node():
        raise BaroError("the run was started on another machine; stop or resume it there.")
