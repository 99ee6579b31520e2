"""Growth: tokens a second and peak memory against length, batch, size of the model and samples of a prompt.

    python -m bench growth --rounds 2

One side at a time, a process for every point. Fine-tuning in updates of 4,096 tokens (length), of 1 to 32 rows (batch),
of 8 rows (size); generation of 64 answers, the samples of a prompt from one prefill on our side. The figures go to the
machine's file of results under "growth", and `figures.py` draws them.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import tasks
from bench.compare import FailedError, start, stop
from bench.figures import draw
from bench.results import keep
from bench.world import SHAPES

AXES: dict[str, tuple[tuple[int | str, ...], tuple[int | str, ...]]] = {
    "length": (tasks.LENGTHS, (64, 256, 1024, 4096)),
    "batch": (tasks.BATCHES, (1, 4, 16, 32)),
    "size": (tuple(SHAPES), tuple(SHAPES)),
    "samples": (tasks.SAMPLES, (1, 4, 16)),
}
"""Points of our side and of the other, as shipped."""


def point(side: str, axis: str, value: int | str, asked: Namespace, folder: Path) -> dict[str, Any]:
    """The figures of one point: the better of two timed rounds after one of warm-up."""
    work = {"size": "batch-8", "samples": f"generate-{value}"}.get(axis, f"{axis}-{value}")
    size = str(value) if axis == "size" else "7m"
    tasks.write(folder / size, size)
    worker = start(side, work, Namespace(**vars(asked) | {"size": size}), folder / size)
    try:
        rounds = [worker.ask("round") for _ in range(min(asked.rounds, 2) + 1)][1:]
        memory = worker.ask("memory")["bytes"]
    finally:
        stop(worker)
    return {"rate": max(turn["units"] / turn["seconds"] for turn in rounds), "peak_bytes": memory}


def measure(asked: Namespace) -> bool:
    """Every axis, written as it is done; then the drawing. Returns whether all of them could be measured."""
    failed = False
    for axis in AXES:
        try:
            found = measured(axis, asked)
        except FailedError as problem:
            print(f"growth by {axis}: {problem}")
            failed = True
            continue
        keep(f"growth {axis} {asked.threads} threads", {"sides": found, "seconds": "CPU" if asked.busy else "wall"})
    if not failed and "baro" in asked.sides:
        print(draw(asked.threads))
    return not failed


def measured(axis: str, asked: Namespace) -> dict[str, dict[str, dict[str, Any]]]:
    """Side → point → figures of one axis, printed as they are known."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    with TemporaryDirectory() as folder:
        for side, values in zip(("baro", "trl"), AXES[axis], strict=True):
            for value in values if side in asked.sides else ():
                at = found.setdefault(side, {})[str(value)] = point(side, axis, value, asked, Path(folder))
                figures = f"{at['rate']:9,.0f} tokens/s {at['peak_bytes'] / 2**20:8,.0f} MiB"
                print(f"{axis} {value:>5} {side:5} {figures}", flush=True)
    return found
