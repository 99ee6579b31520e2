"""`baro data ablate`: was the selection good? The same training on it, on the controls and on everything."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from markupsafe import Markup
from pydantic import Field, model_validator
from rich.console import Console
from rich.table import Table

from baro.core.errors import DataError
from baro.data.curate.select import random_rows
from baro.data.files import rows_of
from baro.data.packing import documents_to_blocks
from baro.data.read import read_prompts, read_tasks, read_texts, write_jsonl
from baro.data.templates import render_texts
from baro.engine import config as reader
from baro.engine import files
from baro.engine.config import ExistingPath, Settings
from baro.evals.answers import answers
from baro.evals.likelihood import mean_nats
from baro.evals.nested import difference, nested
from baro.evals.tasks import score_tasks
from baro.models.load import language_model, load_tokenizer
from baro.pipeline.report import numbers
from baro.pipeline.sheet import Section, charts, sheet, table
from baro.pipeline.sheet.page import words
from baro.recipes import sft
from baro.recipes.scoring import by_function
from baro.recipes.settings import ModelPath
from baro.rewards.functions import FunctionName

Arm = Literal["selection", "random", "longest", "all"]


class Ablate(Settings):
    """Settings of `baro data ablate`."""

    folder: ExistingPath
    """What `baro data curate` wrote: selection.jsonl, longest.jsonl, all.jsonl."""
    model_name_or_path: ModelPath
    """The model every training starts from."""
    out: Path
    """Folder: ablation.json, ablation.html, and the models with keep_models."""
    arms: list[Arm] = ["selection", "random", "longest", "all"]
    seeds: list[int] = Field(default=[0, 1, 2], min_length=1)
    """Seeds of the order of rows, and of the rows that `random` draws anew each time."""
    max_steps: int = Field(default=200, ge=1)
    """Optimiser steps, the same for all: few rows are seen more often, not longer."""
    sft: dict[str, Any] = {}
    """Further settings of `baro sft`: sft.learning_rate=1e-3."""
    prompts: list[ExistingPath] = []
    """Held-out prompts for the judge."""
    judge: FunctionName | None = None
    """The judge, module:function or file.py:function."""
    judge_args: dict[str, Any] | None = None
    tasks: list[ExistingPath] = []
    """Or tasks with known answers: exact match."""
    text: list[ExistingPath] = []
    """Held-out text: what the training cost, nats per token."""
    max_samples: int = 512
    """Rows of each of these files; the first ones."""
    max_completion_length: int = 64
    """Tokens of a greedy answer."""
    keep_models: bool = False
    device: str = "auto"
    dtype: str = "auto"

    @model_validator(mode="after")
    def _measures_something(self) -> Self:
        if not (self.judge and self.prompts) and not self.tasks:
            raise ValueError("nothing to measure with: give judge and prompts, or tasks")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds names one twice: {self.seeds}")
        if len(set(self.arms)) < max(2, len(self.arms)):
            raise ValueError("arms needs two different ones to compare")
        if taken := {"dataset", "output_dir", "seed", "max_steps", "model_name_or_path"} & set(self.sft):
            raise ValueError(f"sft.{min(taken)} is set by the comparison itself")
        return self


def ablate(config: Ablate) -> dict[str, Any]:
    """Train, measure and compare; writes and returns what ablation.json holds."""
    console = Console()
    arms = {arm: _rows(config, arm) for arm in config.arms}
    bench = _Bench(config)
    config.out.mkdir(parents=True, exist_ok=True)
    scores: dict[str, list[list[float]]] = {arm: [] for arm in arms}
    nats: dict[str, list[float]] = {arm: [] for arm in arms}
    for arm, rows in arms.items():
        for seed in config.seeds:
            found = _one(config, bench, arm, rows, seed)
            scores[arm].append(found["scores"])
            nats[arm] += [found["text_nats"]] if found["text_nats"] is not None else []
            told = f"{arm}, seed {seed}: {bench.measures} {sum(found['scores']) / len(found['scores']):.4g}"
            console.print(told, highlight=False)
    summary = compare(scores) | {
        "measure": bench.measures,
        "rows": {arm: len(arms.get("selection", rows) if arm == "random" else rows) for arm, rows in arms.items()},
        "seeds": config.seeds,
        "max_steps": config.max_steps,
        "prompts": len(next(iter(scores.values()))[0]),
        "text_nats": {arm: sum(values) / len(values) for arm, values in nats.items() if values},
    }
    files.replace_json(config.out / "ablation.json", summary)
    files.replace(config.out / "ablation.html", _page(summary))
    _print(console, summary)
    return summary


def compare(scores: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Mean and interval of every arm, the best one, and the differences of it and of the selection from the others.

    Args:
        scores: arm → (seeds, prompts) scores, large is good.
    """
    arms = {arm: vars(nested(table)) for arm, table in scores.items()}
    best = max(arms, key=lambda arm: arms[arm]["mean"])
    pairs = [(best, other) for other in arms if other != best]
    if "selection" in arms:
        pairs += [("selection", other) for other in arms if other not in ("selection", best)]
        pairs += [("selection", best)] if best != "selection" else []
    apart = {f"{one} - {other}": vars(difference(scores[one], scores[other])) for one, other in dict.fromkeys(pairs)}
    ties = [other for other in arms if other != best and apart[f"{best} - {other}"]["low"] <= 0]
    return {"arms": arms, "best": best, "not_told_apart_from_best": ties, "differences": apart}


def _rows(config: Ablate, arm: str) -> list[dict[str, Any]]:
    file = config.folder / f"{'all' if arm == 'random' else arm}.jsonl"
    if not file.is_file():
        raise DataError(f"{file.name} is missing.", where=str(config.folder), hint="Give a folder of baro data curate.")
    return [row.columns for row in rows_of(file)]


