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
SETTINGS = {"learning_rate": RATE, "lr_scheduler_type": "constant", "num_train_epochs": 1.0, "seed": 0}
"""Ours; the other side is given the same."""
FILES = {"dialogues": "dialogues.jsonl", "pairs": "pairs.jsonl", "prompts": "prompts.jsonl"}
COUNTS = {"dialogues": 32, "pairs": 16, "prompts": 64}


@dataclass(frozen=True)
class Task:
    """A round of training: `updates` of `batch` rows of a data file; `unit` names what is counted."""

    data: str
    batch: int
    updates: int
    unit: str

    def units(self) -> int:
        """Tokens of the rows, or rows."""
        used = data(self.data)[: self.batch * self.updates]
        if self.unit == "tokens":
            return sum(len(row["prompt"]) + sum(map(len, row["answers"])) for row in used)
        return len(used)


TRAINED = {
    "sft": Task("dialogues", 16, 2, "tokens"),
    "reward": Task("pairs", 8, 2, "pairs"),
    "dpo": Task("pairs", 8, 2, "pairs"),
    "dpo-cached": Task("pairs", 8, 2, "pairs"),
    "ppo": Task("prompts", 32, 1, "samples"),
}
UNITS = {work: task.unit for work, task in TRAINED.items()} | {"generate-1": "tokens", "generate-4": "tokens"}


def data(name: str) -> list[dict]:
    """The rows of a data file as tokens, in the order in which they are trained on."""
    answers = {"dialogues": 1, "pairs": 2, "prompts": 1}[name]
    return world.rows(COUNTS[name], seed=len(name), answers=answers)


def write(folder: Path, size: str) -> None:
    """The models and every data file, as text and as tokens. Our order of one epoch is undone, so both sides agree."""
    from baro.data.stream import permutation

    world.build(size, folder)
    for name, file in FILES.items():
        rows = data(name)
        texts = [_as_text(name, row) for row in rows]
        shuffled = [texts[0]] * len(texts)
        for place, index in enumerate(permutation(len(texts), seed=SETTINGS["seed"], epoch=0)):
            shuffled[index] = texts[place]
        world.write(folder, file, shuffled)
        world.write(folder, f"{name}.inorder.jsonl", texts)
        world.write(folder, f"{name}.tokens.jsonl", rows)


def _as_text(name: str, row: dict) -> dict:
    prompt = world.tokens_to_text(row["prompt"])
    answers = [" " + world.tokens_to_text(answer[:-1]) for answer in row["answers"]]
    if name == "pairs":
        return {"prompt": prompt, "chosen": answers[0], "rejected": answers[1]}
    return {"prompt": prompt} if name == "prompts" else {"prompt": prompt, "completion": answers[0]}


def least(work: str, size: str, lengths: float = 0.0) -> float | None:
    """FLOPs of one unit of `work` at least, None where no rule is stated; `lengths`: mean tokens of sampled answers.

    Training is three forward passes. PPO as in the recipe: sampling, then policy, reference, value and reward once
    over everything, then four epochs of policy and value.
    """
    if work in TRAINED:
        task = TRAINED[work]
        used = data(task.data)[: task.batch * task.updates]
        if work == "ppo":
            length = round(lengths)
            once = sum(limits.forward(size, len(row["prompt"]), [length]) for row in used)
            bare = sum(limits.forward(size, len(row["prompt"]), [length], states=0) for row in used)
            return (2 * once + once + 2 * bare + 4 * 3 * (once + bare)) / len(used)
        states = 0 if work == "reward" else None
        passes = 4 if work == "dpo" else 3
        total = sum(
            limits.forward(size, len(row["prompt"]), [len(answer) for answer in row["answers"]], states=states)
            for row in used
        )
        return passes * total / task.units()
    samples = int(work.removeprefix("generate-"))
    prompts = data("prompts")[: 64 // samples]
    length = max(1, round(lengths))
    total = sum(limits.forward(size, len(row["prompt"]), [length] * samples) for row in prompts)
    return total / (len(prompts) * samples * length)
