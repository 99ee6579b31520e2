"""How the process uses memory and cores: set once, before the first large tensor."""

from __future__ import annotations

import ctypes
import os
import platform

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>


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


def choose_threads(threads: int | None = None) -> int:
    """Set torch's threads and return their number: `threads`, or the cores this process may use.

    OMP_NUM_THREADS is honoured when `threads` is None, as everywhere else.
    """
    if threads is None and "OMP_NUM_THREADS" not in os.environ:
        threads = min(cores(), torch.get_num_threads())
    if threads is not None:
        torch.set_num_threads(max(1, threads))
    return torch.get_num_threads()


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count() or 1


def tune_process(threads: int | None = None) -> int:
    """Both of the above; returns the number of threads."""
    tune_allocator()
    return choose_threads(threads)
