"""Next-token prediction and the units its loss is reported in."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def next_token(log_probs: Tensor) -> Tensor:
    """Negative log-likelihood of every learnt token.

    Args:
        log_probs: (N,) nats, the model's log-probability of each token given the tokens before it.

    Returns:
        (N,) nats, -log p(x_t | x_<t). Its sum is the loss of the micro-batch.
    """
    return -log_probs


def perplexity(nats_per_token: float) -> float:
    """exp of the mean loss: the size of a uniform choice as hard as this one; inf where the exponential overflows."""
    return torch.tensor(nats_per_token, dtype=torch.float64).exp().item()


def bits_per_byte(nats: float, bytes: int) -> float:
    """Loss that does not depend on the tokenizer: nats / (bytes * ln 2).

    Args:
        nats: SUMMED loss of a text, not its mean.
        bytes: length of the same text in UTF-8 bytes, more than 0.
    """
    return nats / (bytes * math.log(2))
