"""One way to score answers, whatever gives the score: a reward model, Python functions, or both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from baro.core.errors import DataError
from baro.core.types import Answer
from baro.data.read import read_prompts
from baro.data.records import Dialogue, Message, Prompt
from baro.data.templates import render_all
from baro.evals.answers import Answered, as_sequence
from baro.models.adapters import Lora, is_adapter
from baro.models.load import load_tokenizer
from baro.rewards.ensemble import averaged, bounded, combine, disagreement
from baro.rewards.environment import Environment, load_environment
from baro.rewards.functions import function_scores, load_function
from baro.rewards.model import model_scores, trained

Scores = Callable[[list[Answered]], list[float]]


def by_model(path: str, tokenizer, **place: Any) -> Scores:
    """Scores of the reward model at `path`, loaded with `place`, for answers written with `tokenizer`.

    Where the reward model has the same tokenizer, it reads the very tokens that were sampled; otherwise it reads the
    text, rendered with its own template.
    """
    return reader(trained(path, **place), load_tokenizer(path), tokenizer)


def reader(model, own, tokenizer) -> Scores:
    """Scores of a loaded reward model whose tokenizer is `own`; as `by_model`."""
    same = own.get_vocab() == tokenizer.get_vocab() and own.chat_template == tokenizer.chat_template

    def reread(row: Answered) -> Dialogue:
        turns = (*row.prompt.messages, Message("assistant", row.text))
        return Dialogue(turns, plain=row.prompt.plain, where=row.prompt.where)

    def score(rows: list[Answered]) -> list[float]:
        seen = [as_sequence(row) for row in rows] if same else render_all(own, map(reread, rows))
        return model_scores(model, seen)

    return score


def by_models(config, tokenizer) -> Scores:
    """Scores of the reward model, or of it and `reward_ensemble` together; bounded where `reward_reference` is given.

    Args:
        config: reward_model_name_or_path, reward_ensemble, reward_combine, reward_caution, reward_reference, and how to
            load a model.
    """
    members = _members(config, tokenizer)

    def score(rows: list[Answered]) -> list[float]:
        return combine(_table(members, rows), config.reward_combine, caution=config.reward_caution).tolist()

    return _against_reference(score, config.reward_reference, tokenizer) if config.reward_reference else score


def disagreement_of(config, tokenizer) -> Scores:
    """By how much the members of the ensemble differ on each answer: a standard deviation."""
    members = [by_model(path, tokenizer, **_place(config, path)) for path in _paths(config)]
    return lambda rows: disagreement(_table(members, rows)).tolist()


def _members(config, tokenizer) -> list[Scores]:
    paths = _paths(config)
    if config.reward_combine != "warm":
        return [by_model(path, tokenizer, **_place(config, path)) for path in paths]
    # whole weights: the mean of two adapters' factors is not the mean of what they add
    models = [trained(path, dtype=config.dtype, device=config.device) for path in paths]
    return [reader(averaged(models), load_tokenizer(paths[0]), tokenizer)]


def _paths(config) -> list[str]:
    return [config.reward_model_name_or_path, *config.reward_ensemble]


def _place(config, path: str) -> dict[str, Any]:
    """How a member is loaded: adapters of one base as views of it, so that its weights are in memory once."""
    return config.frozen | ({"lora": Lora(trained=False)} if is_adapter(path) else {})


def _table(members: list[Scores], rows: list[Answered]) -> torch.Tensor:
    """(K, N) scores of every member."""
    return torch.tensor([member(rows) for member in members], dtype=torch.float64)


def _against_reference(score: Scores, file: Path, tokenizer) -> Scores:
    """σ(score - mean score of the reference answers to the same prompt), which `baro sample` wrote to `file`."""
    prompts = read_prompts([file]).rows
    known: dict[tuple[Message, ...], float] = {}
    for prompt in prompts:
        texts = prompt.columns.get("completions")
        if not isinstance(texts, list) or not texts:
            raise DataError("found no column `completions`.", where=prompt.where, hint="Write it with baro sample.")
        said = [_answered(prompt, text, tokenizer) for text in texts]
        values = score(said)
        known[prompt.messages] = sum(values) / len(values)

    def against(rows: list[Answered]) -> list[float]:
        missing = next((row.prompt for row in rows if row.prompt.messages not in known), None)
        if missing is not None:
            hint = "Sample answers to all prompts with the SFT model: baro sample."
            raise DataError(f"{file} has no reference answer to this prompt.", where=missing.where, hint=hint)
        reference = torch.tensor([known[row.prompt.messages] for row in rows], dtype=torch.float64)
        return bounded(torch.tensor(score(rows), dtype=torch.float64), reference).tolist()

    return against


def _answered(prompt: Prompt, text: str, tokenizer) -> Answered:
    """An answer given as text, as if it had been sampled."""
    turns = (*prompt.messages, Message("assistant", text))
    sequence = render_all(tokenizer, [Dialogue(turns, prompt.plain, prompt.where)])[0]
    start = len(sequence.tokens) - sequence.count
    return Answered(prompt, sequence.tokens[:start], Answer(sequence.tokens[start:], [], True), text)


def by_function(name: str, args: dict | None = None, *, seconds: float | None = None) -> Scores:
    """Scores of a Python reward function, which may take so many seconds for all answers of a call."""
    function = load_function(name, args)

    def score(rows: list[Answered]) -> list[float]:
        prompts = [[{"role": turn.role, "content": turn.content} for turn in row.prompt.messages] for row in rows]
        texts, columns = [row.text for row in rows], [row.prompt.columns for row in rows]
        wheres = [row.prompt.where for row in rows]
        return function_scores(function, prompts, texts, columns, wheres=wheres, seconds=seconds)

    return score


def scorer(config, tokenizer) -> Scores | None:
    """The weighted sum of a reward model's and the functions' scores (weights in that order; 1 each by default).

    Args:
        config: reward_funcs, reward_weights, reward_timeout and what `by_models` reads.

    Returns:
        None when there is neither: then an environment pays everything.
    """
    parts = [by_function(name, seconds=config.reward_timeout) for name in config.reward_funcs]
    if config.reward_model_name_or_path:
        parts.insert(0, by_models(config, tokenizer))
    if not parts:
        return None
    weights = list(config.reward_weights or [1.0] * len(parts))

    def score(rows: list[Answered]) -> list[float]:
        columns = [part(rows) for part in parts]
        return [sum(w * s for w, s in zip(weights, row, strict=True)) for row in zip(*columns, strict=True)]

    return score


def environment(config) -> Environment | None:
    """The environment that `environment` and `environment_args` name, if any."""
    return load_environment(config.environment, config.environment_args) if config.environment else None
