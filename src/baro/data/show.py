"""Rows as the model will see them, in the terminal: learnt tokens green, the rest dim."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text as Coloured

from baro.core.types import Sequence
from baro.data.dialects import noun_of
from baro.data.files import find, rows_of
from baro.data.read import read_dialogues, read_preferences, read_prompts, read_texts
from baro.data.templates import render_all, render_pairs, render_prompts, render_texts

LEARNT, SEEN = "green", "dim"


def coloured(tokenizer: Any, sequence: Sequence) -> Coloured:
    """One sequence decoded, special tokens written out, its learnt tokens green and the others dim."""
    text = Coloured()
    marked = zip(sequence.tokens, sequence.learn, strict=True)
    # neighbours of one colour are decoded together: a character may be spread over several tokens
    for learnt, run in groupby(marked, key=lambda pair: pair[1]):
        text.append(
            tokenizer.decode([token for token, _ in run], skip_special_tokens=False), LEARNT if learnt else SEEN
        )
    return text


def show(
    file: str | Path, tokenizer: Any, *, rows: int = 3, max_length: int | None = None, console: Console | None = None
) -> None:
    """Prints the first rows of a file as they are rendered for training, with their token counts.

    Args:
        file: preferences, conversations, prompts or texts, told apart by their columns.
        tokenizer: any tokenizer of transformers.
        rows: how many rows.
        max_length: tokens kept of each.
        console: where to print; default: the terminal.

    Raises:
        DataError: the file or one of these rows cannot be used.
    """
    console = console or Console()
    description, sequences = _rendered(Path(file), tokenizer, rows, max_length)
    console.print(description, style="bold")
    for name, sequence in sequences:
        head = f"── {sequence.where} {name}· {len(sequence.tokens):,} tokens, {sequence.count:,} learnt"
        console.print(head, style="bold", highlight=False)
        console.print(coloured(tokenizer, sequence))


def _rendered(file: Path, tokenizer: Any, rows: int, limit: int | None) -> tuple[str, list[tuple[str, Sequence]]]:
    """What the file is, and (name of the side, sequence) of its first rows."""
    noun = noun_of(next(iter(rows_of(find(file, text=True)[0]))).columns)
    if noun == "preferences":
        pairs = read_preferences(file, max_samples=rows)
        rendered = render_pairs(tokenizer, pairs.rows, limit)
        return pairs.description, [side for a, b in rendered for side in (("chosen ", a), ("rejected ", b))]
    if noun in ("conversations", "judgements"):
        dialogues = read_dialogues(file, max_samples=rows)
        return dialogues.description, [("", row) for row in render_all(tokenizer, dialogues.rows, max_length=limit)]
    if noun == "prompts":
        prompts = read_prompts(file, max_samples=rows)
        ids = [row[:limit] for row in render_prompts(tokenizer, prompts.rows)]
        whole = [Sequence(row, [False] * len(row), prompt.where) for row, prompt in zip(ids, prompts.rows, strict=True)]
        return prompts.description, [("", row) for row in whole]
    texts = read_texts(file, max_samples=rows)
    found = [Sequence(row.tokens[:limit], row.learn[:limit], row.where) for row in render_texts(tokenizer, texts.rows)]
    return texts.description, [("", row) for row in found]
