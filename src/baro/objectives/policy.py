"""The clipped losses of proximal policy optimisation, how they are added up, and how far a step went.

N tokens the policy chose, in S answers. Source where none is named: Schulman et al. 2017 (1707.06347).
"""

from __future__ import annotations

from typing import Literal

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


def whole_answers(log_probs: Tensor, old_log_probs: Tensor, lengths: Tensor, *, mean: bool) -> Tensor:
    """Log-probabilities whose ratio to the old ones is, at every token of an answer, the whole answer's ratio.

    Args:
        log_probs: (N,) nats under the policy being trained.
        old_log_probs: (N,) nats under the policy that sampled; no gradient.
        lengths: (S,) int64, tokens of each answer, summing to N.
        mean: False: the ratio of the answers' probabilities (RLOO); True: its |y|-th root, the geometric mean over
            tokens (GSPO), which does not shrink or explode with the length.

    Returns:
        (N,) nats, equal to `log_probs` for answers of one token.

    Source: Ahmadian et al. 2024 (2402.14740), eq. 8; Zheng et al. 2025 (2507.18071, GSPO), eq. 7.
    """
    moved = torch.stack([piece.sum() for piece in (log_probs - old_log_probs).split(lengths.tolist())])
    return old_log_probs + (moved / lengths.clamp(min=1) if mean else moved).repeat_interleave(lengths)


def token_weights(lengths: Tensor, *, per: Literal["token", "answer", "limit"], longest: int) -> Tensor:
    """What each token's loss counts, so that Σ w_t l_t / N is the aggregation wanted.

    Args:
        lengths: (S,) int64, tokens of every answer of the update, summing to N. Answers of length 0 count nowhere.
        per: "token": the mean over all tokens (DAPO); long answers count more. "answer": the mean over answers of
            their mean over tokens (GRPO); the tokens of long answers count less. "limit": the sum over tokens divided
            by answers times `longest` (Dr. GRPO); a token counts the same whatever the length.
        longest: the length limit, tokens.

    Returns:
        (N,) float32, all 1 for "token".

    Source: Shao et al. 2024 (2402.03300), eq. 3; Liu et al. 2025 (2503.20783), section 3.1; Yu et al. 2025
    (2503.14476), eq. 8.
    """
    total, answers = int(lengths.sum()), int((lengths > 0).sum())
    if per == "token":
        share = torch.ones(len(lengths))
    elif per == "answer":
        share = total / (max(answers, 1) * lengths.clamp(min=1).float())
    else:
        share = torch.full((len(lengths),), total / (max(answers, 1) * longest))
    return share.to(lengths.device).repeat_interleave(lengths)
