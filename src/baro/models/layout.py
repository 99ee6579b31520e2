"""Weights laid out for few rows at a time.

A product of few rows with a weight (out, in) spends much of its time on turning the weight about. A weight that lies in
memory as (in, out) spares that: on a CPU a decoding step's products take two thirds of the time. Shape and values of
the parameters stay what they are; only their strides change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from baro.models import invariant


@contextmanager
def for_few_rows(model) -> Iterator[None]:
    """Inside, the weights of linear layers lie as (in, out); afterwards as before, bit for bit.

    Only on a CPU, and never a weight that is an embedding's too: its rows are looked up. Where every token is to be
    computed alike (`invariant`) nothing changes.
    """
    found = _weights(model) if model.device.type == "cpu" and not invariant.active() else []
    for weight in found:
        weight.data = weight.data.t().contiguous().t()
    try:
        yield
    finally:
        for weight in found:
            weight.data = weight.data.contiguous()


def _weights(model) -> list[Tensor]:
    """The linear weights of a model that lie row after row and are no embedding's, each once."""
    looked_up = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    linear = {id(layer.weight): layer.weight for layer in model.modules() if isinstance(layer, nn.Linear)}
    return [weight for key, weight in linear.items() if key not in looked_up and weight.is_contiguous()]
