"""What is remembered of one rollout, and the shuffled minibatches that are learnt from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from baro.core.types import Batch, Sequence
from baro.data.packing import micro_batches
from baro.objectives.policy import token_weights

FOR_CRITIC = ("returns", "values")
PER_TOKEN = ("old_log_probs", "advantages", *FOR_CRITIC, "reference")


@dataclass(frozen=True)
class Experience:
    """B episodes and, for each of their N tokens in order, what the update needs.

    Attributes:
        sequences: prompts and answers; the tokens the policy chose (the actions) are the learnt ones.
        old_log_probs: (N,) log π_old(a|s), nats, at the sampling temperature.
        advantages: (N,) A(s, a), whitened or not.
        returns: (N,) the value targets, A + V before whitening; None without a value model.
        values: (N,) V_old(s), the state before the token; None without a value model.
        reference: (N,) log π_ref(a|s), nats; None where the update does not look at it.
    """

    sequences: list[Sequence]
    old_log_probs: Tensor
    advantages: Tensor
    returns: Tensor | None = None
    values: Tensor | None = None
    reference: Tensor | None = None

    @property
    def per_token(self) -> dict[str, Tensor]:
        """The figures there are, by name, (N,) each."""
        return {name: getattr(self, name) for name in PER_TOKEN if getattr(self, name) is not None}

    def without(self, rows: list[bool]) -> Experience:
        """The same without the episodes for which `rows` is True."""
        if not any(rows):
            return self
        kept = [row for row, out in enumerate(rows) if not out]
        counts = [sequence.count for sequence in self.sequences]
        pieces = {name: figure.split(counts) for name, figure in self.per_token.items()}
        figures = {name: torch.cat([split[0][:0], *(split[row] for row in kept)]) for name, split in pieces.items()}
        return Experience([self.sequences[row] for row in kept], **figures)

    def batches(self, rows: list[int], max_sequences: int) -> list[Batch]:
        """The micro-batches of one minibatch, each with its per-token figures in `extra`."""
        counts = [sequence.count for sequence in self.sequences]
        pieces = {name: figure.split(counts) for name, figure in self.per_token.items()}
        built = micro_batches([self.sequences[row] for row in rows], max_sequences=max_sequences)
        starts = np.cumsum([0, *(len(batch.lengths) for batch in built)])
        return [
            replace(batch, extra={n: torch.cat([pieces[n][row] for row in rows[a:b]]) for n in pieces})
            for batch, a, b in zip(built, starts[:-1], starts[1:], strict=True)
        ]

    def state(self) -> dict:
        """For the checkpoint: tensors and plain lists."""
        tokens = [token for sequence in self.sequences for token in sequence.tokens]
        learn = [flag for sequence in self.sequences for flag in sequence.learn]
        return {
            "tokens": torch.tensor(tokens, dtype=torch.int64),
            "learn": torch.tensor(learn, dtype=torch.bool),
            "lengths": [len(sequence.tokens) for sequence in self.sequences],
            "where": [sequence.where for sequence in self.sequences],
            **self.per_token,
        }

    @classmethod
    def restored(cls, state: dict) -> Experience:
        """The experience that `state` describes."""
        tokens, learn = state["tokens"].split(state["lengths"]), state["learn"].split(state["lengths"])
        rows = zip(tokens, learn, state["where"], strict=True)
        sequences = [Sequence(ids.tolist(), flags.tolist(), where) for ids, flags, where in rows]
        return cls(sequences, **{name: state[name] for name in PER_TOKEN if name in state})


def apart(batches: list[Batch]) -> list[Batch]:
    """Where there is a critic, each micro-batch once for the policy and once, weighing nothing in the count, for it.

    The two losses share no parameter, and so only one model's activations are in memory at a time.
    """
    found = []
    for batch in batches:
        critic = {name: batch.extra[name] for name in FOR_CRITIC if name in batch.extra}
        policy = {name: figure for name, figure in batch.extra.items() if name not in critic}
        found.append(replace(batch, extra=policy))
        if critic:
            found.append(replace(batch, count=0, extra=critic))
    return found


def critic_only(batches: list[Batch]) -> list[Batch]:
    """The micro-batches of `apart` with nothing in them for the policy to learn from; what they count stays."""
    return [batch if "returns" in batch.extra else replace(batch, extra={}) for batch in batches]


class Rollouts:
    """Updates made lazily: one rollout, then `epochs` passes over it in `minibatches` shuffled parts.

    Args:
        act: rollout number → experience (`sequences`, `batches`, `state`), with the policy as it is at that moment.
        rollouts: how many.
        max_sequences: answers in one micro-batch.
        restored: state of an experience → the experience.
        extend: (update number, micro-batches) → micro-batches; a place to mix in other losses.
        enough: nats per token; after an update whose `policy/approxkl_avg` is above it, the rollout's others are empty.
    """

    def __init__(
        self,
        act: Callable[[int], Any],
        *,
        rollouts: int,
        epochs: int,
        minibatches: int,
        max_sequences: int,
        seed: int,
        restored: Callable[[dict], Any] = Experience.restored,
        extend: Callable[[int, list[Batch]], list[Batch]] = lambda _, batches: batches,
        enough: float | None = None,
    ) -> None:
        self.restored, self.enough, self.left = restored, enough, False
        self.act, self.rollouts, self.epochs, self.minibatches = act, rollouts, epochs, minibatches
        self.max_sequences, self.seed, self.extend = max_sequences, seed, extend
        self.position = 0
        self.experience: Any = None

    def __len__(self) -> int:
        return self.rollouts * self.epochs * self.minibatches

    def __iter__(self) -> Rollouts:
        return self

    def __next__(self) -> list[Batch]:
        if self.position >= len(self):
            raise StopIteration
        rollout, within = divmod(self.position, self.epochs * self.minibatches)
        if within == 0 or self.experience is None:
            self.experience, self.left = self.act(rollout), False
        if self.left:
            self.position += 1
            return []
        epoch, part = divmod(within, self.minibatches)
        order = np.random.default_rng([self.seed, rollout, epoch]).permutation(len(self.experience.sequences))
        rows = np.array_split(order, self.minibatches)[part].tolist()
        batches = self.extend(self.position, apart(self.experience.batches(rows, self.max_sequences)))
        self.position += 1
        return batches

    def told(self, figures: Mapping[str, float]) -> None:
        """What an update came to."""
        self.left = self.enough is not None and figures.get("policy/approxkl_avg", 0.0) > self.enough

    def told_first(self, on_update: Callable) -> Callable:
        """`on_update` of `fit`, after these updates were told themselves."""

        def look(number: int, figures: dict[str, float]):
            self.told(figures)
            return on_update(number, figures)

        return look

    def state(self) -> dict:
        """Where the updates stand, the current experience included: the policy that made it is gone."""
        experience = self.experience.state() if self.experience else None
        return {"position": self.position, "experience": experience, "left": self.left}

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.position, self.left = state["position"], state["left"]
        self.experience = self.restored(state["experience"]) if state["experience"] else None


def weigh(batches: list[Batch], *, per: Literal["token", "answer", "limit"], longest: int) -> list[Batch]:
    """The micro-batches of one update with `extra["weight"]`: what each token's loss counts, see `token_weights`."""
    if not batches:
        return batches
    weights = token_weights(torch.cat([batch.learnt_per_sequence() for batch in batches]), per=per, longest=longest)
    pieces = weights.split([batch.count for batch in batches])
    return [replace(batch, extra=batch.extra | {"weight": w}) for batch, w in zip(batches, pieces, strict=True)]


def sums(per_token: Tensor, counts: Tensor) -> Tensor:
    """(B,) sums over episodes of an (N,) figure of their tokens, `counts` (B,) of each."""
    return torch.stack([piece.sum() for piece in per_token.split(counts.tolist())])
