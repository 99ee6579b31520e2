"""Other people's code, called so that whatever it does wrong is one clear error that names the prompt."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from contextlib import contextmanager
from typing import Any, NamedTuple

from baro.core.errors import BaroError

GOES_ON = "Nothing is lost: once it is mended, the same command goes on from here."


class Case(NamedTuple):
    """What one call is about, for the error: `file:row` and the prompt's last words."""

    where: str
    text: str


class _Late(BaseException):
    """Raised inside a call that took too long. Not an Exception, so that the call's own handlers let it through."""


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Stop what runs inside after so many seconds, by an alarm signal.

    Without effect off the main thread and on systems without that signal; a call that sits in C code is stopped when
    it comes back to Python.
    """
    if seconds is None or os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: Any) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def guarded(
    what: str, call: Callable[[list], Any], rows: Items, cases: Items[Case], *, seconds: float | None = None
) -> list:
    """call(rows), a result a row.

    Where the call fails it is made again row by row, to find the one to name.

    Args:
        what: who is called, for the error: "the reward function score".
        cases: what each row is about.
        seconds: what the call may take; None: as long as it likes.

    Raises:
        BaroError: it raised, took too long, or returned another number of results.
    """
    found, fault = _tried(call, list(rows), seconds)
    if not fault:
        return found
    alone = ((case, fault) for row, case in zip(rows, cases, strict=True) if (fault := _tried(call, [row], seconds)[1]))
    case, said = next(alone, (cases[0], f"{fault} (for {len(rows)} answers at once; one by one it works)"))
    raise BaroError(f"{what} {said}; the prompt: {case.text[:120]!r}.", where=case.where, hint=GOES_ON)


def _tried(call: Callable[[list], Any], rows: list, seconds: float | None) -> tuple[list, str]:
    """The results and what went wrong, empty when nothing did."""
    try:
        with within(seconds):
            found = call(rows)
            found = found if isinstance(found, list) else list(found)
    except BaroError as error:
        if error.where:
            raise
        return [], f"said: {error}"
    except _Late:
        return [], f"took more than {seconds:g} seconds"
    except Exception as error:  # whatever the user's code does
        return [], f"raised {type(error).__name__}: {error}"
    if len(found) != len(rows):
        return [], f"returned {len(found)} scores for {len(rows)} completions"
    return found, ""
