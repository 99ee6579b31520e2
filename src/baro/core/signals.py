"""A run that was asked to stop, and did so at a safe place."""

from __future__ import annotations


class Stopped(BaseException):
    """Raised when a signal asked the run to stop and everything needed to go on is saved.

    Not an Exception, so that no handler of errors swallows it.

    Args:
        signal: number of the signal.
        where: the folder that can be resumed.
    """

    def __init__(self, signal: int, where: str) -> None:
        self.code = 128 + signal
        super().__init__(f"stopped; everything is saved in {where}. The same command goes on from here.")
