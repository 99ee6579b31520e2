"""Credit: where a score is placed, how it is spread over the tokens, and how advantages are scaled.

Tokens are (B, T), right-padded: `acts` is True where the policy chose the token. Entries it does not select may hold
anything, NaN included, and come back as 0. Groups are (B, K): K answers to each of B prompts.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from baro.core.masked import masked_mean, masked_variance


def place_score(rewards: Tensor, acts: Tensor, scores: Tensor) -> Tensor:
    """Rewards with the score of every answer added once, at the last token the policy chose.

    Args:
        rewards: (B, T) per-token rewards.
        acts: (B, T) bool.
        scores: (B,) reward units. A row without a chosen token has nowhere to put its score.

    Returns:
        (B, T) a new tensor.

    Source: Ziegler et al. 2019 (1909.08593), eq. 2: the score is paid at the end, the KL at every token.
    """
    last = acts & (acts.flip(1).cumsum(1).flip(1) == 1)
    return torch.where(last, rewards + scores[:, None].to(rewards.dtype), rewards)


def gae(rewards: Tensor, values: Tensor, acts: Tensor, *, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation, and the returns the value model learns.

    Time counts chosen tokens only: tokens between two of them (another speaker's turn) cost no discount.

    Args:
        rewards: (B, T) reward units.
        values: (B, T) the value of the state in which each token was chosen. After the last one the value is 0.
        acts: (B, T) bool.
        gamma: discount per token; 1 in RLHF.
        lam: 0 = one-step error (low variance), 1 = reward-to-go minus value (no bias).

    Returns:
        advantages (B, T) and returns (B, T) = advantages + values; both 0 where `acts` is False.

    Source: Schulman et al. 2016 (1506.02438), eq. 16: A_t = delta_t + gamma lam A_{t+1},
    delta_t = r_t + gamma V_{t+1} - V_t.
    """
    zero = torch.zeros_like(values[:, 0])
    next_advantage, next_value = zero, zero
    advantages = torch.zeros_like(values)
    for t in range(values.shape[1] - 1, -1, -1):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantage = delta + gamma * lam * next_advantage
        next_advantage = torch.where(acts[:, t], advantage, next_advantage)
        next_value = torch.where(acts[:, t], values[:, t], next_value)
        advantages[:, t] = torch.where(acts[:, t], advantage, zero)
    return advantages, torch.where(acts, advantages + values, torch.zeros_like(values))


def whiten(values: Tensor, mask: Tensor, *, keep_mean: bool = False) -> Tensor:
    """Values scaled to variance 1 and, unless `keep_mean`, shifted to mean 0, over the entries the mask selects.

    The variance is the population's (divided by n, not n - 1): the reference implementations of RLHF use it, and
    answers of one token would otherwise give 0 / 0.

    Args:
        values: (...) any shape.
        mask: (...) bool, the entries that count.
        keep_mean: add the mean back after scaling (used for rewards, whose level means something).

    Returns:
        (...) 0 where the mask is False; equal values give 0 (or their mean).

    Source: Ziegler et al. 2019 (1909.08593), their code: (x - mean) rsqrt(variance + 1e-8).
    """
    mean = masked_mean(values, mask)
    white = (values - mean) * (masked_variance(values, mask) + 1e-8).rsqrt()
    return torch.where(mask, white + mean if keep_mean else white, torch.zeros_like(values))


def leave_one_out(scores: Tensor) -> Tensor:
    """Each answer's score less the mean score of the other answers to its prompt.

    Args:
        scores: (B, K) reward units.

    Returns:
        (B, K), summing to 0 in each row; 0 where K is 1, for there is nothing to compare with.

    Source: Ahmadian et al. 2024 (2402.14740), section 3.3; Kool et al. 2019.
    """
    k = scores.shape[-1]
    return (scores - scores.mean(-1, keepdim=True)) * (k / (k - 1) if k > 1 else 0.0)


def group_relative(scores: Tensor, *, scale: Literal["group", "batch", "none"]) -> Tensor:
    """Each answer's score less the mean score of its prompt's answers, in units of a standard deviation.

    The deviation is the population's (divided by K), so that for scores of 0 and 1 and a success rate p the advantages
    are sqrt((1 - p) / p) and -sqrt(p / (1 - p)). TRL divides by K - 1 and adds 1e-4.

    Args:
        scores: (B, K) reward units.
        scale: the deviation of each prompt's answers ("group", GRPO), of all scores together ("batch"), or none
            (Dr. GRPO), where the advantages stay in reward units.

    Returns:
        (B, K), summing to 0 in each row. Answers that all score the same get 0.

    Source: Shao et al. 2024 (2402.03300), section 4.1.2; "none": Liu et al. 2025 (2503.20783), section 3.2.
    """
    wide = scores.double()
    same = wide.amax(-1, keepdim=True) == wide.amin(-1, keepdim=True)  # rounding of the mean must not become a signal
    centred = torch.where(same, 0.0, wide - wide.mean(-1, keepdim=True))
    if scale == "group":
        centred = centred / torch.where(same, 1.0, wide.std(-1, correction=0, keepdim=True))
    elif scale == "batch" and not bool(same.all()):
        centred = centred / wide.std(correction=0)
    return centred.to(scores.dtype)


def overlong(lengths: Tensor, *, longest: int, margin: int) -> Tensor:
    """What an answer pays for coming near the length limit: 0, then down in a line to -1 at the limit.

    Args:
        lengths: (N,) tokens.
        longest: the limit, tokens.
        margin: tokens before the limit over which the price rises, >= 1.

    Returns:
        (N,) float32 reward units: 0 up to longest - margin, (longest - margin - length) / margin up to longest,
        -1 beyond.

    Source: Yu et al. 2025 (2503.14476, DAPO), eq. 13.
    """
    return ((longest - margin - lengths) / margin).clamp(min=-1.0, max=0.0).to(torch.float32)


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """Share of the returns' variance that the values explain: 1 is a perfect critic, 0 no better than a constant.

    Args:
        values, returns: (N,) of the same states.
    """
    return float(1 - (returns - values).var(correction=0) / returns.var(correction=0).clamp(min=1e-8))
