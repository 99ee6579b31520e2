"""The other side of PPO: the last TRL that has it, 1.8.0, in an environment of its own (see the Makefile)."""

from __future__ import annotations

from typing import Any

from bench import clock
from bench.tasks import GENERATED, RATE, STILL, TRAINED
from bench.theirs import common, prepare, until_end
from bench.world import PAD


class Reinforced:
    """PPO with GAE and clipping, as shipped; a round is one call of `train`."""

    def __init__(self, asked) -> None:
        from trl.experimental.ppo import ppo_trainer

        prepare(asked)
        self.asked, self.task, self.library = asked, TRAINED["ppo"], ppo_trainer
        self.lengths: list[int] = []
        self.sampler = ppo_trainer.batch_generation
        ppo_trainer.batch_generation = self.drawn
        self.trainer = self.make(STILL)

    def make(self, rate: float):
        """A trainer with its four models."""
        import torch
        from datasets import Dataset
        from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

        model, reward = str(self.asked.folder / "model"), str(self.asked.folder / "reward")
        task, rows = self.task, [{"input_ids": row["prompt"]} for row in self.task.rows]

        def language():
            return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)

        def scored():
            return AutoModelForSequenceClassification.from_pretrained(reward, num_labels=1, dtype=torch.float32)

        episodes = task.batch * task.updates
        given = common(self.asked, task.batch, total_episodes=episodes, response_length=GENERATED, learning_rate=rate)
        given.pop("train_sampling_strategy")
        given |= {"stop_token": "eos", "num_sample_generations": 0, "temperature": 1.0, "num_ppo_epochs": 4}
        return self.library.PPOTrainer(
            args=self.library.PPOConfig(**given),
            processing_class=AutoTokenizer.from_pretrained(model),
            model=language(),
            ref_model=language(),
            reward_model=scored(),
            value_model=scored(),
            train_dataset=Dataset.from_list(rows),
            eval_dataset=Dataset.from_list(rows[:4]),
        )

    def drawn(self, model, queries, *given: Any):
        """The library's own sampling; the lengths of the answers are noted."""
        tokens, logits = self.sampler(model, queries, *given)
        self.lengths += [len(until_end(answer)) for answer in tokens[:, queries.shape[1] :].tolist()]
        return tokens, logits

    def check(self) -> dict:
        """Four epochs on answers that are given, all as long as may be: both losses and the mean score."""
        known = self.task.given(full=True)

        def given(model, queries, _, pad, generation):
            import torch

            prompts = [tuple(token for token in query if token != PAD) for query in queries.tolist()]
            tokens = torch.cat((queries, torch.tensor([known[prompt][0] for prompt in prompts])), 1)
            logits = self.library.forward(model, tokens, pad).logits[:, queries.shape[1] - 1 : -1]
            return tokens, logits / generation.temperature

        trainer = self.make(RATE)
        self.library.batch_generation = given
        try:
            trainer.train()
        finally:
            self.library.batch_generation = self.drawn
        line = trainer.state.log_history[-1]
        return {"check": [line[name] for name in ("loss/policy_avg", "loss/value_avg", "objective/scores")]}

    def round(self) -> dict:
        """One timed call of `train`; `length`: mean tokens of an answer."""
        self.lengths.clear()
        started = clock.now()
        self.trainer.train()
        seconds = clock.now() - started
        return {"seconds": seconds, "units": self.task.units(), "length": sum(self.lengths) / len(self.lengths)}


WORKS = {"ppo": Reinforced}
