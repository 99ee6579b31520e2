"""Direct preference optimisation and its family: learn from the pairs, without a reward model.

    L = -log σ(β [(log π - log π_ref)(y_w) - (log π - log π_ref)(y_l)])   (Rafailov et al. 2023, 2305.18290 eq. 7)

The reference's log-probabilities are worked out once, before the first step, and kept on disk under a key made of the
reference's weights and the tokens of every pair. The family is a table of pure functions (`LOSSES`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor

from baro.core.types import Batch, Loss, Mean
from baro.data.packing import micro_batches
from baro.data.read import read_preferences
from baro.data.templates import render_pairs
from baro.engine import dist
from baro.engine.config import ExistingPath
from baro.evals.statistics import wins
from baro.models.forward import sequence_log_probs
from baro.models.load import language_model, load_tokenizer, weight_files
from baro.objectives import preference as loss
from baro.recipes import stage
from baro.recipes.settings import DataPath, Method, ModelPath
from baro.recipes.watching import Watcher, of_updates


class Config(Method):
    """Settings of `baro dpo`; defaults are TRL's (1.16) unless said otherwise."""

    model_name_or_path: ModelPath
    """The SFT model: the policy starts as it."""
    ref_model: ModelPath | None = None
    """The reference; default: model_name_or_path."""
    dataset: list[DataPath]
    """Preferences: prompt, chosen, rejected."""
    eval_dataset: list[ExistingPath] = []
    """Held-out preferences."""
    loss_type: Literal["sigmoid", "ipo", "hinge", "robust", "sigmoid_norm", "simpo", "orpo"] = "sigmoid"
    """sigmoid: DPO, or cDPO with label_smoothing. robust: rDPO. sigmoid_norm: DPO on mean log-ratios per token."""
    beta: float = Field(default=0.1, gt=0)
    """DPO: strength of the pull to the reference. IPO: τ. ORPO: λ. SimPO: scale of the mean log-prob (2 to 2.5)."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Assumed share of flipped labels: cDPO with sigmoid, rDPO with robust."""
    simpo_gamma: float = 0.5
    """Target margin of SimPO."""
    on_alarm: Literal["log", "stop"] = "log"
    """What an alarm of the watch does: log says it, stop ends the run."""
    cache_dir: str | None = None
    """Where the reference log-probs are kept; default: output_dir/cache."""
    max_length: int = 1024
    learning_rate: float = 1e-6
    num_train_epochs: float = 1.0


class Pair(NamedTuple):
    """(P,) figures of the two answers: summed log-probs of the policy, their log-ratios to the reference, means."""

    chosen: Tensor
    rejected: Tensor
    chosen_ratios: Tensor
    rejected_ratios: Tensor
    chosen_lengths: Tensor
    rejected_lengths: Tensor

    @property
    def means(self) -> tuple[Tensor, Tensor]:
        """Mean log-probs per token."""
        return loss.per_token(self.chosen, self.chosen_lengths), loss.per_token(self.rejected, self.rejected_lengths)

    @property
    def mean_ratios(self) -> tuple[Tensor, Tensor]:
        """Log-ratios per token."""
        chosen = loss.per_token(self.chosen_ratios, self.chosen_lengths)
        return chosen, loss.per_token(self.rejected_ratios, self.rejected_lengths)


LOSSES: dict[str, Callable[[Pair, Config], Tensor]] = {
    "sigmoid": lambda x, c: loss.cdpo(
        x.chosen_ratios, x.rejected_ratios, beta=c.beta, label_smoothing=c.label_smoothing
    ),
    "ipo": lambda x, c: loss.ipo(*x.mean_ratios, tau=c.beta),
    "hinge": lambda x, c: loss.hinge(x.chosen_ratios, x.rejected_ratios, beta=c.beta),
    "robust": lambda x, c: loss.rdpo(
        x.chosen_ratios, x.rejected_ratios, beta=c.beta, label_smoothing=c.label_smoothing
    ),
    "sigmoid_norm": lambda x, c: loss.dpo(*x.mean_ratios, beta=c.beta),
    "simpo": lambda x, c: loss.simpo(*x.means, beta=c.beta, gamma=c.simpo_gamma),
    "orpo": lambda x, c: c.beta * loss.orpo(*x.means) - x.means[0],
}
WITHOUT_REFERENCE = {"simpo", "orpo"}


