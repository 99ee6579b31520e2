"""Python programs run against tests, each in a process that can do nothing but compute; see `jail` and `walls`.

A row says what must hold: `tests`, MBPP's `test_list` (and `test_setup_code`), or HumanEval's `test` of `entry_point`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence as Items
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baro.core.errors import BaroError, ConfigError, DataError
from baro.data.records import Prompt
from baro.rewards import walls
from baro.rewards.environment import State, Step, begin

JAIL = Path(__file__).with_name("jail.py")
GRADER = (JAIL, JAIL.with_name("walls.py"))
FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
GRACE = 5.0  # seconds for starting and for the tests' own work


@dataclass(frozen=True)
class Verdict:
    """What the tests said: how many passed, of how many, and what went wrong with each (empty where it passed)."""

    passed: int
    tests: int
    said: tuple[str, ...]


class Programs:
    """An answer is a program, in a ``` fence or bare; it earns the share of tests that pass, or 1 for all and else 0.

    The program cannot reach the network, other processes, or any file but those of Python and a folder of its own, and
    it never sees the tests. Only what Python itself brings can be imported.

    Args:
        partial: True: the share of tests; False: all or nothing.
        seconds: a program may take, on the clock and of the processor.
        memory: bytes. file_size: bytes of one file it writes. files: open at a time.
        workers: programs run at a time; default: the processor's cores.
    """

    max_turns = 1

    def __init__(
        self,
        partial: bool = False,
        seconds: float = 5.0,
        memory: int = 256 << 20,
        file_size: int = 1 << 20,
        files: int = 32,
        workers: int | None = None,
    ) -> None:
        if lacks := walls.missing():
            raise ConfigError(f"programs of a model cannot be shut in here: {lacks}.", where="environment")
        self.partial, self.workers = partial, workers or len(os.sched_getaffinity(0))
        self.limits = {"seconds": seconds, "memory": memory, "file_size": file_size, "files": files}
        self.grader = _digest(GRADER)

    def reset(self, prompts: Items[Prompt], seeds: Items[int]) -> list[State]:
        """The prompts as they stand; every row must have tests."""
        for prompt in prompts:
            tests_of(prompt.columns, prompt.where)
        return [begin(prompt) for prompt in prompts]

    def step(self, states: Items[State], actions: Items[str]) -> list[Step]:
        """Run every program."""
        with ThreadPoolExecutor(self.workers) as pool:
            verdicts = list(pool.map(self._verdict, states, actions))
        return [
            Step(found.passed / found.tests if self.partial else float(found.passed == found.tests))
            for found in verdicts
        ]

    def _verdict(self, state: State, action: str) -> Verdict:
        program, entry = code_of(action), state.hidden.get("entry_point")
        if entry and not re.search(rf"^\s*def {re.escape(str(entry))}\b", program, re.MULTILINE):
            program = (
                f"{state.messages[-1].content.rstrip()}\n{program}"  # HumanEval: the prompt is the program's start
            )
        return self.run(program, tests_of(state.hidden, state.where))

    def run(self, program: str, tests: Items[str]) -> Verdict:
        """What the tests say of a program.

        Raises:
            BaroError: the tests or the grader were changed while it ran: the scores cannot be trusted any more.
        """
        with tempfile.TemporaryDirectory(prefix="baro-program-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            scratch, kept = folder / "scratch", folder / "tests"
            scratch.mkdir()
            kept.mkdir()
            (scratch / "answer.py").write_text(program, encoding="utf-8", errors="replace")
            files = []
            for number, test in enumerate(tests):
                files.append(kept / f"{number}.py")
                files[-1].write_text(test, encoding="utf-8")
                files[-1].chmod(0o444)
            kept.chmod(0o555)
            before = _digest(files)
            output = self._process(folder)
            if sorted(kept.iterdir()) != sorted(files) or _digest(files) != before or _digest(GRADER) != self.grader:
                fault = "the tests or the grader were changed while a program ran: no score can be trusted."
                raise BaroError(fault, where=str(JAIL))
            kept.chmod(0o755)
        return _read(output, len(files))

    def _process(self, folder: Path) -> str:
        """Run the jail; what it printed."""
        command = [sys.executable, "-I", "-S", "-B", str(JAIL), str(folder), json.dumps(self.limits)]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        try:
            return process.communicate(timeout=self.limits["seconds"] + GRACE)[0]
        except subprocess.TimeoutExpired:
            return ""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def code_of(answer: str) -> str:
    """The program in an answer: what its ``` fences hold, or all of it where there is none."""
    fenced = FENCE.findall(answer)
    return "\n\n".join(fenced) if fenced else answer


def tests_of(columns: Mapping[str, Any], where: str) -> list[str]:
    """The tests of a row, each a small program of its own.

    Raises:
        DataError: it has none.
    """
    if columns.get("test") and columns.get("entry_point"):
        return [f"{columns['test']}\ncheck({columns['entry_point']})\n"]
    tests = columns.get("tests") or columns.get("test_list")
    if not isinstance(tests, list) or not tests:
        raise DataError(
            f"found columns {', '.join(columns) or 'none'}; expected tests, test_list, or test with entry_point.",
            where=where,
            hint='Give each row its tests: "tests": ["assert f(1) == 2"].',
        )
    setup = columns.get("test_setup_code") or ""
    return [f"{setup}\n{test}\n" for test in tests]


def _digest(files: Items[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def _read(output: str, tests: int) -> Verdict:
    """The jail's last line; a jail that did not get that far has passed nothing."""
    last = (output.strip().splitlines() or [""])[-1]
    try:
        found = json.loads(last)
        return Verdict(int(found["passed"]), tests, tuple(found["said"]))
    except (ValueError, KeyError, TypeError):
        return Verdict(0, tests, ("took too long",) * tests)
