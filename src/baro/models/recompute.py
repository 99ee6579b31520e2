"""Gradient checkpointing: each layer keeps its input only, and is run again in the backward pass.

Memory of the activations falls by a factor of about the operations in a layer; an update costs one more forward pass.
Works in train and in eval mode (preference methods run without dropout). Chen et al. 2016, arXiv:1604.06174.
"""

from __future__ import annotations

from functools import partial
from weakref import WeakSet

import torch
from torch.utils.checkpoint import checkpoint

from baro.core.errors import ConfigError

_recomputed: WeakSet = WeakSet()


def recomputed(model) -> bool:
    """Whether `recompute_layers` was called for this model."""
    return model in _recomputed


def recompute_layers(model) -> None:
    """Let every layer of `model` be recomputed; the gradients are those of before, dropout included.

    Errors: ConfigError for an architecture whose layers transformers does not mark.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise ConfigError(
            f"{type(model).__name__} has no layers that can be recomputed.", hint="Set gradient_checkpointing=false."
        )
    for layer in layers:
        layer.forward = partial(_again, layer.forward)
    _recomputed.add(model)


def _again(forward, *args, **options):
    if not torch.is_grad_enabled():
        return forward(*args, **options)
    return checkpoint(forward, *args, use_reentrant=False, **options)
