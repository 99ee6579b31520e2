"""Exact match and format on tasks whose right answers are known."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from baro.data.records import Prompt
from baro.evals.answers import answers


@dataclass(frozen=True)
class TaskScore:
    """Shares of the task's prompts, 0 to 1.

    Attributes:
        exact_match: the greedy answer, stripped, is one of the row's `accept` (or its `output`).
        format: the answer ended by itself and, where the row lists `format`, is one of those forms.
        correct: per prompt, 1.0 or 0.0.
    """

    exact_match: float
    format: float
    correct: list[float]


def accepted(prompt: Prompt) -> list[str]:
    """The answers that count as right: the row's `accept` list, else its `output` or `answer`."""
    columns = prompt.columns
    if columns.get("accept"):
        return [str(answer).strip() for answer in columns["accept"]]
    return [str(columns[name]).strip() for name in ("output", "answer") if columns.get(name)]


def score_tasks(model, tokenizer, prompts: Items[Prompt], *, max_new_tokens: int = 64) -> TaskScore:
    """Greedy answers to `prompts`, compared with what their rows accept."""
    rows = [row[0] for row in answers(model, tokenizer, prompts, temperature=0.0, max_new_tokens=max_new_tokens)]
    correct = [float(row.text.strip() in accepted(row.prompt)) for row in rows]
    formed = [
        float(row.answer.ended and row.text.strip() in row.prompt.columns.get("format", [row.text.strip()]))
        for row in rows
    ]
    total = max(len(rows), 1)
    return TaskScore(sum(correct) / total, sum(formed) / total, correct)
