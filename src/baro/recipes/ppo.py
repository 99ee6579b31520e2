"""Proximal policy optimisation against a reward, near the SFT model (RLHF).

Ziegler et al. 2019 (1909.08593), Stiennon et al. 2020 (2009.01325), Ouyang et al. 2022 (2203.02155); the details follow
Huang et al. 2024 (2403.17031). State: the prompt and the answer so far. Action: the next token. Reward: -β log(π/π_ref)
at every token, the score at the last. Episode: one answer.

    r_t = -β (log π(a_t|s_t) - log π_ref(a_t|s_t)) + [t = last] score
    A_t = Σ_k (γλ)^k (r_{t+k} + γ V(s_{t+k+1}) - V(s_{t+k}))
    L   = max(-A ρ, -A clip(ρ, 1-ε, 1+ε)) + c_v max((V-R)², (V_clip-R)²)/2,   ρ = π/π_old

Deviations: log-probabilities of the rollout are recomputed by the trainer (not taken from the sampler), so that ρ is 1
at the first minibatch; the loss is summed over tokens and divided by the tokens of the whole minibatch; a missing end
token replaces the score by a constant (Ziegler) instead of subtracting from it (TRL).
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch.nn.utils.rnn import pad_sequence

from baro.core.masked import masked_sum
from baro.core.types import Batch, Loss, Mean
from baro.data.read import read_prompts
from baro.engine.config import ExistingPath
from baro.models.forward import token_log_probs, values
from baro.models.load import language_model, load_tokenizer, value_model
from baro.objectives import kl
from baro.objectives.advantage import explained_variance, gae, whiten
from baro.objectives.policy import approx_kl, clipped_fraction, clipped_policy, clipped_value
from baro.recipes import stage
from baro.recipes.experience import Experience, Rollouts, critic_only
from baro.recipes.mixture import TextMix
from baro.recipes.rollout import Actor, Models, figures
from baro.recipes.scoring import environment, scorer
from baro.recipes.settings import DataPath, ModelPath, Rewarded
from baro.recipes.watching import Watcher, referees


class Config(Rewarded):
    """Settings of `baro ppo`; defaults are those of TRL's last PPO (1.10) unless said otherwise."""

    model_name_or_path: ModelPath
    """The SFT model: the policy starts as it and is kept near it."""
    ref_model: ModelPath | None = None
    """The reference of the KL penalty; default: model_name_or_path."""
    value_model_name_or_path: ModelPath | None = None
    """Where the value model starts; default: the reward model, without one the SFT model with a zero head."""
    dataset: list[DataPath]
    """Prompts."""
    learning_rate: float = 3e-6
    value_learning_rate: float | None = None
    """Default: learning_rate."""
    adam_epsilon: float = 1e-5
    total_episodes: int = Field(default=10_000, ge=1)
    """Answers sampled in all."""
    rollout_batch_size: int = Field(default=64, ge=1)
    """Answers per rollout, over all ranks."""
    num_ppo_epochs: int = Field(default=4, ge=1)
    num_mini_batches: int = Field(default=1, ge=1)
    critic_warmup: int = Field(default=0, ge=0)
    """Rollouts at the start from which only the value model learns."""
    early_stop_kl: float | None = Field(default=None, gt=0)
    """Nats per token: once an update lies so far from the rollout's policy, the rollout's further ones are left out."""
    kl_coef: float = Field(default=0.05, ge=0)
    """β, nats of reward per nat of drift; 0 leaves the reference out."""
    kl_target: float | None = Field(default=None, gt=0)
    """Nats per answer; given: β adapts (Ziegler et al. 2019, §2.2)."""
    kl_horizon: float = Field(default=10_000, gt=0)
    """Answers over which β adapts."""
    gamma: float = Field(default=1.0, ge=0, le=1)
    lam: float = Field(default=0.95, ge=0, le=1)
    cliprange: float = Field(default=0.2, gt=0)
    cliprange_value: float | None = 0.2
    """none: the value loss is not clipped."""
    vf_coef: float = 0.1
    whiten_rewards: bool = False
    whiten_advantages: bool = True
    temperature: float = Field(default=0.7, gt=0)
    max_completion_length: int = Field(default=53, ge=1)
    """Tokens."""
    ptx_coef: float = Field(default=0.0, ge=0)
    """γ of InstructGPT's pre-training mix: weight of the next-token loss on ptx_dataset."""
    ptx_dataset: list[ExistingPath] = []


