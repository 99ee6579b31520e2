"""Attention of a packed row sequence by sequence, a prompt's part computed once for all answers to it (CPU).

Nothing is padded and nothing moved: each call reads and writes slices of the row. Answers that follow the first one to
a prompt attend to themselves, causally, and in one further call all together to the prompt. The two results of a token
are added as their sums of exponentials say, which is exact:

    o = o_own e^(l_own - l) + o_prompt e^(l_prompt - l),   l = log(e^l_own + e^l_prompt)

Backward, the same two calls are given the joint o and l; then each yields its part of the gradient (Liu et al. 2023,
2310.01889, use this over rings of devices).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Segments(NamedTuple):
    """How R tokens attend.

    Attributes:
        own: (start, end) of every sequence, without what it shares with an earlier one.
        across: (start, end, first, last): tokens start … end also attend to all of first … last, a prompt before them.
    """

    own: tuple[tuple[int, int], ...]
    across: tuple[tuple[int, int, int, int], ...]

    def calls(self) -> int:
        """Calls of the kernel."""
        return len(self.own) + len(self.across)

    def cost(self) -> int:
        """Work in the units of `attention.bucket`, calls apart."""
        own = sum((end - start) * (end - start + 32) for start, end in self.own)
        return own + sum((end - start) * (2 * (last - first) + 32) for start, end, first, last in self.across)


def divide(lengths: tuple[int, ...], shared: tuple[tuple[int, int], ...]) -> Segments:
    """The segments of sequences with these lengths, end to end without the `shared` tokens (see `core.types.Batch`).

    Those that stand side by side and share the same tokens ask them in one call.
    """
    own, across, starts, filled = [], list[tuple[int, int, int, int]](), [], 0
    for length, (owner, common) in zip(lengths, shared or ((0, 0),) * len(lengths), strict=True):
        start, filled = filled, filled + length - common
        starts.append(start)
        own.append((start, filled))
        if common and filled > start:
            first, last = starts[owner], starts[owner] + common
            before = across[-1] if across else None
            if before is not None and before[1:] == (start, first, last):
                across[-1] = (before[0], filled, first, last)
            else:
                across.append((start, filled, first, last))
    return Segments(tuple(part for part in own if part[0] < part[1]), tuple(across))


def attend(query: Tensor, key: Tensor, value: Tensor, segments: Segments, scaling: float | None) -> Tensor:
    """(1, H, R, Dh) queries, (1, Hkv, R, Dh) keys and values → (1, R, H, Dh)."""
    return _Attend.apply(query, key, value, segments, scaling)


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, segments: Segments, scaling):
        output = query.new_empty(1, query.shape[2], query.shape[1], query.shape[3]).transpose(1, 2)
        total = query.new_empty(query.shape[:3])
        for start, end in segments.own:
            rows = slice(start, end)
            parts = (part[:, :, rows] for part in (query, key, value))
            output[:, :, rows], total[:, :, rows] = _forward(*parts, 0.0, True, scale=scaling)
        for start, end, first, last in segments.across:
            rows, seen = slice(start, end), slice(first, last)
            found, sums = _forward(query[:, :, rows], key[:, :, seen], value[:, :, seen], 0.0, False, scale=scaling)
            both = torch.logaddexp(total[:, :, rows], sums)
            output[:, :, rows] *= (total[:, :, rows] - both).exp_()[..., None]
            output[:, :, rows].addcmul_(found, (sums - both).exp_()[..., None])
            total[:, :, rows] = both
        ctx.save_for_backward(query, key, value, output, total)
        ctx.segments, ctx.scaling = segments, scaling
        return output.transpose(1, 2)

    @staticmethod
    def backward(ctx, slope):
        query, key, value, output, total = ctx.saved_tensors
        slope = slope.transpose(1, 2)
        slopes = [torch.empty_like(part) for part in (query, key, value)]

        def part(rows: slice, seen: slice, causal: bool):
            given = slope[:, :, rows], query[:, :, rows], key[:, :, seen], value[:, :, seen]
            return _backward(*given, output[:, :, rows], total[:, :, rows], 0.0, causal, scale=ctx.scaling)

        for start, end in ctx.segments.own:
            rows = slice(start, end)
            for whole, found in zip(slopes, part(rows, rows, True), strict=True):
                whole[:, :, rows] = found
        for start, end, first, last in ctx.segments.across:
            rows, seen = slice(start, end), slice(first, last)
            places = (rows, seen, seen)
            for whole, where, found in zip(slopes, places, part(rows, seen, False), strict=True):
                whole[:, :, where] += found
        return *slopes, None, None
