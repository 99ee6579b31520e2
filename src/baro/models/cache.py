"""Keys and values of sequences being continued, and the attention that uses them.

A sequence being continued lives in a slot. Live sequences occupy the first slots without holes, so that attention reads
a plain view of the cache; whoever removes a sequence moves the last one into its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from baro.models import attention, invariant
from baro.models.attention import Packed, Rule

BLOCK = invariant.BLOCK
"""The cache begins with this many tokens; it grows by half, or as far as it must."""


class Cache:
    """Keys and values of every layer: two tensors (slots, Hkv, length, Dh) a layer, made at its first write."""

    def __init__(self, slots: int) -> None:
        self.slots, self.length = slots, BLOCK
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}

    def reserve(self, length: int) -> None:
        """Make room for `length` tokens in every slot."""
        if length <= self.length:
            return
        self.length = -(-max(length, self.length + self.length // 2) // BLOCK) * BLOCK
        for layer, pair in self.layers.items():
            self.layers[layer] = tuple(self._longer(old) for old in pair)  # type: ignore[assignment]

    def _longer(self, old: Tensor) -> Tensor:
        new = old.new_zeros(old.shape[0], old.shape[1], self.length, old.shape[3])
        new[:, :, : old.shape[2]] = old
        return new

    def rows(self, heads: int, slots: Tensor, places: Tensor) -> Tensor:
        """(Hkv * M,) int64: where M tokens at these slots and places are, in a layer's tensors seen as rows of Dh."""
        head = torch.arange(heads, device=slots.device)[:, None]
        return ((slots * heads + head) * self.length + places).view(-1)

    def write(self, layer: int, key: Tensor, value: Tensor, rows: Tensor) -> None:
        """Store (Hkv, M, Dh) keys and values of M tokens; `rows` as the method of that name gives them."""
        if layer not in self.layers:
            shape = (self.slots, len(key), self.length)
            self.layers[layer] = (key.new_zeros(*shape, key.shape[2]), value.new_zeros(*shape, value.shape[2]))
        for stored, new in zip(self.layers[layer], (key, value), strict=True):
            stored.view(-1, stored.shape[3]).index_copy_(0, rows, new.reshape(-1, stored.shape[3]))

    def copy(self, sources: Tensor, targets: Tensor, length: int) -> None:
        """Copy the first `length` tokens of some slots to others; (n,) int64 each, read before written."""
        for pair in self.layers.values():
            for stored in pair:
                stored[targets, :, :length] = stored[sources, :, :length]


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Prompts that are given slots: how they attend, and what of them goes where.

    Attributes:
        plan: attention within the prompts, which lie end to end.
        tokens: (M,) int64, tokens of that row; a prompt is listed once for each slot it goes into.
        slots, places: (M,) int64, where to.
    """

    plan: Packed
    tokens: Tensor
    slots: Tensor
    places: Tensor


class Step:
    """One pass over a row of T tokens: the next token of every live sequence, then new prompts end to end.

    Args:
        cache: with room for every token of the pass.
        places: (B,) int64, the position of the next token of each live sequence, which is in slot 0 … B - 1.
        longest: max(places) + 1.
        arrivals: the new prompts, if there are any.
    """

    def __init__(self, cache: Cache, places: Tensor, longest: int, arrivals: Arrivals | None) -> None:
        self.cache, self.places, self.longest, self.arrivals = cache, places, longest, arrivals
        self.live = torch.arange(len(places), device=places.device)
        self.rows: dict[int, Tensor] = {}  # by key heads
        self.new_rows: dict[int, Tensor] = {}
        self.masks: dict[int | None, Tensor] = {}  # by window

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """See `attention.Plan.attend`."""
        live, new = len(self.places), self.arrivals
        outputs = []
        if live:
            outputs.append(self._next(layer, query[:, :, :live], key[:, :, :live], value[:, :, :live], rule))
        if new is not None:
            query, key, value = (part[:, :, live:] for part in (query, key, value))
            heads = key.shape[1]
            if heads not in self.new_rows:
                self.new_rows[heads] = self.cache.rows(heads, new.slots, new.places)
            keys, values = (part[0].index_select(1, new.tokens) for part in (key, value))
            self.cache.write(layer, keys, values, self.new_rows[heads])
            outputs.append(new.plan.attend(layer, query, key, value, rule))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)

    def _next(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """One query a sequence against everything its slot holds: (1, H, B, Dh) → (1, B, H, Dh)."""
        live, heads = len(self.places), key.shape[1]
        if heads not in self.rows:
            self.rows[heads] = self.cache.rows(heads, self.live, self.places)
        self.cache.write(layer, key[0], value[0], self.rows[heads])
        if invariant.active():
            return self._alike(layer, query[0].transpose(0, 1), rule)
        keys, values = (stored[:live, :, : self.longest] for stored in self.cache.layers[layer])
        # query heads that share a key head stand as rows of one query block: no key is repeated
        asked = query[0].transpose(0, 1).reshape(live, heads, -1, query.shape[-1])
        mask = self._seen(rule.window)
        if rule.softcap is not None:
            output = attention.softcapped(asked, keys, values, mask, rule)
        elif query.device.type == "cpu":
            output = _by_products(asked, keys, values, mask, rule)
        else:
            output = scaled_dot_product_attention(asked, keys, values, mask, scale=rule.scaling)
        return output.reshape(1, live, -1, output.shape[-1])

    def _alike(self, layer: int, query: Tensor, rule: Rule) -> Tensor:
        """`_next` for `invariant`: (B, H, Dh) → (1, B, H, Dh), those with as many blocks of keys together."""
        output, sizes = torch.empty_like(query), [invariant.blocks(place) for place in self.places.tolist()]
        for size in set(sizes):
            rows = torch.tensor([row for row, own in enumerate(sizes) if own == size], device=query.device)
            keys, values = (stored[rows, :, :size] for stored in self.cache.layers[layer])
            behind = self.places[rows, None] - torch.arange(size, device=query.device)
            seen = behind >= 0 if rule.window is None else (behind >= 0) & (behind < rule.window)
            output[rows] = invariant.attend(query[rows], keys, values, seen, scaling=rule.scaling, softcap=rule.softcap)
        return output.unsqueeze(0)

    def _seen(self, window: int | None) -> Tensor:
        """(B, 1, 1, longest) bool: the tokens of its slot that each sequence's next token sees, itself included."""
        if window not in self.masks:
            place = torch.arange(self.longest, device=self.places.device)
            behind = self.places[:, None] - place
            seen = behind >= 0 if window is None else (behind >= 0) & (behind < window)
            self.masks[window] = seen[:, None, None]
        return self.masks[window]


def _by_products(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, rule: Rule) -> Tensor:
    """Attention of few queries as two batched products: on a CPU faster than the fused kernel, made for many."""
    scaling = query.shape[-1] ** -0.5 if rule.scaling is None else rule.scaling
    scores = torch.matmul(query, key.transpose(2, 3)).mul_(scaling).masked_fill_(~mask, -torch.inf)
    return torch.matmul(torch.softmax(scores, -1), value)
