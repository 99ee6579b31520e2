"""The trunk of a model over one row of tokens: THE way to hidden states, whoever asks and whichever way is fastest."""

from __future__ import annotations

import torch
from torch import Tensor

from baro.models import attention, blocks, invariant
from baro.models.attention import Plan
from baro.models.recompute import recomputed
from baro.models.shared import is_view
from baro.models.support import support


def run(model, tokens: Tensor, positions: Tensor, plan: Plan, at: Tensor | None = None) -> Tensor:
    """Last hidden states of one row: (T,) int64 tokens and positions → (T, D), or (n, D) of the n tokens `at`.

    On a CPU models of the usual layers go through `blocks`. All others go through transformers' modules, and so do
    those in half precision, with recomputed layers or in the exact mode. Views of one base do, too: a policy with a
    fresh adapter and its reference are the same to the last bit only where both are computed alike.
    """
    rules, base = support(model).blocks, model.base_model
    whole = tokens.device.type == "cpu" and model.dtype in (torch.float32, torch.float64)
    if rules and whole and not (invariant.active() or recomputed(model) or is_view(model)):
        return blocks.run(base, rules, tokens, positions, plan, at)
    states = attention.run(base, tokens, positions, plan)
    return states if at is None else states.index_select(0, at)
