"""Heads with one output: scores of a reward model, values of a critic.

A reward model's scores are normalised as gain · output + bias (Ziegler et al. 2019, section 2.1: mean 0, variance 1 on
reference answers). Both numbers live in the model's configuration, so they are saved and loaded with it.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from statistics import fmean, pstdev

import torch
from torch import nn

from baro.core.errors import BaroError


def score_layer(model) -> nn.Module:
    """The layer from hidden states to one number.

    Errors: BaroError when the model has none, as a language model has not.
    """
    layer = getattr(model, "score", None)
    if not isinstance(layer, nn.Module):
        raise BaroError(
            f"{type(model).__name__} has no score head.",
            hint="Load it with baro.models.load.reward_model or value_model.",
        )
    return layer


def initialise_head(model, *, seed: int) -> None:
    """Weights from N(0, 1/√(D+1)), the head of Ziegler et al. 2019 and Stiennon et al. 2020 (a standard deviation)."""
    layer = score_layer(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.dim() < 2:
                parameter.zero_()
                continue
            drawn = torch.randn(parameter.shape, generator=generator) * (parameter.shape[-1] + 1) ** -0.5
            parameter.copy_(drawn)


def zero_head(model) -> None:
    """Every value becomes exactly 0."""
    with torch.no_grad():
        for parameter in score_layer(model).parameters():
            parameter.zero_()


def normalisation(model) -> tuple[float, float]:
    """(gain, bias) of the scores; (1, 0) until `normalise` was called."""
    return getattr(model.config, "reward_gain", 1.0), getattr(model.config, "reward_bias", 0.0)


def normalise(model, reference: Items[float]) -> tuple[float, float]:
    """Give scores mean 0 and variance 1 (population) over reference answers; the ranking is unchanged.

    Args:
        model: its configuration receives reward_gain and reward_bias.
        reference: scores of the reference answers, as the model gives them now.

    Returns:
        The new (gain, bias). Scores that do not vary are only centred.
    """
    if not reference:
        raise BaroError("no reference scores to normalise with.", hint="Give at least one reference answer.")
    mean, spread = fmean(map(float, reference)), pstdev(map(float, reference))
    gain, bias = normalisation(model)
    spread = spread or 1.0
    model.config.reward_gain, model.config.reward_bias = gain / spread, (bias - mean) / spread
    return normalisation(model)
