"""One way to score answers, whatever gives the score: a reward model, Python functions, or both."""

from __future__ import annotations

from collections.abc import Callable

from baro.data.records import Dialogue, Message
from baro.data.templates import render_all
from baro.evals.answers import Answered, as_sequence
from baro.models.load import load_tokenizer
from baro.rewards.environment import Environment, load_environment
from baro.rewards.functions import function_scores, load_function
from baro.rewards.model import model_scores, trained

Scores = Callable[[list[Answered]], list[float]]


def by_model(path: str, tokenizer, *, dtype: str = "auto", device: str = "auto") -> Scores:
    """Scores of the reward model at `path` for answers written with `tokenizer`.

    Where the reward model has the same tokenizer, it reads the very tokens that were sampled; otherwise it reads the
    text, rendered with its own template.
    """
    model = trained(path, dtype=dtype, device=device)
    own = load_tokenizer(path)
    same = own.get_vocab() == tokenizer.get_vocab() and own.chat_template == tokenizer.chat_template

    def reread(row: Answered) -> Dialogue:
        turns = (*row.prompt.messages, Message("assistant", row.text))
        return Dialogue(turns, plain=row.prompt.plain, where=row.prompt.where)

    def score(rows: list[Answered]) -> list[float]:
        seen = [as_sequence(row) for row in rows] if same else render_all(own, map(reread, rows))
        return model_scores(model, seen)

    return score


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
        config: reward_model_name_or_path, reward_funcs, reward_weights, reward_timeout, dtype, device.

    Returns:
        None when there is neither: then an environment pays everything.
    """
    parts = [by_function(name, seconds=config.reward_timeout) for name in config.reward_funcs]
    if config.reward_model_name_or_path:
        path = config.reward_model_name_or_path
        parts.insert(0, by_model(path, tokenizer, dtype=config.dtype, device=config.device))
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
