"""Acting: episodes with what they earned, and what the models think of them token by token."""

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
from baro.models.forward import log_probs_and_entropy, token_log_probs, values
from baro.recipes.episodes import Episode, play
from baro.recipes.scoring import Scores
from baro.rewards.environment import Environment


@dataclass(frozen=True)
class Models:
    """The models of a rollout, no value model (None) where none is used; the reward is a function beside them."""

    policy: Any
    value: Any
    reference: Any


class Actor:
    """The policy in its environment of prompts: `samples` episodes a prompt."""

    def __init__(
        self,
        config,
        models: Models,
        tokenizer,
        prompts: Items[Prompt],
        score: Scores | None,
        *,
        micro: int,
        samples: int = 1,
        world: Environment | None = None,
    ) -> None:
        self.config, self.models, self.tokenizer = config, models, tokenizer
        self.prompts, self.score, self.micro, self.samples, self.world = prompts, score, micro, samples, world

    def rows(self, rollout: int) -> list[int]:
        """The prompts of one rollout: consecutive parts of permutations that depend on (seed, pass) alone."""
        size, total = self.config.rollout_batch_size // self.samples, len(self.prompts)
        places = np.arange(rollout * size, (rollout + 1) * size)
        orders = {p: np.random.default_rng([self.config.seed, int(p)]).permutation(total) for p in set(places // total)}
        return [int(orders[place // total][place % total]) for place in places]

    @torch.no_grad()
    def act(self, rollout: int) -> list[Episode]:
        """The episodes of one rollout, those of a prompt together. Every rank samples its part; every rank gets all."""
        prompts = [self.prompts[row] for row in self.rows(rollout)]
        found = play(
            self.config,
            self.models.policy,
            self.tokenizer,
            prompts,
            self.score,
            world=self.world,
            samples=self.samples,
            first_row=rollout * len(prompts),
        )
        return [episode for group in found for episode in group]

    def groups(self, first: int, *, wanted: int, again: int) -> tuple[list[list[Episode]], float, int]:
        """`wanted` groups of `samples` episodes, one of each prompt.

        Args:
            first: number of the rollout they are drawn as.
            again: rollouts drawn at most in place of groups whose episodes all score alike (DAPO's dynamic sampling);
                0 keeps such groups.

        Returns:
            the groups, fewer when the draws are used up; the share of those drawn that teach nothing; draws made.
        """
        kept: list[list[Episode]] = []
        draws, seen, alike = 0, 0, 0
        while draws <= again and len(kept) < wanted:
            drawn = self.act(first + draws)
            found = [drawn[start : start + self.samples] for start in range(0, len(drawn), self.samples)]
            telling = [group for group in found if len({episode.score for episode in group}) > 1]
            draws, seen, alike = draws + 1, seen + len(found), alike + len(found) - len(telling)
            kept += telling if again else found
        return kept[:wanted], alike / seen, draws

    @torch.no_grad()
    def recall(self, sequences: Items[Sequence]) -> tuple[torch.Tensor, ...]:
        """(N,) each: the policy's log-probs and entropies, the reference's log-probs, the values; nats.

        Without a value model the values are 0. Every rank computes its part; every rank gets all.
        """
        temperature, (first, last) = self.config.temperature, dist.part(len(sequences))
        figures: list[tuple[torch.Tensor, ...]] = [(torch.zeros(0),) * 4]
        for batch in micro_batches(sequences[first:last], max_sequences=self.micro):
            batch = batch.to(self.models.policy.device)
            old, entropy = log_probs_and_entropy(self.models.policy, batch, temperature=temperature)
            anchor = token_log_probs(self.models.reference, batch, temperature=temperature)
            critic = self.models.value
            value = torch.zeros_like(old) if critic is None else values(critic, batch)
            figures.append(tuple(figure.float().cpu() for figure in (old, entropy, anchor, value)))
        parts = dist.share([torch.cat(column) for column in zip(*figures, strict=True)])
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def figures(
    episodes: Items[Episode], rewards: torch.Tensor, drift: torch.Tensor, entropy: torch.Tensor
) -> dict[str, float]:
    """What a rollout looked like, by the names TRL's PPO gave them.

    Args:
        rewards: (B,) scores less what was paid. drift: (B,) nats. entropy: (N,) nats.
    """
    return {
        "objective/kl": float(drift.mean()),
        "objective/scores": float(torch.tensor([episode.score for episode in episodes]).mean()),
        "objective/rlhf_reward": float(rewards.mean()),
        "objective/entropy": float(entropy.mean()),
        "val/ended": sum(episode.ended for episode in episodes) / len(episodes),
        "val/length": sum(episode.sequence.count for episode in episodes) / len(episodes),
    }
