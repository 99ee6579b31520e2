"""Group methods: several answers to each prompt, each judged by how it did against the others. No value model.

RLOO (Ahmadian et al. 2024, 2402.14740), GRPO (Shao et al. 2024, 2402.03300), Dr. GRPO (Liu et al. 2025, 2503.20783),
GSPO (Zheng et al. 2025, 2507.18071), with DAPO's options (Yu et al. 2025, 2503.14476): a higher upper clip, the loss
per token, a price for coming near the length limit, prompts drawn anew where all answers scored alike.

    A_i = (r_i - mean r) / std r   or   r_i - mean of the others          one number for the whole answer
    L   = Σ_t w_t [max(-A ρ_t, -A clip(ρ_t, 1-ε_low, 1+ε_high)) + β KL_t],   ρ = π/π_old

Deviations: the standard deviation is the population's and nothing is added to it (TRL: of the sample, plus 1e-4); π_old
is recomputed by the trainer, so that ρ is 1 at the first minibatch.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator

from baro.core.types import Batch, Loss, Mean
from baro.data.read import read_prompts
from baro.models.forward import token_log_probs
from baro.models.load import language_model, load_tokenizer
from baro.objectives import kl
from baro.objectives.advantage import group_relative, leave_one_out, overlong
from baro.objectives.policy import approx_kl, clipped_fraction, clipped_policy, whole_answers
from baro.recipes import stage
from baro.recipes.experience import Experience, Rollouts, sums, weigh
from baro.recipes.rollout import Actor, Models, figures
from baro.recipes.scoring import environment, scorer
from baro.recipes.settings import DataPath, ModelPath, Rewarded
from baro.recipes.watching import Watcher, referees


class Config(Rewarded):
    """Settings of `baro group`; defaults are those of TRL's GRPO (1.16) unless said otherwise."""

    method: ClassVar[str] = "group"

    model_name_or_path: ModelPath
    """The SFT model: the policy starts as it."""
    ref_model: ModelPath | None = None
    """What KL is measured to; default: model_name_or_path."""
    dataset: list[DataPath]
    """Prompts."""
    num_generations: int = Field(default=8, ge=2)
    """K: answers to each prompt."""
    advantage: Literal["group", "leave_one_out"] = "group"
    """group: against the mean of the group. leave_one_out: against the mean of the other answers (RLOO)."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """What group advantages are divided by: the group's deviation, that of all scores, or nothing (Dr. GRPO)."""
    loss_type: Literal["dapo", "grpo", "dr_grpo", "gspo", "rloo"] = "dapo"
    """dapo: mean over tokens. grpo: over answers of their means. dr_grpo: over answers × max_completion_length.
    gspo, rloo: one ratio for the whole answer, its geometric mean per token (gspo) or the product (rloo)."""
    epsilon: float = Field(default=0.2, gt=0)
    """How far the ratio may fall below 1 (gspo: 3e-4)."""
    epsilon_high: float | None = Field(default=None, gt=0)
    """How far it may rise above 1; default: epsilon. DAPO's clip-higher: 0.28."""
    beta: float = Field(default=0.0, ge=0)
    """Price of a nat of drift from the reference; 0 only measures it."""
    kl_in_reward: bool = False
    """true: the drift of an answer is taken from its score. false: it is part of the loss."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """In the loss: k3 (GRPO), or k2, whose gradient is that of KL(π||π_ref). k1 belongs in the reward."""
    soft_punish_cache: int | None = Field(default=None, ge=1)
    """DAPO's overlong shaping: tokens before the limit over which an answer pays up to 1. none: off."""
    mask_truncated_completions: bool = False
    """DAPO's overlong filtering: nothing is learnt from answers cut by the limit."""
    dynamic_sampling: int = Field(default=0, ge=0)
    """DAPO: at most so many further draws replace prompts whose answers all scored alike. 0: they are kept."""
    total_episodes: int = Field(default=10_000, ge=1)
    """Answers sampled in all, those of further draws apart."""
    rollout_batch_size: int = Field(default=64, ge=2)
    """Answers per rollout, over all ranks: prompts × num_generations."""
    num_iterations: int = Field(default=1, ge=1)
    """Passes over a rollout (μ)."""
    num_mini_batches: int = Field(default=1, ge=1)
    """Optimiser steps in a pass."""
    learning_rate: float = 1e-6
    temperature: float = Field(default=1.0, gt=0)
    max_completion_length: int = Field(default=256, ge=1)
    """Tokens."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.beta and not self.kl_in_reward and self.kl_estimator == "k1":
            raise ValueError("kl_estimator=k1 in the loss has no gradient on average: use k2 or k3, or kl_in_reward")
        if self.soft_punish_cache is not None and self.soft_punish_cache > self.max_completion_length:
            raise ValueError("soft_punish_cache is larger than max_completion_length")
        return self


KL = {"k1": kl.k1, "k2": kl.k2, "k3": kl.k3}
PER: dict[str, Literal["token", "answer", "limit"]] = {"dapo": "token", "dr_grpo": "limit"}  # others: answer


class Memory:
    """Turns rollouts into experience: act, remember, pay, compare."""

    def __init__(self, config: Config, actor: Actor, watch: Watcher | None = None) -> None:
        self.config, self.actor, self.watch = config, actor, watch
        self.draws, self.figures = 0, dict[str, float]()

    def state(self) -> dict:
        """How often prompts were drawn, and the last figures."""
        return {"draws": self.draws, "figures": self.figures}

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.draws, self.figures = state["draws"], state["figures"]

    def __call__(self, rollout: int) -> Experience:
        config = self.config
        # 1. Act: K answers to each prompt of this rollout, and their scores.
        wanted, again = config.rollout_batch_size // config.num_generations, config.dynamic_sampling
        groups, alike, draws = self.actor.groups(self.draws, wanted=wanted, again=again)
        if not groups:
            self.draws += draws
            return Experience([], torch.zeros(0), torch.zeros(0), reference=torch.zeros(0))
        episodes = [episode for group in groups for episode in group]
        scores = torch.tensor([[episode.score for episode in group] for group in groups])
        # 2. Remember: log-probabilities of the policy as it is now, and of the reference.
        sequences = [episode.sequence for episode in episodes]
        old, entropy, reference, _ = self.actor.recall(sequences)
        counts = torch.tensor([sequence.count for sequence in sequences])
        # 3. Pay, where asked to: for drift, and for coming near the length limit.
        rewards = scores
        if config.kl_in_reward:
            rewards = rewards - config.beta * sums(KL[config.kl_estimator](old, reference), counts).view_as(scores)
        if config.soft_punish_cache is not None:
            limit, margin = config.max_completion_length, config.soft_punish_cache
            rewards = rewards + overlong(counts, longest=limit, margin=margin).view_as(scores)
        # 4. Compare: every token of an answer gets the answer's advantage over its group.
        alone = config.advantage == "leave_one_out"
        advantages = leave_one_out(rewards) if alone else group_relative(rewards, scale=config.scale_rewards)
        self.draws += draws
        shown = {"reward_std": float(scores.std(1, correction=0).mean()), "frac_reward_zero_std": alike}
        self.figures = figures(episodes, rewards, sums(old - reference, counts), entropy) | shown
        self.figures |= self.watch.see(episodes, old.split(counts.tolist()), self.figures) if self.watch else {}
        cut = [config.mask_truncated_completions and not episode.ended for episode in episodes]
        credit = advantages.flatten().repeat_interleave(counts)
        return Experience(sequences, old, credit, reference=reference).without(cut)


def step(config: Config, models: Models, memory: Memory, batch: Batch) -> Loss:
    """The clipped policy loss of one micro-batch and its price for drift, summed over its tokens as they weigh."""
    old, credit, weight = (batch.extra[name] for name in ("old_log_probs", "advantages", "weight"))
    now = token_log_probs(models.policy, batch, temperature=config.temperature)
    clip = {"clip_low": config.epsilon, "clip_high": config.epsilon_high or config.epsilon}
    ratio = now
    if config.loss_type in ("gspo", "rloo"):
        ratio = whole_answers(now, old, batch.learnt_per_sequence(), mean=config.loss_type == "gspo")
    losses = clipped_policy(ratio, old, credit, **clip)
    shown = {
        "loss/policy_avg": weight * losses,
        "policy/approxkl_avg": approx_kl(now.detach(), old),
        "policy/clipfrac_avg": clipped_fraction(ratio.detach(), old, credit, **clip),
        "val/ratio": (ratio.detach() - old).exp(),
    }
    if config.beta and not config.kl_in_reward:
        drift = KL[config.kl_estimator](now, batch.extra["reference"])
        losses, shown["loss/kl_avg"] = losses + config.beta * drift, weight * drift
    stats = {name: Mean(float(figure.detach().sum()), batch.count) for name, figure in shown.items()}
    stats |= {name: Mean(figure * batch.count, batch.count) for name, figure in memory.figures.items()}
    return Loss((weight * losses).sum(), stats)


def main(config: Config, display=None) -> dict:
    """Train the policy; returns the stage's result."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)
        prompts = stage.read(read_prompts, config, run, tokenizer)
        policy = language_model(config.model_name_or_path, **config.trained)
        reference = language_model(config.ref_model or config.model_name_or_path, **config.frozen)
        reference.requires_grad_(False)
        models = Models(policy.eval(), None, reference.eval())
        k, per = config.num_generations, PER.get(config.loss_type, "answer")
        micro, score = stage.micro_size(config, config.rollout_batch_size), scorer(config, tokenizer)
        actor = Actor(config, models, tokenizer, prompts, score, micro=micro, samples=k, world=environment(config))
        watch = Watcher(config, run, policy, tokenizer, referees(config, tokenizer))
        memory = Memory(config, actor, watch)
        updates = Rollouts(
            memory,
            rollouts=max(1, config.total_episodes // config.rollout_batch_size),
            epochs=config.num_iterations,
            minibatches=config.num_mini_batches,
            max_sequences=stage.micro_size(config, config.rollout_batch_size // config.num_mini_batches),
            seed=config.seed,
            extend=lambda _, batches: weigh(batches, per=per, longest=config.max_completion_length),
        )
        learn, extra = (lambda batch: step(config, models, memory, batch)), {"memory": memory, "watch": watch}
        stage.train(config, run, learn, updates, {"policy": policy}, extra=extra, on_update=watch.on_update)
        watch.finish()
        return stage.finish(config, run, config.method, policy, tokenizer, memory.figures, tokens=stage.counted(run))
