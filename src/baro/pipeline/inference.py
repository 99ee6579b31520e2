"""Commands on finished models: answers for a file of prompts, scores for a file of answers, metrics of a model."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from rich.console import Console
from rich.progress import track
from rich.table import Table

from baro.core.errors import ConfigError, DataError
from baro.data.packing import documents_to_blocks
from baro.data.read import read_prompts, read_tasks, read_texts, write_jsonl
from baro.data.records import Dialogue, Message, Prompt
from baro.data.templates import render_all, render_prompts, render_texts
from baro.engine.config import ExistingPath, Settings
from baro.evals.answers import Answered, answers, context_of, refuse_full
from baro.evals.compare import measure, score_answers
from baro.evals.likelihood import likelihood
from baro.evals.tasks import score_tasks
from baro.models.load import configuration, language_model, load_tokenizer
from baro.recipes.scoring import by_function, by_model
from baro.recipes.settings import ModelPath
from baro.rewards.ensemble import Combine, averaged, combine, disagreement
from baro.rewards.functions import FunctionName, function_scores, load_function
from baro.rewards.model import model_scores, trained

CHUNK = 256


class Sample(Settings):
    """Settings of `baro sample`."""

    model: ModelPath
    """Path or hub name."""
    dataset: list[ExistingPath]
    """Prompts."""
    out: Path
    """JSON lines: the prompt's row with `completions`."""
    num_generations: int = Field(default=1, ge=1)
    temperature: float = Field(default=1.0, ge=0)
    """0 is greedy."""
    top_k: int = Field(default=0, ge=0)
    """0: all tokens."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    min_p: float = Field(default=0.0, ge=0, le=1)
    max_completion_length: int = Field(default=256, ge=1)
    """Tokens."""
    stop: list[str] = []
    """Texts at the first of which an answer ends; they do not belong to it."""
    max_samples: int | None = Field(default=None, ge=1)
    """Use the first prompts only."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"


class Score(Settings):
    """Settings of `baro score`."""

    model: ModelPath | None = None
    """A reward model."""
    ensemble: list[ModelPath] = []
    """Further reward models of the same base: the scores are combined, and their disagreement is written too."""
    combine: Combine = "mean"
    """mean, min, lcb (mean minus caution standard deviations) or warm (one model with the mean weights)."""
    caution: float = 1.0
    """c of lcb."""
    function: FunctionName | None = None
    """Or a Python reward function, module:function or file.py:function."""
    dataset: list[ExistingPath]
    """Prompts with answers: prompt/completion, alpaca, messages, or what `baro sample` wrote."""
    out: Path
    """JSON lines: prompt, completion, reward."""
    device: str = "auto"
    dtype: str = "auto"


class Evaluate(Settings):
    """Settings of `baro eval`."""

    model: ModelPath
    """Path or hub name."""
    text: list[ExistingPath] = []
    """Held-out text: nats per token and character, bits per byte."""
    tasks: list[ExistingPath] = []
    """Tasks with known answers: exact match and format."""
    prompts: list[ExistingPath] = []
    """Prompts to answer and score."""
    judge: FunctionName | None = None
    judge_args: dict[str, Any] | None = None
    reward_model: ModelPath | None = None
    reference: ModelPath | None = None
    """A model that KL and wins are measured against."""
    max_samples: int | None = Field(default=512, ge=1)
    """Rows of each file that are used; the first ones."""
    temperature: float = Field(default=1.0, ge=0)
    max_completion_length: int = Field(default=64, ge=1)
    seed: int = 0
    out: Path | None = None
    """Also write the figures as JSON."""
    device: str = "auto"
    dtype: str = "auto"


def sample(config: Sample) -> None:
    """Write answers to every prompt."""
    if not all(config.stop):
        raise ConfigError("a stop text is empty: every answer would end before it began.", where="stop")
    prompts = read_prompts(config.dataset, max_samples=config.max_samples).rows
    tokenizer, context = load_tokenizer(config.model), context_of(configuration(config.model))
    refuse_full(zip(prompts, render_prompts(tokenizer, prompts), strict=True), context)
    model = language_model(config.model, dtype=config.dtype, device=config.device).eval()
    config.out.parent.mkdir(parents=True, exist_ok=True)
    with config.out.open("w", encoding="utf-8") as file:
        for start in track(range(0, len(prompts), CHUNK), description="sampling"):
            rows = answers(
                model,
                tokenizer,
                prompts[start : start + CHUNK],
                temperature=config.temperature,
                top_k=config.top_k,
                top_p=config.top_p,
                min_p=config.min_p,
                max_new_tokens=config.max_completion_length,
                stop=config.stop,
                samples=config.num_generations,
                seed=config.seed,
                first_row=start,
            )
            for row in rows:
                line = {"prompt": [turn.as_dict() for turn in row[0].prompt.messages], **row[0].prompt.columns}
                line |= {"completions": [one.text for one in row], "ended": [one.ended for one in row]}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    Console().print(f"{len(prompts):,} prompts × {config.num_generations} answers → {config.out}")


