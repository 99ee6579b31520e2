"""The checks, and how one is added: a function of one row, or a class that sees every row and answers at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from baro.data.dialects import Noun
from baro.data.doctor.case import Case

Severity = Literal["error", "warning"]
EVERY: frozenset[Noun | None] = frozenset(("texts", "conversations", "preferences", "judgements", "prompts", None))
ANSWERED: frozenset[Noun | None] = frozenset(("conversations", "preferences", "judgements"))


class Hit(NamedTuple):
    """Something found: by which check, in which row (counted from 0; None: in the file as a whole), and what."""

    check: str
    place: int | None
    example: str


class SetCheck(Protocol):
    """Sees every row of one file, then answers."""

    def add(self, case: Case) -> None:
        """One more row."""

    def hits(self) -> Iterable[Hit]:
        """What was found."""


@dataclass
class Setting:
    """What checks may need beside the rows.

    Attributes:
        noun: what the file holds.
        tokenizer: the model's; None without a model.
        max_length: tokens kept of a row.
        held_out: files of the evaluation.
        tokenised: rows that are rendered at most.
        compared: rows that are searched for near duplicates at most.
        lengths: filled by the token checks: (tokens, learnt) of each row rendered.
    """

    noun: Noun | None = None
    tokenizer: Any = None
    max_length: int = 1024
    held_out: tuple[Path, ...] = ()
    tokenised: int = 1 << 62
    compared: int = 200_000
    lengths: list[tuple[int, int]] = field(default_factory=list)


class RowCheck(NamedTuple):
    """A check of one row: the example to show, or None if nothing is wrong."""

    name: str
    nouns: frozenset[Noun | None]
    find: Callable[[Case], str | None]


ROW_CHECKS: list[RowCheck] = []
SET_CHECKS: list[tuple[frozenset[Noun | None], Callable[[Setting], SetCheck]]] = []
SEVERITY: dict[str, Severity] = {}
BREAKS_ROWS: set[str] = set()
"""Checks of rows that cannot be used at all: where such rows are left out and counted, they are warnings."""


def row_check(
    name: str, severity: Severity = "warning", nouns: frozenset[Noun | None] = EVERY
) -> Callable[[Callable[[Case], str | None]], Callable[[Case], str | None]]:
    """Adds a function of one row."""

    def add(find: Callable[[Case], str | None]) -> Callable[[Case], str | None]:
        ROW_CHECKS.append(RowCheck(name, nouns, find))
        SEVERITY[name] = severity
        if severity == "error":
            BREAKS_ROWS.add(name)
        return find

    return add


def set_check(
    names: dict[str, Severity], nouns: frozenset[Noun | None] = EVERY
) -> Callable[[Callable[[Setting], SetCheck]], Callable[[Setting], SetCheck]]:
    """Adds a class whose hits bear these names."""

    def add(build: Callable[[Setting], SetCheck]) -> Callable[[Setting], SetCheck]:
        SET_CHECKS.append((nouns, build))
        SEVERITY.update(names)
        return build

    return add


def short(text: str, most: int = 160) -> str:
    """A text as an example: one line, not too long."""
    line = text if len(text) <= most else text[: most - 1] + "…"
    return line.replace("\r", "␍").replace("\n", "⏎")
