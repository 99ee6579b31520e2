"""Attention over packed rows, without masks: every sequence attends to itself alone.

A micro-batch is one row of T tokens, S sequences end to end. transformers' modules run unchanged on that row; the
attention function registered here under the name "baro" finds a `plan` among its keyword arguments and does what it
says. A training plan sorts the sequences into buckets of similar length, pads them inside attention only, runs one
`scaled_dot_product_attention(is_causal=True)` a bucket, and lays the results back into the row. Right-padding needs no
mask under causality: no real token comes after a padded one.

Without a plan (somebody calls the model as usual, `generate` for one) the function computes what transformers' own
attention computes, from the mask transformers builds.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from baro.models import invariant, segments
from baro.models.segments import Segments, divide

NAME = "baro"

_CALL = 3000
"""What one more block of attention costs on a CPU, in the units of `bucket`: 22 of them take about 1 µs on one core."""


class Rule(NamedTuple):
    """How one layer attends.

    Attributes:
        scaling: factor of the scores; None means 1/sqrt(head size).
        window: a token sees itself and the window - 1 tokens before it; None means all.
        softcap: scores become softcap * tanh(scores / softcap) before the softmax (Gemma 2); None means unchanged.
        dropout: probability of dropping an attention weight.
    """

    scaling: float | None
    window: int | None
    softcap: float | None
    dropout: float


class Plan(Protocol):
    """What attention does with the tokens of a row."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """(1, H, T, Dh) queries, (1, Hkv, T, Dh) keys and values → (1, T, H, Dh)."""
        ...


@dataclass(frozen=True, eq=False)
class Packed:
    """Self-attention within each of S sequences laid end to end, of which some may begin with tokens of others.

    The row has T tokens, of which R are computed: all, unless sequences share their beginnings.

    Attributes:
        buckets: (rows, length) of each padded block.
        moves: between the R tokens and the places of the blocks; None when the row already is one block.
        kept: (R,) int64, the tokens of the row that are computed. None in both when nothing is shared.
        home: (T,) int64, which of the R each token of the row is.
        segments: a cheaper way to the same on a CPU, for layers that see all that is before them.
    """

    buckets: tuple[tuple[int, int], ...]
    moves: Moves | None = None
    kept: Tensor | None = None
    home: Tensor | None = None
    segments: Segments | None = None

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """See `Plan.attend`."""
        if self.segments is not None and self._plain(rule):
            return segments.attend(query, key, value, self.segments, rule.scaling)
        parts = [part.squeeze(0).transpose(0, 1) for part in (query, key, value)]
        if self.moves is not None:
            parts = [_In.apply(part, self.moves) for part in parts]
        sizes = [rows * length for rows, length in self.buckets]
        outputs = []
        for (rows, length), *blocks in zip(self.buckets, *(part.split(sizes) for part in parts), strict=True):
            q, k, v = (block.reshape(rows, length, *block.shape[1:]).transpose(1, 2) for block in blocks)
            outputs.append(causal(q, k, v, rule).transpose(1, 2).flatten(0, 1))
        output = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        if self.moves is not None:
            output = _Out.apply(output, self.moves)
        return output.unsqueeze(0)

    def _plain(self, rule: Rule) -> bool:
        """Whether every token sees all tokens of its sequence before it, by products and a softmax alone."""
        far = rule.window is None or rule.window >= max(length for _, length in self.buckets)
        return far and rule.softcap is None and not rule.dropout and not invariant.active()


class Moves(NamedTuple):
    """How R tokens lie in padded blocks.

    Attributes:
        source: (places,) int64, the token at each place; places of padding repeat token 0.
        place: (R,) int64, the place of each token where its result is read.
        more, owner: (M,) int64, the further places of shared tokens, and which tokens they are; None without any.
    """

    source: Tensor
    place: Tensor
    more: Tensor | None
    owner: Tensor | None


class _In(torch.autograd.Function):
    """Tokens to places. The gradient of a token is the sum over its places; padding has none."""

    @staticmethod
    def forward(ctx, rows: Tensor, moves: Moves) -> Tensor:
        ctx.moves = moves
        return rows.index_select(0, moves.source)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        total = gradient.index_select(0, ctx.moves.place)
        if ctx.moves.more is not None:
            total.index_add_(0, ctx.moves.owner, gradient.index_select(0, ctx.moves.more))
        return total, None


class _Out(torch.autograd.Function):
    """Places to tokens: every token's result is read at one place, so no other place has a gradient."""

    @staticmethod
    def forward(ctx, rows: Tensor, moves: Moves) -> Tensor:
        ctx.place, ctx.places = moves.place, len(rows)
        return rows.index_select(0, moves.place)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        moved = gradient.new_zeros(ctx.places, *gradient.shape[1:])
        return moved.index_copy_(0, ctx.place, gradient), None


