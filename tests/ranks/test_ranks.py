"""Two processes started by torchrun do what one does: the same order, the same figures, the same weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

METHODS = ["pretrain", "sft", "reward", "dpo", "kto", "online_dpo", "rejection", "group", "ppo"]
EACH = """
import importlib, json, sys
folder, settings = sys.argv[1], json.loads(sys.argv[2])
for method, values in settings.items():
    module = importlib.import_module(f"baro.recipes.{method}")
    module.main(module.Config(**values | {"output_dir": f"{folder}/{method}"}))
"""
CHAIN = """
stages:
  world: {method: prepare, function: "$DATA:make"}
  base:
    {method: pretrain, dataset: ["${world}/text.jsonl"], size: 20_000, vocab_size: 300, max_length: 64, max_steps: 4,
     per_device_train_batch_size: 4, gradient_accumulation_steps: 2, device: cpu, dtype: float64}
  sft:
    {method: sft, model_name_or_path: "${base}", dataset: ["${world}/tasks.jsonl"], max_length: 64, max_steps: 4,
     per_device_train_batch_size: 3, learning_rate: 1e-3, device: cpu, dtype: float64}
"""
DATA = """
import json, os
def make(folder):
    with (folder / "calls").open("a") as calls:
        calls.write(os.environ.get("RANK", "alone") + "\\n")
    rows = {"text": [{"text": f"The cat number {n} is red."} for n in range(30)],
            "tasks": [{"instruction": f"Cat {n}?", "output": "red."} for n in range(30)]}
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in lines))
    return {name: len(lines) for name, lines in rows.items()}
"""


def torchrun(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="session")
def given(settings):
    """method → settings, in double precision so that only the order of sums differs."""
    common = {"device": "cpu", "dtype": "float64", "save_steps": 0, "max_steps": -1, "num_train_epochs": 1.0}
    # a last update of four rows, and micro-batches of three: the ranks' shares are as unequal as they can be
    common |= {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 3, "max_samples": 40}
    every = {method: settings(method) | common for method in METHODS}
    return {
        method: {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
        for method, values in every.items()
    }


@pytest.fixture(scope="session")
def both(given, tmp_path_factory):
    """(folder of one process, folder of two) of every method."""
    import importlib

    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    script = two / "each.py"
    script.write_text(EACH)
    torchrun(str(script), str(two), json.dumps(given))
    for method, values in given.items():
        module = importlib.import_module(f"baro.recipes.{method}")
        module.main(module.Config(**values | {"output_dir": one / method}))
    return one, two


@pytest.mark.slow
@pytest.mark.invariant("I4", "I65")
@pytest.mark.incident("T7", "T9")
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_are_one(both, tensors, method):
    one, two = (folder / method for folder in both)
    for ours, theirs in zip(lines(one), lines(two), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-8)
    first, second = tensors(one), tensors(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=0, atol=1e-6)
    results = [json.loads((folder / "result.json").read_text()) for folder in (one, two)]
    assert results[0]["metrics"] == pytest.approx(results[1]["metrics"], rel=1e-5, abs=1e-6)
    assert results[0]["tokens"] == results[1]["tokens"]


@pytest.mark.slow
@pytest.mark.invariant("I40")
def test_both_processes_sample_what_one_would(both):
    one, two = (folder / "rejection" for folder in both)
    for ours, theirs in zip(
        *((folder / "samples.jsonl").read_text().splitlines() for folder in (one, two)), strict=True
    ):
        first, second = json.loads(ours), json.loads(theirs)
        assert first["completions"] == second["completions"]
        assert first["rewards"] == pytest.approx(second["rewards"], rel=1e-5)


@pytest.mark.slow
def test_the_command_speaks_once(given, tmp_path):
    values = given["ppo"] | {"total_episodes": 12}
    words = [f"{key}={json.dumps(value) if isinstance(value, list) else value}" for key, value in values.items()]
    done = torchrun("-m", "baro", "ppo", f"output_dir={tmp_path / 'run'}", *words)
    assert done.stdout.count("saved in") == 1
    assert done.stdout.count("read as prompt") == 1
    assert json.loads((tmp_path / "run" / "run.json").read_text())["machine"]["processes"] == 2
    assert (tmp_path / "run" / "value" / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.invariant("I65")
def test_a_recipe_is_run_by_two_processes_as_by_one(tmp_path, tensors):
    from baro.pipeline.runner import run

    (tmp_path / "data.py").write_text(DATA)
    file = tmp_path / "chain.yaml"
    file.write_text(CHAIN.replace("$DATA", str(tmp_path / "data.py")))
    two = tmp_path / "two"
    first = torchrun("-m", "baro", "run", str(file), f"run={two}")
    assert (two / "world" / "calls").read_text() == "0\n"  # the data are made once
    assert first.stdout.count("sft …") == 1
    again = torchrun("-m", "baro", "run", str(file), f"run={two}")
    assert again.stdout.count("done before") == 3
    run(file, [f"run={tmp_path / 'one'}"])
    for stage in ("base", "sft"):
        found = tensors(two / stage)
        for name, value in tensors(tmp_path / "one" / stage).items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_num_processes_starts_them_without_torchrun(tmp_path):
    (tmp_path / "data.py").write_text(DATA)
    file = tmp_path / "chain.yaml"
    file.write_text(CHAIN.replace("$DATA", str(tmp_path / "data.py")))
    command = [sys.executable, "-m", "baro", "run", str(file), f"run={tmp_path / 'run'}", "num_processes=2"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sft …") == 1
    assert json.loads((tmp_path / "run" / "sft" / "run.json").read_text())["machine"]["processes"] == 2
    wrong = subprocess.run([*command[:-1], "num_processes=0"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2
    assert "num_processes is 0, expected auto or a number from 1" in wrong.stderr
