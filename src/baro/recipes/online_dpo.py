"""Online DPO: sample answers, let the reward choose, learn from the pair at once; then sample from the new policy.

Guo et al. 2024 (2402.04792, OAIF), with a reward model, functions or an environment in place of their language model.
Of `num_generations` answers to a prompt the best and the worst make the pair; where all score alike there is none.

    L = -log σ(β [(log π - log π_ref)(y_w) - (log π - log π_ref)(y_l)])   on y_w, y_l ~ π        (the losses of dpo.py)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field

from baro.core.types import Batch, Sequence
from baro.data.packing import micro_batches, pairs
from baro.data.read import read_prompts
from baro.engine import dist
from baro.models.forward import sequence_log_probs
from baro.models.load import language_model, load_tokenizer
from baro.recipes import dpo, stage
from baro.recipes.experience import Rollouts
from baro.recipes.rollout import Actor, Models
from baro.recipes.scoring import environment, scorer
from baro.recipes.settings import DataPath, ModelPath, Rewarded
from baro.recipes.watching import Watcher, referees


class Config(Rewarded):
    """Settings of `baro online_dpo`; defaults are TRL's (1.16) unless said otherwise."""

    model_name_or_path: ModelPath
    """The SFT model: the policy starts as it."""
    ref_model: ModelPath | None = None
    """The reference; default: model_name_or_path."""
    dataset: list[DataPath]
    """Prompts."""
    num_generations: int = Field(default=2, ge=2)
    """Answers to each prompt; the best and the worst make the pair."""
    loss_type: Literal["sigmoid", "ipo", "hinge", "sigmoid_norm"] = "sigmoid"
    """As in `baro dpo`."""
    beta: float = Field(default=0.1, gt=0)
    """Strength of the pull to the reference."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Assumed share of pairs that the reward has the wrong way round."""
    total_episodes: int = Field(default=10_000, ge=2)
    """Answers sampled in all."""
    rollout_batch_size: int = Field(default=64, ge=2)
    """Answers per rollout, over all ranks: prompts × num_generations."""
    num_iterations: int = Field(default=1, ge=1)
    """Passes over the pairs of a rollout."""
    num_mini_batches: int = Field(default=1, ge=1)
    """Optimiser steps in a pass."""
    learning_rate: float = 5e-7
    temperature: float = Field(default=0.9, gt=0)
    max_completion_length: int = Field(default=64, ge=1)
    """Tokens."""


