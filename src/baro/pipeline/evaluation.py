"""Every model on the same prompts: answers, scores and figures, kept per model so that only what changed is redone."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from baro.data.packing import documents_to_blocks
from baro.data.read import read_prompts, read_tasks, read_texts
from baro.data.templates import render_texts
from baro.engine import dist, files
from baro.engine.config import ExistingPath, Settings
from baro.evals.answers import answers
from baro.evals.compare import Scored, measure, score_answers
from baro.evals.likelihood import mean_nats
from baro.evals.shift import token_shift
from baro.evals.tasks import score_tasks
from baro.models.load import language_model, load_tokenizer
from baro.recipes.scoring import by_function, by_model
from baro.recipes.settings import ModelPath
from baro.rewards.functions import FunctionName


class Evaluation(Settings):
    """Settings of a recipe's `evaluate` block."""

    models: list[str]
    """Stages whose models are compared, in the order of the report; the reference among them."""
    reference: str = "sft"
    """The stage that KL and wins are measured against."""
    prompts: list[ExistingPath]
    """Held-out prompts."""
    max_prompts: int = 512
    """Prompts answered; the first ones."""
    judge: FunctionName | None = None
    """The judge, module:function or file.py:function; it must share nothing with the reward model."""
    judge_args: dict[str, Any] | None = None
    """Given: the function is a factory called with these."""
    judge_about: dict[str, str] = {}
    """What the judge measures, in plain words: {en, ko}."""
    reward_model_name_or_path: ModelPath | None = None
    """The proxy reward."""
    tasks: list[ExistingPath] = []
    """Held-out SFT tasks, for capability."""
    max_tasks: int = 512
    text: list[ExistingPath] = []
    """Held-out pre-training text."""
    max_texts: int = 500
    temperature: float = 1.0
    max_completion_length: int = 64
    """Tokens."""
    base: str | None = None
    """The stage of the base model: under it the tokens of the others' greedy answers are ranked (see evals.shift)."""
    max_shift_prompts: int = 256
    shown: int = 8
    """Prompts whose answers the report shows side by side."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"

    @model_validator(mode="after")
    def _measures_the_reference(self) -> Self:
        if self.reference not in self.models:
            raise ValueError(f"reference is '{self.reference}', which is not among models")
        if self.base is not None and self.base not in self.models:
            raise ValueError(f"base is '{self.base}', which is not among models")
        return self


def evaluate(config: Evaluation, stage_folder, keys: dict[str, str], folder: Path, progress=None) -> dict[str, dict]:
    """What was measured of every model: {model: {"figures", "answers", "scores", "seconds", "key"}}.

    Every rank measures the reference, which the others are compared with, and its share of the others.

    Args:
        stage_folder: stage name → folder of its model.
        keys: stage name → fingerprint; a model whose file in `folder` has the same key is not measured again.
        folder: where the results are kept, one JSON file a model.
        progress: called with (models done, models).
    """
    order = [config.reference, *(name for name in config.models if name != config.reference)]
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: _kept(folder / f"{name}.json", keys[name]) for name in order}
    found = {name: row for name, row in kept.items() if row}
    dist.barrier()
    if len(found) == len(order):
        return {name: found[name] for name in config.models}
    bench = _Bench(config, stage_folder)
    missing = [config.reference, *dist.mine([name for name in order[1:] if name not in found])]
    for number, name in enumerate(missing):
        if progress:
            progress(number, len(missing))
        started = time.monotonic()
        row = bench.measure(name)
        found[name] = {"key": keys[name], "seconds": time.monotonic() - started, **row}
        if name != config.reference or dist.main_rank():
            files.replace_json(folder / f"{name}.json", found[name])
    for other in reversed(dist.share(found)):
        found |= other
    return {name: found[name] for name in config.models}


def _kept(file: Path, key: str) -> dict | None:
    if not file.is_file():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    return found if found.get("key") == key else None


class _Bench:
    """What all models share: prompts, tasks, texts, the judge and the reference's own answers."""

    def __init__(self, config: Evaluation, stage_folder) -> None:
        self.config, self.folder = config, stage_folder
        self.prompts = read_prompts(config.prompts).rows[: config.max_prompts]
        self.tasks = read_tasks(config.tasks, max_samples=config.max_tasks).rows if config.tasks else []
        self.texts = read_texts(config.text).rows[: config.max_texts] if config.text else []
        self.judge = by_function(config.judge, config.judge_args) if config.judge else None
        self.place: dict[str, Any] = {"dtype": config.dtype, "device": config.device}
        self.reference = language_model(self.folder(config.reference), **self.place).eval()
        self.baseline: Scored | None = None
        self.base = language_model(self.folder(config.base), **self.place).eval() if config.base else None

    def measure(self, name: str) -> dict:
        """The figures of one model and its answers to the prompts that are shown."""
        config = self.config
        tokenizer = load_tokenizer(self.folder(name))
        own = name == config.reference
        model = self.reference if own else language_model(self.folder(name), **self.place).eval()
        reward = config.reward_model_name_or_path
        drawn = answers(
            model,
            tokenizer,
            self.prompts,
            temperature=config.temperature,
            max_new_tokens=config.max_completion_length,
            seed=config.seed,
        )
        rows = [row[0] for row in drawn]
        scored = score_answers(
            rows, judge=self.judge, reward=by_model(reward, tokenizer, **self.place) if reward else None
        )
        if own:
            self.baseline = scored
        figures = measure(
            model,
            scored,
            reference=None if own else self.reference,
            baseline=None if own else self.baseline,
            capability=self.capability(model, tokenizer),
            text_nats=self.text_nats(model, tokenizer),
        )
        if own:
            figures = replace(figures, kl=0.0, kl_per_token=0.0)
        scores = {"judge": scored.judged, "reward": scored.rewards}
        found = {"figures": figures.as_dict(), "answers": self.shown(scored), "scores": scores}
        return found | {"shift": None if name == config.base else self.shift(model, tokenizer)}

    def capability(self, model, tokenizer) -> float | None:
        """Exact match on the SFT tasks."""
        if not self.tasks:
            return None
        return score_tasks(model, tokenizer, self.tasks, max_new_tokens=self.config.max_completion_length).exact_match

    def text_nats(self, model, tokenizer) -> float | None:
        """Nats per token of held-out text."""
        if not self.texts:
            return None
        length = model.config.max_position_embeddings
        return mean_nats(model, documents_to_blocks(render_texts(tokenizer, self.texts), length))

    def shift(self, model, tokenizer) -> dict | None:
        """The token shift from the base model."""
        if self.base is None:
            return None
        prompts, length = self.prompts[: self.config.max_shift_prompts], self.config.max_completion_length
        return token_shift(self.base, model, tokenizer, prompts, max_new_tokens=length).as_dict()

    def shown(self, scored: Scored) -> list[dict]:
        """The first answers with their scores, spread over the prompts."""
        step = max(1, len(scored.rows) // max(self.config.shown, 1))
        picked = range(0, len(scored.rows), step)[: self.config.shown]
        return [
            {
                "prompt": scored.rows[i].prompt.messages[-1].content,
                "text": scored.rows[i].text,
                "judge": scored.judged[i] if scored.judged else None,
                "reward": scored.rewards[i] if scored.rewards else None,
                "ended": scored.rows[i].answer.ended,
            }
            for i in picked
        ]
