"""Peak memory of a stage: of the GPU where there is one, else of the process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak() -> None:
    """Count the peak from here. Where the system cannot forget an earlier peak, it stays the process's."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        CLEAR.write_text("5")  # Linux: VmHWM starts again at the present size
    except OSError:
        return


def peak() -> int:
    """Bytes at the highest point since `reset_peak`."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    try:
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
