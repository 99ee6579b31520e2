"""One set of frozen weights, many models over it.

A view is a model of its own (modules, configuration, whatever an adapter adds) whose weights are the very tensors of a
base. Nothing is switched on or off between two models, so nothing of one can be left on in another: the reference of
PPO is the base without adapters because no adapter was ever put into its modules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch
from torch import nn

_bases: WeakValueDictionary = WeakValueDictionary()
_parents: WeakKeyDictionary = WeakKeyDictionary()


def frozen(key: Hashable, load: Callable[[], Any]):
    """The base known as `key`, loaded if no view of it is alive; no gradient ever reaches its weights."""
    base = _bases.get(key)
    if base is None:
        base = load().requires_grad_(False)
        _bases[key] = base
    return base


def is_view(model) -> bool:
    """Whether the weights of `model` are those of a base that other models may have, too."""
    return model in _parents


def view(base, *, score: bool):
    """A model over the weights of `base`.

    Args:
        score: with a head of one output, float32 at least: the base's own, copied, or an empty one.
    """
    weights = {id(parameter): parameter for parameter in base.parameters()}
    head = getattr(base, "score", None)
    if isinstance(head, nn.Module):  # trained as a whole, so it is nobody else's
        weights = {key: value for key, value in weights.items() if key not in set(map(id, head.parameters()))}
    model = copy.deepcopy(base, dict(weights))
    if score and not isinstance(head, nn.Module):
        model = _scoring(model)
    if score:
        model.score.to(torch.promote_types(base.dtype, torch.float32))
    _parents[model] = base
    return model


def _scoring(model):
    """The trunk of a language model under a head of one output."""
    from transformers import AutoModelForSequenceClassification

    config = model.config
    config.num_labels = 1
    with torch.device("meta"):
        scoring: Any = AutoModelForSequenceClassification.from_config(config)
    setattr(scoring, scoring.base_model_prefix, model.base_model)
    scoring.score.to_empty(device=model.device)
    scoring.config = config  # the trunk's own object: what is set in one must be set in the other
    assert not any(parameter.is_meta for parameter in scoring.parameters())
    return scoring.eval()
