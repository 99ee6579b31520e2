"""The other side of PPO: the last TRL that has it, 1.8.0, in an environment of its own (see the Makefile)."""

from __future__ import annotations

from bench import clock
from bench.tasks import GENERATED, TRAINED
from bench.theirs import common, prepare
from bench.world import read


class Reinforced:
    """PPO with GAE and clipping, as shipped; a round is one call of `train`."""

    def __init__(self, asked) -> None:
        import torch
        from datasets import Dataset
        from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
        from trl.experimental.ppo import PPOConfig, PPOTrainer

        prepare(asked)
        task = TRAINED["ppo"]
        model, reward = str(asked.folder / "model"), str(asked.folder / "reward")
        rows = [{"input_ids": row["prompt"]} for row in read(asked.folder, "prompts.tokens.jsonl")]

        def language():
            return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)

        def scored():
            return AutoModelForSequenceClassification.from_pretrained(reward, num_labels=1, dtype=torch.float32)

        given = common(asked, task.batch, total_episodes=task.batch * task.updates, response_length=GENERATED)
        given.pop("train_sampling_strategy")
        tokenizer = AutoTokenizer.from_pretrained(model)
        self.trainer = PPOTrainer(
            args=PPOConfig(**given, stop_token="eos", num_sample_generations=0, temperature=0.7, num_ppo_epochs=4),
            processing_class=tokenizer,
            model=language(),
            ref_model=language(),
            reward_model=scored(),
            value_model=scored(),
            train_dataset=Dataset.from_list(rows),
            eval_dataset=Dataset.from_list(rows[:4]),
        )
        self.task = task

    def check(self) -> dict:
        """What is compared is the work: GAE, clipping and the epochs are set alike; its samples are its own."""
        return {"check": []}

    def round(self) -> dict:
        """One timed call of `train`."""
        started = clock.now()
        self.trainer.train()
        return {"seconds": clock.now() - started, "units": self.task.units()}


WORKS = {"ppo": Reinforced}
