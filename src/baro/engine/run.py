"""One run in one folder: its lock, its record, its figures, and the signals that end it in good order.

    run.json       settings, version and machine; `finished` once the last update is done
    metrics.jsonl  one line per logged update, deterministic figures only: two equal runs write equal bytes
    rollouts.jsonl  some of the answers that were sampled for an update, as deterministic
    speed.jsonl    seconds, busy seconds, counts per second, peak bytes: what differs from run to run
    checkpoints/   see checkpoint.py

The first SIGINT or SIGTERM lets the update finish, saves and raises `core.signals.Stopped`, whose exit code
is the shell's (130 after SIGINT, 143 after SIGTERM); the second ends the process at once,
which harms nothing, because every file here is replaced whole or cut back on resume.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Any

import torch

import baro
from baro.core import process
from baro.core.errors import BaroError, CheckpointError, ConfigError
from baro.core.signals import Stopped
from baro.engine import checkpoint, dist, files, meter, report
from baro.engine.fields import Settings

LOGS = ("metrics.jsonl", "rollouts.jsonl", "speed.jsonl")
"""Files of lines with a `step`: cut back to where a run goes on from."""
UNTOLD = {"output_dir", "resume_from_checkpoint", "report_to", "logging_steps", "save_steps", "save_total_limit"}
"""Settings that may differ between a run and its continuation without a word."""


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is: `done` of `total` units ("updates", "rows", ...), and a few words."""

    done: int
    total: int
    unit: str
    text: str = ""


