"""What a model thought of tokens: their log-probabilities under the model itself, and the likeliest in their place."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

import torch
from torch import Tensor

from baro.models import attention, trunk
from baro.models.logits import head_of

_ROWS = 256
"""Positions whose logits are held at a time."""


@dataclass(frozen=True)
class Noted:
    """One token.

    Attributes:
        log_prob: nats, at temperature 1 and before any filter.
        tops: (token, log-probability) of the most probable tokens in its place, the first first.
    """

    log_prob: float
    tops: list[tuple[int, float]]


def noted(logits: Tensor, tokens: Items[int], tops: int) -> list[Noted]:
    """(N, V) logits and the N tokens that came; `tops` of the most probable are noted with each."""
    logs = torch.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), -1)
    own = logs.gather(1, torch.tensor(tokens, device=logs.device)[:, None]).squeeze(1).tolist()
    best = logs.topk(min(tops, logs.shape[1]), 1)
    pairs = [list(zip(*row, strict=True)) for row in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
    return [Noted(log_prob, row) for log_prob, row in zip(own, pairs, strict=True)]


@torch.no_grad()
def read(model, rows: Items[list[int]], tops: int) -> list[list[Noted]]:
    """What a model with our attention, in eval mode, thinks of every token of each row but the first."""
    if not rows:
        return []
    lengths = tuple(len(row) for row in rows)
    tokens = torch.tensor([token for row in rows for token in row], device=model.device)
    positions = torch.cat([torch.arange(length, device=model.device) for length in lengths])
    states = trunk.run(model, tokens, positions, attention.packed(lengths, model.device))
    head, found = head_of(model), []
    for start, row in zip(torch.tensor((0, *lengths)).cumsum(0).tolist(), rows, strict=False):
        thoughts = list[Noted]()
        for at in range(0, len(row) - 1, _ROWS):
            end = min(at + _ROWS, len(row) - 1)
            thoughts += noted(head.logits(states[start + at : start + end]), row[at + 1 : end + 1], tops)
        found.append(thoughts)
    return found
