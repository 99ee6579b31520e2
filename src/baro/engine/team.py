"""Further processes of a run on one machine, started by the first one.

Pre-training a small model on two idle cores, a second process gives two fifths more, a second thread three fifths;
but threads wait for each other at every operation, processes once an update, and where another program is busy two
threads come to a standstill (figures: docs/performance.md). `torchrun` does the same by hand.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO, Literal

import torch

from baro.core.process import choose_threads, cores

Count = int | Literal["auto"]
MOST, PATIENCE = 8, 10.0  # processes made by "auto"; seconds a process may take to end after the first one has


def size(count: Count) -> int:
    """How many processes `count` means here: "auto" is one a core, at most 8, and one where there is a GPU."""
    if count != "auto":
        return count
    return 1 if torch.cuda.is_available() else min(cores(), MOST)


def gather(count: Count, command: Sequence[str]) -> None:
    """Start the other processes of a run, so that `dist.start` finds them; this one becomes rank 0.

    Nothing happens under torchrun, or when one process is enough. The cores are divided among the processes. They get
    the terminal's signals like this one, write nothing, and end with it.

    Args:
        command: what starts this very run again, as the other ranks.
    """
    processes = size(count)
    if processes < 2 or "WORLD_SIZE" in os.environ:
        return
    threads = max(1, cores() // processes)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    place = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    others: list[tuple[subprocess.Popen, IO[bytes]]] = []
    for rank in range(1, processes):
        told = {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": str(threads)}
        said = tempfile.TemporaryFile()  # noqa: SIM115 (read when the process ends)
        environment = os.environ | place | told
        others.append((subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=said), said))
    os.environ.update(place | {"RANK": "0", "LOCAL_RANK": "0"})
    choose_threads(threads)
    atexit.register(_disperse, others)


def _disperse(others: list[tuple[subprocess.Popen, IO[bytes]]]) -> None:
    """See the others end; what one that crashed has said is shown."""
    for other, said in others:
        try:
            code = other.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            other.kill()
            code = other.wait()
        if code not in (0, 2, 130, 143):
            said.seek(0)
            tail = said.read().decode(errors="replace")[-2000:]
            print(f"a process of the run ended with code {code}:\n{tail}", flush=True)