class _Bench:
    """What every model is measured with."""

    def __init__(self, config: Ablate) -> None:
        self.config = config
        self.judge = by_function(config.judge, config.judge_args) if config.judge and config.prompts else None
        files_of = config.prompts if self.judge else config.tasks
        self.rows = (read_prompts if self.judge else read_tasks)(files_of, max_samples=config.max_samples).rows
        self.texts = read_texts(config.text, max_samples=config.max_samples).rows if config.text else []
        self.measures = f"judge {config.judge}" if self.judge else "exact match"

    def measure(self, folder: Path) -> dict[str, Any]:
        """Scores of every prompt, and nats per token of the text."""
        model = language_model(folder, dtype=self.config.dtype, device=self.config.device).eval()
        tokenizer, length = load_tokenizer(folder), self.config.max_completion_length
        if self.judge:
            drawn = answers(model, tokenizer, self.rows, temperature=0.0, max_new_tokens=length)
            scores = self.judge([row[0] for row in drawn])
        else:
            scores = score_tasks(model, tokenizer, self.rows, max_new_tokens=length).correct
        nats = None
        if self.texts:
            context = model.config.get_text_config().max_position_embeddings
            nats = mean_nats(model, documents_to_blocks(render_texts(tokenizer, self.texts), context))
        return {"scores": [float(score) for score in scores], "text_nats": nats}


def _one(config: Ablate, bench: _Bench, arm: str, rows: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """One training and its measurement, taken from the disk where the same was done before."""
    if arm == "random":
        size = len(_rows(config, "selection"))
        rows = [rows[place] for place in sorted(random_rows(np.arange(len(rows)), size, seed=seed))]
    folder, file = config.out / f"{arm}_{seed}", config.out / f"{arm}_{seed}.json"
    given = config.model_dump(mode="json", exclude={"folder", "arms", "seeds", "keep_models", "out"})
    key = hashlib.sha256(json.dumps([given, rows, seed], sort_keys=True, default=str).encode()).hexdigest()
    if file.is_file() and (kept := json.loads(file.read_text(encoding="utf-8"))).get("key") == key:
        return kept
    if folder.exists():
        shutil.rmtree(folder)
    data = folder / "rows.jsonl"
    write_jsonl(data, rows)
    base: dict[str, Any] = {
        "model_name_or_path": config.model_name_or_path,
        "dataset": [data],
        "output_dir": folder,
        "seed": seed,
        "max_steps": config.max_steps,
        "device": config.device,
        "dtype": config.dtype,
        "save_steps": 0,
    }
    sft.main(reader.load(sft.Config, **base | config.sft))
    found = {"key": key, **bench.measure(folder)}
    files.replace_json(file, found)
    if not config.keep_models:
        shutil.rmtree(folder)
    return found


def verdict(summary: dict[str, Any]) -> dict[str, str]:
    """Which was best, in one sentence."""
    best, ties = summary["best"], summary["not_told_apart_from_best"]
    if not ties:
        return words(f"{best} was best, beyond doubt.", f"{best}이(가) 확실히 가장 나았습니다.")
    named = ", ".join(ties)
    return words(
        f"{best} scored highest; it cannot be told apart from {named}.",
        f"{best}의 점수가 가장 높지만 {named}와(과) 구별되지 않습니다.",
    )


def _page(summary: dict[str, Any]) -> str:
    arms = [
        (f"{arm} ({summary['rows'][arm]:,})", row["mean"], row["low"], row["high"], arm == "selection")
        for arm, row in summary["arms"].items()
    ]
    differences = [
        (name, row["mean"], row["low"], row["high"], name.startswith("selection"))
        for name, row in summary["differences"].items()
    ]
    facts = [
        words(
            f"{summary['measure']} over {summary['prompts']:,} prompts, {len(summary['seeds'])} seeds, "
            f"{summary['max_steps']:,} steps each.",
            f"{summary['measure']}, 프롬프트 {summary['prompts']:,}개, 시드 {len(summary['seeds'])}개, "
            f"각 {summary['max_steps']:,}단계.",
        )
    ]
    both = words("95 % intervals over seeds and prompts.", "시드와 프롬프트에 대한 95 % 구간입니다.")
    sections = [
        Section(words("Scores", "점수"), both, charts.figure(both, charts.ranges(arms), wide=True)),
        Section(
            words("Differences", "차이"), both, charts.figure(both, charts.ranges(differences, zero=True), wide=True)
        ),
    ]
    if summary["text_nats"]:
        rows = [[arm, numbers.number(value)] for arm, value in summary["text_nats"].items()]
        cost = words("Nats per token of held-out text; more is worse.", "남겨 둔 글의 토큰당 nat. 클수록 나쁩니다.")
        head = [words("trained on", "학습 자료"), words("nats per token", "토큰당 nat")]
        sections.append(Section(words("What it cost", "치른 값"), cost, Markup(table(head, rows, numbers=1))))
    return sheet(verdict(summary), facts, sections, what="ablate")


def _print(console: Console, summary: dict[str, Any]) -> None:
    shown = Table("trained on", "rows", summary["measure"], "95 % interval", "text, nats per token")
    for arm, row in summary["arms"].items():
        nats = summary["text_nats"].get(arm)
        ends = f"[{row['low']:.4f}, {row['high']:.4f}]"
        shown.add_row(arm, f"{summary['rows'][arm]:,}", f"{row['mean']:.4f}", ends, f"{nats:.4f}" if nats else "–")
    console.print(shown)
    for name, row in summary["differences"].items():
        console.print(f"{name}: {row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]", markup=False)
    console.print(verdict(summary)["en"])
