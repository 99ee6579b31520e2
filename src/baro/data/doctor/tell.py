"""A report for the terminal, for programs, and in one line."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from baro.data.doctor.examine import Report
from baro.data.doctor.stretch import Finding
from baro.data.doctor.words import words

COLOURS = {"error": "bold red", "warning": "yellow"}
ROWS = 8


def verdict(report: Report) -> str:
    """ "2 errors in 14 rows, 3 warnings in 5,527 rows of 11,823" """
    rows = sum(file.rows for file in report.files)
    parts = []
    for noun, found in (("error", report.errors), ("warning", report.warnings)):
        if found:
            parts.append(f"{len(found)} {noun}{'s' if len(found) > 1 else ''} ({', '.join(map(counted, found))})")
    some = "" if all(file.complete for file in report.files) else "the first "
    return f"{'; '.join(parts) or 'nothing wrong'} in {some}{rows:,} rows"


def counted(finding: Finding) -> str:
    """ "exact-duplicate 73" """
    return f"{finding.check} {finding.count:,}" if finding.rows else finding.check


def show(report: Report, console: Console | None = None) -> None:
    """Prints every finding with its count, its first rows and an example."""
    console = console or Console(highlight=False)
    for file in report.files:
        some = "" if file.complete else " (the first ones only)"
        console.print(f"{file.file}: {file.words}; {file.rows:,} rows looked at{some}", markup=False)
        if file.lengths:
            console.print(f"  {_lengths(file.lengths)}", markup=False)
    for finding in report.findings:
        line = Text()
        line.append(f"{finding.severity:<8}", COLOURS[finding.severity])
        line.append(finding.check, "bold")
        line.append(f" · {words()[finding.check].en}")
        if finding.rows:
            shown = ", ".join(map(str, finding.rows[:ROWS])) + (", …" if len(finding.rows) > ROWS else "")
            line.append(f" · {finding.count:,} row{'s' if finding.count > 1 else ''}: {shown}")
        if len(report.files) > 1:
            line.append(f" · {finding.file.name}", "dim")
        console.print(line)
        console.print(Text(f"         {finding.where}: {finding.example}", "dim"))
    console.print(Text(verdict(report), "bold"))


def _lengths(lengths: list[tuple[int, int]]) -> str:
    sizes, learnt = sorted(size for size, _ in lengths), sum(count for _, count in lengths)
    total = sum(sizes)
    pick = {
        name: sizes[min(len(sizes) - 1, int(len(sizes) * share))] for name, share in (("median", 0.5), ("99 %", 0.99))
    }
    marks = ", ".join(f"{name} {size:,}" for name, size in pick.items())
    return (
        f"tokens: {total:,} in {len(sizes):,} rows, {learnt / max(total, 1):.0%} learnt; {marks}, longest {sizes[-1]:,}"
    )


def as_json(report: Report, rows: Callable[[array], Any] = list) -> dict[str, Any]:
    """Everything, for programs: rows are counted from 0, and given as `rows` makes them."""
    return {
        "files": [
            {
                "file": str(file.file),
                "read_as": file.words,
                "holds": file.noun,
                "rows": file.rows,
                "complete": file.complete,
            }
            for file in report.files
        ],
        "errors": sum(finding.count for finding in report.errors),
        "warnings": sum(finding.count for finding in report.warnings),
        "findings": [
            {
                "check": finding.check,
                "severity": finding.severity,
                "file": str(finding.file),
                "count": finding.count,
                "rows": rows(finding.rows),
                "example": finding.example,
                "where": finding.where,
                "meaning": words()[finding.check].en,
                "harm": words()[finding.check].harm_en,
            }
            for finding in report.findings
        ],
    }


def write_json(report: Report, path: Path) -> None:
    """`as_json` as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder = json.JSONEncoder(ensure_ascii=False, indent=1, default=list)  # one list of rows at a time
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(encoder.iterencode(as_json(report, rows=lambda places: places)))
        file.write("\n")