def score(config: Score) -> None:
    """Write the reward of every answer."""
    if (config.model is None) == (config.function is None):
        raise ConfigError("give either model (a reward model) or function (a Python reward).")
    rows = _answered(config.dataset)
    prompts = [[turn.as_dict() for turn in row.messages] for row in rows]
    texts = [row.columns["output"] for row in rows]
    doubt: list[float] = []
    if config.model:
        seen = [Dialogue((*row.messages, Message("assistant", row.columns["output"])), row.plain) for row in rows]
        found, doubt = _scored(config, seen)
    elif config.function:
        found = function_scores(load_function(config.function), prompts, texts, [row.columns for row in rows])
    config.out.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {"prompt": prompt, "completion": text, "reward": value}
        for prompt, text, value in zip(prompts, texts, found, strict=True)
    ]
    for line, value in zip(lines, doubt, strict=False):
        line["disagreement"] = value
    write_jsonl(config.out, lines)
    Console().print(f"{len(rows):,} answers, mean reward {sum(found) / len(found):.4g} → {config.out}")


def _scored(config: Score, seen: list[Dialogue]) -> tuple[list[float], list[float]]:
    """Scores of the model, or of the ensemble with the members' disagreement on each answer."""
    paths = [str(config.model), *config.ensemble]
    models = [trained(path, dtype=config.dtype, device=config.device) for path in paths]
    if config.combine == "warm":
        return model_scores(averaged(models), render_all(load_tokenizer(paths[0]), seen)), []
    rendered = [render_all(load_tokenizer(path), seen) for path in paths]
    table = torch.tensor([model_scores(m, r) for m, r in zip(models, rendered, strict=True)], dtype=torch.float64)
    doubt = disagreement(table).tolist() if config.ensemble else []
    return combine(table, config.combine, caution=config.caution).tolist(), doubt


def _answered(files: list[Path]) -> list[Prompt]:
    """Prompts with one answer each as the column `output`: conversations, or what `baro sample` wrote."""
    with contextlib.suppress(DataError):
        prompts = read_prompts(files).rows
        if all(isinstance(row.columns.get("completions"), list) for row in prompts):
            return [
                replace(row, columns={**row.columns, "output": text})
                for row in prompts
                for text in row.columns["completions"]
            ]
    return read_tasks(files).rows


def evaluate(config: Evaluate) -> None:
    """Print, and write, what the given files tell about a model."""
    if not (config.text or config.tasks or config.prompts):
        raise ConfigError("nothing to evaluate on.", hint="Give text, tasks or prompts (files).")
    model = language_model(config.model, dtype=config.dtype, device=config.device).eval()
    tokenizer = load_tokenizer(config.model)
    figures: dict[str, float | None] = {}
    if config.text:
        texts = read_texts(config.text, max_samples=config.max_samples).rows
        blocks = documents_to_blocks(render_texts(tokenizer, texts), model.config.max_position_embeddings)
        found = likelihood(model, blocks, [text.text for text in texts], tokenizer.all_special_ids)
        figures |= {k: getattr(found, k) for k in ("nats_per_token", "nats_per_char", "bits_per_byte")}
    if config.tasks:
        tasks = read_tasks(config.tasks, max_samples=config.max_samples).rows
        done = score_tasks(model, tokenizer, tasks, max_new_tokens=config.max_completion_length)
        figures |= {"exact_match": done.exact_match, "format": done.format}
    if config.prompts:
        figures |= _answers(config, model, tokenizer)
    table = Table("figure", "value", title=str(config.model))
    for name, value in figures.items():
        if value is not None:
            table.add_row(name, f"{value:.4g}")
    Console().print(table)
    if config.out:
        config.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _answers(config: Evaluate, model, tokenizer) -> dict[str, float | None]:
    """Scores, KL and wins on the prompts."""
    place: dict[str, Any] = {"dtype": config.dtype, "device": config.device}
    prompts = read_prompts(config.prompts, max_samples=config.max_samples).rows
    judge = by_function(config.judge, config.judge_args) if config.judge else None

    def scored(candidate, words):
        reward = by_model(config.reward_model, words, **place) if config.reward_model else None
        return score_answers(_draw(config, candidate, words, prompts), judge=judge, reward=reward)

    reference = baseline = None
    if config.reference:
        reference = language_model(config.reference, **place).eval()
        baseline = scored(reference, load_tokenizer(config.reference))
    found = measure(
        model, scored(model, tokenizer), reference=reference, baseline=baseline, capability=None, text_nats=None
    )
    return found.as_dict()


def _draw(config: Evaluate, model, tokenizer, prompts: list[Prompt]) -> list[Answered]:
    drawn = answers(
        model,
        tokenizer,
        prompts,
        temperature=config.temperature,
        max_new_tokens=config.max_completion_length,
        seed=config.seed,
    )
    return [row[0] for row in drawn]
