"""The clipped losses of proximal policy optimisation and the two figures that say how far a step went.

N tokens the policy chose. Source throughout: Schulman et al. 2017 (1707.06347).
"""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_policy(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, *, clip_low: float, clip_high: float
) -> Tensor:
    """Clipped surrogate: max(-A rho, -A clip(rho, 1 - low, 1 + high)), rho = exp(log_probs - old_log_probs).

    Args:
        log_probs: (N,) nats under the policy being trained.
        old_log_probs: (N,) nats under the policy that sampled, at the same temperature; no gradient.
        advantages: (N,) reward units; no gradient.
        clip_low: how far the ratio may fall below 1 and still be rewarded for it.
        clip_high: how far it may rise above 1. Equal to `clip_low` in PPO; larger in DAPO (2503.14476), "clip-higher".

    Returns:
        (N,) a loss, to be minimised.

    Source: eq. 7, negated.
    """
    free, clipped = _surrogates(log_probs, old_log_probs, advantages, clip_low, clip_high)
    return torch.maximum(free, clipped)


def clipped_fraction(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, *, clip_low: float, clip_high: float
) -> Tensor:
    """1.0 where the clip binds, which is where `clipped_policy` has no gradient; else 0.0.

    Args: as for `clipped_policy`.

    Returns:
        (N,) float. Its mean is the `clipfrac` of the literature.
    """
    free, clipped = _surrogates(log_probs, old_log_probs, advantages, clip_low, clip_high)
    return (clipped > free).to(log_probs.dtype)


def _surrogates(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_low: float, clip_high: float
) -> tuple[Tensor, Tensor]:
    ratios = (log_probs - old_log_probs).exp()
    return -advantages * ratios, -advantages * ratios.clamp(1 - clip_low, 1 + clip_high)


def clipped_value(values: Tensor, old_values: Tensor, returns: Tensor, *, clip: float | None) -> Tensor:
    """Half the squared error of the value, the worse of the free and the clipped prediction.

    Args:
        values: (N,) reward units, by the value model being trained.
        old_values: (N,) at the time of sampling; no gradient.
        returns: (N,) the targets; no gradient.
        clip: how far a value may move from its old value and still be paid for it; None: plain squared error.

    Returns:
        (N,) 0.5 max((v - R)^2, (v_old + clip(v - v_old, -c, c) - R)^2).

    Source: Schulman et al. 2016 (1506.02438) for the error; the clip is Ziegler et al. 2019 (1909.08593), their code.
    """
    free = (values - returns).square()
    if clip is None:
        return 0.5 * free
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum(free, (near - returns).square())


def approx_kl(log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    """How far the policy moved since it sampled: 0.5 (log_probs - old_log_probs)^2.

    Args:
        log_probs: (N,) nats under the policy now.
        old_log_probs: (N,) nats under the policy that sampled.

    Returns:
        (N,) nats, never negative; its mean approximates KL(old || now) to second order.

    Source: Stiennon et al. 2020 (2009.01325), their code.
    """
    return 0.5 * (log_probs - old_log_probs).square()