@lru_cache(maxsize=128)
def packed(lengths: tuple[int, ...], device: torch.device, shared: tuple[tuple[int, int], ...] = ()) -> Packed:
    """The plan of a row of sequences with these lengths (tokens); kept, because a micro-batch is often seen again.

    Args:
        shared: as in `core.types.Batch`.
    """
    if len(set(lengths)) == 1 and not shared:
        return Packed(((len(lengths), lengths[0]),))
    sizes = np.array(lengths)
    starts, place = sizes.cumsum() - sizes, np.empty(sizes.sum(), dtype=np.int64)
    source, shapes, filled = [], [], 0
    for members in bucket(lengths, call=_CALL if device.type == "cpu" else 100 * _CALL):
        shapes.append((len(members), int(sizes[members].max())))
        column = np.arange(shapes[-1][1])
        tokens, real = starts[members, None] + column, column < sizes[members, None]
        place[tokens[real]] = filled + np.flatnonzero(real)
        source.append(np.where(real, tokens, 0).ravel())
        filled += real.size
    one_by_one = _cheaper(divide(lengths, shared), shapes) if device.type == "cpu" else None
    if not shared:
        to, back = _on(device, np.concatenate(source), place)
        return Packed(tuple(shapes), Moves(to, back, None, None), segments=one_by_one)
    same = np.arange(len(place))  # the token of the row that each token is
    for start, (owner, length) in zip(starts, shared, strict=True):
        if length:
            same[start : start + length] = starts[owner] + np.arange(length)
    kept, home = np.unique(same, return_inverse=True)
    again = np.flatnonzero(same != np.arange(len(same)))
    moves = Moves(*_on(device, home[np.concatenate(source)], place[kept], place[again], home[again]))
    left, stands = _on(device, kept, home)
    return Packed(tuple(shapes), moves, left, stands, one_by_one)


def _cheaper(segments: Segments, buckets: Items[tuple[int, int]]) -> Segments | None:
    """The segments, if they cost less than padded blocks of these (rows, length)."""
    padded = sum(rows * length * (length + 32) + _CALL for rows, length in buckets)
    return segments if segments.cost() + _CALL * segments.calls() < padded else None


@torch.inference_mode(False)  # a plan is kept, and may be used in training next
def _on(device: torch.device, *arrays: np.ndarray) -> list[Tensor]:
    return [torch.from_numpy(array).to(device) for array in arrays]


def bucket(lengths: Items[int], *, call: int) -> list[list[int]]:
    """Group sequences of similar length at the least cost: indices into `lengths`, longest first.

    A block of n rows of length L costs n L (L + 32), its scores and its reading and writing; every block costs as much
    as `call` of these besides, for starting the operations. The best partition of the sorted lengths is found by
    dynamic programming.
    """
    sizes, counts = np.unique(np.array(lengths), return_counts=True)
    rows = np.concatenate([[0], counts.cumsum()])  # sequences among the shortest k lengths
    costs, first = [0], [0]
    for end in range(1, len(rows)):
        longest = int(sizes[end - 1])
        options = np.array(costs) + (rows[end] - rows[:end]) * longest * (longest + 32) + call
        first.append(int(options.argmin()))
        costs.append(int(options.min()))
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    groups, end = [], len(rows) - 1
    while end:
        groups.append(order[rows[first[end]] : rows[end]][::-1])
        end = first[end]
    return groups


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _band(length: int, window: int, device: torch.device) -> Tensor:
    """(length, length) bool: True where the key is the query itself or one of the window - 1 tokens before it."""
    place = torch.arange(length, device=device)
    behind = place[:, None] - place[None, :]
    return (behind >= 0) & (behind < window)


