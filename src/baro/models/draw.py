"""Drawing the next token: one uniform number a token, turned into the token by the inverse of the distribution.

The number is a pure function of (seed, row, sample, step), so what is drawn does not depend on neighbours, on slots or
on order. It comes from SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from baro.models import invariant

_GAMMA = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_SPAN = 64


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        temperature: logits are divided by it; 0 takes the most probable token.
        top_k: only the k most probable tokens (ties with the k-th included); 0 means all.
        top_p: only the most probable tokens that together reach this probability (Holtzman et al. 2020); 1 means all.
        min_p: only tokens with at least this share of the largest probability (Nguyen et al. 2024); 0 means all.
        max_new_tokens: length limit of an answer, tokens.
        end_tokens: an answer ends with the first of these, which belongs to it.

    The filters apply in this order, each to what the one before has left, as in transformers.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    max_new_tokens: int = 64
    end_tokens: tuple[int, ...] = ()


def _mixed(word: np.ndarray) -> np.ndarray:
    """SplitMix64's output function on uint64 words; multiplication wraps."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def stream(seed: int, row: int, number: int) -> int:
    """The 64-bit state that the numbers of one answer start from."""
    state = 0
    for part in (seed, row, number):
        state = int(_mixed(np.array([(state + part * _GAMMA + _GAMMA) & _WORD], dtype=np.uint64))[0])
    return state


def uniforms(streams: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(B,) float64 in [0, 1): number `steps[b]` of `streams[b]`, both (B,) uint64; 53 random bits."""
    words = _mixed(streams + (steps + np.uint64(1)) * np.uint64(_GAMMA))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def draw(logits: Tensor, uniform: np.ndarray, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Choose a token a row.

    Args:
        logits: (B, V) float32 or wider. uniform: (B,) float64 in [0, 1).

    Returns:
        (B,) int64 tokens and (B,) float64 log-probabilities, nats, under the distribution drawn from: after
        temperature and filters. At temperature 0 that is 0: the choice is certain.
    """
    if sampling.temperature == 0:
        return logits.argmax(1), torch.zeros(len(logits), dtype=torch.float64, device=logits.device)
    scaled = logits if sampling.temperature == 1.0 else logits / sampling.temperature
    scaled = filtered(scaled, sampling)
    top = scaled.amax(1, keepdim=True)
    weights = torch.sub(scaled, top).exp_()
    tokens, total = _inverse(weights, torch.from_numpy(uniform).to(logits.device))
    if invariant.active():  # by the trainer's formula
        return tokens, torch.log_softmax(scaled, 1).gather(1, tokens[:, None]).squeeze(1).double()
    chosen = (scaled.gather(1, tokens[:, None]) - top).squeeze(1)
    return tokens, chosen.double() - total.log()


def filtered(logits: Tensor, sampling: Sampling) -> Tensor:
    """(B, V) logits with -inf at the tokens the filters of `sampling` exclude; the most probable token always stays."""
    if 0 < sampling.top_k < logits.shape[1]:
        smallest = logits.topk(sampling.top_k, 1).values[:, -1:]
        logits = logits.masked_fill(logits < smallest, -torch.inf)
    if sampling.top_p < 1:
        ordered, order = logits.softmax(1).sort(dim=1, descending=True, stable=True)
        before = ordered.cumsum(1) - ordered  # what more probable tokens already reach
        outside = before >= sampling.top_p
        outside[:, 0] = False
        logits = logits.masked_fill(torch.zeros_like(outside).scatter_(1, order, outside), -torch.inf)
    if sampling.min_p > 0:
        floor = logits.amax(1, keepdim=True) + float(np.log(sampling.min_p))
        logits = logits.masked_fill(logits < floor, -torch.inf)
    return logits


def _inverse(weights: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """The first token whose cumulative weight exceeds uniform · total, and the total: (B,) int64, (B,) float64.

    In two stages, spans of 64 tokens and then tokens of one span: summing is much faster than a cumulative sum.
    """
    rows, tokens = weights.shape
    if tokens % _SPAN:
        weights = torch.nn.functional.pad(weights, (0, _SPAN - tokens % _SPAN))
    spans = weights.view(rows, -1, _SPAN)
    reached = spans.sum(2).double().cumsum(1)
    target = uniform * reached[:, -1]
    span = (reached <= target[:, None]).sum(1, keepdim=True).clamp_(max=reached.shape[1] - 1)
    inside = spans.gather(1, span[:, :, None].expand(-1, -1, _SPAN)).squeeze(1).double()
    reached_inside = inside.cumsum(1)
    start = reached.gather(1, span).squeeze(1) - reached_inside[:, -1]
    # rounding may leave the target just outside its span; the last token with any weight is then meant
    limit = torch.nextafter(reached_inside[:, -1], torch.zeros_like(start))
    place = (reached_inside <= (target - start).clamp_(min=0).minimum(limit)[:, None]).sum(1)
    return span.squeeze(1) * _SPAN + place, reached[:, -1]
