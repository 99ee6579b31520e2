"""A stretch of rows looked at, here or in another process, and what all stretches of a file show together."""

from __future__ import annotations

import multiprocessing
import os
import platform
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from baro.core.errors import DataError
from baro.data.dialects import renamed
from baro.data.doctor.case import Case
from baro.data.doctor.registry import (
    BREAKS_ROWS,
    ROW_CHECKS,
    SET_CHECKS,
    SEVERITY,
    Hit,
    SetCheck,
    Setting,
    Severity,
    short,
)
from baro.data.read import Way
from baro.data.row import Row

ROWS, LETTERS = 2_000, 4_000_000  # of one stretch
ALONE = 10  # stretches looked at before further processes are worth their start
AHEAD = 2  # stretches read ahead for each process


@dataclass
class Finding:
    """What one check found in one file.

    Attributes:
        check: its name.
        severity: "error" or "warning".
        file: where.
        rows: places of the rows, counted from 0; none if it is the file as a whole.
        example: the first one's words.
        where: `file:row` of the first one, as editors count.
    """

    check: str
    severity: Severity
    file: Path
    rows: array = field(default_factory=lambda: array("q"))
    example: str = ""
    where: str = ""

    @property
    def count(self) -> int:
        """Rows; 1 for a file as a whole."""
        return len(self.rows) or 1


class Look(NamedTuple):
    """How the rows of one file are looked at; `way` is None where they are of no format."""

    path: Path
    setting: Setting
    way: Way | None
    columns: Mapping[str, str] | None
    lenient: bool


class Told(NamedTuple):
    """What a stretch shows, as it passes between processes; see `Stretch`."""

    rows: int
    kinds: Counter[str]
    found: dict[str, Finding]
    shown: dict[str, tuple[str, Any]]
    first: dict[str, Any]
    states: list[Any]


class Stretch:
    """Some rows of a file, and what the checks say of them.

    Attributes:
        rows: how many. kinds: what they were taken for.
        found: findings by check. shown: the first record of each, and where. first: the first records of all.
        checks: those that see every row.
    """

    def __init__(self, look: Look) -> None:
        self.look = look
        noun = look.setting.noun
        self.row_checks = [check for check in ROW_CHECKS if noun in check.nouns]
        self.checks: list[SetCheck] = [build(look.setting) for nouns, build in SET_CHECKS if noun in nouns]
        self.rows = 0
        self.kinds: Counter[str] = Counter()
        self.found: dict[str, Finding] = {}
        self.shown: dict[str, tuple[str, Any]] = {}
        self.first: dict[str, Any] = {}

    def add(self, place: int, row: Row) -> None:
        """One more row."""
        look, where = self.look, f"{self.look.path}:{row.number}"
        case = Case(place, where, row.columns, look.setting.noun, repeated=row.repeated)
        try:
            case.columns = renamed(row, look.columns, where)
            if look.way is not None:
                case.columns, remark = look.way.translate(case.columns, where)
                case.record, kind = look.way.convert(case.columns, where)
                self.kinds[f"{kind} ({remark})" if remark else kind] += 1
        except DataError as error:
            case.problem, case.unreadable = error, bool(row.problem)
        case.take_apart()
        self._examine(case)

    def _examine(self, case: Case) -> None:
        self.rows += 1
        told = False
        for check in self.row_checks:
            example = check.find(case)
            if example is not None:
                told = told or check.name in BREAKS_ROWS
                self.note(Hit(check.name, case.place, example), case.where, case.record)
        if case.problem is not None and not told:
            self.note(Hit("cannot-be-used", case.place, case.problem.message), case.where)
        for each in self.checks:
            each.add(case)
        if len(self.first) < 2 and case.record is not None:
            self.first[case.where] = case.record

    def note(self, hit: Hit, where: str, record: Any = None) -> None:
        """Something was found."""
        finding = self.found.get(hit.check)
        if finding is None:
            severity: Severity = SEVERITY[hit.check]
            if self.look.lenient and hit.check in BREAKS_ROWS:
                severity = "warning"
            finding = Finding(hit.check, severity, self.look.path, example=short(hit.example, 400), where=where)
            self.found[hit.check] = finding
            if record is not None and self.look.setting.noun is not None:
                self.shown[hit.check] = (where, record)
        if hit.place is not None:
            finding.rows.append(hit.place)

    def told(self) -> Told:
        """What it shows."""
        states = [check.state() for check in self.checks]
        return Told(self.rows, self.kinds, self.found, self.shown, self.first, states)

    def join(self, later: Told) -> None:
        """What the stretch behind this one shows."""
        self.rows += later.rows
        self.kinds += later.kinds
        for name, finding in later.found.items():
            if name in self.found:
                self.found[name].rows += finding.rows
            else:
                self.found[name] = finding
                self.shown |= {name: later.shown[name]} if name in later.shown else {}
        self.first |= dict(islice(later.first.items(), max(0, 2 - len(self.first))))
        for check, state in zip(self.checks, later.states, strict=True):
            check.join(state)


def letters_in(value: Any) -> int:
    """Characters of all strings in a row."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(letters_in, value.values()))
    return sum(map(letters_in, value)) if isinstance(value, list) else 0


_look: Look  # what this process looks for


def _begin(look: Look) -> None:
    global _look
    _look = look
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _told(first: int, rows: list[Row]) -> Told:
    stretch = Stretch(_look)
    for place, row in enumerate(rows, first):
        stretch.add(place, row)
    return stretch.told()


def looked_at(look: Look, stretches: Iterable[tuple[int, list[Row]]], processes: int) -> Iterator[Told]:
    """What every stretch shows, in their order.

    Processes are forked: hashes of texts agree among them, and nothing is loaded twice.
    """
    _begin(look)
    left = iter(stretches)
    few = left if processes < 2 or platform.system() != "Linux" else islice(left, ALONE)
    yield from (_told(*stretch) for stretch in few)
    following = next(left, None)
    if following is None:
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _begin, (look,)) as pool:
        waiting: deque[Future[Told]] = deque([pool.submit(_told, *following)])
        damage: DataError | None = None
        try:
            for stretch in left:
                waiting.append(pool.submit(_told, *stretch))
                if len(waiting) > AHEAD * processes:
                    yield waiting.popleft().result()
        except DataError as error:
            damage = error  # what was read before it is told first
        while waiting:
            yield waiting.popleft().result()
        if damage is not None:
            raise damage
