"""Brings known bugs back one at a time and shows that a test goes red for each.

    python tests/mutants/run.py                 all of them
    python tests/mutants/run.py score reward    those whose name, incident or file holds one of the words

The source is copied, one change is made in the copy, and the test named in the table runs against the copy. Exits with
1 when a test stays green (the bug would be shipped again) or could not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutant import Mutant
from table import MUTANTS

ROOT = Path(__file__).parents[2]
GREEN, RED, LATE = 0, 1, 124  # exit codes of pytest, and ours for a run that took too long
PROCESSES, MINUTES = 2, 20
# The package is installed from src; the copy must win, or every mutant would look harmless.
START = """
import sys, pathlib, baro, pytest
assert pathlib.Path(baro.__file__).resolve().is_relative_to(pathlib.Path(sys.argv[1]).resolve()), baro.__file__
sys.exit(pytest.main(sys.argv[2:]))
"""


def tested(source: Path, tests: list[str]) -> tuple[int, str]:
    """Exit code and output of the tests, run against the package below `source`."""
    paths = [str(ROOT / "tests" / test) for test in tests]
    options = ["-x", "-q", "-rf", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={ROOT}"]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", START, str(source), *options, *paths]
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60 * MINUTES)
    except subprocess.TimeoutExpired:
        return LATE, f"not done after {MINUTES} minutes"
    return done.returncode, done.stdout + done.stderr


def verdict(mutant: Mutant) -> tuple[Mutant, bool, str]:
    """(mutant, whether its test went red, the test that did or why none could)."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        file = source / "baro" / mutant.file
        text = file.read_text(encoding="utf-8")
        if text.count(mutant.old) != 1:
            return mutant, False, f"its text occurs {text.count(mutant.old)} times in {mutant.file}, not once"
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        code, output = tested(source, [mutant.test])
    if code == RED:
        failed = re.search(r"^FAILED \S*?tests/(\S+)", output, re.MULTILINE)
        return mutant, True, failed[1] if failed else output.strip().splitlines()[-1]
    last = (output.strip().splitlines() or [""])[-1]
    return mutant, False, "every test stayed green" if code == GREEN else f"could not run: {last}"


def unmutated(mutants: list[Mutant], pool: ThreadPoolExecutor) -> list[str]:
    """What the tests say before any change, where they are not green; they run file by file."""
    files: dict[str, set[str]] = {}
    for mutant in mutants:
        files.setdefault(mutant.test.split("::")[0], set()).add(mutant.test)
    done = pool.map(lambda tests: tested(ROOT / "src", sorted(tests)), files.values())
    return [output for code, output in done if code != GREEN]


def main(words: list[str]) -> int:
    """Run, print a table, and return the exit code."""
    chosen = [m for m in MUTANTS if not words or any(w in f"{m.name} {m.incident} {m.file}" for w in words)]
    survivors = 0
    with ThreadPoolExecutor(PROCESSES) as pool:
        if problems := unmutated(chosen, pool):
            print(*problems, "The tests must be green before they can prove anything.", sep="\n", file=sys.stderr)
            return 1
        for mutant, red, what in pool.map(verdict, chosen):
            survivors += not red
            state = "red     " if red else "SURVIVED"
            print(f"{state}  {mutant.name} [{mutant.incident}]\n          {what}", flush=True)
    print(f"\n{len(chosen) - survivors} of {len(chosen)} bugs are noticed.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
