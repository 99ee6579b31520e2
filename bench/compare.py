"""Runs the sides of one work in turn: A B A B …, after a check that they compute the same, and sums up."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import tasks

ROOT = Path(__file__).parents[1]
OLD_TRL = Path(__file__).parent / ".venv-trl-1.8" / "bin" / "python"
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 33)}
SIDES = {
    "baro": "",
    "trl": "as shipped",
    "trl-malloc": "with the allocator's thresholds raised",
    "trl-tuned": "the same, gradient checkpointing off",
}
"""Who is compared; the first is what the ratios are of."""
TOLERANCE = 2e-3
"""Two losses agree within this part of their size."""


class FailedError(Exception):
    """A side ended, or the sides do not compute the same."""


def unavailable(work: str, sides: list[str]) -> str:
    """Why a work cannot be compared here; empty when it can."""
    if work == "ppo" and set(sides) - {"baro"} and not OLD_TRL.exists():
        return "TRL 1.8.0 is not installed: make bench/.venv-trl-1.8/ready"
    return ""


@dataclass
class Side:
    """A worker process and its timed rounds (seconds, units)."""

    name: str
    process: subprocess.Popen
    rounds: list[dict[str, float]]

    def ask(self, what: str) -> dict[str, Any]:
        """Send a line, read the answer.

        Raises:
            FailedError: the process has ended, or said something else.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = ""
        try:
            if what:
                self.process.stdin.write(what + "\n")
                self.process.stdin.flush()
            line = self.process.stdout.readline()
            return json.loads(line)
        except (BrokenPipeError, ValueError):
            words = f"said {line.strip()!r}" if line else f"ended: {_last_words(self.process)}"
            raise FailedError(f"{self.name} {words}") from None

    def summary(self) -> dict[str, Any]:
        """Median rate, spread and what was measured."""
        rates = sorted(turn["units"] / turn["seconds"] for turn in self.rounds)
        middle = statistics.median(rates)
        length = statistics.fmean(turn.get("length", 0.0) for turn in self.rounds)
        return {"median": middle, "spread": (rates[-1] - rates[0]) / middle, "rates": rates, "length": length}


def start(side: str, work: str, asked, folder: Path) -> Side:
    """The worker of a side, set up."""
    trl = "trl-1.8" if work == "ppo" else "trl"
    python = str(OLD_TRL) if work == "ppo" and side != "baro" else sys.executable
    words = [python, "-m", "bench.worker", "baro" if side == "baro" else trl, work, asked.size, str(folder)]
    words += ["--threads", str(asked.threads), *(["--tuned"] if side == "trl-tuned" else [])]
    words += ["--busy"] if asked.busy else []
    environment = os.environ | {"OMP_NUM_THREADS": str(asked.threads), "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    environment |= MALLOC if side in ("trl-malloc", "trl-tuned") else {}
    cores = sorted(os.sched_getaffinity(0))[-asked.threads :]
    log = (folder / f"{side}.log").open("w+")
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        preexec_fn=None if asked.busy else lambda: os.sched_setaffinity(0, cores),
    )
    process.log = log  # type: ignore[attr-defined]
    found = Side(side, process, [])
    try:
        found.ask("")
    except FailedError:
        stop(found)
        raise
    return found


def stop(side: Side) -> None:
    """End a side's process."""
    side.process.kill()
    side.process.wait()


def _last_words(process) -> str:
    process.log.seek(0)
    return " / ".join(process.log.read().strip().splitlines()[-3:])


def agree(sides: list[Side]) -> list[float]:
    """The figures of the check, or `FailedError` where a side has others."""
    first, *others = [(side.name, side.ask("check")) for side in sides]
    wanted = first[1]["check"]
    for name, answer in others:
        found = answer["check"]
        close = len(found) == len(wanted) and all(
            one == other if answer.get("exact") else abs(one - other) <= TOLERANCE * max(abs(one), abs(other), 1e-6)
            for one, other in zip(wanted, found, strict=True)
        )
        if not close:
            raise FailedError(f"the sides do not compute the same: {first[0]} {wanted[:8]}, {name} {found[:8]}")
    return wanted


def same_lengths(work: str, sides: list[Side]) -> None:
    """`FailedError` where a side's answers are longer or shorter than ours by more than chance explains.

    Allowed are four standard errors, the deviation of a length taken to be a third of the limit.
    """
    answers = tasks.drawn(work) * len(sides[0].rounds)
    if not answers:
        return
    allowed = 4 * tasks.GENERATED / 3 * (2 / answers) ** 0.5
    first, *others = [(side.name, side.summary()["length"]) for side in sides]
    for name, length in others:
        if abs(length - first[1]) > allowed:
            raise FailedError(f"answers of {first[1]:.1f} tokens by {first[0]}, of {length:.1f} by {name}")


def compare(work: str, asked, folder: Path) -> dict[str, Any]:
    """Every side's figures, the ratio of ours to each, the share of the FLOP limit, memory and the load."""
    sides = []
    try:
        for name in asked.sides:
            sides.append(start(name, work, asked, folder))
        checked = agree(sides)
        before = os.getloadavg()
        for turn in range(asked.rounds + 1):
            for side in sides:
                found = side.ask("round")
                if turn:  # the first is the warm-up
                    side.rounds.append(found)
        same_lengths(work, sides)
        ends = {side.name: side.ask("memory") | side.ask("peak") for side in sides}
    finally:
        for side in sides:
            stop(side)
    figures = {side.name: side.summary() | {"peak_bytes": ends[side.name]["bytes"]} for side in sides}
    peak = max(end["flops"] for end in ends.values())
    for figure in figures.values():
        figure["ratio"] = figures[sides[0].name]["median"] / figure["median"]
        least = tasks.least(work, asked.size, figure["length"])
        figure["share"] = figure["median"] * least / peak if least else None
    return {
        "unit": tasks.UNITS[work], "sides": figures, "peak_flops": peak, "check": checked[:8],
        "load_before": before, "load_after": os.getloadavg(), "rounds": asked.rounds,
        "seconds": "CPU" if asked.busy else "wall",
    }  # fmt: skip
