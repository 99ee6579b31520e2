"""Our side: the recipes as a user runs them, and the sampler. Timed are the updates."""

from __future__ import annotations

import importlib
import json
import statistics
import warnings
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from baro.engine.run import Run
from bench import clock
from bench.tasks import ALL, CHECKED, GENERATED, GROWN, LONGEST, RATE, SAMPLES, SETTINGS, STILL


class Watch:
    """Seconds from the start of a run's first update to the end of its last."""

    def __enter__(self) -> Watch:
        self.seconds = 0.0
        self.start, self.finish = Run.start, Run.finish

        def start(run, *given, **named):
            self.start(run, *given, **named)
            self.seconds -= clock.now()

        def finish(run, *given):
            self.seconds += clock.now()
            self.finish(run, *given)

        Run.start, Run.finish = start, finish
        return self

    def __exit__(self, *_) -> None:
        Run.start, Run.finish = self.start, self.finish


class Trained:
    """One training recipe: `round` runs it on the task's rows, set-up and saving left out of the time."""

    def __init__(self, asked, recipe: str, **settings: Any) -> None:
        from baro.core.process import tune_process

        tune_process(asked.threads)
        self.module = importlib.import_module(f"baro.recipes.{recipe}")
        self.asked, self.task = asked, ALL[asked.work]
        model = asked.folder / ("reward" if recipe == "reward" else "model")
        self.settings = SETTINGS | {
            "model_name_or_path": str(model),
            "dataset": [str(asked.folder / f"{self.task.data}.jsonl")],
            "per_device_train_batch_size": self.task.batch,
            "max_steps": self.task.updates,
            "save_steps": 0,
            "dtype": "float32",
            **settings,
        }

    def run(self, folder: Path, **changed: Any) -> tuple[float, list[dict]]:
        """Seconds of the updates, and the lines of metrics.jsonl."""
        config = self.module.Config(**{**self.settings, **changed, "output_dir": folder})
        with Watch() as watch:
            self.module.main(config, None)
        return watch.seconds, [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]

    def check(self) -> dict:
        """The losses of the first updates."""
        with TemporaryDirectory() as folder:
            lines = self.run(Path(folder), max_steps=CHECKED)[1]
        return {"check": [line["loss"] for line in lines if "loss" in line]}

    def round(self) -> dict:
        """One timed run."""
        with TemporaryDirectory() as folder:
            seconds, _ = self.run(Path(folder))
        return {"seconds": seconds, "units": self.task.units()}


class Preferred(Trained):
    """DPO; `pay` counts the one pass of the reference over the data, too."""

    def __init__(self, asked, *, pay: bool) -> None:
        super().__init__(asked, "dpo")
        self.paid = 0.0
        if pay:
            self.reference, self.module.reference_log_probs = self.module.reference_log_probs, self.timed

    def timed(self, *given):
        """The reference's log-probabilities, their seconds noted."""
        started = clock.now()
        found = self.reference(*given)
        self.paid += clock.now() - started
        return found

    def round(self) -> dict:
        """See `Trained.round`."""
        self.paid = 0.0
        found = super().round()
        return {**found, "seconds": found["seconds"] + self.paid}


class Reinforced(Trained):
    """A recipe that samples: a round is so many rollouts, every one drawn anew."""

    def __init__(self, asked, recipe: str, **settings: Any) -> None:
        task = ALL[asked.work]
        super().__init__(
            asked,
            recipe,
            reward_model_name_or_path=str(asked.folder / "reward"),
            max_samples=len(task.rows),
            total_episodes=task.batch * task.updates,
            rollout_batch_size=task.batch,
            max_completion_length=GENERATED,
            **settings,
        )
        self.settings |= {"dataset": [str(asked.folder / f"{task.data}.inorder.jsonl")], "max_steps": -1}
        self.settings["learning_rate"] = STILL
        self.seed = 0

    def check(self) -> dict:
        """Two updates on answers that are given: their gradients and the mean score; PPO: both losses and the score."""
        from baro.core.types import Answer
        from baro.evals import answers

        group = self.asked.work != "ppo"
        known = self.task.given(full=not group)

        def given(model, prompts, **_):
            return [[Answer(ids, [0.0] * len(ids), False) for ids in known[tuple(prompt)]] for prompt in prompts]

        drawn, answers.sample = answers.sample, given
        changed = {"num_iterations": CHECKED} if group else {"max_grad_norm": 0, "adam_epsilon": 1e-8}
        try:
            with TemporaryDirectory() as folder:
                lines = self.run(Path(folder), learning_rate=RATE, **changed)[1]
        finally:
            answers.sample = drawn
        if group:
            return {"check": [*(line["grad_norm"] for line in lines), lines[0]["objective/scores"]]}
        names = ("loss/policy_avg", "loss/value_avg", "objective/scores")
        return {"check": [statistics.fmean(line[name] for line in lines) for name in names]}

    def round(self) -> dict:
        """See `Trained.round`; `length`: mean tokens of an answer."""
        self.seed += 1
        with TemporaryDirectory() as folder:
            seconds, lines = self.run(Path(folder), seed=self.seed)
        return {"seconds": seconds, "units": self.task.units(), "length": lines[0]["val/length"]}


class Generated:
    """The sampler: `samples` answers to every prompt, 32 sequences at a time."""

    def __init__(self, asked, samples: int) -> None:
        from baro.core.process import tune_process
        from baro.models.load import language_model
        from bench.world import read

        tune_process(asked.threads)
        warnings.simplefilter("ignore")
        self.model = language_model(asked.folder / "model", dtype="float32").eval()
        self.prompts = [row["prompt"] for row in read(asked.folder, "prompts.tokens.jsonl")][: 64 // samples]
        self.samples, self.seed = samples, 0

    def drawn(self, count: int, **how: Any) -> list:
        """Answers to the first `count` prompts."""
        from baro.models.sample import Sampling, sample
        from bench.world import END

        sampling = Sampling(end_tokens=(END,), **how)
        return sample(
            self.model, self.prompts[:count], sampling=sampling, samples=self.samples, seed=self.seed, slots=32
        )

    def check(self) -> dict:
        """Greedy answers."""
        answers = self.drawn(8, temperature=0, max_new_tokens=24)
        return {"check": [token for row in answers for token in row[0].tokens], "exact": True}

    def round(self) -> dict:
        """One timed pass over the prompts; every round draws anew."""
        self.seed += 1
        started = clock.now()
        answers = self.drawn(len(self.prompts), max_new_tokens=GENERATED)
        tokens = sum(len(answer.tokens) for row in answers for answer in row)
        return {"seconds": clock.now() - started, "units": tokens, "length": tokens / sum(map(len, answers))}


WORKS = {
    "sft": lambda asked: Trained(asked, "sft"),
    "reward": lambda asked: Trained(asked, "reward", normalize_samples=0),
    "dpo": lambda asked: Preferred(asked, pay=True),
    "dpo-cached": lambda asked: Preferred(asked, pay=False),
    "rloo": lambda asked: Reinforced(asked, "rloo"),
    "grpo": lambda asked: Reinforced(asked, "group", num_generations=4, beta=0.04, scale_rewards="none"),
    "ppo": lambda asked: Reinforced(asked, "ppo", temperature=1.0),
} | {
    **{work: lambda asked: Trained(asked, "sft", max_length=LONGEST) for work in GROWN},
    **{f"generate-{samples}": partial(Generated, samples=samples) for samples in SAMPLES},
}
