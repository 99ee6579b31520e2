"""What every recipe does around its idea: open the run, wire the loop, save the model with its card."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from baro.core.errors import DataError
from baro.core.types import Batch, Sequence
from baro.data.packing import dealt, pack, pairs
from baro.data.store import Store
from baro.data.stream import Stream, Updates, steps_in
from baro.engine import dist, files, meter, optim
from baro.engine.fit import fit
from baro.engine.run import Run
from baro.models.invariant import batch_invariant
from baro.models.load import save
from baro.recipes.card import card
from baro.recipes.reading import held_out as held_out
from baro.recipes.reading import read as read
from baro.recipes.reading import stored as stored
from baro.recipes.reading import stream as stream


@contextmanager
def opened(config, display=None) -> Iterator[Run]:
    """The run directory of a stage, locked while it is in use; peak memory is counted from here.

    Args:
        display: called with the progress, and its `say` with lines for the user.
    """
    dist.start()
    torch.manual_seed(config.seed + dist.rank())  # of dropout; everything else that is drawn has a generator
    meter.start()
    say = display.say if display else None
    resume, report_to = config.resume_from_checkpoint, config.report_to
    alike = batch_invariant(getattr(config, "batch_invariant", False))
    with alike, Run(config.output_dir, config, resume=resume, report_to=report_to, progress=display, say=say) as run:
        yield run


def micro_size(config, rows: int | None = None) -> int:
    """Sequences in one micro-batch: small enough that every rank has one and memory holds it."""
    rows = config.sequences_per_update if rows is None else rows
    return max(1, min(config.per_device_train_batch_size, math.ceil(rows / dist.world())))


def steps(config, rows: int) -> int:
    """Optimiser steps: max_steps, or enough for num_train_epochs over `rows` rows."""
    if config.max_steps > 0:
        return config.max_steps
    return steps_in(rows, config.sequences_per_update, epochs=config.num_train_epochs)


def check(sequences: Items[Sequence] | Store, config) -> None:
    """Refuse data in which nothing would be learnt, before anything expensive starts."""
    if not any(sequence.count for sequence in sequences):
        raise DataError(
            f"none of the {len(sequences)} rows has a token to learn within max_length={config.max_length}.",
            where=next((sequence.where for sequence in sequences), ""),
            hint="Raise max_length, or look at a row with: baro data show FILE.",
        )


def usable(rows: list, config, run: Run) -> list:
    """The pairs of which an answer is left on both sides within max_length; that others are left out is said.

    Args:
        rows: (chosen sequence, rejected sequence, …) each.

    Raises:
        DataError: there is none.
    """
    kept = [row for row in rows if row[0].count and row[1].count]
    first = next((row[0].where for row in rows if not (row[0].count and row[1].count)), "")
    lost = f"no token of an answer is left within max_length={config.max_length}"
    if not kept:
        hint = "Raise max_length, or look at a row with: baro data show FILE."
        raise DataError(f"in none of the {len(rows)} pairs both answers can be learnt: {lost}.", where=first, hint=hint)
    if len(kept) < len(rows):
        run.say(f"{len(rows) - len(kept):,} of {len(rows):,} pairs are left out: {lost} (the first: {first})")
    return kept


def updates(config, rows: Items | Store, build: Callable[[list], list[Batch]]) -> Updates:
    """Shuffled updates over `rows`; `build` turns one update's rows into micro-batches."""
    stream = Stream(
        len(rows), updates=steps(config, len(rows)), per_update=config.sequences_per_update, seed=config.seed
    )
    return Updates(stream, lambda indices: build([rows[index] for index in indices]))


def packed(config) -> Callable[[list[Sequence]], list[Batch]]:
    """Packs an update's sequences into micro-batches."""
    size = micro_size(config)
    return lambda rows: [pack(group) for group in dealt(rows, size, lambda row: len(row.tokens))]


def paired(config, extra: Callable[[list], dict[str, torch.Tensor]]) -> Callable[[list], list[Batch]]:
    """Packs an update's pairs into micro-batches; `extra` gives the figures of a micro-batch's rows.

    A row is (chosen sequence, rejected sequence, anything else `extra` needs).
    """
    size = micro_size(config)

    def build(rows: list) -> list[Batch]:
        chunks = dealt(rows, size, lambda row: len(row[0].tokens) + len(row[1].tokens))
        return [replace(pairs([row[:2] for row in chunk]), extra=extra(chunk)) for chunk in chunks]

    return build


def train(config, run, step, stream, modules, *, rates=None, extra=None, evaluate=None, on_update=None) -> None:
    """Run the loop with the optimiser and schedule of `config`.

    Args:
        step: micro-batch → summed loss. stream: the updates. modules: what is trained, by name.
        rates: peak learning rate by module name; default: config.learning_rate for all.
        extra: further objects with state()/restore(). evaluate: step → figures.
        on_update: (step, the update's figures) → a reason to end the run, or None.
    """
    total = len(stream)
    shape = {"steps": total, "warmup": config.warmup(total), "minimum": config.min_lr_ratio}
    fit(
        step,
        stream,
        run,
        modules=modules,
        optimiser=optim.optimiser(
            modules,
            learning_rate=rates or config.learning_rate,
            betas=(config.adam_beta1, config.adam_beta2),
            epsilon=config.adam_epsilon,
            weight_decay=config.weight_decay,
            tf_epsilon=config.adam_tf_epsilon,
            eight_bit=config.optim == "adamw_8bit",
        ),
        schedule=lambda taken: optim.schedule(config.lr_scheduler_type, taken, **shape),
        max_grad_norm=config.max_grad_norm,
        save_steps=config.save_steps,
        save_total_limit=config.save_total_limit,
        logging_steps=config.logging_steps,
        extra=extra,
        on_update=on_update,
        evaluate=evaluate,
        eval_steps=config.eval_steps,
    )


def finish(
    config, run: Run, method: str, model, tokenizer, metrics: dict, *, tokens: int, extra_models: dict | None = None
) -> dict:
    """Save the model (rank 0), its card and result.json; returns what result.json holds.

    Args:
        tokens: learnt from, over the whole run.
        extra_models: further models, saved in folders of these names.
    """
    folder, speed = Path(config.output_dir), lines(run, "speed.jsonl")
    result = {
        "method": method,
        "seconds": max(meter.seconds(), sum(line["seconds"] for line in speed)),
        "busy_seconds": max(meter.busy_seconds(), sum(line.get("busy_seconds", line["seconds"]) for line in speed)),
        "tokens": tokens,
        "peak_bytes": meter.peak_bytes(),
        "metrics": metrics,
    }
    if dist.main_rank():
        save(model, tokenizer, folder)
        for name, module in (extra_models or {}).items():
            save(module, tokenizer, folder / name)
        (folder / "README.md").write_text(card(method, config, result), encoding="utf-8")
        files.replace_json(folder / "result.json", result)
    dist.barrier()
    return result


def lines(run: Run, name: str) -> list[dict]:
    """The lines of one of the run's files of figures."""
    file = run.folder / name
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []


def counted(run: Run) -> int:
    """Tokens, or pairs, learnt from so far."""
    return int(next((line["count"] for line in reversed(lines(run, "metrics.jsonl")) if "count" in line), 0))


def of_pairs(run: Run, rows: list) -> int:
    """Answer tokens learnt from so far, from the pairs seen and the mean length of a pair."""
    tokens = sum(sequence.count for row in rows for sequence in row[:2])
    return round(counted(run) * tokens / max(len(rows), 1))
