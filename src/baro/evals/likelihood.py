"""Likelihood of held-out text: nats per token and per character, bits per byte."""

from __future__ import annotations

import math
from collections.abc import Sequence as Items
from dataclasses import dataclass

import torch

from baro.core.types import Sequence
from baro.data.packing import micro_batches
from baro.models.forward import token_log_probs


@dataclass(frozen=True)
class Likelihood:
    """Mean negative log-likelihood, in three units. Special tokens are predicted but not counted."""

    nats_per_token: float
    nats_per_char: float
    bits_per_byte: float
    tokens: int


@torch.no_grad()
def mean_nats(model, sequences: Items[Sequence], *, max_tokens: int = 8192) -> float:
    """Nats per learnt token over all sequences together (a token-weighted mean); NaN when nothing is learnt."""
    total, count = 0.0, 0
    for batch in micro_batches(list(sequences), max_tokens=max_tokens):
        if batch.count:
            total -= float(token_log_probs(model, batch.to(model.device)).double().sum())
            count += batch.count
    return total / count if count else float("nan")


@torch.no_grad()
def likelihood(model, sequences: Items[Sequence], texts: Items[str], special: Items[int]) -> Likelihood:
    """How well `model` predicts `texts`.

    Args:
        model: a causal language model.
        sequences: the tokenised texts (in pieces, each token learnt once).
        texts: the same texts, whose characters and UTF-8 bytes are the denominators.
        special: ids of special tokens, which stand for no character and are left out.
    """
    ids = torch.tensor(sorted(special), device=model.device)
    nats, tokens = 0.0, 0
    for batch in micro_batches(list(sequences), max_tokens=8192):
        batch = batch.to(model.device)
        ordinary = ~torch.isin(batch.tokens[batch.learn], ids)
        nats -= float(token_log_probs(model, batch).double()[ordinary].sum())
        tokens += int(ordinary.sum())
    chars, size = sum(map(len, texts)), sum(len(text.encode()) for text in texts)
    return Likelihood(nats / max(tokens, 1), nats / max(chars, 1), nats / max(size, 1) / math.log(2), tokens)
