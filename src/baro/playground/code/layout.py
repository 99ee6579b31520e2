"""How a program lies on the page: indentation, blank lines, comments, spaces; and ways to spoil it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from baro.playground.code.lines import Language, Line


@dataclass(frozen=True)
class Row:
    """One line of the page. kind: "code", "opens" (a body), "closes", "comment" or "blank"."""

    depth: int
    text: str
    kind: str = "code"


@dataclass(frozen=True)
class Style:
    """Habits that are no fault.

    Attributes:
        indent: of one level. airy: blank lines before what begins a thought. said: a comment at the head.
        own_line: an opening brace stands on a line of its own.
    """

    indent: str = "    "
    airy: bool = True
    said: str = ""
    own_line: bool = False


Spoil = Callable[[list[Row], Language, Random], list[Row]]


def rows_of(lines: list[Line], language: Language, style: Style) -> list[Row]:
    """The page of a program."""
    head = [Row(0, language.mark + style.said, "comment")] if style.said else []
    return head + _rows(lines, language, style, 0)


def _rows(lines: list[Line], language: Language, style: Style, depth: int) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(lines):
        if line.comment:
            rows.append(Row(depth, language.mark + line.text, "comment"))
            continue
        last = number == len(lines) - 1
        begins = line.body is not None or (last and line.text.startswith("return"))
        if style.airy and begins and not line.follows and depth and number > 1 and rows[-1].kind == "code":
            rows.append(Row(0, "", "blank"))
        if line.body is None:
            rows.append(Row(depth, line.text + language.end))
            continue
        if line.follows and language.closes and not style.own_line:
            closed = rows.pop()
            rows.append(Row(closed.depth, f"{language.closes} {line.text}{language.opens}", "opens"))
        elif style.own_line and language.closes:
            rows += [Row(depth, line.text, "opens"), Row(depth, language.opens.strip(), "opens")]
        else:
            rows.append(Row(depth, line.text + language.opens, "opens"))
        rows += _rows(line.body, language, style, depth + 1)
        if language.closes:
            rows.append(Row(depth, language.closes, "closes"))
    return rows


def page(rows: list[Row], style: Style) -> str:
    """The rows as text."""
    return "\n".join((style.indent * row.depth + row.text).rstrip() for row in rows)


# --- ways to spoil it ------------------------------------------------------------------------------------------------

STRINGS = re.compile(r"(\"[^\"]*\"|'[^']*')")
WIDE = re.compile(r" *(->|[-+*/%<>=!&|]=|\|\||&&|[-+*/%<>=,?;:&|]) *")


def joined(rows: list[Row], language: Language, roll: Random) -> list[Row]:
    """Several statements in one line: shorter."""
    kept: list[Row] = []
    for row in rows:
        before = kept[-1] if kept else None
        glue = " " if language.closes else "; "
        same = before and before.kind == row.kind == "code" and before.depth == row.depth
        opened = language.closes and before and before.kind in ("opens", "code") and row.kind in ("code", "closes")
        if before and (same or opened) and roll.random() < 0.85 and len(before.text) < 140:
            kept[-1] = Row(before.depth, before.text + glue + row.text, before.kind if same else "code")
        else:
            kept.append(row)
    return kept


def bare(rows: list[Row], _: Language, __: Random) -> list[Row]:
    """No blank line, no comment: shorter."""
    return [row for row in rows if row.kind not in ("comment", "blank")]


def tight(rows: list[Row], _: Language, __: Random) -> list[Row]:
    """No space around signs: shorter."""

    def squeeze(text: str) -> str:
        parts = STRINGS.split(text)
        return "".join(part if place % 2 else WIDE.sub(r"\1", part) for place, part in enumerate(parts))

    return [row if row.kind == "comment" else replace(row, text=squeeze(row.text)) for row in rows]


def flat(rows: list[Row], language: Language, _: Random) -> list[Row]:
    """No indentation; one space a level where the language needs some: shorter."""
    return [replace(row, depth=0, text=(" " * row.depth if not language.closes else "") + row.text) for row in rows]


def ragged(rows: list[Row], _: Language, roll: Random) -> list[Row]:
    """Indentation and gaps between words as they come: longer."""
    found = []
    for row in rows:
        wide = re.sub(" ", lambda _: " " * roll.choice((1, 1, 2, 3)), row.text) if row.kind != "comment" else row.text
        found.append(replace(row, text=" " * roll.randrange(0, 9) + wide if row.text else ""))
    return found


def gaps(rows: list[Row], _: Language, roll: Random) -> list[Row]:
    """Blank lines everywhere, whether something begins there or not: longer."""
    blank = Row(0, "", "blank")
    return [each for row in rows for each in (row, *([blank] * roll.choice((1, 1, 2))))]


def noise(rows: list[Row], language: Language, roll: Random) -> list[Row]:
    """Comments that say nothing, and code that was commented out: longer."""
    empty = ("TODO", "fix this later", "???", "do not touch", "=" * 30, "-----", "old version:", "works now", "hack")
    code = [row.text for row in rows if row.kind == "code"] or ["x = 1"]
    found = []
    for row in rows:
        if roll.random() < 0.5:
            said = roll.choice(code) if roll.random() < 0.5 else roll.choice(empty)
            found.append(Row(row.depth, language.mark.strip() + said, "comment"))
        found.append(row)
    return found


def broken(rows: list[Row], _: Language, roll: Random) -> list[Row]:
    """Statements cut in the middle, at every bracket and comma: longer."""
    found = []
    for row in rows:
        parts = [row.text] if row.kind == "comment" else re.split(r"(?<=[(,]) *(?=[^)])", row.text)
        found += [
            Row(row.depth + (2 if n else 0) + roll.randrange(2) * bool(n), p, row.kind) for n, p in enumerate(parts)
        ]
    return found


def twice(rows: list[Row], _: Language, __: Random) -> list[Row]:
    """Everything said again: longer."""
    return [*rows, *rows]


SPOILS: dict[str, Spoil] = {
    "joined": joined,
    "bare": bare,
    "tight": tight,
    "flat": flat,
    "ragged": ragged,
    "gaps": gaps,
    "noise": noise,
    "broken": broken,
    "twice": twice,
}
