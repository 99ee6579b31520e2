"""The values that pass between rooms.

Legend of shape letters, used everywhere:
    B rows · T positions (tokens of one packed micro-batch) · S sequences laid end to end in T · N learnt tokens of T
    P pairs · K samples per prompt · V vocabulary · D hidden width

Masks say what they select and True always counts: `learn` (the loss counts here), `real` (not padding), `acts` (the
policy chose this token).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sequence:
    """One tokenised example.

    Attributes:
        tokens: token ids in order.
        learn: same length; True where the token is to be predicted and its loss counts. The first token has nothing
            before it and never counts.
        where: `file:row` it came from, named in errors.
    """

    tokens: list[int]
    learn: list[bool]
    where: str = ""

    @property
    def count(self) -> int:
        """Learnt tokens."""
        return sum(self.learn[1:])


@dataclass(frozen=True)
class Batch:
    """A packed micro-batch: S sequences end to end in one row of T tokens, without padding.

    Attributes:
        tokens: (T,) int64 token ids.
        positions: (T,) int64, restarting at 0 in every sequence.
        lengths: S lengths, summing to T. Attention never crosses from one sequence into another.
        learn: (T,) bool; the first position of every sequence is False.
        count: the weight of this micro-batch in its update: learnt tokens, or pairs.
        where: S origins (`file:row`), empty strings where unknown.
        extra: further tensors a recipe's step needs, (N,), (S,) or (P,) as the recipe documents.
        shared: S pairs (s, n): the first n tokens of a sequence are those of sequence s, an earlier one, so models
            compute them once; n is 0 where nothing is shared. Empty when no sequence shares anything.
    """

    tokens: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    learn: Tensor
    count: int
    where: tuple[str, ...] = ()
    extra: dict[str, Tensor] = field(default_factory=dict)
    shared: tuple[tuple[int, int], ...] = ()

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return replace(
            self,
            tokens=self.tokens.to(device),
            positions=self.positions.to(device),
            learn=self.learn.to(device),
            extra={name: value.to(device) for name, value in self.extra.items()},
        )

    def learnt_per_sequence(self) -> Tensor:
        """(S,) int64: learnt tokens of each sequence."""
        return torch.stack([piece.sum() for piece in self.learn.split(list(self.lengths))])


@dataclass(frozen=True)
class Mean:
    """A mean that is not yet divided, so that means of micro-batches and ranks can be added."""

    total: float
    count: float

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> float:
        """total / count; NaN when nothing was counted."""
        return self.total / self.count if self.count else float("nan")


@dataclass(frozen=True)
class Loss:
    """What a step returns for one micro-batch.

    Attributes:
        total: () the SUM of the loss over what the micro-batch counts, never a mean: the one division, by the count of
            the whole update over all micro-batches and ranks, happens in `engine.fit`.
        stats: named means for the log.
    """

    total: Tensor
    stats: dict[str, Mean] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """One sampled continuation of a prompt.

    Attributes:
        tokens: the sampled ids, the end token included when one was drawn.
        log_probs: same length, nats, under the distribution that was sampled from (temperature applied).
        ended: True when the last token is an end token; False when the length limit cut the answer.
    """

    tokens: list[int]
    log_probs: list[float]
    ended: bool
