"""Every check over every row of the files named, once through, and what was found."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from baro.core.errors import DataError
from baro.data.dialects import Noun, layout_of, noun_of, renamed
from baro.data.doctor import answers, duplicates, overlap, pairs, shape, text, tokens
from baro.data.doctor.registry import BREAKS_ROWS, SEVERITY, Hit, Setting
from baro.data.doctor.stretch import LETTERS, ROWS, Finding, Look, Stretch, letters_in, looked_at
from baro.data.files import rows_of
from baro.data.find import Paths, find
from baro.data.read import Way, remarks
from baro.data.row import Row

FAMILIES = (shape, text, answers, duplicates, pairs, overlap, tokens)  # imported, they have put in their checks
LOOKED_AT = 100  # rows that tell what a file holds
SEVERITY["cannot-be-used"] = "error"
SEVERITY["unreadable-file"] = "error"
BREAKS_ROWS.add("cannot-be-used")


@dataclass
class Examined:
    """One file: what it was read as, how many rows, and whether these are all of them."""

    file: Path
    noun: Noun | None
    rows: int = 0
    complete: bool = True
    kinds: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    lengths: list[tuple[int, int]] = field(default_factory=list)

    @property
    def words(self) -> str:
        """ "read as alpaca: instruction, input, output → 11,823 conversations" """
        taken = "; ".join(f"{kind} → {count:,} {self.noun}" for kind, count in self.kinds.most_common())
        return "; ".join([f"read as {taken}" if taken else "no row can be used", *self.remarks])


@dataclass
class Report:
    """All files and all findings, errors first; `shown`: (what for, record) of rows worth looking at."""

    files: list[Examined] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    shown: list[tuple[str, str, Noun, Any]] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """What stops a run."""
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """What does not."""
        return [finding for finding in self.findings if finding.severity == "warning"]


def examine(
    paths: Paths,
    setting: Setting | None = None,
    *,
    noun: Noun | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    plain: bool | None = None,
    lenient: bool = False,
    max_rows: int | None = None,
    max_letters: int | None = None,
    processes: int = 1,
) -> Report:
    """What is wrong with data files.

    Args:
        paths: files, folders, globs, hub names.
        setting: tokenizer, length, held-out files and limits.
        noun: what the files are read as; None to go by the columns of most of their first rows.
        columns, format, plain: as in `read_dialogues`.
        lenient: rows that cannot be used are left out by the run: a warning, not an error.
        max_rows, max_letters: rows, and about so many characters of them, looked at in each file; None for all.
        processes: that look at the rows of a large file; what is found does not depend on them.

    Raises:
        DataError: a file is not there, or nothing of it can be read.
    """
    report = Report()
    setting = setting or Setting()
    for path in find(paths, text=True):
        expected = noun or (layout_of(format).noun if format else _noun_in(path, columns))
        way = Way(expected, columns, format, plain) if expected else None
        _File(Look(path, replace(setting, noun=expected), way, columns, lenient), report).run(
            max_rows, max_letters, processes
        )
    order = list(SEVERITY)
    report.findings.sort(key=lambda found: (found.severity != "error", order.index(found.check)))
    return report


def _noun_in(path: Path, columns: Mapping[str, str] | None) -> Noun | None:
    """What most of the first rows are."""
    counts: Counter[Noun | None] = Counter()
    for row in islice(rows_of(path), LOOKED_AT):
        if row.columns:
            try:
                counts[noun_of(renamed(row, columns, str(path)))] += 1
            except DataError:
                counts[None] += 1
    return counts.most_common(1)[0][0] if counts else None


class _File:
    """One file on its way through the checks."""

    def __init__(self, look: Look, report: Report) -> None:
        self.look, self.report = look, report
        self.examined = Examined(look.path, look.setting.noun, remarks=remarks([look.path]))
        self.known = Stretch(look)
        self.numbers = _Numbers()

    def run(self, max_rows: int | None, max_letters: int | None, processes: int) -> None:
        """All rows, then what the checks say at the end."""
        self.report.files.append(self.examined)
        path = self.look.path
        try:
            for found in looked_at(self.look, self._rows(max_rows, max_letters), processes):
                self.known.join(found)
        except DataError as error:
            if not self.known.rows:
                raise
            self.known.note(Hit("unreadable-file", None, error.message), error.where)
        for check in self.known.checks:
            for hit in check.hits():
                self.known.note(hit, f"{path}:{self.numbers.at(hit.place)}" if hit.place is not None else str(path))
            if isinstance(check, tokens.Tokens):
                self.examined.lengths = check.lengths
        self.examined.rows, self.examined.kinds = self.known.rows, self.known.kinds
        self.report.findings += self.known.found.values()
        self._choose()

    def _rows(self, max_rows: int | None, max_letters: int | None) -> Iterator[tuple[int, list[Row]]]:
        """Stretches of rows, with the place of the first; those before damage come before it is told."""
        first, letters, total = 0, 0, 0
        held: list[Row] = []
        damage: DataError | None = None
        try:
            for place, row in enumerate(rows_of(self.look.path)):
                if place == max_rows or (max_letters is not None and total >= max_letters):
                    self.examined.complete = False
                    break
                self.numbers.add(place, row.number)
                held.append(row)
                size = letters_in(row.columns)
                letters, total = letters + size, total + size
                if len(held) == ROWS or letters >= LETTERS:
                    yield first, held
                    first, letters, held = place + 1, 0, []
        except DataError as error:
            damage = error
        if held:
            yield first, held
        if damage is not None:
            raise damage

    def _choose(self) -> None:
        """Rows to look at: the first ones, and the first of each finding."""
        noun = self.look.setting.noun
        if noun is not None:
            self.report.shown += [(name, where, noun, record) for name, (where, record) in self.known.shown.items()]
            self.report.shown += [("", where, noun, record) for where, record in self.known.first.items()]
        for finding in self.known.found.values():
            if len(finding.rows) > 1:
                finding.rows = array("q", np.unique(np.asarray(finding.rows)).tobytes())


class _Numbers:
    """The number of each row in its file, which is mostly its place and one: kept where that changes."""

    def __init__(self) -> None:
        self.places, self.beyond = array("q"), array("q")

    def add(self, place: int, number: int) -> None:
        """One more row."""
        if not self.places or number - place != self.beyond[-1]:
            self.places.append(place)
            self.beyond.append(number - place)

    def at(self, place: int) -> int:
        """The number of the row at a place."""
        return place + self.beyond[bisect_right(self.places, place) - 1]
