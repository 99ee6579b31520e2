"""`python -m bench`: run the comparison, print the table, write bench/results/MACHINE.json."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import tasks
from bench.compare import SIDES, FailedError, compare, unavailable
from bench.growth import measure
from bench.results import keep
from bench.table import show

WORKS = (*tasks.UNITS, "growth")


def main() -> int:
    """Read the arguments and run what they ask for; returns how many works failed, which stops none of the others."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("work", nargs="*", metavar="WORK", help=f"{', '.join(WORKS)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of every side, after one of warm-up")
    parser.add_argument("--size", choices=("7m", "60m"), default="7m")
    parser.add_argument("--threads", type=int, default=1, help="of every side, each pinned to a core of its own")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--busy", action="store_true", help="on a busy machine: CPU seconds, threads not pinned")
    asked = parser.parse_args()
    unknown = set(asked.work) - set(WORKS)
    if unknown or asked.rounds < 1:
        what = f"unknown work: {', '.join(sorted(unknown))}; there are {', '.join(WORKS)}"
        parser.error(what if unknown else "--rounds is at least 1")
    failed = 0
    for work in asked.work or WORKS:
        if work == "growth":
            failed += not measure(asked)
            continue
        reason = unavailable(work, asked.sides)
        if reason:
            print(f"{work}: left out, {reason}")
            continue
        with TemporaryDirectory() as folder:
            tasks.write(Path(folder), asked.size)
            try:
                found = compare(work, asked, Path(folder))
            except FailedError as problem:
                print(f"{work}: {problem}")
                failed += 1
                continue
        keep(f"{work} {asked.size} {asked.threads} threads", found)
        show(work, asked, found)
    return failed


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(min(main(), 1))
