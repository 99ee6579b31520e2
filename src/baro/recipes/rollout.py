"""Acting: sampled answers with their scores, and what the models think of them token by token."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from baro.core.types import Sequence
from baro.data.packing import micro_batches
from baro.data.records import Prompt
from baro.engine import dist
from baro.evals.answers import Answered, answers
from baro.models.forward import log_probs_and_entropy, token_log_probs, values
from baro.recipes.scoring import Scores


@dataclass(frozen=True)
class Models:
    """The three models of a rollout; the reward is a function beside them."""

    policy: Any
    value: Any
    reference: Any


class Actor:
    """The policy in its environment of prompts: one answer a prompt, the score as the episode's reward."""

    def __init__(self, config, models: Models, tokenizer, prompts: Items[Prompt], score: Scores, *, micro: int) -> None:
        self.config, self.models, self.tokenizer = config, models, tokenizer
        self.prompts, self.score, self.micro = prompts, score, micro

    def rows(self, rollout: int) -> list[int]:
        """The prompts of one rollout: consecutive parts of permutations that depend on (seed, pass) alone."""
        size, total = self.config.rollout_batch_size, len(self.prompts)
        places = np.arange(rollout * size, (rollout + 1) * size)
        orders = {p: np.random.default_rng([self.config.seed, int(p)]).permutation(total) for p in set(places // total)}
        return [int(orders[place // total][place % total]) for place in places]

    @torch.no_grad()
    def act(self, rollout: int) -> tuple[list[Answered], torch.Tensor]:
        """(B,) answers and their (B,) scores. Every rank samples its part; every rank gets all.

        An answer without end token scores `-missing_eos_penalty`, whatever it says.
        """
        config, rows = self.config, self.rows(rollout)
        first, last = dist.part(len(rows))
        drawn = answers(
            self.models.policy,
            self.tokenizer,
            [self.prompts[row] for row in rows[first:last]],
            temperature=config.temperature,
            max_new_tokens=config.max_completion_length,
            seed=config.seed,
            first_row=rollout * config.rollout_batch_size + first,
        )
        answered = [row[0] for row in drawn]
        penalty = config.missing_eos_penalty
        scores = [
            score if row.answer.ended or penalty is None else -penalty
            for row, score in zip(answered, self.score(answered), strict=True)
        ]
        shared = [pair for part in dist.share(list(zip(answered, scores, strict=True))) for pair in part]
        return [row for row, _ in shared], torch.tensor([score for _, score in shared])

    @torch.no_grad()
    def recall(self, sequences: Items[Sequence]) -> tuple[torch.Tensor, ...]:
        """(N,) each: the policy's log-probs and entropies, the reference's log-probs, the values; nats."""
        temperature, figures = self.config.temperature, []
        for batch in micro_batches(list(sequences), max_sequences=self.micro):
            batch = batch.to(self.models.policy.device)
            old, entropy = log_probs_and_entropy(self.models.policy, batch, temperature=temperature)
            anchor = token_log_probs(self.models.reference, batch, temperature=temperature)
            figures.append((old, entropy, anchor, values(self.models.value, batch)))
        return tuple(torch.cat(column).float().cpu() for column in zip(*figures, strict=True))
