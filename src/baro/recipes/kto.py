"""Kahneman-Tversky optimisation: learn from answers that are good or bad by themselves (thumbs up, thumbs down).

    r = log π(y|x) - log π_ref(y|x)        z = max(0, mean of r over answers to other prompts)
    L = w_D (1 - σ(β (r - z)))   for a desirable answer,   w_U (1 - σ(β (z - r)))   for an undesirable one

Ethayarajh et al. 2024 (2402.01306), eq. 8. The reference's log-probabilities are worked out once and kept, as for DPO.
Deviations: z is that of the whole update, not of a micro-batch, so that the update does not depend on how it is cut;
which answer goes with which other prompt is drawn once, from the seed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from baro.core.types import Batch, Loss, Mean, Sequence
from baro.data.packing import dealt, micro_batches
from baro.data.read import read_judgements
from baro.data.records import Judgement, Preference
from baro.data.templates import render_pairs
from baro.engine import dist
from baro.models.forward import sequence_log_probs
from baro.models.load import language_model, load_tokenizer
from baro.objectives.preference import kto, kto_reference_point
from baro.recipes import stage
from baro.recipes.dpo import reference_log_probs
from baro.recipes.settings import DataPath, Method, ModelPath
from baro.recipes.watching import Watcher, of_updates


class Config(Method):
    """Settings of `baro kto`; defaults are TRL's (1.16)."""

    model_name_or_path: ModelPath
    """The SFT model: the policy starts as it."""
    ref_model: ModelPath | None = None
    """The reference; default: model_name_or_path."""
    dataset: list[DataPath]
    """Answers: prompt, completion, label. Pairs (prompt, chosen, rejected) count as two answers."""
    eval_dataset: list[DataPath] = []
    """Held-out answers."""
    beta: float = Field(default=0.1, gt=0)
    """How quickly a gain or loss stops to matter: the smaller, the further the policy goes."""
    desirable_weight: float = Field(default=1.0, ge=0)
    """λ_D. With n_D desirable and n_U undesirable answers, λ_D n_D / (λ_U n_U) belongs between 1 and 3/2."""
    undesirable_weight: float = Field(default=1.0, ge=0)
    """λ_U."""
    on_alarm: Literal["log", "stop"] = "log"
    """What an alarm of the watch does: log says it, stop ends the run."""
    cache_dir: str | None = None
    """Where the reference log-probs are kept; default: output_dir/cache."""
    max_length: int = 1024
    per_device_train_batch_size: int = Field(default=8, ge=1)
    """Answers per micro-batch; an update needs two at least."""
    learning_rate: float = 1e-6
    num_train_epochs: float = 1.0

    @model_validator(mode="after")
    def _has_other_answers(self) -> Self:
        if self.sequences_per_update < 2:
            raise ValueError("the reference point needs at least two answers in an update: raise the batch size")
        return self


class Row(NamedTuple):
    """An answer behind its own prompt and behind another one, with the reference's log-probs of both (2,), nats."""

    own: Sequence
    mismatched: Sequence
    desirable: bool
    reference: Tensor


def partners(rows: list[Judgement], seed: int) -> list[int]:
    """For every row another one whose answer is read behind its prompt: the next in a random round, of other prompt."""
    order = np.random.default_rng([seed, len(rows)]).permutation(len(rows)).tolist()
    found = [0] * len(rows)
    for place, row in enumerate(order):
        later = (order[(place + step) % len(rows)] for step in range(1, len(rows)))
        found[row] = next((other for other in later if rows[other].prompt != rows[row].prompt), order[place - 1])
    return found


def rendered(config: Config, tokenizer, rows: list[Judgement], run) -> list[Row]:
    """Rows as sequences, those of which no token of the answer is left within max_length left out."""
    others = partners(rows, config.seed)
    both = [
        Preference(row.prompt, row.completion, rows[other].completion, plain=row.plain, where=row.where)
        for row, other in zip(rows, others, strict=True)
    ]
    pairs = render_pairs(tokenizer, both, config.max_length)
    kept = stage.usable([(*pair, row.label) for pair, row in zip(pairs, rows, strict=True)], config, run)
    cache = Path(config.cache_dir or Path(config.output_dir) / "cache")
    sequences = [sequence for row in kept for sequence in row[:2]]
    known = reference_log_probs(config.ref_model or config.model_name_or_path, sequences, cache, config)
    return [Row(own, other, good, two) for (own, other, good), two in zip(kept, known.view(-1, 2), strict=True)]


