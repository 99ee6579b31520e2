"""A recipe whose every method but the first trains adapters, and the commands on what it made."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from baro.engine.config import load
from baro.pipeline import inference
from baro.pipeline.runner import run

CPU = {"device": "cpu", "dtype": "float32"}


@pytest.fixture(scope="module")
def adapted(whole, tmp_path_factory):
    """The folder of the run, and its report."""
    folder = tmp_path_factory.mktemp("adapted")
    text = re.sub(
        r"method: (sft|dpo|reward|rejection|ppo)\n", r"method: \1\n    use_peft: true\n", whole[0].read_text()
    )
    (folder / "adapted.yaml").write_text(text)
    return SimpleNamespace(folder=folder / "run", report=run(folder / "adapted.yaml", [f"run={folder / 'run'}"]))


def rows(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.invariant("I39")
def test_a_recipe_runs_on_one_base_and_is_evaluated(adapted):
    base = str((adapted.folder / "base").resolve())
    for stage in ("sft", "dpo", "reward", "rejection", "ppo", "ppo/value"):
        assert not (adapted.folder / stage / "model.safetensors").exists()
        written = json.loads((adapted.folder / stage / "adapter_config.json").read_text())
        assert written["base_model_name_or_path"] == base
    models = adapted.report["models"]
    assert set(models) == {"base", "sft", "dpo", "rejection", "ppo"}
    assert models["sft"]["kl"] == 0
    assert all(models[name]["kl"] != 0 for name in ("dpo", "rejection", "ppo"))
    assert all(isinstance(row["reward"], float) and isinstance(row["judge"], float) for row in models.values())
    assert (adapted.folder / "report.html").is_file()


def test_every_command_takes_an_adapter_and_says_what_the_merged_model_says(adapted, tmp_path, monkeypatch, capsys):
    import sys

    from baro.cli import main

    for name in ("ppo", "reward"):
        monkeypatch.setattr(sys, "argv", ["baro", "merge", str(adapted.folder / name), str(tmp_path / name)])
        main()
        assert (tmp_path / name / "model.safetensors").is_file()
    world, found = adapted.folder / "world", {}
    for kind, folder in (("adapter", adapted.folder), ("merged", tmp_path)):
        ppo, reward, out = str(folder / "ppo"), str(folder / "reward"), tmp_path / f"{kind}.jsonl"
        asked = {"dataset": [world / "prompts.jsonl"], "temperature": 0.0, "max_completion_length": 6}
        inference.sample(load(inference.Sample, model=ppo, out=out, **asked, **CPU))
        scored = tmp_path / f"{kind}-scores.jsonl"
        inference.score(load(inference.Score, model=reward, dataset=[out], out=scored, **CPU))
        figures = tmp_path / f"{kind}.json"
        given = {"text": [world / "text.jsonl"], "tasks": [world / "tasks.jsonl"], "prompts": [world / "prompts.jsonl"]}
        compared = {"reference": str(adapted.folder / "sft"), "reward_model": reward, "max_completion_length": 6}
        inference.evaluate(load(inference.Evaluate, model=ppo, out=figures, **given, **compared, **CPU))
        found[kind] = rows(out), [row["reward"] for row in rows(scored)], json.loads(figures.read_text())
    assert found["adapter"][0] == found["merged"][0]
    assert found["adapter"][1] == pytest.approx(found["merged"][1], abs=1e-4)
    assert {key: value for key, value in found["adapter"][2].items() if value is not None} == pytest.approx(
        {key: value for key, value in found["merged"][2].items() if value is not None}, abs=1e-3
    )
    capsys.readouterr()


def test_a_talk_with_an_adapter(adapted, monkeypatch, capsys):
    from rich.console import Console

    from baro.pipeline.chat import talk

    lines = iter(["Colour of the cat?", "/quit"])
    monkeypatch.setattr(Console, "input", lambda *_: next(lines))
    talk(str(adapted.folder / "dpo"), temperature=0.0, max_new_tokens=4, seed=0)
    assert "dpo" in capsys.readouterr().out


def test_a_base_made_anew_by_another_hand_is_noticed_before_anything_starts(adapted, tmp_path, monkeypatch, capsys):
    import shutil
    import sys

    from baro.cli import main
    from baro.models.load import language_model, load_tokenizer, save

    folder = shutil.copytree(adapted.folder, tmp_path / "copy")
    shutil.rmtree(folder / "base")
    other = language_model(adapted.folder / "base", **CPU)
    other.get_input_embeddings().weight.data += 0.01
    save(other, load_tokenizer(adapted.folder / "base"), folder / "base")
    config = json.loads((folder / "sft" / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(folder / "base")
    (folder / "sft" / "adapter_config.json").write_text(json.dumps(config))
    monkeypatch.setattr(sys, "argv", ["baro", "chat", str(folder / "sft")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "this adapter is for another base" in capsys.readouterr().err
