"""A recipe small enough to run in seconds: its data come from a function in a file beside it."""

import json
from pathlib import Path

import pytest

DATA = '''
"""Makes the data of a tiny world."""
import json

COLOURS = ["red", "blue", "green", "black"]
THINGS = ["cat", "dog", "hat", "cup", "car", "pen", "box", "key"]


def user(text):
    return [{"role": "user", "content": text}]


def assistant(text):
    return [{"role": "assistant", "content": text}]


def make(folder, *, repeat=4):
    """Text, tasks, preferences (politeness is liked) and prompts; each row's right answer is known."""
    facts = [(thing, COLOURS[i % 4]) for i, thing in enumerate(THINGS)]
    files = {
        "text": [{"text": f"The {thing} is {colour}. " * 3} for thing, colour in facts] * repeat,
        "tasks": [{"instruction": f"Colour of the {t}?", "input": "", "output": f"{c}."} for t, c in facts] * repeat,
        "preferences": [
            {"prompt": user(f"Colour of the {t}?"), "chosen": assistant(f"{c}, friend."), "rejected": assistant(c)}
            for t, c in facts
        ] * repeat,
        "prompts": [{"prompt": user(f"Colour of the {t}?"), "right": c} for t, c in facts],
    }
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
    return {name: len(rows) for name, rows in files.items()}


def judge(prompts, completions, right, **columns):
    """The share of an answer's letters that the right one has."""
    return [len(set(text) & set(colour)) / max(len(set(text)), 1) for text, colour in zip(completions, right)]
'''
CHAIN = """
about: {en: A chain., ko: 사슬.}
seed: 0
repeat: 4
stages:
  world:
    method: prepare
    function: "$DATA:make"
    args: {repeat: "${repeat}"}
  base:
    method: pretrain
    dataset: ["${world}/text.jsonl"]
    eval_dataset: ["${world}/text.jsonl"]
    size: 20_000
    vocab_size: 300
    max_length: 64
    max_steps: 4
    per_device_train_batch_size: 8
    device: cpu
    dtype: float32
  sft:
    method: sft
    model_name_or_path: ${base}
    dataset: ["${world}/tasks.jsonl"]
    learning_rate: 1e-3
    max_length: 64
    max_steps: 6
    save_steps: 2
    device: cpu
    dtype: float32
  dpo:
    method: dpo
    model_name_or_path: ${sft}
    dataset: ["${world}/preferences.jsonl"]
    learning_rate: 1e-3
    max_length: 64
    max_steps: 2
    device: cpu
    dtype: float32
"""
REST = """
  reward:
    method: reward
    model_name_or_path: ${sft}
    dataset: ["${world}/preferences.jsonl"]
    eval_dataset: ["${world}/preferences.jsonl"]
    learning_rate: 1e-3
    max_length: 64
    max_steps: 3
    device: cpu
    dtype: float32
  rejection:
    method: rejection
    model_name_or_path: ${sft}
    reward_model_name_or_path: ${reward}
    dataset: ["${world}/prompts.jsonl"]
    num_generations: 2
    max_completion_length: 8
    max_steps: 2
    device: cpu
    dtype: float32
  ppo:
    method: ppo
    model_name_or_path: ${sft}
    reward_model_name_or_path: ${reward}
    dataset: ["${world}/prompts.jsonl"]
    total_episodes: 16
    rollout_batch_size: 8
    num_ppo_epochs: 1
    max_completion_length: 8
    device: cpu
    dtype: float32
evaluate:
  models: [base, sft, dpo, rejection, ppo]
  reference: sft
  base: base
  prompts: ["${world}/prompts.jsonl"]
  judge: "$DATA:judge"
  judge_about: {en: Letters of the right answer., ko: 정답의 글자.}
  reward_model_name_or_path: ${reward}
  tasks: ["${world}/tasks.jsonl"]
  max_tasks: 8
  text: ["${world}/text.jsonl"]
  max_completion_length: 8
  shown: 3
  device: cpu
  dtype: float32
"""


def written(folder: Path, text: str) -> Path:
    """The recipe in `folder`, its data function beside it."""
    (folder / "tiny_data.py").write_text(DATA)
    file = folder / "tiny.yaml"
    file.write_text(text.replace("$DATA", str(folder / "tiny_data.py")))
    return file


@pytest.fixture
def chain(tmp_path) -> Path:
    """A recipe of four stages without evaluation."""
    return written(tmp_path, CHAIN)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """(recipe file, run folder) of a recipe of every method, with evaluation; run once."""
    from baro.pipeline.runner import run

    folder = tmp_path_factory.mktemp("whole")
    file = written(folder, CHAIN + REST)
    run(file, [f"run={folder / 'run'}"])
    return file, folder / "run"


@pytest.fixture
def went(monkeypatch):
    """The names of the stages whose method was really run, in order."""
    from baro.pipeline import fingerprint, runner

    names, find = [], runner._module

    class Module:
        def __init__(self, method: str) -> None:
            self.module = find(method)
            self.Config = self.module.Config

        def main(self, config, display):
            names.append(Path(config.output_dir).name)
            return self.module.main(config, display)

    monkeypatch.setattr(runner, "_module", Module)
    fingerprint.content.cache_clear()
    return names


@pytest.fixture(scope="session")
def read():
    """File → its JSON."""
    return lambda file: json.loads(Path(file).read_text(encoding="utf-8"))
