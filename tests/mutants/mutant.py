"""One known bug, as a small change of our code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug.

    Attributes:
        name: what goes wrong, in a few words.
        incident: its number in the table of incidents, and where it was shipped.
        file: file below src/baro.
        old: text that occurs exactly once in the file.
        new: what it becomes.
        test: test file or node below tests/ that must fail.
    """

    name: str
    incident: str
    file: str
    old: str
    new: str
    test: str
