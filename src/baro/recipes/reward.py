"""The reward model: what people prefer, as one number.

    L = -log σ(r(x, y_w) - r(x, y_l) - m) + c (r(x, y_w) + r(x, y_l))²     (Bradley & Terry 1952; Stiennon et al. 2020)

With `length_debias` the difference also holds w·(ln|y_w| - ln|y_l|), w learnt and thrown away, and λ|corr(r, ln|y|)| is
added (ODIN, Chen et al. 2024): length may not hide in r.

The head starts at N(0, 1/√(D+1)); after training the scores are normalised to mean 0 and variance 1 on reference
answers (Ziegler et al. 2019), and the two numbers are stored with the model.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from baro.core.types import Batch, Loss, Mean
from baro.data.read import read_preferences
from baro.data.templates import render_pairs
from baro.engine.config import ExistingPath
from baro.evals.statistics import bootstrap, wins
from baro.models.forward import scores
from baro.models.heads import normalise
from baro.models.load import load_tokenizer, reward_model
from baro.objectives.length import correlation, scaled
from baro.objectives.preference import bradley_terry, centering
from baro.recipes import stage
from baro.recipes.settings import DataPath, Method, ModelPath
from baro.rewards.model import model_scores


class Config(Method):
    """Settings of `baro reward`; defaults are TRL's (1.16) unless said otherwise."""

    model_name_or_path: ModelPath
    """The model to start from: pre-trained or SFT."""
    dataset: list[DataPath]
    """Preferences: prompt, chosen, rejected, optional margin."""
    eval_dataset: list[ExistingPath] = []
    """Held-out preferences, split from the training ones by prompt."""
    use_margin: bool = True
    """Subtract the rows' margin where they have one (Llama 2, 2307.09288 eq. 2)."""
    center_rewards_coefficient: float = 0.0
    """c: pulls the two scores of a pair towards a mean of 0; 0.01 is usual (2312.09244)."""
    length_debias: float = Field(default=0.0, ge=0)
    """λ: pull on the correlation of score and length to 0, while a length head that is thrown away after training may
    explain what length explains (ODIN, 2402.07319); 1 is a good start, with 16 pairs or more in a micro-batch."""
    normalize_samples: int = 512
    """Pairs whose answers are the reference of the normalisation; 0 leaves the scores as they are."""
    max_length: int = 1024
    learning_rate: float = 1e-4
    num_train_epochs: float = 1.0


class LengthHead(nn.Module):
    """What the length of an answer is worth: one number, learnt with the reward model and thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.worth = nn.Parameter(torch.zeros(()))


def step(model, batch: Batch, *, centre: float, head: LengthHead | None = None, debias: float = 0.0) -> Loss:
    """The loss of one micro-batch, summed over its pairs.

    Args:
        centre: weight of the pull to a mean of 0. head, debias: ODIN's length head and λ.
    """
    both = scores(model, batch, normalised=False)
    chosen, rejected = both.view(-1, 2).unbind(1)
    margin, related = batch.extra["margin"], torch.zeros(())
    if head is not None:
        lengths = scaled(batch.learnt_per_sequence())
        longer, shorter = lengths.view(-1, 2).unbind(1)
        margin = margin - head.worth * (longer - shorter)
        related = correlation(both, lengths)
    losses = bradley_terry(chosen, rejected, margin=margin) + debias * related.abs()
    if centre:
        losses = losses + centre * centering(chosen, rejected)
    gap = (chosen - rejected).detach()
    stats = {
        "accuracy": Mean(float((gap > 0).sum()) + 0.5 * float((gap == 0).sum()), batch.count),
        "margin": Mean(float(gap.sum()), batch.count),
        "mean_reward": Mean(float((chosen + rejected).detach().sum()) / 2, batch.count),
    }
    return Loss(losses.sum(), stats)


def accuracy(model, rows: list) -> dict[str, float]:
    """Share of held-out pairs scored the right way round, a tie counting half, with its 95 % interval."""
    if not rows:
        return {}
    scored = model_scores(model, [sequence for pair in rows for sequence in pair[:2]])
    found = bootstrap(wins(scored[::2], scored[1::2]))
    return {"accuracy": found.mean, "accuracy_low": found.low, "accuracy_high": found.high}


def main(config: Config, display=None) -> dict:
    """Train the reward model; returns the stage's result."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)

        def rendered(rows: list) -> list:
            margins = [(row.margin or 0.0) if config.use_margin else 0.0 for row in rows]
            found = render_pairs(tokenizer, rows, config.max_length)
            return stage.usable([(*pair, m) for pair, m in zip(found, margins, strict=True)], config, run)

        rows = rendered(stage.read(read_preferences, config, run, tokenizer))
        held_out = rendered(read_preferences(config.eval_dataset).rows) if config.eval_dataset else []
        model = reward_model(config.model_name_or_path, seed=config.seed, **config.trained)
        debias = config.length_debias
        head = LengthHead().to(model.device) if debias else None
        # no dropout: it would be noise in a difference of two scores
        modules = {"model": model.eval(), **({"length": head} if head else {})}
        stage.train(
            config,
            run,
            lambda batch: step(model, batch, centre=config.center_rewards_coefficient, head=head, debias=debias),
            stage.updates(
                config, rows, stage.paired(config, lambda chunk: {"margin": torch.tensor([r[2] for r in chunk])})
            ),
            modules,
            evaluate=lambda _: accuracy(model, held_out[:500]),
        )
        reference = rows[: config.normalize_samples]
        if reference:
            normalise(model, model_scores(model, [sequence for pair in reference for sequence in pair[:2]]))
        return stage.finish(
            config, run, "reward", model, tokenizer, accuracy(model, held_out), tokens=stage.of_pairs(run, rows)
        )
