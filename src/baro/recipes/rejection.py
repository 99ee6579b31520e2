"""Rejection sampling: sample several answers, keep the one the reward likes best, fine-tune on what was kept.

RAFT (Dong et al. 2023, 2304.06767), Llama 2 (2307.09288 §3.2.2). With several rounds, each samples from the model the
last one made, and the kept answer of a prompt is the best of all rounds so far, never worse than before. `select:
random` is the control: the same prompts, samples and budget, but a random one of the answers is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field

from baro.core.types import Batch, Sequence
from baro.data.read import read_prompts
from baro.data.stream import Stream
from baro.engine import dist, files
from baro.models.load import language_model, load_tokenizer
from baro.objectives.select import best_of, best_of_k, kl_bound, random_of
from baro.recipes import stage
from baro.recipes.episodes import Episode, play
from baro.recipes.pretrain import step
from baro.recipes.scoring import environment, scorer
from baro.recipes.settings import DataPath, ModelPath, Rewarded
from baro.recipes.watching import Watcher, referees
from baro.watch import rules


class Config(Rewarded):
    """Settings of `baro rejection`."""

    model_name_or_path: ModelPath
    """The SFT model."""
    dataset: list[DataPath]
    """Prompts."""
    num_generations: int = Field(default=8, ge=1)
    """k: answers sampled per prompt."""
    rounds: int = Field(default=1, ge=1)
    """Times to sample and fine-tune."""
    select: Literal["best", "random"] = "best"
    """random: the control."""
    temperature: float = Field(default=1.0, gt=0)
    max_completion_length: int = Field(default=64, ge=1)
    """Tokens."""
    learning_rate: float = 1e-5
    num_train_epochs: float = 2.0
    """Passes over the kept answers in each round."""


class Rounds:
    """The updates, made lazily: sample and select once per round, then shuffled passes over what was kept."""

    def __init__(self, config: Config, draw, prompts: int) -> None:
        self.config, self.draw = config, draw
        self.per_round = stage.steps(config, prompts)
        self.stream = Stream(prompts, updates=len(self), per_update=config.sequences_per_update, seed=config.seed)
        self.position = 0
        self.kept: list[tuple[Sequence, float]] = []
        self.figures: dict[str, float] = {}

    def __len__(self) -> int:
        return self.per_round * self.config.rounds

    def __iter__(self) -> Rounds:
        return self

    def __next__(self) -> list[Batch]:
        if self.position >= len(self):
            raise StopIteration
        if self.position % self.per_round == 0:
            number = self.position // self.per_round
            fresh, figures = self.draw(number)
            kept = self.kept or [(row, float("-inf")) for row, _ in fresh]
            best = self.config.select == "best"
            self.kept = [new if new[1] > old[1] or not best else old for new, old in zip(fresh, kept, strict=True)]
            mean = sum(score for _, score in self.kept) / len(self.kept)
            self.figures |= figures | {f"reward_kept_round_{number + 1}": mean}
        rows = [self.kept[index][0] for index in self.stream.at(self.position)]
        self.position += 1
        return stage.packed(self.config)(rows)

    def state(self) -> dict:
        """Where the updates stand, the kept answers included."""
        return {
            "position": self.position,
            "figures": self.figures,
            "kept": [[row.tokens, [int(own) for own in row.learn], row.where, s] for row, s in self.kept],
        }

    def restore(self, state: dict) -> None:
        """Go on from `state`."""
        self.position, self.figures = state["position"], state["figures"]
        self.kept = [
            (Sequence(tokens, [bool(own) for own in learn], where), score)
            for tokens, learn, where, score in state["kept"]
        ]


def gains(scores: torch.Tensor) -> dict[str, float]:
    """What choosing bought: mean score of one answer and of the best of k, unbiased from all (B, K) samples."""
    k = scores.shape[1]
    curve = {f"reward_best_of_{n}": float(best_of_k(scores, n).mean()) for n in (1, 2, 4, 8, 16, 32, 64) if n <= k}
    return curve | {"kl_bound": kl_bound(k)}


def write(folder: Path, rows: list[list[Episode]]) -> None:
    """samples.jsonl (all answers and scores) and pairs.jsonl (best and worst ended answers, for DPO).

    An answer without a word is in no pair: there would be nothing to learn, or nothing but to stay silent.
    """
    samples, pairs = [], []
    for row in rows:
        asked = row[0].turns[0].prompt
        prompt = [turn.as_dict() for turn in asked.messages]
        texts = [one.turns[0].text if len(one.turns) == 1 else one.said for one in row]
        samples.append({"prompt": prompt, "completions": texts, "rewards": [one.score for one in row]})
        ended = [one for one in row if one.ended and one.turns[-1].text.strip()]
        ended.sort(key=lambda one: (one.score, one.turns[-1].text))
        if ended and ended[0].said != ended[-1].said:
            chosen, rejected = ended[-1].said, ended[0].said
            pairs.append({"prompt": prompt, "chosen": chosen, "rejected": rejected, "plain": asked.plain})
    for name, lines in (("samples.jsonl", samples), ("pairs.jsonl", pairs)):
        files.replace(folder / name, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def main(config: Config, display=None) -> dict:
    """Sample, select and fine-tune; returns the stage's result."""
    with stage.opened(config, display) as run:
        tokenizer = load_tokenizer(config.model_name_or_path)
        prompts = stage.read(read_prompts, config, run, tokenizer)
        model = language_model(config.model_name_or_path, **config.trained)
        score, world, k = scorer(config, tokenizer), environment(config), config.num_generations
        limits = rules.Limits(window=1)  # a round has many answers
        watch = Watcher(config, run, model, tokenizer, referees(config, tokenizer), limits=limits)

        def select(number: int) -> tuple[list[tuple[Sequence, float]], dict[str, float]]:
            first = number * len(prompts)
            rows = play(config, model.eval(), tokenizer, prompts, score, world=world, samples=k, first_row=first)
            scores = torch.tensor([[one.score for one in row] for row in rows])
            chosen = best_of(scores)
            if config.select == "random":
                picks = torch.Generator().manual_seed(config.seed * 1_000_003 + number)
                chosen = random_of(len(rows), k, generator=picks)
            kept = scores.gather(1, chosen.unsqueeze(1)).squeeze(1)
            if dist.main_rank():
                write(Path(config.output_dir), rows)
            found = [(row[int(i)].sequence, float(s)) for row, i, s in zip(rows, chosen, kept, strict=True)]
            seen = watch.see([one for row in rows for one in row], (), {"objective/scores": float(scores.mean())})
            return found, gains(scores) | seen

        rounds = Rounds(config, select, len(prompts))
        stage.train(
            config,
            run,
            lambda batch: step(model, batch),
            rounds,
            {"model": model},
            extra={"watch": watch},
            on_update=watch.on_update,
        )
        watch.finish()
        return stage.finish(config, run, "rejection", model, tokenizer, rounds.figures, tokens=stage.counted(run))
