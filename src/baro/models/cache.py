"""The attention of sequences being continued, whose keys and values lie in stores.

A prompt that several answers continue lies once in a store of its own, and they read it there together: the queries of
all of them are rows of one product with its keys. What a sequence shares and what it has of its own stand beside each
other under one softmax, so nothing is approximated. A prompt that one answer continues belongs to that answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from baro.models import invariant
from baro.models.attention import Packed, Rule
from baro.models.store import Store, groups


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Prompts that are given slots.

    Attributes:
        plan: attention within the prompts, which lie end to end.
        places: where each goes: store, slot and number of tokens.
    """

    plan: Packed
    places: list[tuple[Store, int, int]]


class Part(NamedTuple):
    """Slots `start` to `end`, which read the last `width` columns of their own store.

    `bias`: (n, 1, columns), 0 where a sequence sees what is read, -inf where it does not; its own store's columns, then
    those of its shared prompt.
    """

    start: int
    end: int
    width: int
    bias: Tensor


class Step:
    """One pass over a row of T tokens: the next token of every live sequence, then new prompts end to end.

    Args:
        own: what each sequence has of its own; the B live ones are in slots 0 … B - 1.
        lengths: own tokens of each, the next one included.
        shared: the shared prompts; those that live sequences continue are in slots 0 … P - 1.
        prompts: tokens of these.
        homes: the slot of the shared prompt that each live sequence continues; None where it has its own.
        arrivals: the new prompts, if there are any.
    """

    def __init__(
        self,
        own: Store,
        lengths: list[int],
        shared: Store,
        prompts: list[int],
        homes: list[int | None],
        arrivals: Arrivals | None,
        device: torch.device,
    ) -> None:
        self.own, self.lengths, self.shared, self.homes, self.arrivals = own, lengths, shared, homes, arrivals
        self.before = [0 if home is None else prompts[home] for home in homes]
        self.places = [length + before - 1 for length, before in zip(lengths, self.before, strict=True)]
        self.parts: dict[int | None, list[Part]] = {}  # by window
        self.desks: dict[int, tuple[Tensor, Tensor]] = {}  # by key heads
        self.prompts, self.device = len(prompts), device

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
        """See `attention.Plan.attend`."""
        live, new = len(self.lengths), self.arrivals
        outputs = []
        if live:
            self.own.append(layer, key[0, :, :live], value[0, :, :live])
            attend = self._alike if invariant.active() else self._next
            outputs.append(attend(layer, query[0, :, :live].transpose(0, 1), rule))
        if new is not None:
            query, key, value = (part[:, :, live:] for part in (query, key, value))
            start = 0
            for store, slot, length in new.places:
                store.write(layer, slot, key[0, :, start : start + length], value[0, :, start : start + length])
                start += length
            outputs.append(new.plan.attend(layer, query, key, value, rule))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)

    def _next(self, layer: int, query: Tensor, rule: Rule) -> Tensor:
        """One query a sequence against everything it continues: (B, H, Dh) → (1, B, H, Dh)."""
        live, heads, size = len(query), self.own.heads(layer), query.shape[-1]
        # query heads that share a key head stand as rows of one query block: no key is repeated
        query = query.reshape(live * heads, -1, size) * (size**-0.5 if rule.scaling is None else rule.scaling)
        ahead, parts, outputs = self._ahead(rule.window), self._parts(rule.window, query), list[Tensor]()
        prompts, weights = self._scores_of_shared(layer, query, ahead) if ahead else None, list[Tensor]()
        for part in parts:
            members = slice(part.start * heads, part.end * heads)
            keys, values = self.own.columns(layer, part.start, part.end, part.width)
            scores = torch.bmm(query if len(parts) == 1 else query[members], keys)
            if prompts is not None:
                scores = torch.cat([scores, prompts if len(parts) == 1 else prompts[members]], 2)
            if rule.softcap is not None:
                scores = scores.div_(rule.softcap).tanh_().mul_(rule.softcap)
            scores.view(part.end - part.start, -1, scores.shape[2]).add_(part.bias)
            weight = torch.softmax(scores, -1)
            if prompts is not None:
                weights.append(weight[:, :, part.width :] if len(parts) > 1 else weight)
                weight = weight[:, :, : part.width]
            outputs.append(torch.bmm(weight, values))
        output = outputs[0] if len(outputs) == 1 else torch.cat(outputs)
        if prompts is not None:
            output += self._values_of_shared(layer, weights[0] if len(weights) == 1 else torch.cat(weights), ahead)
        return output.view(1, live, -1, output.shape[-1])

    def _ahead(self, window: int | None) -> int:
        """How many of the last tokens of shared prompts are read."""
        longest = max(self.before)
        return longest if window is None else min(longest, window - 1)

    def _scores_of_shared(self, layer: int, query: Tensor, ahead: int) -> Tensor:
        """(B * Hkv, g, Dh) queries → (B * Hkv, g, ahead) scores of the last tokens of each one's shared prompt."""
        keys, _ = self.shared.columns(layer, 0, self.prompts, ahead)
        asking, asked = self._desks(len(query) // len(self.homes))
        scores = torch.bmm(query.index_select(0, asking).view(len(keys), -1, query.shape[2]), keys)
        return scores.view(len(asking), -1, ahead).index_select(0, asked)

    def _values_of_shared(self, layer: int, weights: Tensor, ahead: int) -> Tensor:
        """(B * Hkv, g, … ahead) weights → (B * Hkv, g, Dh): the values of each one's shared prompt, weighted."""
        _, values = self.shared.columns(layer, 0, self.prompts, ahead)
        asking, asked = self._desks(len(weights) // len(self.homes))
        found = weights.index_select(0, asking).view(len(values), -1, weights.shape[2])[:, :, -ahead:]
        return torch.bmm(found, values).view(len(asking), weights.shape[1], -1).index_select(0, asked)

    def _desks(self, heads: int) -> tuple[Tensor, Tensor]:
        """(P * Hkv * M,) int64: which rows ask each head of each prompt; (B * Hkv,): where among these each row is.

        A row is a head of a sequence. A sequence without a shared prompt asks one all the same, all of it hidden. Desks
        left over are given to anyone.
        """
        if heads not in self.desks:
            desks: list[list[int]] = [[] for _ in range(self.prompts)]
            for row, home in sorted(enumerate(self.homes), key=lambda pair: pair[1] is None):
                (min(desks, key=len) if home is None else desks[home]).append(row)
            most = max(map(len, desks))
            places = {row: (prompt, desk) for prompt, rows in enumerate(desks) for desk, row in enumerate(rows)}
            asking = torch.tensor([rows + [0] * (most - len(rows)) for rows in desks], device=self.device)
            asked = torch.tensor([places[row] for row in range(len(self.homes))], device=self.device)
            head = torch.arange(heads, device=self.device)
            self.desks[heads] = (
                (asking[:, None] * heads + head[:, None]).flatten(),
                ((asked[:, :1] * heads + head) * most + asked[:, 1:]).flatten(),
            )
        return self.desks[heads]

    def _parts(self, window: int | None, like: Tensor) -> list[Part]:
        """The groups of slots, and what each reads."""
        if window not in self.parts:
            ahead, longest = self._ahead(window), max(self.lengths)
            width = longest if window is None else min(longest, window)
            own = torch.tensor(self.lengths, device=like.device)[:, None]
            hidden = torch.arange(width, 0, -1, device=like.device) > own
            if ahead:
                seen = torch.tensor(self.before, device=like.device)[:, None]
                if window is not None:
                    seen = seen.minimum(window - own)
                hidden = torch.cat([hidden, torch.arange(ahead, 0, -1, device=like.device) > seen], 1)
            bias = like.new_zeros(hidden.shape).masked_fill_(hidden, -torch.inf)[:, None]
            self.parts[window] = [
                Part(start, end, wide, bias[start:end, :, width - wide :])
                for start, end, wide in groups([min(width, length) for length in self.lengths], like.device)
            ]
        return self.parts[window]

    def _alike(self, layer: int, query: Tensor, rule: Rule) -> Tensor:
        """`_next` for `invariant`: (B, H, Dh) → (1, B, H, Dh), those with as many blocks of keys together."""
        output, sizes = torch.empty_like(query), [invariant.blocks(place) for place in self.places]
        for size in set(sizes):
            rows = [row for row, own in enumerate(sizes) if own == size]
            keys, values = zip(*(self._whole(layer, row, size) for row in rows), strict=True)
            behind = torch.tensor([[self.places[row]] for row in rows]) - torch.arange(size)
            seen = behind >= 0 if rule.window is None else (behind >= 0) & (behind < rule.window)
            output[rows] = invariant.attend(
                query[rows],
                torch.stack(keys),
                torch.stack(values),
                seen.to(query.device),
                scaling=rule.scaling,
                softcap=rule.softcap,
            )
        return output.unsqueeze(0)

    def _whole(self, layer: int, row: int, size: int) -> list[Tensor]:
        """(Hkv, size, Dh) keys and values of everything a sequence continues, from its first token on."""
        parts, home = [self.own.read(layer, row, self.lengths[row])], self.homes[row]
        if home is not None:
            parts.insert(0, self.shared.read(layer, home, self.before[row]))
        return [pad(torch.cat(part, 1), (0, 0, 0, size - self.places[row] - 1)) for part in zip(*parts, strict=True)]
