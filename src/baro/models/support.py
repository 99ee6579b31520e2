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

from baro.models import attention, blocks
from baro.models.logits import head_of


@dataclass(frozen=True)
class Support:
    """What was found out about a model.

    Attributes:
        packed: packed rows give the hidden states that separate sequences give.
        plain_head: logits are what `head_of` says; False also for models without a language-modelling head.
        blocks: the rules by which its layers attend, for `blocks.run`; None where that does not compute the same.
    """

    packed: bool
    plain_head: bool
    blocks: tuple[attention.Rule, ...] | None = None


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
    """A packed plan that notes which layers asked it, and by which rules they attend."""

    def __init__(self, plan: attention.Packed) -> None:
        self.plan, self.rules = plan, dict[int, attention.Rule]()

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: attention.Rule) -> Tensor:
        self.rules[layer] = rule
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
        rules = _packs(model, config, tokens, positions, lengths, expected)
        alike = rules is not None and _blocks(model, tokens, positions, lengths, expected, rules)
    finally:
        for module, training in modes:
            module.training = training
    model.set_attn_implementation(attention.NAME if rules else own)
    return Support(rules is not None, plain_head, rules if alike else None)


def _packs(
    model, config, tokens: Tensor, positions: Tensor, lengths: tuple[int, ...], expected: Tensor
) -> tuple[attention.Rule, ...] | None:
    """The rules of the layers, if the packed row gives the expected hidden states, all layers asking our attention."""
    model.set_attn_implementation(attention.NAME)
    if model.config._attn_implementation != attention.NAME:
        return None
    witness = _Witness(attention.packed(lengths, tokens.device))
    try:
        found = attention.run(model.base_model, tokens, positions, witness)
    except Exception:  # whatever an architecture unknown to us objects to, its own way of running remains
        return None
    kinds = getattr(config, "layer_types", None) or []
    windows = sum(rule.window is not None for rule in witness.rules.values())
    if set(kinds) - {"full_attention", "sliding_attention"} or windows < kinds.count("sliding_attention"):
        return None
    layers = range(config.num_hidden_layers)
    whole = set(witness.rules) == set(layers) and _close(found, expected)
    return tuple(witness.rules[layer] for layer in layers) if whole else None


def _blocks(model, tokens: Tensor, positions: Tensor, lengths: tuple[int, ...], expected: Tensor, rules) -> bool:
    """Whether `blocks` knows the model's layers and gives the expected hidden states."""
    whole = tokens.device.type == "cpu" and expected.dtype in (torch.float32, torch.float64)
    if not whole or not blocks.known(model.base_model, rules):
        return False
    plan = attention.packed(lengths, tokens.device)
    return _close(blocks.run(model.base_model, rules, tokens, positions, plan), expected, 1e-5)


def _close(found: Tensor, expected: Tensor, tolerance: float = 1e-3) -> bool:
    """Equal up to rounding: this part of the largest value, 5e-2 in half precision."""
    if expected.dtype in (torch.bfloat16, torch.float16):
        tolerance = 5e-2
    if found.shape != expected.shape:
        return False
    return float((found.to(expected.dtype) - expected).abs().max()) <= tolerance * float(expected.abs().max())
