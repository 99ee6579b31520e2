"""Runs a stranger's program against tests, as a process of its own: `python -I -S -B jail.py FOLDER LIMITS`.

Two processes. The program is loaded by one that can do nothing but compute (see `walls`) and that never sees the tests;
the other one runs the tests and calls the program's functions through a pipe. What comes back is rebuilt from plain
values, so nothing the program defines (an `==` that is always true, an exit code, a printed "PASS") can decide a test.

FOLDER has tests/0.py, tests/1.py, …, and scratch/answer.py. The last line of output is {"passed": …, "tests": …,
"said": [what went wrong with each]}.
"""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import walls  # type: ignore[import-not-found]  # beside this file; there is no package here

LONGEST = 1 << 20  # bytes of one message
KINDS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


class ProgramError(Exception):
    """The program is gone, late, or answered with something else than a value."""


def plain(value: Any) -> Any:
    """A value as JSON: numbers, texts and their collections; anything else is refused.

    Raises:
        TypeError: it is something else.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    for name, kind in KINDS.items():
        if isinstance(value, kind):
            return {name: [plain(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(item)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, int | float | str):  # of a subclass: what the base class sees
        base = next(kind for kind in (int, float, str) if isinstance(value, kind))
        return base.__add__(value, base())  # type: ignore[operator]
    raise TypeError(f"a {type(value).__name__} is not a plain value")


def rebuilt(value: Any) -> Any:
    """What `plain` made, as Python's own types."""
    if not isinstance(value, dict):
        return value
    ((name, inner),) = value.items()
    if name == "dict":
        return {rebuilt(key): rebuilt(item) for key, item in inner}
    if name == "bytes":
        return bytes.fromhex(inner)
    return complex(*inner) if name == "complex" else KINDS[name](rebuilt(item) for item in inner)


# --- the program's side ----------------------------------------------------------------------------------------------


def serve(answer: Path, asked: int, said: int) -> None:
    """Load the program, say what it defines, then answer calls until there are no more."""
    spec = importlib.util.spec_from_file_location("answer", answer)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with open(asked, encoding="utf-8") as calls, open(said, "w", encoding="utf-8") as results:
        try:
            spec.loader.exec_module(module)
            first: dict[str, Any] = {"defines": [name for name, value in vars(module).items() if callable(value)]}
        except BaseException as error:  # SystemExit too: a program that leaves has not passed
            first = {"error": type(error).__name__, "text": str(error)[:200]}
        print(json.dumps(first), file=results, flush=True)
        for line in calls:
            call = json.loads(line)
            try:
                given = [rebuilt(item) for item in call["args"]]
                named = {name: rebuilt(item) for name, item in call["kwargs"].items()}
                reply = {"value": plain(getattr(module, call["name"])(*given, **named))}
            except BaseException as error:
                reply = {"error": type(error).__name__, "text": str(error)[:200]}
            print(json.dumps(reply), file=results, flush=True)


# --- the tests' side -------------------------------------------------------------------------------------------------


class Program:
    """The other process, seen through the pipe."""

    def __init__(self, asked: int, said: int, until: float) -> None:
        self.asked, self.said, self.until, self.rest = asked, said, until, b""

    def hear(self) -> dict:
        """Its next message."""
        while b"\n" not in self.rest:
            left = self.until - time.monotonic()
            if left <= 0 or not select.select([self.said], [], [], left)[0]:
                raise ProgramError("took too long")
            piece = os.read(self.said, 65_536)
            if not piece:
                raise ProgramError("the program ended")
            self.rest += piece
            if len(self.rest) > LONGEST:
                raise ProgramError("returned too much")
        line, _, self.rest = self.rest.partition(b"\n")
        try:
            found = json.loads(line)
        except ValueError:
            raise ProgramError("answered with something that is no value") from None
        if not isinstance(found, dict):
            raise ProgramError("answered with something that is no value")
        return found

    def call(self, name: str, args: tuple, kwargs: dict) -> Any:
        """What its function `name` returns."""
        message = {"name": name, "args": [plain(a) for a in args], "kwargs": {k: plain(v) for k, v in kwargs.items()}}
        try:
            os.write(self.asked, json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise ProgramError("the program ended") from None
        reply = self.hear()
        if "value" in reply:
            try:
                return rebuilt(reply["value"])
            except Exception:
                raise ProgramError("answered with something that is no value") from None
        known = getattr(__import__("builtins"), str(reply.get("error")), None)
        kind = known if isinstance(known, type) and issubclass(known, Exception) else RuntimeError
        raise kind(str(reply.get("text")))

    def function(self, name: str) -> Any:
        """A stand-in for its function `name`."""
        return lambda *args, **kwargs: self.call(name, args, kwargs)


def judge(folder: Path, program: Program) -> list[str]:
    """What went wrong with each test, empty where it passed."""
    tests = sorted((folder / "tests").iterdir(), key=lambda file: int(file.stem))
    try:
        first = program.hear()
        names = [str(name) for name in first.get("defines", [])] if isinstance(first.get("defines"), list) else []
        fault = f"{first['error']}: {first.get('text')}" if "error" in first else ""
    except ProgramError as broken:
        names, fault = [], str(broken)
    found = []
    for test in tests:
        said = fault
        if not fault:
            try:
                runpy.run_path(str(test), init_globals={name: program.function(name) for name in names})
            except ProgramError as broken:
                said = fault = str(broken)
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"[:300]
        found.append(said)
    return found


def main(folder: Path, limits: dict) -> None:
    """Both sides."""
    asked_out, asked_in = os.pipe()
    said_out, said_in = os.pipe()
    system = [*sys.path[1:], "/usr/lib", "/lib", "/lib64", f"{sys.base_prefix}/lib"]
    scratch, devices = str(folder / "scratch"), ["/dev/null", "/dev/urandom", "/dev/zero"]
    walled = {key: limits[key] for key in ("seconds", "memory", "file_size", "files")}
    worker = os.fork()
    if worker == 0:
        silent = os.open("/dev/null", os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silent, stream)
        for other in (asked_in, said_out, silent):
            os.close(other)
        os.chdir(scratch)
        try:
            walls.enter(readable=system, writable=[scratch, *devices], signals=False, **walled)
            sys.path = sys.path[1:]
            serve(folder / "scratch" / "answer.py", asked_out, said_in)
        finally:
            os._exit(0)
    os.close(asked_out)
    os.close(said_in)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    tests = str(folder / "tests")
    walls.enter(readable=[*system, tests], writable=devices, signals=True, **walled | {"seconds": 60})
    said = judge(folder, Program(asked_in, said_out, time.monotonic() + limits["seconds"]))
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    print("\n" + json.dumps({"passed": said.count(""), "tests": len(said), "said": said}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
