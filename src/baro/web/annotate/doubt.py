"""Active order: the pairs first about which a reward model, or several together, are least sure."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence as Items

from baro.data.choices.store import Pair
from baro.data.records import Dialogue
from baro.data.templates import render_all
from baro.models.load import load_tokenizer
from baro.rewards.model import model_scores, trained

Places = Callable[[Items[Pair]], list[float]]
"""Pairs → where each belongs in the order, smallest first."""


def sureness(differences: Items[Items[float]]) -> list[float]:
    """How far the mean chance that a is preferred is from one half, for each pair: 0 unsure, 0.5 sure.

    Args:
        differences: for each reward model, score of a minus score of b for each pair. The chance is the mean of
            σ(difference) over the models, so models that contradict each other are as unsure together as one that
            cannot decide.
    """
    chances = ([_logistic(value) for value in each] for each in zip(*differences, strict=True))
    return [abs(sum(each) / len(each) - 0.5) for each in chances]


def by_models(paths: Items[str], *, device: str = "auto", dtype: str = "auto") -> Places:
    """Places by the reward models at `paths`; they are loaded once."""
    models = [(trained(path, dtype=dtype, device=device), load_tokenizer(path)) for path in paths]

    def places(pairs: Items[Pair]) -> list[float]:
        seen = [
            Dialogue((*pair.prompt, *answer), pair.plain, "a pair") for pair in pairs for answer in (pair.a, pair.b)
        ]
        scores = [model_scores(model, render_all(tokenizer, seen)) for model, tokenizer in models]
        return sureness([[a - b for a, b in zip(row[::2], row[1::2], strict=True)] for row in scores])

    return places


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))