class Run:
    """A folder that one training run owns while it is open. Use as a context manager.

    Args:
        folder: made when missing.
        settings: kept in run.json.
        resume: True continues from the newest valid checkpoint, if any; False starts anew and refuses a folder that
            has checkpoints; a path continues from that checkpoint, or from the newest one of that run.
        report_to: names of further reporters (`report.py`).
        progress: called with `Progress` as work goes on.
        say: called with a line of text for the user; standard error when not given.

    Raises:
        BaroError: another process has the folder open, or it cannot be written.
        ConfigError: a reporter is not installed, or the run would come to remove checkpoints it does not continue.
    """

    def __init__(
        self,
        folder: Path | str,
        settings: Settings | Mapping[str, Any] | None = None,
        *,
        resume: bool | Path | str = True,
        report_to: Sequence[str] = (),
        progress: Callable[[Progress], None] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        report.check(report_to)
        self.folder = Path(folder)
        self.checkpoints = self.folder / "checkpoints"
        self.settings = settings.model_dump(mode="json") if isinstance(settings, Settings) else dict(settings or {})
        self.resume, self.report_to = resume, tuple(report_to)
        self.stopping: int = 0
        """Number of the signal that asked the run to stop, 0 while none did."""
        self.record: dict[str, Any] = {}
        self.done: int = 0
        """Updates made so far."""
        self._clock, self._busy = time.monotonic(), meter.busy_seconds()
        self._progress, self._say = progress, say
        self._lock: IO[str] | None = None
        self._handlers: dict[int, Any] = {}
        self._reporters: list[report.Reporter] = []

    # --- opening and closing ---

    def __enter__(self) -> Run:
        if dist.main_rank():
            try:
                self.checkpoints.mkdir(parents=True, exist_ok=True)
                self._take_lock()
                self.record = self._read_record()
                self._refuse_to_overwrite()
            except OSError as error:
                raise BaroError(f"cannot write here: {error.strerror}.", where=str(self.folder)) from None
            except BaroError:
                self._release_lock()
                raise
        self.record = dist.from_main(self.record)
        if (before := self.record.get("machine")) and self.resume:
            process.go_on_with(before["threads"])
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for reporter in self._reporters:
            reporter.close()
        self._release_lock()
        if self.stopping and kind is None:  # it came after the last update: whatever follows this run must not start
            raise Stopped(self.stopping, str(self.folder))

    def _refuse_to_overwrite(self) -> None:
        """A run that does not continue this folder's own checkpoints must not come to remove them."""
        foreign = self.resume is not True and (
            self.resume is False or self.folder.resolve() not in Path(self.resume).resolve().parents
        )
        if foreign and checkpoint.listing(self.checkpoints):
            raise ConfigError(
                f"resume_from_checkpoint is {self.resume or 'false'}, but the folder has checkpoints of its own.",
                where=str(self.folder),
                hint="Choose another output_dir or remove this one; resume_from_checkpoint=true continues it.",
            )

    def _take_lock(self) -> None:
        self._lock = (self.folder / "run.lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            raise BaroError(
                f"another run has this folder open (process {holder}).",
                where=str(self.folder),
                hint="Wait for it, stop it, or choose another output_dir.",
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()  # which releases it; the file stays, for removing it would race with the next holder
            self._lock = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            os._exit(128 + number)
        self.stopping = number
        self.say(f"{signal.Signals(number).name}: finishing this update, then saving. Once more ends at once.")

    # --- the record ---

    @property
    def finished(self) -> dict[str, Any] | None:
        """What `finish` recorded, None while the run's last update is not done."""
        return self.record.get("finished")

    def _read_record(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / "run.json").read_text()))
        except (OSError, ValueError):
            return {}

    def start(self, step: int, *, more: bool) -> None:
        """Begin after update `step`: cut the figures back to it and record settings and machine.

        Args:
            step: the update the run continues after, 0 for a new one.
            more: whether updates are left to do; if so a `finished` from before no longer holds.
        """
        self.done = step
        if not dist.main_rank():
            return
        before = self.record.get("settings", {})
        for key in sorted(set(before) & set(self.settings) - UNTOLD) if step else ():
            if before[key] != self.settings[key]:
                self.say(f"continuing with {key} {self.settings[key]!r}; it was {before[key]!r} before.")
        if step and more:
            self.say(f"continuing after update {step}.")
        while process.untold:
            self.say(f"{torch.get_num_threads()} {process.untold.pop()}")
        self.record = {
            "version": baro.__version__,
            "machine": machine(),
            "settings": self.settings,
            "finished": None if more else self.finished,
        }
        self._write_record()
        for name in LOGS:
            _cut(self.folder / name, step)
        self._clock, self._busy = time.monotonic(), meter.busy_seconds()
        self._reporters = report.open_reporters(self.report_to, self.folder, self.settings, step)

    def finish(self, step: int, reason: str = "") -> None:
        """Record that the run is complete after update `step`; `reason` says why it ended before its last update.

        From here on every process finds all lines of the figures.
        """
        self.record["finished"] = {"step": step, **({"reason": reason} if reason else {})}
        if dist.main_rank():
            self._write_record()
        dist.barrier()

    def _write_record(self) -> None:
        files.replace_json(self.folder / "run.json", self.record)

    # --- where to continue ---

    def resume_point(self) -> Path | None:
        """The checkpoint to continue from, None to start anew; the same on every process.

        Raises:
            CheckpointError: the path asked for is no checkpoint, nor a run with one.
        """
        return dist.from_main(self._resume_point() if dist.main_rank() else None)

    def _resume_point(self) -> Path | None:
        if isinstance(self.resume, bool):
            return checkpoint.newest(self.checkpoints) if self.resume else None
        path = Path(self.resume)
        found = path if (path / checkpoint.MANIFEST).exists() else checkpoint.newest(path / "checkpoints")
        if found is None:
            found = checkpoint.newest(path)
        if found is None:
            raise CheckpointError(
                "no valid checkpoint.", where=str(path), hint="Expected step-... or a folder of a run."
            )
        return found

    # --- figures ---

    def log(self, step: int, figures: Mapping[str, Any]) -> None:
        """Append a line to metrics.jsonl: deterministic figures only. What is not finite is written as null."""
        if dist.main_rank():
            line = {"step": step, **{name: _finite(value) for name, value in figures.items()}}
            self._append("metrics.jsonl", line)
            numbers = {k: float(v) for k, v in line.items() if k != "step" and isinstance(v, (int, float))}
            for reporter in self._reporters:
                reporter.log(step, numbers)

    def log_speed(self, step: int, count: float) -> None:
        """Append a line to speed.jsonl: seconds and busy seconds since the last one, `count` per second, peak bytes."""
        seconds, self._clock = time.monotonic() - self._clock, time.monotonic()
        busy, self._busy = meter.busy_seconds() - self._busy, meter.busy_seconds()
        if dist.main_rank():
            line = {"step": step, "seconds": round(seconds, 6), "counts_per_second": round(count / seconds, 3)}
            self._append("speed.jsonl", {**line, "busy_seconds": round(busy, 6), "peak_bytes": meter.peak_bytes()})

    def show(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append lines to rollouts.jsonl: what was sampled for the update that comes next, its number as `step`."""
        if dist.main_rank():
            for row in rows:
                self._append("rollouts.jsonl", {"step": self.done + 1, **row})

    def _append(self, name: str, line: Mapping[str, Any]) -> None:
        path = self.folder / name
        try:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            raise BaroError(f"cannot write: {error.strerror}.", where=str(path)) from error

    def sync(self) -> None:
        """Wait until the figures are on the disk: a checkpoint must not outlive the lines before it."""
        for name in LOGS:
            path = self.folder / name
            if path.exists():
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())

    # --- talking ---

    def progress(self, done: int, total: int, unit: str = "updates", text: str = "") -> None:
        """Tell whoever watches how far the work is."""
        if self._progress is not None and dist.main_rank():
            self._progress(Progress(done, total, unit, text))

    def say(self, text: str) -> None:
        """A line for the user."""
        if dist.main_rank():
            if self._say is not None:
                self._say(text)
            else:
                print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """Facts that speed and the last digits depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
        "processes": dist.world(),
        "started": _now(),
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cut(path: Path, step: int) -> None:
    """Drop the lines after update `step`, and a last line that a kill left half written."""
    if not path.exists():
        return
    kept = []
    for line in re.findall(r"[^\n]*\n", path.read_text(encoding="utf-8", errors="replace")):  # text has other breaks
        try:
            if json.loads(line)["step"] > step:
                break
        except (ValueError, KeyError, TypeError):
            break
        kept.append(line)
    files.replace(path, "".join(kept))
