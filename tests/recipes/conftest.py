"""A toy world for the recipes: eight colours, questions about them, a model small enough to train in a blink."""

import json
import random
from pathlib import Path

import pytest
import torch

COLOURS = ["red", "blue", "green", "black", "white", "pink", "gold", "grey"]
THINGS = ["cat", "dog", "hat", "cup", "car", "pen", "box", "key", "map", "bag", "bed", "jar"]


def write(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """text, instructions, preferences (longer answers are preferred) and prompts, as files."""
    folder = tmp_path_factory.mktemp("world")
    draw = random.Random(0)
    colour = {thing: draw.choice(COLOURS) for thing in THINGS}
    facts = [f"The {thing} is {colour[thing]}." for thing in THINGS]
    write(folder / "text.jsonl", [{"text": " ".join(draw.sample(facts, 3))} for _ in range(300)])
    write(folder / "text_heldout.jsonl", [{"text": " ".join(draw.sample(facts, 3))} for _ in range(20)])
    rows = [{"instruction": f"Colour of the {thing}?", "input": "", "output": f"{colour[thing]}."} for thing in THINGS]
    write(folder / "instruct.jsonl", rows * 8)
    write(folder / "instruct_heldout.jsonl", [row | {"accept": [row["output"]]} for row in rows])
    pairs = []
    for number in range(96):
        thing = THINGS[number % len(THINGS)]
        good, bad = f"{colour[thing]}, friend.", f"{colour[thing]}."
        pairs.append({"prompt": user(f"Colour of the {thing}?"), "chosen": assistant(good), "rejected": assistant(bad)})
    write(folder / "preferences.jsonl", pairs)
    write(folder / "prompts.jsonl", [{"prompt": user(f"Colour of the {thing}?"), "thing": thing} for thing in THINGS])
    return folder


@pytest.fixture(scope="session")
def model(world, tmp_path_factory) -> Path:
    """A random two-layer Llama with a tokenizer of the toy world, saved as any model is."""
    from baro.data.read import read_texts
    from baro.data.tokenizer import train_bpe
    from baro.models import create
    from baro.models.load import save

    torch.manual_seed(0)
    tokenizer = train_bpe((row.text for row in read_texts([world / "text.jsonl"]).rows), 320)
    folder = tmp_path_factory.mktemp("model")
    save(create.language_model(30_000, tokenizer, max_length=64, seed=1), tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def reward(model, tmp_path_factory) -> Path:
    """A random reward model of the same shape."""
    from baro.models.load import load_tokenizer, reward_model, save

    folder = tmp_path_factory.mktemp("reward")
    save(reward_model(model, seed=3), load_tokenizer(model), folder)
    return folder


@pytest.fixture(scope="session")
def settings(world, model, reward):
    """method → settings of a dozen updates."""
    return lambda method: _settings(method, world, model, reward)


def _settings(method: str, world: Path, model: Path, reward: Path) -> dict:
    common = {"max_length": 64, "per_device_train_batch_size": 8, "learning_rate": 1e-3, "save_steps": 2}
    sampled = {"max_completion_length": 8, "temperature": 1.0, "reward_model_name_or_path": str(reward)}
    return {
        "pretrain": {
            **common,
            "dataset": [str(world / "text.jsonl")],
            "size": 30_000,
            "vocab_size": 320,
            "max_steps": 12,
        },
        "sft": {
            **common,
            "dataset": [str(world / "instruct.jsonl")],
            "model_name_or_path": str(model),
            "max_steps": 12,
        },
        "reward": {**common, "dataset": [str(world / "preferences.jsonl")], "model_name_or_path": str(model)},
        "dpo": {**common, "dataset": [str(world / "preferences.jsonl")], "model_name_or_path": str(model)},
        "rejection": {
            **common,
            **sampled,
            "dataset": [str(world / "prompts.jsonl")],
            "model_name_or_path": str(model),
            "num_generations": 4,
            "rounds": 2,
            "num_train_epochs": 3.0,
        },
        "ppo": {
            **common,
            **sampled,
            "dataset": [str(world / "prompts.jsonl")],
            "model_name_or_path": str(model),
            "total_episodes": 36,
            "rollout_batch_size": 12,
            "num_ppo_epochs": 2,
            "num_mini_batches": 2,
            "kl_target": 1.0,
        },
    }[method]