def causal(query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
    """Causal self-attention of padded rows: (b, H, L, Dh), (b, Hkv, L, Dh) twice → (b, H, L, Dh)."""
    length = query.shape[2]
    if invariant.active():
        return invariant.causal(query, key, value, rule)
    if rule.softcap is not None:
        return softcapped(query, key, value, _band(length, rule.window or length, query.device), rule)
    grouped = query.shape[1] != key.shape[1]
    if rule.window is not None and length > rule.window:
        band = _band(length, rule.window, query.device)
        return scaled_dot_product_attention(
            query, key, value, band, rule.dropout, scale=rule.scaling, enable_gqa=grouped
        )
    return scaled_dot_product_attention(
        query, key, value, dropout_p=rule.dropout, is_causal=True, scale=rule.scaling, enable_gqa=grouped
    )


def softcapped(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, rule: Rule) -> Tensor:
    """Attention whose scores are capped before the softmax, which fused kernels do not offer.

    Args:
        mask: bool, broadcast against (b, H, Lq, Lk); True where a query sees a key.
    """
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, 1) if groups > 1 else part for part in (key, value))
    scaling = query.shape[-1] ** -0.5 if rule.scaling is None else rule.scaling
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if rule.softcap is not None:
        scores = torch.tanh(scores / rule.softcap) * rule.softcap
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    precise = torch.float32 if scores.dtype in (torch.bfloat16, torch.float16) else scores.dtype
    weights = torch.softmax(scores, -1, dtype=precise).to(query.dtype)
    return torch.matmul(torch.nn.functional.dropout(weights, rule.dropout), value)


def attention(
    module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    plan: Plan | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_,
) -> tuple[Tensor, None]:
    """The function transformers calls in every layer; see the module's docstring. Returns ((B, T, H, Dh), None)."""
    rule = Rule(scaling, sliding_window, softcap, dropout)
    if plan is not None:
        return plan.attend(module.layer_idx, query, key, value, rule), None
    if attention_mask is None:
        assert query.shape[2] == 1, "the mask function always makes a mask where more than one token is asked about"
        attention_mask = torch.ones(1, 1, 1, key.shape[2], dtype=torch.bool, device=query.device)
    if softcap is not None:
        return softcapped(query, key, value, attention_mask, rule).transpose(1, 2), None
    grouped = query.shape[1] != key.shape[1]
    output = scaled_dot_product_attention(query, key, value, attention_mask, dropout, scale=scaling, enable_gqa=grouped)
    return output.transpose(1, 2), None


@lru_cache(maxsize=1)
def register() -> None:
    """Make "baro" known to transformers. Masks for calls without a plan are transformers' own, as bool."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    def mask(*args, **kwargs):
        return sdpa_mask(*args, **{**kwargs, "allow_is_causal_skip": False})

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, mask)


def run(trunk, tokens: Tensor, positions: Tensor, plan: Plan) -> Tensor:
    """Hidden states of one row: (T,) int64 tokens and positions → (T, D).

    transformers passes a mask that already has four dimensions straight on, so an empty one spares it the work of
    building masks that no plan reads.
    """
    output = trunk(
        input_ids=tokens.unsqueeze(0),
        position_ids=positions.unsqueeze(0),
        attention_mask=tokens.new_empty(1, 1, 1, 0),
        plan=plan,
        use_cache=False,
    )
    return output.last_hidden_state.squeeze(0)
