"""How a model can be run: packed through our attention, or padded through its own. Found by trying, once a model.

Knowing every architecture by name would be wrong the day a new one appears. So each model is given eight tokens in two
sequences, packed, and the result compared with its own eager attention on each sequence alone.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from baro.models import attention
from baro.models.logits import head_of


@dataclass(frozen=True)
class Support:
    """What was found out about a model.

    Attributes:
        packed: packed rows give the hidden states that separate sequences give.
        plain_head: logits are what `head_of` says; False also for models without a language-modelling head.
    """

    packed: bool
    plain_head: bool


_known: WeakKeyDictionary = WeakKeyDictionary()


def support(model) -> Support:
    """What `model` allows; the first call sets its attention to ours if that works, and says so if it does not."""
    if model not in _known:
        _known[model] = _try(model)
        if not _known[model].packed:
            warnings.warn(
                f"{type(model).__name__} does not take packed rows; it runs padded through its own attention, slower.",
                stacklevel=3,
            )
    found = _known[model]
    if found.packed and model.config._attn_implementation != attention.NAME:
        model.set_attn_implementation(attention.NAME)  # somebody changed it since
    return found


class _Witness:
    """A packed plan that notes which layers asked it, and whether they named a window."""

    def __init__(self, plan: attention.Packed) -> None:
        self.plan, self.layers, self.windows = plan, set[int](), 0

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: attention.Rule) -> Tensor:
        self.layers.add(layer)
        self.windows += rule.window is not None
        return self.plan.attend(layer, query, key, value, rule)


@torch.no_grad()
def _try(model) -> Support:
    attention.register()
    config, device = model.config.get_text_config(), model.device
    own = model.config._attn_implementation
    modes = [(module, module.training) for module in model.modules()]
    tokens = torch.arange(2, 10, device=device) % config.vocab_size
    lengths = (3, 5)
    positions = torch.cat([torch.arange(length, device=device) for length in lengths])
    model.eval()
    try:
        model.set_attn_implementation("eager")
        outputs = [
            model.base_model(input_ids=part.unsqueeze(0), use_cache=False).last_hidden_state[0]
            for part in tokens.split(lengths)
        ]
        expected = torch.cat(outputs)
        plain_head = model.get_output_embeddings() is not None and _close(
            head_of(model).logits(outputs[0]), model(input_ids=tokens[None, :3], use_cache=False).logits[0]
        )
        packed = _packs(model, config, tokens, positions, lengths, expected)
    finally:
        for module, training in modes:
            module.training = training
    model.set_attn_implementation(attention.NAME if packed else own)
    return Support(packed, plain_head)


def _packs(model, config, tokens: Tensor, positions: Tensor, lengths: tuple[int, ...], expected: Tensor) -> bool:
    """Whether the packed row gives the expected hidden states, all layers asking our attention."""
    model.set_attn_implementation(attention.NAME)
    if model.config._attn_implementation != attention.NAME:
        return False
    witness = _Witness(attention.packed(lengths, tokens.device))
    try:
        found = attention.run(model.base_model, tokens, positions, witness)
    except Exception:  # whatever an architecture unknown to us objects to, its own way of running remains
        return False
    kinds = getattr(config, "layer_types", None) or []
    if set(kinds) - {"full_attention", "sliding_attention"} or witness.windows < kinds.count("sliding_attention"):
        return False
    return witness.layers == set(range(config.num_hidden_layers)) and _close(found, expected)


def _close(found: Tensor, expected: Tensor) -> bool:
    """Equal up to rounding: 1e-3 of the largest value in float32, 5e-2 in half precision."""
    tolerance = 5e-2 if expected.dtype in (torch.bfloat16, torch.float16) else 1e-3
    if found.shape != expected.shape:
        return False
    return float((found.to(expected.dtype) - expected).abs().max()) <= tolerance * float(expected.abs().max())
