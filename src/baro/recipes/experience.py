"""What PPO remembers of one rollout, and the shuffled minibatches it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from baro.core.types import Batch, Sequence
from baro.data.packing import micro_batches

FOR_POLICY, FOR_CRITIC = ("old_log_probs", "advantages"), ("returns", "values")
PER_TOKEN = (*FOR_POLICY, *FOR_CRITIC)


@dataclass(frozen=True)
class Experience:
    """B sampled answers and, for each of their N tokens in order, what the update needs.

    Attributes:
        sequences: prompt and answer; the answer's tokens are the learnt ones (the actions).
        old_log_probs: (N,) log π_old(a|s), nats, at the sampling temperature.
        advantages: (N,) A(s, a), whitened or not.
        returns: (N,) the value targets, A + V before whitening.
        values: (N,) V_old(s), the state before the token.
    """

    sequences: list[Sequence]
    old_log_probs: Tensor
    advantages: Tensor
    returns: Tensor
    values: Tensor

    def batches(self, rows: list[int], max_sequences: int) -> list[Batch]:
        """The micro-batches of one minibatch, each with its per-token figures in `extra`."""
        counts = [sequence.count for sequence in self.sequences]
        pieces = {name: getattr(self, name).split(counts) for name in PER_TOKEN}
        built = micro_batches([self.sequences[row] for row in rows], max_sequences=max_sequences)
        starts = np.cumsum([0, *(len(batch.lengths) for batch in built)])
        return [
            replace(batch, extra={n: torch.cat([pieces[n][row] for row in rows[a:b]]) for n in PER_TOKEN})
            for batch, a, b in zip(built, starts[:-1], starts[1:], strict=True)
        ]

    def state(self) -> dict:
        """For the checkpoint: tensors and plain lists."""
        flat = [token for sequence in self.sequences for token in sequence.tokens]
        return {
            "tokens": torch.tensor(flat, dtype=torch.int64),
            "lengths": [len(sequence.tokens) for sequence in self.sequences],
            "counts": [sequence.count for sequence in self.sequences],
            "where": [sequence.where for sequence in self.sequences],
            **{name: getattr(self, name) for name in PER_TOKEN},
        }

    @classmethod
    def restored(cls, state: dict) -> Experience:
        """The experience that `state` describes."""
        pieces = [piece.tolist() for piece in state["tokens"].split(state["lengths"])]
        rows = zip(pieces, state["counts"], state["where"], strict=True)
        sequences = [Sequence(p, [False] * (len(p) - n) + [True] * n, where) for p, n, where in rows]
        return cls(sequences, *(state[name] for name in PER_TOKEN))


def apart(batches: list[Batch]) -> list[Batch]:
    """Each micro-batch once for the policy and once, weighing nothing in the count, for the critic.

    The two losses share no parameter, and so only one model's activations are in memory at a time.
    """
    return [
        replace(batch, count=count, extra={name: batch.extra[name] for name in names})
        for batch in batches
        for names, count in ((FOR_POLICY, batch.count), (FOR_CRITIC, 0))
    ]


class Rollouts:
    """PPO's updates, made lazily: one rollout, then `epochs` passes over it in `minibatches` shuffled parts.

    Args:
        act: rollout number → experience, with the policy as it is at that moment.
        rollouts: how many.
        max_sequences: answers in one micro-batch.
        extend: (update number, micro-batches) → micro-batches; a place to mix in other losses.
    """

    def __init__(
        self,
        act: Callable[[int], Experience],
        *,
        rollouts: int,
        epochs: int,
        minibatches: int,
        max_sequences: int,
        seed: int,
        extend: Callable[[int, list[Batch]], list[Batch]] = lambda _, batches: batches,
    ) -> None:
        self.act, self.rollouts, self.epochs, self.minibatches = act, rollouts, epochs, minibatches
        self.max_sequences, self.seed, self.extend = max_sequences, seed, extend
        self.position = 0
        self.experience: Experience | None = None

    def __len__(self) -> int:
        return self.rollouts * self.epochs * self.minibatches

    def __iter__(self) -> Rollouts:
        return self

    def __next__(self) -> list[Batch]:
        if self.position >= len(self):
            raise StopIteration
        rollout, within = divmod(self.position, self.epochs * self.minibatches)
        if within == 0 or self.experience is None:
            self.experience = self.act(rollout)
        epoch, part = divmod(within, self.minibatches)
        order = np.random.default_rng([self.seed, rollout, epoch]).permutation(len(self.experience.sequences))
        rows = np.array_split(order, self.minibatches)[part].tolist()
        batches = self.extend(self.position, apart(self.experience.batches(rows, self.max_sequences)))
        self.position += 1
        return batches

    def state(self) -> dict:
        """Where the updates stand, the current experience included: the policy that made it is gone."""
        return {"position": self.position, "experience": self.experience.state() if self.experience else None}

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.position = state["position"]
        self.experience = Experience.restored(state["experience"]) if state["experience"] else None
