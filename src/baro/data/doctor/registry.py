"""The checks, and how one is added: a function of one row, or a class that sees every row and answers at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

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


class SetCheck(ABC):
    """Sees every row of one file, then answers.

    Rows come in stretches, and each stretch has a check of its own, maybe in another process: what it has gathered
    there, its `state`, is joined in the order of the rows. So a check never asks how many rows it has seen before the
    end, and gathers little: places and hashes, no texts.
    """

    @abstractmethod
    def add(self, case: Case) -> None:
        """One more row."""

    @abstractmethod
    def state(self) -> Any:
        """What was gathered, once the stretch is at its end."""

    @abstractmethod
    def join(self, state: Any) -> None:
        """What the stretch behind all that was joined has gathered."""

    @abstractmethod
    def hits(self) -> Iterable[Hit]:
        """What was found in the whole file."""


class Places:
    """Places of rows by name, four bytes each, with the first one's example."""

    def __init__(self) -> None:
        self.rows: dict[str, array[int]] = {}
        self.examples: dict[str, str] = {}

    def add(self, name: str, place: int, example: str) -> None:
        """One more row."""
        self.rows.setdefault(name, array("I")).append(place)
        self.examples.setdefault(name, example)

    def join(self, later: Places) -> None:
        """Those of rows behind."""
        for name, places in later.rows.items():
            self.rows.setdefault(name, array("I")).extend(places)
            self.examples.setdefault(name, later.examples[name])

    def hits(self) -> Iterator[Hit]:
        """Each name is a check."""
        for name, places in self.rows.items():
            yield from (Hit(name, place, self.examples[name]) for place in places)


@dataclass
class Setting:
    """What checks may need beside the rows.

    Attributes:
        noun: what the file holds.
        tokenizer: the model's; None without a model.
        max_length: tokens kept of a row.
        held_out: files of the evaluation.
        tokenised: the first rows, which are rendered.
        sampled: of the rows behind them one in so many is rendered; 0 for none.
        compared: the first rows, which are searched for near duplicates.
        columns: our name of a column → the held-out files'.
        asked: what the held-out files ask, once it is read.
    """

    noun: Noun | None = None
    tokenizer: Any = None
    max_length: int = 1024
    held_out: tuple[Path, ...] = ()
    tokenised: int = 1 << 62
    sampled: int = 0
    compared: int = 200_000
    columns: Mapping[str, str] | None = None
    asked: Any = None


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
