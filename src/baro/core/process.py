"""How the process uses memory and cores: set once, before the first large tensor."""

from __future__ import annotations

import ctypes
import os
import platform

import torch

untold: list[str] = []
"""What `tune_process` chose, until a run has said it."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>


_by_load = False  # whether the load chose the number of threads


def tune_allocator() -> bool:
    """Keep freed memory instead of giving every large tensor back to the system.

    By default glibc maps and unmaps blocks above 32 MiB (and trims the heap), so that each training step pays for
    fresh pages: up to 1.5 times the step on a CPU. Returns False where the C library is not glibc or refuses.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, (1 << 31) - 1))
    return sum(mallopt(name, value) for name, value in settings) == len(settings)


def idle_cores() -> int:
    """Cores this process may use that others leave free, at least 1, by the load of the last minute."""
    return max(1, cores() - round(os.getloadavg()[0]))


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count() or 1


def choose_threads(threads: int | None = None) -> int:
    """Set torch's threads and return their number: `threads`, or one for every idle core.

    Two threads beside another busy process are slower than one: each operation waits for the slower half.
    OMP_NUM_THREADS is honoured when `threads` is None, as everywhere else.
    """
    global _by_load
    _by_load = threads is None and "OMP_NUM_THREADS" not in os.environ
    if _by_load:
        threads = min(idle_cores(), torch.get_num_threads())
    if threads is not None:
        torch.set_num_threads(max(1, threads))
    return torch.get_num_threads()


def go_on_with(threads: int) -> None:
    """As many threads as when a run was left, whatever the load is now: another number may round differently."""
    if _by_load:
        torch.set_num_threads(threads)


def tune_process(threads: int | None = None) -> str:
    """Both of the above; returns why it is so, for the log."""
    kept = "large freed blocks are kept" if tune_allocator() else "the allocator is left as it is"
    if threads is not None:
        why = "as set"
    elif "OMP_NUM_THREADS" in os.environ:
        why = "OMP_NUM_THREADS"
    else:
        why = f"load {os.getloadavg()[0]:.1f}; threads=N sets another number"
    choose_threads(threads)
    untold[:] = [f"threads: {why}; {kept}"]
    return untold[0]
