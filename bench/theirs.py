"""The other side: TRL's trainers and transformers' `generate`, as their documentation has them used."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from bench import clock
from bench.tasks import ALL, CHECKED, GENERATED, GROWN, LONGEST, RATE, SAMPLES, STILL
from bench.world import END, PAD, read


def prepare(asked) -> None:
    """Threads as asked; no bars, no warnings."""
    import torch
    from datasets import disable_progress_bars

    torch.set_num_threads(asked.threads)
    disable_progress_bars()
    warnings.simplefilter("ignore")


def common(asked, batch: int, **more: Any) -> dict[str, Any]:
    """Arguments every trainer is given; everything else is as shipped, bfloat16 apart, which this bench leaves out."""
    return {
        "output_dir": str(asked.folder / "theirs"),
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "per_device_train_batch_size": batch,
        "train_sampling_strategy": "sequential",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "bf16": False,
        "use_cpu": True,
        "seed": 0,
        **({"gradient_checkpointing": False} if asked.tuned else {}),
        **more,
    }


class Trained:
    """A trainer, made anew for the check; a round is one call of `train`."""

    def __init__(self, asked, trainer: str, config: str, *, model: str = "model", **settings: Any) -> None:
        import trl
        from datasets import Dataset
        from transformers import AutoTokenizer

        prepare(asked)
        self.asked, self.task = asked, ALL[asked.work]
        self.trainer, self.config, self.path = getattr(trl, trainer), getattr(trl, config), str(asked.folder / model)
        self.settings = settings
        self.tokenizer = AutoTokenizer.from_pretrained(self.path)
        self.rows = Dataset.from_list(read(asked.folder, f"{self.task.data}.inorder.jsonl"))
        self.made = self.make(self.task.updates)

    def make(self, updates: int):
        """The trainer for so many updates."""
        arguments = self.config(**common(self.asked, self.task.batch, max_steps=updates, **self.settings))
        return self.trainer(model=self.path, args=arguments, train_dataset=self.rows, processing_class=self.tokenizer)

    def check(self) -> dict:
        """The losses of the first updates."""
        trainer = self.make(CHECKED)
        trainer.train()
        return {"check": [line["loss"] for line in trainer.state.log_history if "loss" in line]}

    def round(self) -> dict:
        """One timed call of `train`."""
        started = clock.now()
        self.made.train()
        return {"seconds": clock.now() - started, "units": self.task.units()}


class Grouped(Trained):
    """A trainer that samples several answers to each prompt, scored by the reward model; every round draws anew."""

    def make(self, updates: int, **more: Any):
        """See `Trained.make`."""
        task = self.task
        more = {"learning_rate": STILL} | more
        given = {"num_generations": task.samples, "max_completion_length": GENERATED, "shuffle_dataset": False}
        arguments = self.config(**common(self.asked, task.batch, max_steps=updates, **given, **self.settings, **more))
        return self.trainer(
            model=self.path,
            reward_funcs=str(self.asked.folder / "reward"),
            args=arguments,
            train_dataset=self.rows.select(range(len(task.rows))),
            processing_class=self.tokenizer,
        )

    def check(self) -> dict:
        """Two updates on answers that are given: their gradients and the mean score."""
        trainer, known = self.make(CHECKED, num_iterations=CHECKED, learning_rate=RATE), self.task.given()

        def given(prompt_ids, *_):
            left = {prompt: iter(answers) for prompt, answers in known.items()}
            ids = [list(next(left[tuple(prompt)])) for prompt in prompt_ids]
            return ids if self.asked.work == "rloo" else (ids, None)

        trainer._generate_single_turn = given
        trainer.train()
        lines = [line for line in trainer.state.log_history if "grad_norm" in line]
        return {"check": [*(line["grad_norm"] for line in lines), lines[0]["reward"]]}

    def round(self) -> dict:
        """See `Trained.round`; `length`: mean tokens of an answer."""
        found = super().round()
        lines = [line for line in self.made.state.log_history if "completions/mean_length" in line]
        return found | {"length": lines[-1]["completions/mean_length"]}


class Generated:
    """`generate` on left-padded batches of 32."""

    def __init__(self, asked, samples: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        prepare(asked)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(asked.folder / "model", dtype=torch.float32).eval()
        self.prompts = [row["prompt"] for row in read(asked.folder, "prompts.tokens.jsonl")][: 64 // samples]
        self.samples = samples
        torch.manual_seed(0)

    def drawn(self, prompts: list[list[int]], **how: Any) -> list[list[int]]:
        """Answers as tokens, up to and with the end token."""
        longest = max(map(len, prompts))
        tokens = self.torch.tensor([[PAD] * (longest - len(prompt)) + prompt for prompt in prompts])
        real = self.torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        found = self.model.generate(tokens, attention_mask=real, pad_token_id=PAD, eos_token_id=END, **how)
        return [until_end(row) for row in found[:, longest:].tolist()]

    def check(self) -> dict:
        """Greedy answers."""
        answers = self.drawn(self.prompts[:8], do_sample=False, max_new_tokens=24)
        return {"check": [token for answer in answers for token in answer], "exact": True}

    def round(self) -> dict:
        """One timed pass over the prompts."""
        started, tokens, size = clock.now(), 0, 32 // self.samples
        for start in range(0, len(self.prompts), size):
            answers = self.drawn(
                self.prompts[start : start + size],
                do_sample=True,
                top_k=0,
                max_new_tokens=GENERATED,
                num_return_sequences=self.samples,
            )
            tokens += sum(map(len, answers))
        answered = len(self.prompts) * self.samples
        return {"seconds": clock.now() - started, "units": tokens, "length": tokens / answered}


def until_end(tokens: list[int]) -> list[int]:
    """An answer up to and with its end token."""
    return tokens[: tokens.index(END) + 1] if END in tokens else tokens


def _pairs(asked, trainer: str, config: str, **settings: Any) -> Trained:
    return Trained(asked, trainer, config, max_length=1024, **settings)


WORKS = {
    "sft": lambda asked: Trained(asked, "SFTTrainer", "SFTConfig", max_length=1024),
    "reward": lambda asked: _pairs(asked, "RewardTrainer", "RewardConfig", model="reward"),
    "dpo": lambda asked: _pairs(asked, "DPOTrainer", "DPOConfig"),
    "dpo-cached": lambda asked: _pairs(asked, "DPOTrainer", "DPOConfig", precompute_ref_log_probs=True),
    "rloo": lambda asked: Grouped(asked, "RLOOTrainer", "RLOOConfig"),
    "grpo": lambda asked: Grouped(asked, "GRPOTrainer", "GRPOConfig", beta=0.04, scale_rewards="none"),
} | {
    **{work: lambda asked: Trained(asked, "SFTTrainer", "SFTConfig", max_length=LONGEST) for work in GROWN},
    **{f"generate-{samples}": partial(Generated, samples=samples) for samples in SAMPLES},
}
