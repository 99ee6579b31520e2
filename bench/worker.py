"""One side of a comparison, alone in its process: set up, then do as the lines on standard input say.

check  → {"check": [...]}                       figures that must agree with the other side's
round  → {"seconds": s, "units": n}             one timed round
memory → {"bytes": b}                           at its highest since the set-up
peak   → {"flops": f}                           what the machine can do now
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
from pathlib import Path

from bench import clock

MODULES = {"baro": "bench.ours", "trl": "bench.theirs", "trl-1.8": "bench.theirs_ppo"}


def peak_bytes() -> int:
    """Memory of this process at its highest since `forget`."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget() -> None:
    """Count the peak of memory from here, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def flops() -> dict[str, float]:
    """What the machine can do now."""
    from bench.limits import peak

    return {"flops": peak()}


def main() -> None:
    """Serve one work until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=MODULES)
    parser.add_argument("work")
    parser.add_argument("size")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--busy", action="store_true")
    asked = parser.parse_args()
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print; the answers go out alone
    clock.busy = asked.busy
    work = importlib.import_module(MODULES[asked.side]).WORKS[asked.work](asked)
    does = {"check": work.check, "round": work.round, "memory": lambda: {"bytes": peak_bytes()}, "peak": flops}
    forget()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        answer = does[line.strip()]()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