def step(model, batch: Batch, config) -> Loss:
    """The loss of one micro-batch, summed over its pairs."""
    sums, lengths = sequence_log_probs(model, batch), batch.learnt_per_sequence()
    ratios = sums - batch.extra["reference"]
    pair = Pair(*sums.view(-1, 2).unbind(1), *ratios.view(-1, 2).unbind(1), *lengths.view(-1, 2).unbind(1))
    losses = LOSSES[config.loss_type](pair, config)
    chosen, rejected = config.beta * pair.chosen_ratios.detach(), config.beta * pair.rejected_ratios.detach()
    figures = {
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/margins": chosen - rejected,
        "rewards/accuracies": ((chosen - rejected).sign() + 1) / 2,
        "logps/chosen": pair.chosen.detach(),
        "logps/rejected": pair.rejected.detach(),
        "watch/chosen_per_token": pair.mean_ratios[0].detach(),
    }
    return Loss(losses.sum(), {name: Mean(float(x.sum()), batch.count) for name, x in figures.items()})


@torch.no_grad()
def reference_log_probs(path: str, sequences: list, folder: Path, config) -> Tensor:
    """(S,) float32 log-probs of the sequences under the model at `path`, from the cache where it has them."""
    digest = hashlib.sha256()
    for file in weight_files(path):
        digest.update(file.read_bytes())
    digest.update(f"{path if not Path(path).is_dir() else ''} {config.dtype}".encode())
    for sequence in sequences:
        digest.update(repr((sequence.tokens, sequence.learn)).encode())
    kept = folder / f"reference-{digest.hexdigest()[:24]}.safetensors"
    if kept.is_file():
        return load_file(kept)["log_probs"]
    model = language_model(path, **config.frozen).eval()
    batches = micro_batches(sequences, max_tokens=8192)
    found = torch.cat([sequence_log_probs(model, batch.to(model.device)).float().cpu() for batch in batches])
    if dist.main_rank():
        folder.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(".draft")
        save_file({"log_probs": found}, draft)
        draft.rename(kept)
    return found


def main(config: Config, display=None) -> dict:
    """Train the model; returns the stage's result."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)
        model = language_model(config.model_name_or_path, **config.trained)
        cache = Path(config.cache_dir or Path(config.output_dir) / "cache")

        def rendered(rows: list) -> list:
            found = stage.usable(render_pairs(tokenizer, rows, config.max_length), config, run)
            both = [sequence for pair in found for sequence in pair]
            if config.loss_type in WITHOUT_REFERENCE:
                anchors = torch.zeros(len(both))
            else:
                anchors = reference_log_probs(config.ref_model or config.model_name_or_path, both, cache, config)
            return [(*pair, anchor) for pair, anchor in zip(found, anchors.view(-1, 2), strict=True)]

        rows = rendered(stage.read(read_preferences, config, run, tokenizer))
        held_out = rendered(read_preferences(config.eval_dataset).rows[:500]) if config.eval_dataset else []
        build = stage.paired(config, lambda chunk: {"reference": torch.cat([row[2] for row in chunk])})

        @torch.no_grad()
        def evaluate(_: int) -> dict[str, float]:
            """Share of held-out pairs whose chosen answer gained more than the rejected one, a tie counting half."""
            right = []
            for batch in build(held_out):
                sums = sequence_log_probs(model, batch.to(model.device)).cpu()
                right += wins(*(sums - batch.extra["reference"]).view(-1, 2).T.tolist())
            return {"accuracy": sum(right) / len(right)} if right else {}

        watch = Watcher(config, run, model, tokenizer)

        stage.train(
            config,
            run,
            lambda batch: step(model, batch, config),
            stage.updates(config, rows, build),
            {"model": model.eval()},  # no dropout: the reference has none, and at the first step both agree
            extra={"watch": watch},
            on_update=of_updates(watch, beta=config.beta, anchored=config.loss_type not in WITHOUT_REFERENCE),
            evaluate=evaluate,
        )
        watch.finish()
        return stage.finish(config, run, "dpo", model, tokenizer, evaluate(0), tokens=stage.of_pairs(run, rows))