class Memory:
    """Turns rollouts into experience: act, remember, pay for drift, credit."""

    def __init__(self, config: Config, actor: Actor, watch: Watcher | None = None) -> None:
        self.config, self.actor, self.watch, self.kl_coef = config, actor, watch, config.kl_coef
        self.figures: dict[str, float] = {}

    def state(self) -> dict:
        """The KL controller's and the last figures."""
        return {"kl_coef": self.kl_coef, "figures": self.figures}

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.kl_coef, self.figures = state["kl_coef"], state["figures"]

    def __call__(self, rollout: int) -> Experience:
        config = self.config
        # 1. Act: one answer to each prompt of this rollout, and its score.
        episodes = self.actor.act(rollout)
        # 2. Remember: log-probabilities and values of the policy as it is now, and the reference's.
        sequences = [episode.sequence for episode in episodes]
        old, entropy, reference, value = self.actor.recall(sequences)
        counts = [sequence.count for sequence in sequences]
        acts = pad_sequence([torch.ones(n, dtype=torch.bool) for n in counts], batch_first=True)
        log_probs, anchors, baseline = (pad_sequence(x.split(counts), True) for x in (old, reference, value))
        # 3. Pay for drift: the KL penalty at every token, what an answer earned at its last.
        paid = torch.where(acts, kl.penalty(log_probs, anchors, coefficient=self.kl_coef), 0.0)
        earned = pad_sequence([episode.earned() for episode in episodes], True)
        rewards = paid + earned
        rewards = whiten(rewards, acts, keep_mean=True) if config.whiten_rewards else rewards
        # 4. Credit: generalised advantage estimation.
        advantages, returns = gae(rewards, baseline, acts, gamma=config.gamma, lam=config.lam)
        credit = whiten(advantages, acts) if config.whiten_advantages else advantages
        drift = masked_sum(log_probs - anchors, acts, 1)
        self.figures = figures(episodes, (paid + earned).sum(1), drift, entropy) | {
            "objective/kl_coef": self.kl_coef,
            "val/explained_variance": explained_variance(value, returns[acts]),
        }
        if self.watch:
            self.figures |= self.watch.see(episodes, old.split(counts), self.figures)
            self.kl_coef *= self.watch.price()
        if config.kl_target is not None:
            spent, n = self.figures["objective/kl"], len(episodes)
            self.kl_coef = kl.adapt(
                self.kl_coef, kl=spent, target=config.kl_target, samples=n, horizon=config.kl_horizon
            )
        return Experience(sequences, old, credit[acts], returns[acts], value)


def step(config: Config, models: Models, memory: Memory, batch: Batch) -> Loss:
    """The clipped policy or value loss of one micro-batch, summed over its tokens."""
    if "weight" in batch.extra:  # InstructGPT's pre-training mix (PPO-ptx)
        nats = -token_log_probs(models.policy, batch).sum()
        return Loss(nats * batch.extra["weight"], {"loss/ptx": Mean(float(nats.detach()), int(batch.learn.sum()))})
    if "returns" in batch.extra:
        estimate, before = values(models.value, batch), batch.extra["values"]
        value = clipped_value(estimate, before, batch.extra["returns"], clip=config.cliprange_value).sum()
        return Loss(config.vf_coef * value, {"loss/value_avg": Mean(float(value.detach()), int(batch.learn.sum()))})
    stats = {name: Mean(figure * batch.count, batch.count) for name, figure in memory.figures.items()}
    if "advantages" not in batch.extra:  # the critic warms up
        return Loss(torch.zeros(()), stats)
    old, credit = batch.extra["old_log_probs"], batch.extra["advantages"]
    now = token_log_probs(models.policy, batch, temperature=config.temperature)
    policy = clipped_policy(now, old, credit, clip_low=config.cliprange, clip_high=config.cliprange)
    clipped = clipped_fraction(now.detach(), old, credit, clip_low=config.cliprange, clip_high=config.cliprange)
    shown = {
        "loss/policy_avg": policy,
        "policy/approxkl_avg": approx_kl(now.detach(), old),
        "policy/clipfrac_avg": clipped,
        "val/ratio": (now.detach() - old).exp(),
    }
    return Loss(policy.sum(), {n: Mean(float(x.detach().sum()), batch.count) for n, x in shown.items()} | stats)


def main(config: Config, display=None) -> dict:
    """Train the policy; returns the stage's metrics."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)
        prompts = stage.read(read_prompts, config, run, tokenizer)
        policy = language_model(config.model_name_or_path, **config.trained)
        start = config.value_model_name_or_path or config.reward_model_name_or_path
        value = value_model(start or config.model_name_or_path, zero=start is None, **config.trained)
        reference = language_model(config.ref_model or config.model_name_or_path, **config.frozen)
        reference.requires_grad_(False)
        models = Models(policy.eval(), value.eval(), reference.eval())
        micro = stage.micro_size(config, config.rollout_batch_size)
        score, world = scorer(config, tokenizer), environment(config)
        watch = Watcher(config, run, policy, tokenizer, referees(config, tokenizer))
        memory = Memory(config, Actor(config, models, tokenizer, prompts, score, micro=micro, world=world), watch)
        mix = TextMix(config.ptx_dataset, config.ptx_coef, tokenizer, config)
        warm = config.critic_warmup * config.num_ppo_epochs * config.num_mini_batches
        updates = Rollouts(
            memory,
            rollouts=max(1, config.total_episodes // config.rollout_batch_size),
            epochs=config.num_ppo_epochs,
            minibatches=config.num_mini_batches,
            max_sequences=stage.micro_size(config, config.rollout_batch_size // config.num_mini_batches),
            seed=config.seed,
            extend=lambda number, batches: critic_only(batches) if number < warm else mix(number, batches),
            enough=config.early_stop_kl,
        )
        stage.train(
            config,
            run,
            lambda batch: step(config, models, memory, batch),
            updates,
            {"policy": policy, "value": value},
            rates={"policy": config.learning_rate, "value": config.value_learning_rate or config.learning_rate},
            extra={"memory": memory, "watch": watch},
            on_update=updates.told_first(watch.on_update),
        )
        watch.finish()
        tokens, critic = stage.counted(run), {"value": value}
        return stage.finish(config, run, "ppo", policy, tokenizer, memory.figures, tokens=tokens, extra_models=critic)
