"""What is compared: how much work a round is, in which units it is counted, and the least arithmetic it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import limits, world

GENERATED = 128
"""Tokens of an answer at most, where answers are sampled."""
CHECKED = 2
"""Updates whose losses must agree before anything is timed."""
RATE = 1e-5
STILL = 1e-9
"""Learning rate of rounds that sample: the policy stays as it is, so that answers stay as long on every side."""
SETTINGS = {"learning_rate": RATE, "lr_scheduler_type": "constant", "num_train_epochs": 1.0, "seed": 0}
"""Ours; the other side is given the same."""
COUNTS = {"dialogues": 32, "pairs": 16, "prompts": 64}
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096)
BATCHES = (1, 2, 4, 8, 16, 32)
SAMPLES = (1, 2, 4, 8, 16)
LONGEST = max(LENGTHS)
"""Tokens of a sequence at most: what the model and every trainer allow."""


@dataclass(frozen=True)
class Task:
    """A round of training: `updates` of `batch` rows of a data file; `unit` names what is counted.

    Attributes:
        samples: answers drawn to each prompt; `batch` counts the answers. 0: the data has the answers.
    """

    data: str
    batch: int
    updates: int
    unit: str
    samples: int = 0

    @property
    def rows(self) -> list[dict]:
        """The rows of the data, as tokens, that a round uses."""
        return data(self.data)[: self.batch * self.updates // max(1, self.samples)]

    def units(self) -> int:
        """Tokens of the rows, or rows, or answers drawn to them."""
        if self.unit == "tokens":
            return sum(len(row["prompt"]) + sum(map(len, row["answers"])) for row in self.rows)
        return len(self.rows) * max(1, self.samples)

    def given(self, *, full: bool = False) -> dict[tuple[int, ...], list[list[int]]]:
        """Prompt → answers in place of drawn ones for the check, without end token; `full`: as long as may be."""
        found = world.rows(len(self.rows), seed=1, answers=self.samples)
        words = [[(answer[:-1] * (GENERATED if full else 1))[:GENERATED] for answer in row["answers"]] for row in found]
        return {tuple(row["prompt"]): answers for row, answers in zip(self.rows, words, strict=True)}


TRAINED = {
    "sft": Task("dialogues", 16, 2, "tokens"),
    "reward": Task("pairs", 8, 2, "pairs"),
    "dpo": Task("pairs", 8, 2, "pairs"),
    "dpo-cached": Task("pairs", 8, 2, "pairs"),
    "rloo": Task("prompts", 32, 1, "samples", samples=4),
    "grpo": Task("prompts", 32, 1, "samples", samples=4),
    "ppo": Task("prompts", 32, 1, "samples", samples=1),
}
GROWN = {f"length-{length}": Task(f"rows-of-{length}", LONGEST // length, 1, "tokens") for length in LENGTHS} | {
    f"batch-{batch}": Task("dialogues", batch, 1, "tokens") for batch in BATCHES
}
"""Fine-tuning by length of the sequences, so many tokens an update, and by their number."""
ALL = TRAINED | GROWN
UNITS = {work: task.unit for work, task in TRAINED.items()} | {"generate-1": "tokens", "generate-4": "tokens"}


def data(name: str) -> list[dict]:
    """The rows of a data file as tokens, in the order in which they are trained on."""
    if name.startswith("rows-of-"):
        length = int(name.removeprefix("rows-of-"))
        return world.even(LONGEST // length, length)
    answers = {"dialogues": 1, "pairs": 2, "prompts": 1}[name]
    return world.rows(COUNTS[name], seed=len(name), answers=answers)


def drawn(work: str) -> int:
    """Answers that a round samples; 0 where the data has them."""
    if work in ALL:
        return ALL[work].units() if ALL[work].samples else 0
    return COUNTS["prompts"]


def write(folder: Path, size: str) -> None:
    """The models and every data file, as text and as tokens. Our order of one epoch is undone, so both sides agree.

    What is there stays.
    """
    from baro.data.stream import permutation

    if (folder / "dialogues.jsonl").is_file():
        return
    folder.mkdir(exist_ok=True)
    world.build(size, folder, context=LONGEST)
    for name in dict.fromkeys([*COUNTS, *(task.data for task in GROWN.values())]):
        rows = data(name)
        texts = [_as_text(name, row) for row in rows]
        shuffled = [texts[0]] * len(texts)
        for place, index in enumerate(permutation(len(texts), seed=SETTINGS["seed"], epoch=0)):
            shuffled[index] = texts[place]
        world.write(folder, f"{name}.jsonl", shuffled)
        world.write(folder, f"{name}.inorder.jsonl", texts)
        world.write(folder, f"{name}.tokens.jsonl", rows)


def _as_text(name: str, row: dict) -> dict:
    prompt = world.tokens_to_text(row["prompt"])
    answers = [" " + world.tokens_to_text(answer[:-1]) for answer in row["answers"]]
    if name == "pairs":
        return {"prompt": prompt, "chosen": answers[0], "rejected": answers[1]}
    if name == "prompts":
        return {"prompt": prompt + " ", "plain": True}
    return {"prompt": prompt, "completion": answers[0]}


def least(work: str, size: str, lengths: float = 0.0) -> float | None:
    """FLOPs of one unit of `work` at least, None where no rule is stated; `lengths`: mean tokens of sampled answers.

    Training is three forward passes. Methods that sample, as the recipes have them: sampling, then policy, reference
    and reward once over everything, in PPO the value model too; then every epoch of the policy, in PPO of the value
    model too, four of them.
    """
    if work in ALL:
        task = ALL[work]
        if task.samples:
            answers = [round(lengths)] * task.samples
            once = sum(limits.forward(size, len(row["prompt"]), answers) for row in task.rows)
            bare = sum(limits.forward(size, len(row["prompt"]), answers, states=0) for row in task.rows)
            passes = 3 * once + 2 * bare + 4 * 3 * (once + bare) if work == "ppo" else 3 * once + bare + 3 * once
            return passes / task.units()
        states = 0 if work == "reward" else None
        passes = 4 if work == "dpo" else 3
        total = sum(
            limits.forward(size, len(row["prompt"]), [len(answer) for answer in row["answers"]], states=states)
            for row in task.rows
        )
        return passes * total / task.units()
    samples = int(work.removeprefix("generate-"))
    prompts = data("prompts")[: 64 // samples]
    length = max(1, round(lengths))
    total = sum(limits.forward(size, len(row["prompt"]), [length] * samples) for row in prompts)
    return total / (len(prompts) * samples * length)