class Builder:
    """One update's micro-batches, each with the reference point of the whole update under the policy as it is."""

    def __init__(self, config: Config, model) -> None:
        self.model, self.size = model, stage.micro_size(config)

    @torch.no_grad()
    def point(self, rows: list[Row]) -> Tensor:
        """() z, nats. Every rank asks the model about its part; every rank gets the point of all."""
        mine = [row.mismatched for row in rows[slice(*dist.part(len(rows)))]]
        batches = micro_batches(mine, max_sequences=self.size)
        found = [sequence_log_probs(self.model, batch.to(self.model.device)).float().cpu() for batch in batches]
        every = torch.cat(dist.share(torch.cat([torch.zeros(0), *found])))
        return kto_reference_point(every - torch.stack([row.reference[1] for row in rows]))

    def __call__(self, rows: list[Row]) -> list[Batch]:
        point = self.point(rows)
        return [self.batch(chunk, point) for chunk in dealt(rows, self.size, lambda row: len(row.own.tokens))]

    def batch(self, rows: list[Row], point: Tensor) -> Batch:
        """A micro-batch; it counts its answers."""
        (packed,) = micro_batches([row.own for row in rows])
        extra = {
            "desirable": torch.tensor([row.desirable for row in rows]),
            "reference": torch.stack([row.reference[0] for row in rows]),
            "point": point,
        }
        return replace(packed, count=len(rows), extra=extra)


def step(model, batch: Batch, config: Config) -> Loss:
    """The loss of one micro-batch, summed over its answers."""
    sums, good, point = sequence_log_probs(model, batch), batch.extra["desirable"], batch.extra["point"]
    ratios = sums - batch.extra["reference"]
    weights = {"desirable_weight": config.desirable_weight, "undesirable_weight": config.undesirable_weight}
    losses = kto(ratios, good, point, beta=config.beta, **weights)
    rewards, sums, lengths = config.beta * ratios.detach(), sums.detach(), batch.learnt_per_sequence()
    stats = {"kl": Mean(float(point) * batch.count, batch.count)}
    for name, mask in (("chosen", good), ("rejected", ~good)):
        stats[f"rewards/{name}"] = Mean(float(rewards[mask].sum()), int(mask.sum()))
        stats[f"logps/{name}"] = Mean(float(sums[mask].sum()), int(mask.sum()))
    gains = (ratios.detach() / lengths)[good]
    stats["watch/chosen_per_token"] = Mean(float(gains.sum()), len(gains))
    return Loss(losses.sum(), stats)


def main(config: Config, display=None) -> dict:
    """Train the model; returns the stage's result."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)
        rows = rendered(config, tokenizer, stage.read(read_judgements, config, run, tokenizer), run)
        held_out = []
        if config.eval_dataset:
            held_out = rendered(config, tokenizer, read_judgements(config.eval_dataset).rows[:500], run)
        balance(config, rows, run)
        model = language_model(config.model_name_or_path, **config.trained)
        build = Builder(config, model.eval())  # no dropout: the reference has none

        @torch.no_grad()
        def evaluate(_: int) -> dict[str, float]:
            """Loss of held-out answers, and the share of them on the right side of their reference point."""
            total, right = 0.0, 0.0
            for batch in build(held_out) if held_out else []:
                there = batch.to(model.device)
                total += float(step(model, there, config).total)
                gain = (sequence_log_probs(model, there) - there.extra["reference"] - there.extra["point"]).cpu()
                right += float(((torch.where(batch.extra["desirable"], gain, -gain).sign() + 1) / 2).sum())
            return {"loss": total / len(held_out), "accuracy": right / len(held_out)} if held_out else {}

        watch = Watcher(config, run, model, tokenizer)
        stage.train(
            config,
            run,
            lambda batch: step(model, batch, config),
            stage.updates(config, rows, build),
            {"model": model},
            extra={"watch": watch},
            on_update=of_updates(watch, beta=config.beta),
            evaluate=evaluate,
        )
        watch.finish()
        seen = int(stage.counted(run) * sum(row.own.count for row in rows) // len(rows))
        return stage.finish(config, run, "kto", model, tokenizer, evaluate(0), tokens=seen)


def balance(config: Config, rows: list[Row], run) -> None:
    """Say so where one kind of answer outweighs the other by more than the paper advises."""
    good = sum(row.desirable for row in rows)
    bad, low = config.undesirable_weight * (len(rows) - good), config.desirable_weight * good
    if bad and low and not 1 <= low / bad <= 1.5:
        advised = 1.25 * bad / max(good, 1)
        run.say(
            f"{good:,} desirable and {len(rows) - good:,} undesirable answers weigh {low / bad:.2f} to 1; between 1 "
            f"and 1.5 is advised: desirable_weight={advised:.3g} would give 1.25"
        )
