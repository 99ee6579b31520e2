"""Files as pairs to be judged: preferences, pairs without an opinion, or answers of several models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from baro.core.errors import DataError
from baro.data.choices.store import Pair
from baro.data.files import Paths, find, rows_of
from baro.data.formats import preference_of, prompt_of
from baro.data.records import Message

ANSWERS = ("answer", "response", "completion", "output")
SIDES = (("a", "b"), ("0", "1"), ("1", "2"))
EXPECTED = "prompt with chosen and rejected, with response_a and response_b, with completions, or with completion"

Written = tuple[str, tuple[Message, ...]]
"""A model's name and its answer."""


def read_pairs(paths: Paths) -> tuple[list[Pair], str]:
    """Pairs in the order of the files, and what was found, for people.

    Answers to the same prompt are gathered over all files, for example one file of `baro sample` for each model, which
    is then called by its file's name. Where several models answered, answers of different models are paired; where one
    did, all its samples are.

    Raises:
        DataError: a row has no prompt, no answers, or no pair comes of all rows.
    """
    pairs: list[Pair] = []
    asked: dict[tuple[tuple[Message, ...], bool], list[Written]] = defaultdict(list)
    for path in find(paths):
        for row in rows_of(path):
            where = f"{path}:{row.number}"
            if row.problem:
                raise DataError(row.problem, where=where, hint=row.hint)
            columns = row.columns
            if columns.get("chosen") is not None and columns.get("rejected") is not None:
                found, _ = preference_of(columns, where, None)
                models = (str(columns.get("model_chosen") or ""), str(columns.get("model_rejected") or ""))
                pairs.append(Pair(found.prompt, found.chosen, found.rejected, models, found.plain))
                continue
            prompt, _ = prompt_of(columns, where, None)
            if (two := _two(columns, where)) is not None:
                (left, a), (right, b) = two
                pairs.append(Pair(prompt.messages, a, b, (left, right), prompt.plain))
            else:
                asked[prompt.messages, prompt.plain] += _answers(columns, where, Path(path).name.split(".")[0])
    given = len(pairs)
    for (turns, plain), answers in asked.items():
        pairs += (Pair(turns, a[1], b[1], (a[0], b[0]), plain) for a, b in _compared(answers))
    usable = [pair for pair in pairs if pair.a != pair.b]
    if not usable:
        raise DataError(
            f"no two different answers to one prompt among {len(asked) + given:,} prompts.",
            where=", ".join(map(str, find(paths))),
            hint="Give pairs, several answers to each prompt, or a file of answers for each model.",
        )
    names = sorted({name for pair in usable for name in pair.models if name})
    text = f"{len(usable):,} pairs" + (f", models {', '.join(names)}" if names else "")
    return usable, text + (f"; {len(pairs) - len(usable):,} of equal answers left out" if usable != pairs else "")


def _compared(answers: list[Written]) -> Iterator[tuple[Written, Written]]:
    several = len({name for name, _ in answers}) > 1
    return ((a, b) for a, b in combinations(answers, 2) if not several or a[0] != b[0])


def _two(columns: dict[str, Any], where: str) -> tuple[Written, Written] | None:
    for one, other in SIDES:
        for kind in ANSWERS:
            names = (f"{kind}_{one}", f"{kind}_{other}")
            if all(columns.get(name) is not None for name in names):
                written = [str(columns.get(f"model_{side}") or "") for side in (one, other)]
                first, second = (_answer(columns[name], name, where) for name in names)
                return (written[0], first), (written[1], second)
    return None


def _answers(columns: dict[str, Any], where: str, file: str) -> list[Written]:
    """All answers of a row: a list, a mapping of models, or one."""
    model = str(columns.get("model") or file)
    for name in ("completions", "responses", "answers"):
        value = columns.get(name)
        if isinstance(value, dict):
            return [(str(key), _answer(text, f"{name}.{key}", where)) for key, text in value.items()]
        if isinstance(value, list) and value:
            models = columns.get("models")
            known = isinstance(models, list) and len(models) == len(value)
            return [
                (str(models[place]) if known else model, _answer(text, f"{name}[{place}]", where))  # type: ignore[index]
                for place, text in enumerate(value)
            ]
    for name in ANSWERS:
        if columns.get(name) is not None:
            return [(model, _answer(columns[name], name, where))]
    raise DataError(
        f"found columns {', '.join(columns)}; expected {EXPECTED}.", where=where, hint="Mend or remove the row."
    )


def _answer(value: Any, name: str, where: str) -> tuple[Message, ...]:
    if not isinstance(value, str):
        raise DataError(f"{name} is no string.", where=where, hint="Mend or remove the row.")
    return (Message("assistant", value),)
