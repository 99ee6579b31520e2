"""Every check over every row of the files named, once through, and what was found."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from baro.core.errors import DataError
from baro.data.dialects import Noun, layout_of, noun_of, renamed
from baro.data.doctor import answers, duplicates, overlap, pairs, shape, text, tokens
from baro.data.doctor.case import Case
from baro.data.doctor.registry import BREAKS_ROWS, ROW_CHECKS, SET_CHECKS, SEVERITY, Hit, Setting, Severity, short
from baro.data.files import rows_of
from baro.data.find import Paths, find
from baro.data.read import Way, remarks

FAMILIES = (shape, text, answers, duplicates, pairs, overlap, tokens)  # imported, they have put in their checks
LOOKED_AT = 100  # rows that tell what a file holds
SEVERITY["cannot-be-used"] = "error"
SEVERITY["unreadable-file"] = "error"
BREAKS_ROWS.add("cannot-be-used")


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
) -> Report:
    """What is wrong with data files.

    Args:
        paths: files, folders, globs, hub names.
        setting: tokenizer, length, held-out files and limits.
        noun: what the files are read as; None to go by the columns of most of their first rows.
        columns, format, plain: as in `read_dialogues`.
        lenient: rows that cannot be used are left out by the run: a warning, not an error.
        max_rows, max_letters: rows, and characters of them, looked at in each file; None for all.

    Raises:
        DataError: a file is not there, or nothing of it can be read.
    """
    report = Report()
    setting = setting or Setting()
    for path in find(paths, text=True):
        expected = noun or (layout_of(format).noun if format else _noun_in(path, columns))
        one = _File(path, expected, replace(setting, noun=expected, lengths=[]), lenient, report)
        one.way = Way(expected, columns, format, plain) if expected else None
        one.columns = columns
        one.run(max_rows, max_letters)
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

    def __init__(self, path: Path, noun: Noun | None, setting: Setting, lenient: bool, report: Report) -> None:
        self.path, self.noun, self.lenient, self.report = path, noun, lenient, report
        self.way: Way | None = None
        self.columns: Mapping[str, str] | None = None
        self.row_checks = [check for check in ROW_CHECKS if noun in check.nouns]
        self.set_checks = [build(setting) for nouns, build in SET_CHECKS if noun in nouns]
        self.examined = Examined(path, noun, remarks=remarks([path]), lengths=setting.lengths)
        self.found: dict[str, Finding] = {}
        self.first: dict[str, Any] = {}
        self.numbers = array("q")

    def run(self, max_rows: int | None, max_letters: int | None) -> None:
        """All rows, then what the checks say at the end."""
        self.report.files.append(self.examined)
        try:
            for case in self._cases(max_rows, max_letters):
                self._examine(case)
        except DataError as error:
            if not self.examined.rows:
                raise
            self._note(Hit("unreadable-file", None, error.message), error.where)
        for check in self.set_checks:
            for hit in check.hits():
                where = f"{self.path}:{self.numbers[hit.place]}" if hit.place is not None else str(self.path)
                self._note(hit, where)
        self.report.findings += self.found.values()
        self._choose()

    def _cases(self, max_rows: int | None, max_letters: int | None) -> Iterator[Case]:
        letters = 0
        for place, row in enumerate(rows_of(self.path)):
            if place == max_rows or (max_letters is not None and letters >= max_letters):
                self.examined.complete = False
                return
            self.numbers.append(row.number)
            where = f"{self.path}:{row.number}"
            case = Case(place, where, row.columns, self.noun, repeated=row.repeated)
            try:
                case.columns = renamed(row, self.columns, where)
                if self.way is not None:
                    case.columns, remark = self.way.translate(case.columns, where)
                    case.record, kind = self.way.convert(case.columns, where)
                    self.examined.kinds[f"{kind} ({remark})" if remark else kind] += 1
            except DataError as error:
                case.problem, case.unreadable = error, bool(row.problem)
            case.take_apart()
            letters += len(case.whole)
            yield case

    def _examine(self, case: Case) -> None:
        self.examined.rows += 1
        told = False
        for check in self.row_checks:
            example = check.find(case)
            if example is not None:
                told = told or check.name in BREAKS_ROWS
                self._note(Hit(check.name, case.place, example), case.where, case.record)
        if case.problem is not None and not told:
            self._note(Hit("cannot-be-used", case.place, case.problem.message), case.where)
        for each in self.set_checks:
            each.add(case)
        if len(self.first) < 2 and case.record is not None:
            self.first[case.where] = case.record

    def _note(self, hit: Hit, where: str, record: Any = None) -> None:
        finding = self.found.get(hit.check)
        if finding is None:
            severity: Severity = SEVERITY[hit.check]
            if self.lenient and hit.check in BREAKS_ROWS:
                severity = "warning"
            finding = Finding(hit.check, severity, self.path, example=short(hit.example, 400), where=where)
            self.found[hit.check] = finding
            if record is not None and self.noun is not None:
                self.report.shown.append((hit.check, where, self.noun, record))
        if hit.place is not None:
            finding.rows.append(hit.place)

    def _choose(self) -> None:
        """Rows to look at: the first ones, and the first of each finding."""
        if self.noun is not None:
            self.report.shown += [("", where, self.noun, record) for where, record in self.first.items()]
        for finding in self.found.values():
            if len(finding.rows) > 1:
                finding.rows = array("q", sorted(set(finding.rows)))
