"""Rows of single answers with a label, and pairs taken apart: what KTO learns from."""

from __future__ import annotations

from typing import Any

from baro.core.errors import DataError
from baro.data.formats import dialogue_of, preference_of
from baro.data.records import Judged

LABELS = ("label", "kto_tag")
WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def judged_of(row: dict[str, Any], where: str, plain: bool | None) -> tuple[list[Judged], str]:
    """One answer with its label, or the two of a pair, the chosen one desirable; and the format in words.

    Raises:
        DataError: there is no label, or it is neither true nor false.
    """
    name = next((name for name in LABELS if row.get(name) is not None), None)
    if name is None and row.get("chosen") is not None:
        pair, kind = preference_of(row, where, plain)
        both = ((pair.chosen, True), (pair.rejected, False))
        found = [
            Judged((*pair.prompt, *answer[:-1]), answer[-1], good, pair.plain, where)
            for answer, good in both
            if answer[-1].content
        ]
        return found, f"{kind}, each pair as two answers"
    if name is None:
        raise DataError(
            f"found columns {', '.join(map(str, row)) or 'none'}; expected `label` (true or false), or a pair.",
            where=where,
            hint='Give each answer its label: {"prompt": …, "completion": …, "label": true}.',
        )
    if str(row[name]).lower() not in WORDS:
        raise DataError(f"{name} is {row[name]!r}; expected true or false.", where=where)
    dialogue, kind = dialogue_of(row, where, plain)
    *turns, last = dialogue.messages
    if last.role != "assistant":
        raise DataError(f"the last turn is the {last.role}'s; expected the answer that is labelled.", where=where)
    return [Judged(tuple(turns), last, WORDS[str(row[name]).lower()], dialogue.plain, where)], f"{kind}, {name}"
