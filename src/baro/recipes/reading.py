"""The data of a stage: read, mixed by weights, and looked over by the doctor before anything expensive starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.dialects import Noun
from baro.data.doctor import tell
from baro.data.doctor.examine import examine
from baro.data.doctor.registry import Setting
from baro.data.find import find
from baro.data.read import Dataset, read_dialogues, read_preferences, read_prompts, read_texts, streamed
from baro.data.records import Prompt
from baro.data.store import Store
from baro.data.templates import render_prompts
from baro.data.weights import Mixture
from baro.engine import dist
from baro.evals.answers import context_of, refuse_full
from baro.models.load import configuration

NOUNS: dict[Callable[..., Dataset], Noun] = {
    read_texts: "texts",
    read_dialogues: "conversations",
    read_preferences: "preferences",
    read_prompts: "prompts",
}
SKIPPED = "skipped_rows.jsonl"
AT_ONCE = 128  # rows that are rendered together
ROWS, LETTERS, RENDERED = 20_000, 20_000_000, 1_000  # looked at before a run, in each file: a few seconds


def read(reader: Callable[..., Dataset], config, run, tokenizer: Any = None) -> list:
    """The rows of config.dataset by one of the readers of `baro.data.read`; the user is told what they were taken for.

    Rows that cannot be used stop the run, or are left out and written to skipped_rows.jsonl (on_bad_row). The doctor
    looks at the data first (check_data): its errors stop the run, its warnings are said and kept in data_check.json.

    Prompts that fill the model's context count as such rows, unless an environment writes them anew.

    Args:
        tokenizer: the model's, with which the doctor renders rows; None to leave that out.
    """

    def part(paths: Any, skipped: Path | None, options: dict[str, Any]) -> tuple[list, str]:
        found = reader(paths, on_bad_row=config.on_bad_row, skipped_to=skipped, **options)
        return found.rows, found.description

    rows = list(_mixed(part, NOUNS.get(reader), config, run, tokenizer))
    asked = reader is read_prompts and tokenizer is not None and config.environment is None
    return with_room(rows, config, run, tokenizer) if asked else rows


def with_room(prompts: list[Prompt], config, run, tokenizer: Any) -> list[Prompt]:
    """The prompts that leave room for an answer in the context of config.model_name_or_path.

    Raises:
        DataError: there is another; with on_bad_row=skip: there is none of them.
    """
    context = context_of(configuration(config.model_name_or_path))
    if context is None:
        return prompts
    tokens = list(chain.from_iterable(render_prompts(tokenizer, some) for some in batched(prompts)))
    full = [row for row, ids in zip(prompts, tokens, strict=True) if len(ids) >= context]
    if config.on_bad_row == "error" or len(full) == len(prompts):
        refuse_full(zip(prompts, tokens, strict=True), context, ", or leave such rows out with on_bad_row=skip")
    if full:
        reason = f"the prompt fills the model's context of {context:,} tokens"
        run.say(f"{len(full):,} of {len(prompts):,} prompts are left out: {reason} (the first: {full[0].where})")
        if dist.main_rank():
            with (Path(config.output_dir) / SKIPPED).open("a", encoding="utf-8") as file:
                for row in full:
                    asked = {"prompt": [turn.as_dict() for turn in row.messages], **row.columns}
                    line = {"where": row.where, "reason": reason, "row": asked}
                    file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    return [row for row, ids in zip(prompts, tokens, strict=True) if len(ids) < context]


def stream(noun: Noun, config, run, tokenizer: Any = None) -> Collection:
    """As `read`; the rows are read anew each time they are gone through, so that they may be more than memory holds."""

    def part(paths: Any, skipped: Path | None, options: dict[str, Any]) -> tuple[Collection, str]:
        found = streamed(noun, paths, on_bad_row=config.on_bad_row, skipped_to=skipped, **options)
        return found, found.description

    return _mixed(part, noun, config, run, tokenizer)


def stored(config, rows: Iterable, render: Callable[[list], list[Sequence]]) -> Store:
    """Rows as token ids in files in the run's folder, a few of them in memory at a time."""
    return Store(Path(config.output_dir), chain.from_iterable(map(render, batched(rows))))


def batched(rows: Iterable) -> Iterator[list]:
    """The rows, a few at a time."""
    left = iter(rows)
    return iter(lambda: list(islice(left, AT_ONCE)), [])


def _mixed(part: Callable[..., tuple], noun: Noun | None, config, run, tokenizer: Any) -> Collection:
    skipped = Path(config.output_dir) / SKIPPED if dist.main_rank() else None
    options = {"columns": config.columns or None, "format": config.format, "max_samples": config.max_samples}
    weights = config.dataset_weights or [1.0]
    if all(weight == 1 for weight in weights):
        rows, words = part(config.dataset, skipped, options)
        said = [words]
    else:
        parts = []
        for number, path in enumerate(config.dataset, 1):
            aside = skipped and (skipped.with_stem(f"skipped_rows_{number}") if number > 1 else skipped)
            parts.append(part(path, aside, options))
        rows = Mixture([found for found, _ in parts], weights, seed=config.seed)
        said = [f"{words} × {weight:g}" for (_, words), weight in zip(parts, weights, strict=True)]
    for words in said:
        run.say(f"read as {words}")
    if config.check_data:
        look_over(config, run, noun, tokenizer)
    return rows


def held_out(reader: Callable[..., Dataset], config, **options: Any) -> list:
    """The rows of config.eval_dataset; none if there is none."""
    if not config.eval_dataset:
        return []
    return reader(config.eval_dataset, columns=config.columns or None, format=config.format, **options).rows


def look_over(config, run, noun: Noun | None, tokenizer: Any) -> None:
    """The doctor's checks of config.dataset, bounded in time by the rows they look at.

    Raises:
        DataError: the data has faults that a run should not start with.
    """
    held_out = config.eval_dataset if "eval_dataset" in type(config).model_fields else []
    report = examine(
        config.dataset,
        Setting(
            tokenizer=tokenizer,
            max_length=config.max_length,
            held_out=tuple(find(held_out, text=True)) if held_out else (),
            tokenised=RENDERED,
            compared=ROWS,
            columns=config.columns or None,
        ),
        noun=noun,
        columns=config.columns or None,
        format=config.format,
        lenient=config.on_bad_row == "skip",
        max_rows=min(ROWS, config.max_samples or ROWS),
        max_letters=LETTERS,
    )
    if dist.main_rank():
        tell.write_json(report, Path(config.output_dir) / "data_check.json")
    run.say(f"data: {tell.verdict(report)}")
    if report.errors:
        first = report.errors[0]
        raise DataError(
            f"{tell.verdict(report)}. The first: {first.check} (row {first.rows[0] if first.rows else 0}, counted from "
            f"0), {first.example}.",
            where=first.where,
            hint="All of it: baro data check FILE. Mend the data, or train all the same with check_data=false.",
        )
