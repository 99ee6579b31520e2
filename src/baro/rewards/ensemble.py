"""Several reward models as one: cautious scores, averaged weights, and a score that cannot run away.

    mean, min, lcb = mean - c·sd     Coste et al. 2023 (2310.02743): worst case and uncertainty-weighted
    warm                             Ramé et al. 2024 (2401.12187): one model with the members' mean weights
    σ(r - r_ref)                     Fu et al. 2025 (2502.18770), PAR: bounded, steepest at the reference's own score

The members come from one base with different seeds (or parts of the data): their heads then speak of the same features.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Literal

import torch
from torch import Tensor, nn

from baro.core.errors import BaroError
from baro.models.heads import normalisation

Combine = Literal["mean", "min", "lcb", "warm"]


def disagreement(scores: Tensor) -> Tensor:
    """(N,) standard deviation over the K members of (K, N) scores; 0 for one member."""
    return scores.std(0, correction=0)


def combine(scores: Tensor, how: Combine, *, caution: float = 1.0) -> Tensor:
    """(N,) one score of each answer from (K, N): the mean, the lowest, or mean - caution · standard deviation."""
    if how == "min":
        return scores.amin(0)
    return scores.mean(0) - (caution * disagreement(scores) if how == "lcb" else 0.0)


def bounded(scores: Tensor, reference: Tensor) -> Tensor:
    """σ(score - reference): between 0 and 1, one half for an answer that is worth the reference's.

    Args:
        scores: (N,). reference: (N,) the mean score of reference answers to the same prompt.
    """
    return torch.sigmoid(scores - reference)


def averaged(models: Items[nn.Module]) -> nn.Module:
    """The first of `models`, with the mean of all weights (and, of reward models, of gain and bias).

    Raises:
        BaroError: their weights differ in name or shape, so that a mean would mean nothing.
    """
    first, states = models[0], [model.state_dict() for model in models]
    shapes = [{name: tensor.shape for name, tensor in state.items()} for state in states]
    if any(shape != shapes[0] for shape in shapes):
        raise BaroError(
            "the reward models have different shapes, so their weights cannot be averaged.",
            hint="Train them from one base (another seed each), or use reward_combine=mean, min or lcb.",
        )
    mean = {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in states[0].items()
    }
    first.load_state_dict(mean)
    config = getattr(first, "config", None)
    if config is not None:
        gains, biases = zip(*(normalisation(model) for model in models), strict=True)
        config.reward_gain, config.reward_bias = sum(gains) / len(gains), sum(biases) / len(biases)
    return first
