"""How soon work begins: `baro --help`, and `baro sft` up to the end of its first update, each in fresh processes.

    python -m bench.first [TIMES] [--size 7m]          default: 5 times

The model and the dialogues of the comparison, one thread pinned to the last core, default batch of 8. Printed are
medians of the wall clock from the start of the process: until the run says that it begins, until the data is checked,
until the first update begins, until it ended, and until the process did; modules are in the system's file cache. The
share of imports comes from one more run under `-X importtime`, which itself takes a little.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import tasks
from bench.compare import ROOT
from bench.results import keep

SAID = {"begun": "sft …", "read": "data: ", "loaded": "threads: "}
"""What the run prints when it has come so far."""
PARTS = {
    "begun": "torch, settings",
    "read": "transformers, tokenizer, reading and checking the data",
    "loaded": "tokens, model",
    "updated": "the first update",
}


def environment() -> dict[str, str]:
    """As a user has it: one thread, output as it comes, compiled modules kept, nothing fetched."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    wanted = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}
    return kept | wanted | {"PYTHONPATH": f"{ROOT}/src"}


def begin(words: list[str], python: tuple[str, ...] = (), errors: int | None = None) -> subprocess.Popen:
    """`baro WORDS` on the last core, its output to be read line by line."""
    core = {max(os.sched_getaffinity(0))}
    return subprocess.Popen(
        [sys.executable, *python, "-m", "baro", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if errors is None else errors,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, core),
    )


def helped() -> float:
    """Seconds of `baro --help`."""
    started = time.monotonic()
    process = begin(["--help"])
    if "Usage" not in process.communicate()[0]:
        raise SystemExit("baro --help did not come to its end")
    return time.monotonic() - started


def words_of(folder: Path, output: Path) -> list[str]:
    """One update of `baro sft` on the data and model in `folder`, nothing saved on the way."""
    model, data = folder / "model", folder / "dialogues.jsonl"
    given = {"model_name_or_path": model, "dataset": data, "output_dir": output, "max_steps": 1, "dtype": "float32"}
    return ["sft", *(f"{key}={value}" for key, value in given.items())]


def tuned(folder: Path) -> dict[str, float]:
    """Seconds from the start of `baro sft` to each mark, `updated` by the time of the update's line in speed.jsonl."""
    with TemporaryDirectory() as output:
        wall, started = time.time(), time.monotonic()
        process = begin(words_of(folder, Path(output)))
        found, lines = dict[str, float](), list[str]()
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            for mark, words in SAID.items():
                if mark not in found and words in line:
                    found[mark] = time.monotonic() - started
        if process.wait() or len(found) < len(SAID):
            raise SystemExit("baro sft did not come to its end:\n" + "".join(lines))
        found["ended"] = time.monotonic() - started
        found["updated"] = (Path(output) / "speed.jsonl").stat().st_mtime - wall
    return found


def imported(folder: Path) -> float:
    """The share of imports in the time up to the end of the process, both under `-X importtime`."""
    with TemporaryDirectory() as output:
        started = time.monotonic()
        process = begin(words_of(folder, Path(output)), ("-X", "importtime"), subprocess.PIPE)
        told = process.communicate()[1]
        passed = time.monotonic() - started
    return sum(int(own) for own in re.findall(r"^import time:\s+(\d+) \|", told, re.MULTILINE)) / 1e6 / passed


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.first", description=__doc__)
    parser.add_argument("times", nargs="?", type=int, default=5)
    parser.add_argument("--size", choices=("7m", "60m"), default="7m")
    asked = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        tasks.write(folder, asked.size)
        helped(), tuned(folder)  # the files of the modules are in memory from here on
        help_times = [helped() for _ in range(asked.times)]
        runs = [tuned(folder) for _ in range(asked.times)]
        share = imported(folder)
    median = {mark: statistics.median(run[mark] for run in runs) for mark in runs[0]}
    keep(f"first {asked.size} 1 threads", {"help": statistics.median(help_times), "imports": share, **median})
    print(f"baro --help: {statistics.median(help_times):.2f} s ({min(help_times):.2f} to {max(help_times):.2f})")
    before = 0.0
    for mark, words in PARTS.items():
        print(f"  {median[mark]:5.2f} s  + {median[mark] - before:.2f}  {words}")
        before = median[mark]
    ends = [run["updated"] for run in runs]
    print(f"baro sft, {asked.size}: {median['updated']:.2f} s to the end of the first update ", end="")
    print(f"({min(ends):.2f} to {max(ends):.2f}), {median['ended']:.2f} s in all; imports {share:.0%} of it")


if __name__ == "__main__":
    main()
