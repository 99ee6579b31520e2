"""Answers that are numbers: found in a text, read whatever way people write them, compared exactly.

The truth is the row's column `answer` (or `output`, `ground_truth`, SVAMP's `Answer`): a number, or a text that ends
with one in GSM8K's form (`#### 72`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from baro.core.errors import BaroError
from baro.rewards.environment import Graded

# 1,234.5 · 1234 · .5 · 3/4 · -7; thousands only where commas stand before groups of three
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
NUMBER = re.compile(rf"(?P<sign>(?<![\w)])[-−])?[$€£₩]?(?P<digits>{_DIGITS})(?:\s?/\s?(?P<under>\d+)(?![\d,]))?")
MARK = re.compile(r"(?:####|(?:^|\n)\s*A:|[Aa]nswer(?: is)?\s*[:=]?|답은?\s*[:=]?)\s*")
TRUTH = ("answer", "output", "ground_truth", "Answer")


def numbers(text: str) -> list[Fraction]:
    """Every number in a text, in order: thousands separators, signs, currency and fractions understood, units not."""
    return [_value(match) for match in NUMBER.finditer(text)]


def final_number(text: str) -> Fraction | None:
    """The number a text gives as its answer.

    The first one behind the last mark (`####`, `A:`, `answer is`, `답은`), where there is a mark with a number behind
    it; else the last number of the text; None where there is none.
    """
    for mark in reversed(list(MARK.finditer(text))):
        behind = NUMBER.search(text, mark.end())
        if behind:
            return _value(behind)
    found = numbers(text)
    return found[-1] if found else None


def truth(columns: Mapping[str, Any]) -> Fraction:
    """The right answer of a row.

    Raises:
        BaroError: no column holds one.
    """
    for name in TRUTH:
        if columns.get(name) is not None:
            found = final_number(str(columns[name]))
            if found is not None:
                return found
    raise BaroError(
        f"found columns {', '.join(columns) or 'none'}, none of which holds a number to compare answers with.",
        hint=f"Give the right answer as one of {', '.join(TRUTH)}.",
    )


def equation(text: str) -> Fraction | None:
    """The value of an expression of numbers, + - * /, x, × and brackets, as SVAMP writes them; None if it is not one.

    Division by zero has no value. Nothing is evaluated as code.
    """
    tokens = re.findall(rf"{_DIGITS}|[-+*/()×x÷]|\S", text.rpartition("=")[0] or text)
    try:
        value, rest = _sum(tokens)
    except (ValueError, IndexError, ZeroDivisionError, RecursionError):
        return None
    return value if not rest else None


def same(found: Fraction | None, right: Fraction) -> float:
    """1.0 where the two are equal, to a millionth of the right one; else 0.0."""
    return float(found is not None and abs(found - right) <= abs(right) / 1_000_000)


def arithmetic() -> Graded:
    """The answer is the number and nothing else: `72`, `72.`, `= 72`. A text around it earns nothing."""

    def grade(action: str, columns: Mapping[str, Any]) -> float:
        bare = re.fullmatch(rf"\s*=?\s*({NUMBER.pattern})\s*\.?\s*", action)
        return same(_value(NUMBER.search(bare[1])), truth(columns)) if bare else 0.0  # type: ignore[arg-type]

    return Graded(grade)


def right(prompts: list, completions: list[str], **columns: list) -> list[float]:
    """`arithmetic` as a reward function or judge: 1.0 for the right number and nothing else."""
    rows = [{name: values[row] for name, values in columns.items()} for row in range(len(completions))]
    return [arithmetic().grade(text, row) for text, row in zip(completions, rows, strict=True)]


def gsm8k(*, strict: bool = False) -> Graded:
    """A worked answer whose last line gives the number: `#### 72`.

    Args:
        strict: True: only a number behind `####` counts.
    """

    def grade(action: str, columns: Mapping[str, Any]) -> float:
        text = action.rpartition("####")[2] if "####" in action else "" if strict else action
        return same(final_number(f"#### {text}" if "####" in action else text), truth(columns))

    return Graded(grade)


def svamp(*, points_for_number: float = 1.0) -> Graded:
    """An equation, `( 76.0 - 25.0 )`, of the right value; or the number itself, which earns `points_for_number`."""

    def grade(action: str, columns: Mapping[str, Any]) -> float:
        right = truth(columns)
        line = next((line for line in reversed(action.splitlines()) if line.strip()), "")
        bare = NUMBER.fullmatch(line.strip())
        value = equation(line)
        if value is not None and not bare:
            return same(value, right)
        return points_for_number * same(final_number(action), right)

    return Graded(grade)


def _value(match: re.Match[str]) -> Fraction:
    value = Fraction(match["digits"].replace(",", ""))
    if match["under"] and int(match["under"]):
        value /= int(match["under"])
    return -value if match["sign"] else value


def _sum(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, rest = _product(tokens)
    while rest and rest[0] in "+-":
        other, behind = _product(rest[1:])
        value, rest = (value + other if rest[0] == "+" else value - other), behind
    return value, rest


def _product(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, rest = _factor(tokens)
    while rest and rest[0] in "*/×x÷":
        other, behind = _factor(rest[1:])
        value, rest = (value / other if rest[0] in "/÷" else value * other), behind
    return value, rest


def _factor(tokens: list[str]) -> tuple[Fraction, list[str]]:
    head, rest = tokens[0], tokens[1:]
    if head == "-":
        value, rest = _factor(rest)
        return -value, rest
    if head == "(":
        value, rest = _sum(rest)
        if rest[0] != ")":
            raise ValueError("a bracket is not closed")
        return value, rest[1:]
    return Fraction(head.replace(",", "")), rest
