"""Rows of single answers with a label, and pairs taken apart: what KTO learns from."""

from __future__ import annotations

from baro.core.errors import DataError
from baro.data.formats import MEND, Columns, dialogue_of, kind_of, preference_of, unknown
from baro.data.records import Judgement, Preference

LABELS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
"""What a table's cell may call a good or a bad answer, in lower case."""


def judgement_of(row: Columns, where: str, plain: bool | None) -> tuple[Judgement | Preference, str]:
    """One answer judged good or bad, or a pair, which is two of them; and the format in words."""
    label = row.get("label")
    if label is None and row.get("chosen") is not None:
        pair, kind = preference_of(row, where, plain)
        return pair, f"{kind}, each pair as two answers"
    if label is None:
        raise unknown(row, where, "`label` (true or false), or a pair", 'Give each answer its label: {"label": true}.')
    good = LABELS.get(str(label).strip().lower())
    if good is None:
        found = kind_of(label) if not isinstance(label, str | int) else repr(label)
        raise DataError(f"label is {found}; expected true or false.", where=where, hint=MEND)
    dialogue, kind = dialogue_of({**row, "label": True}, where, plain)
    if dialogue.messages[-1].role != "assistant":
        raise DataError("the last turn is not the assistant's; expected the answer that was judged.", where=where)
    first = len(dialogue.messages) - 1
    prompt, completion = dialogue.messages[:first], dialogue.messages[first:]
    return Judgement(prompt, completion, good, dialogue.plain, where), f"{kind}, label"


def judgements(row: Judgement | Preference) -> list[Judgement]:
    """The judged answers of a row: of a pair both, the chosen one good; an answer without a word is none."""
    if isinstance(row, Judgement):
        return [row]
    both = ((row.chosen, True), (row.rejected, False))
    return [Judgement(row.prompt, turns, good, row.plain, row.where) for turns, good in both if turns[-1].content]
