"""Computing every token alike, whatever is computed beside it.

The kernel that multiplies matrices depends on their shape, and so do the last digits of the result: a token's
log-probability comes out a little different in a decoding step of 20 rows and in a training row of 3,000. Here every
product has one of a few shapes: linear layers take TILE rows at a time, and each token attends, on its own, to its
keys rounded up to whole blocks. Sampler and trainer then agree to the last bit, at several times the cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn.functional import linear, pad
from torch.overrides import TorchFunctionMode

TILE = 48
"""Rows of every product with a weight: whole numbers of the 4, 6, 8, 12 or 16 rows that a kernel takes at once, since
some take what is left over with another one, which rounds otherwise."""

BLOCK = 64
"""A token attends to this many keys, or a multiple of it, those behind it hidden."""

_active: ContextVar[bool] = ContextVar("batch invariant", default=False)


def active() -> bool:
    """Whether tokens are to be computed alike."""
    return _active.get()


@contextmanager
def batch_invariant(wanted: bool = True) -> Iterator[None]:
    """Inside, what a model computes for a token depends on that token and those before it alone, bit for bit.

    It holds on one kind of device, with one dtype and one number of threads, for models that run packed.
    """
    if not wanted:
        yield
        return
    token = _active.set(True)
    try:
        with _Tiled():
            yield
    finally:
        _active.reset(token)


ACTIVATIONS = {torch.nn.functional.silu, torch.nn.functional.gelu, torch.tanh, torch.sigmoid}
"""Computed so many numbers at a time, and the last few by another routine, which rounds otherwise."""


class _Tiled(TorchFunctionMode):
    """Products with a weight, TILE rows at a time; activations over whole tiles. The last is filled up with zeros."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is linear:
            return _tiled(lambda rows: func(rows, *args[1:], **kwargs), args[0])
        if func is torch.addmm and "out" not in kwargs:  # transformers' Conv1D: (bias, rows, weight)
            return _tiled(lambda rows: func(args[0], rows, *args[2:], **kwargs), args[1])
        if func in ACTIVATIONS:
            numbers = args[0].reshape(-1)
            whole = pad(numbers, (0, -len(numbers) % BLOCK))
            return func(whole, *args[1:], **kwargs)[: len(numbers)].view(args[0].shape)
        return func(*args, **kwargs)


def _tiled(product, rows: Tensor) -> Tensor:
    flat = rows.reshape(-1, rows.shape[-1])
    whole = pad(flat, (0, 0, 0, -len(flat) % TILE))
    done = torch.cat([product(part) for part in whole.split(TILE)])[: len(flat)]
    return done.view(*rows.shape[:-1], -1)


def blocks(place: int) -> int:
    """Keys that the token at this place attends to, those after it included: whole blocks."""
    return -(-(place + 1) // BLOCK) * BLOCK


def attend(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor, *, scaling: float | None, softcap: float | None
) -> Tensor:
    """Attention of one query a row: (n, H, Dh) with (n, Hkv, L, Dh) keys and values → (n, H, Dh).

    `seen`: (n, L) bool, the keys each query sees. L is a whole number of blocks.
    """
    rows, heads, size = query.shape
    asked = query.reshape(rows * key.shape[1], -1, size)
    keys, values = (part.reshape(-1, *part.shape[2:]).contiguous() for part in (key, value))
    scores = torch.bmm(asked, keys.transpose(1, 2)) * (size**-0.5 if scaling is None else scaling)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    hidden = ~seen[:, None].expand(-1, key.shape[1], -1).reshape(len(scores), 1, -1)
    return torch.bmm(torch.softmax(scores.masked_fill(hidden, -torch.inf), -1), values).view(rows, heads, size)


def causal(query: Tensor, key: Tensor, value: Tensor, rule) -> Tensor:
    """As `attention.causal`, each token on its own: (b, H, L, Dh), (b, Hkv, L, Dh) twice → (b, H, L, Dh)."""
    length, outputs = query.shape[2], []
    for start in range(0, length, BLOCK):
        part = query[:, :, start : start + BLOCK].transpose(1, 2)
        size, whole = part.shape[1], blocks(start)
        spread = (
            pad(one[:, :, :whole], (0, 0, 0, whole - min(whole, length)))[:, None].expand(-1, size, -1, -1, -1)
            for one in (key, value)
        )
        keys, values = (one.flatten(0, 1) for one in spread)
        behind = torch.arange(start, start + size)[:, None] - torch.arange(whole)
        seen = behind >= 0 if rule.window is None else (behind >= 0) & (behind < rule.window)
        seen = seen.to(query.device).repeat(len(query), 1)
        found = attend(part.flatten(0, 1), keys, values, seen, scaling=rule.scaling, softcap=rule.softcap)
        outputs.append(found.unflatten(0, (len(query), size)))
    return torch.cat(outputs, 1).transpose(1, 2)