@dataclass(frozen=True)
class Duels:
    """The pairs of one rollout: P × (chosen, rejected) and the reference's log-probs of both, (P, 2) nats."""

    sequences: list[tuple[Sequence, Sequence]]
    reference: torch.Tensor

    def batches(self, rows: list[int], max_sequences: int) -> list[Batch]:
        """The micro-batches of one minibatch."""
        size = max(1, max_sequences // 2)
        chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
        built = [pairs([self.sequences[row] for row in chunk]) for chunk in chunks]
        anchors = [self.reference[chunk].flatten() for chunk in chunks]
        return [replace(b, extra={"reference": anchor}) for b, anchor in zip(built, anchors, strict=True)]

    def state(self) -> dict:
        """For the checkpoint."""
        flat = [[s.tokens, [int(own) for own in s.learn], s.where] for pair in self.sequences for s in pair]
        return {"flat": flat, "reference": self.reference}

    @classmethod
    def restored(cls, state: dict) -> Duels:
        """The pairs that `state` describes."""
        flat = [Sequence(tokens, [bool(own) for own in learn], where) for tokens, learn, where in state["flat"]]
        return cls(list(zip(flat[::2], flat[1::2], strict=True)), state["reference"])


class Memory:
    """Turns rollouts into pairs: act, choose, remember the reference."""

    def __init__(self, config: Config, actor: Actor, watch: Watcher | None = None) -> None:
        self.config, self.actor, self.watch = config, actor, watch
        self.figures: dict[str, float] = {}

    def state(self) -> dict:
        """The last figures."""
        return {"figures": self.figures}

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.figures = state["figures"]

    def __call__(self, rollout: int) -> Duels:
        # 1. Act: several answers to each prompt, and their scores.
        wanted = self.config.rollout_batch_size // self.config.num_generations
        groups, alike, _ = self.actor.groups(rollout, wanted=wanted, again=0)
        # 2. Choose: the best and the worst, where one is better.
        ranked = [sorted(group, key=lambda episode: episode.score) for group in groups]
        chosen = [(group[-1], group[0]) for group in ranked if group[-1].score > group[0].score]
        episodes = [episode for group in groups for episode in group]
        sequences = [(best.sequence, worst.sequence) for best, worst in chosen]
        # 3. Remember: what the reference thinks of both, and how far the policy has come.
        flat = [sequence for pair in sequences for sequence in pair]
        drift, anchors = self.look([episode.sequence for episode in episodes]), self.look(flat)[:, 1]
        self.figures = {
            "objective/kl": float((drift[:, 0] - drift[:, 1]).mean()),
            "objective/scores": float(torch.tensor([episode.score for episode in episodes]).mean()),
            "val/ended": sum(episode.ended for episode in episodes) / len(episodes),
            "val/length": sum(episode.sequence.count for episode in episodes) / len(episodes),
            "frac_reward_zero_std": alike,
        }
        if self.watch:
            self.figures |= self.watch.see(episodes, (), self.figures)
        return Duels(sequences, anchors.view(-1, 2))

    @torch.no_grad()
    def look(self, sequences: list[Sequence]) -> torch.Tensor:
        """(S, 2) nats: each answer's log-prob under the policy and under the reference, at temperature 1.

        Every rank computes its part; every rank gets all.
        """
        models, found, (first, last) = self.actor.models, [torch.zeros(0, 2)], dist.part(len(sequences))
        for batch in micro_batches(sequences[first:last], max_sequences=self.actor.micro):
            there = batch.to(models.policy.device)
            both = [sequence_log_probs(model, there) for model in (models.policy, models.reference)]
            found.append(torch.stack(both, 1).float().cpu())
        return torch.cat(dist.share(torch.cat(found)))


def main(config: Config, display=None) -> dict:
    """Train the policy; returns the stage's result."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)
        prompts = stage.read(read_prompts, config, run, tokenizer)
        policy = language_model(config.model_name_or_path, **config.trained)
        reference = language_model(config.ref_model or config.model_name_or_path, **config.frozen)
        reference.requires_grad_(False)
        models = Models(policy.eval(), None, reference.eval())
        micro, score, world = stage.micro_size(config), scorer(config, tokenizer), environment(config)
        k = config.num_generations
        watch = Watcher(config, run, policy, tokenizer, referees(config, tokenizer))
        actor = Actor(config, models, tokenizer, prompts, score, micro=micro, samples=k, world=world)
        memory = Memory(config, actor, watch)
        updates = Rollouts(
            memory,
            rollouts=max(1, config.total_episodes // config.rollout_batch_size),
            epochs=config.num_iterations,
            minibatches=config.num_mini_batches,
            max_sequences=micro,
            seed=config.seed,
            restored=Duels.restored,
        )

        def learn(batch: Batch):
            found = dpo.step(policy, batch, config)
            shown = {name: dpo.Mean(figure * batch.count, batch.count) for name, figure in memory.figures.items()}
            return replace(found, stats=found.stats | shown)

        extra = {"memory": memory, "watch": watch}
        stage.train(config, run, learn, updates, {"policy": policy}, extra=extra, on_update=watch.on_update)
        watch.finish()
        tokens = round(stage.counted(run) * 2 * memory.figures.get("val/length", 0.0))
        return stage.finish(config, run, "online_dpo", policy, tokenizer, memory.figures, tokens=tokens)
