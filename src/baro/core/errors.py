"""The errors a person can act on: what was found, what was expected, what to do, and where."""

from __future__ import annotations

from collections.abc import Iterable


class BaroError(Exception):
    """A problem the user can mend. The command line prints it without a traceback and exits with 2.

    Args:
        message: what was found and what was expected, in one or two sentences.
        where: file, file:row or configuration key the problem is in.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        self.message, self.where, self.hint = message, where, hint
        super().__init__("".join([f"{where}: " if where else "", message, f" {hint}" if hint else ""]))


class DataError(BaroError):
    """A file or a row that cannot be used; `where` is `file:row`, rows counted from 1 as editors count them."""


class ConfigError(BaroError):
    """One or more settings that cannot be used."""

    @classmethod
    def gather(cls, problems: Iterable[BaroError]) -> ConfigError:
        """All problems as one error, a line each, so that a user mends them in one go."""
        lines = [str(problem) for problem in problems]
        head = f"{len(lines)} problems:\n  " if len(lines) > 1 else ""
        return cls(head + "\n  ".join(lines))


class CheckpointError(BaroError):
    """A checkpoint that is missing, incomplete or changed since it was written."""


class NonFiniteError(BaroError):
    """A loss or gradient that is not a finite number, with the rows that caused it."""
