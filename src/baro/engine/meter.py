"""Seconds and peak memory of a stage, counted for the whole process (memory: of the GPU where there is one).

Busy seconds are those in which this process was at work: on a CPU shared with other programs, what it waited for them
is left out, so that they say what the work costs. A process on a GPU is taken to be busy all the time.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


_started = time.monotonic()
_worked = time.process_time()


def start() -> None:
    """Count from here. Where the system cannot forget an earlier peak of memory, it stays the process's."""
    global _started, _worked
    _started, _worked = time.monotonic(), time.process_time()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        CLEAR.write_text("5")  # Linux: VmHWM starts again at the present size
    except OSError:
        return


def seconds() -> float:
    """Since `start`."""
    return time.monotonic() - _started


def busy_seconds() -> float:
    """Since `start`, without what was waited for other programs."""
    return seconds() if torch.cuda.is_available() else min(seconds(), time.process_time() - _worked)


def peak_bytes() -> int:
    """Memory at the highest point since `start`."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    try:
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
