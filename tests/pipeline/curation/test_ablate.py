"""`baro data ablate`: the comparison by hand, and the whole of it on a tiny world."""

import json

import numpy as np
import pytest

from baro.core.errors import BaroError, ConfigError
from baro.data.files import write_jsonl
from baro.engine.config import load
from baro.pipeline.curation import ablate as module
from baro.pipeline.curation.ablate import Ablate, ablate, compare, verdict


def table(mean, seeds=3, prompts=200, dice=0):
    return (mean + 0.1 * np.random.default_rng(dice).normal(size=(seeds, prompts))).tolist()


def test_the_best_is_named_and_who_cannot_be_told_from_it():
    found = compare({"selection": table(0.8), "random": table(0.5, dice=1), "all": table(0.8, dice=2)})
    assert found["best"] in ("selection", "all")
    assert found["not_told_apart_from_best"] == [{"selection": "all", "all": "selection"}[found["best"]]]
    assert found["differences"]["selection - random"]["low"] > 0.2
    assert "cannot be told apart" in verdict(found)["en"]


def test_a_clear_winner_is_said_to_be_one():
    found = compare({"random": table(0.5), "selection": table(0.9, dice=1)})
    assert found["best"] == "selection"
    assert "beyond doubt" in verdict(found)["en"]


def test_a_selection_that_lost_says_so():
    found = compare({"random": table(0.9), "selection": table(0.5, dice=1)})
    assert found["best"] == "random"
    assert found["differences"]["selection - random"]["high"] < 0


@pytest.fixture
def settings(whole, tmp_path):
    """(**changes) → settings of an ablation on the tiny world."""
    folder, world = tmp_path / "curated", whole[1] / "world"
    rows = [json.loads(line) for line in (world / "tasks.jsonl").read_text().splitlines()]
    for name, part in {"selection": rows[:8], "longest": rows[8:16], "all": rows}.items():
        write_jsonl(folder / f"{name}.jsonl", part)

    def build(**changes):
        given = {
            "folder": folder,
            "model_name_or_path": str(whole[1] / "base"),
            "out": tmp_path / "out",
            "seeds": [0, 1],
            "max_steps": 2,
            "tasks": [world / "tasks.jsonl"],
            "max_samples": 6,
            "max_completion_length": 6,
            "text": [world / "text.jsonl"],
            "device": "cpu",
            "dtype": "float32",
        }
        return load(Ablate, **given | changes)

    return build


@pytest.mark.slow
def test_every_arm_is_trained_as_long_and_what_is_done_is_not_done_again(settings, tmp_path, monkeypatch, capsys):
    trained, main = [], module.sft.main
    monkeypatch.setattr(module.sft, "main", lambda config: trained.append(config) or main(config))
    found = ablate(settings())
    assert [config.max_steps for config in trained] == [2] * 8
    assert found["rows"] == {"selection": 8, "random": 8, "longest": 8, "all": 32}
    assert set(found["text_nats"]) == {"selection", "random", "longest", "all"}
    assert "selection - random" in capsys.readouterr().out
    assert not (tmp_path / "out" / "all_0").exists()  # models are not kept unless asked
    page = (tmp_path / "out" / "ablation.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    trained.clear()
    again = ablate(settings())
    assert trained == []
    assert again == found


def test_random_rows_are_drawn_anew_for_every_seed(settings, monkeypatch):
    seen = []
    monkeypatch.setattr(module.sft, "main", lambda config: seen.append(config.dataset[0].read_text()))
    monkeypatch.setattr(module._Bench, "measure", lambda self, folder: {"scores": [0.0], "text_nats": None})
    ablate(settings(arms=["random", "selection"], text=[]))
    assert len(set(seen[:2])) == 2
    assert len(set(seen[2:])) == 1  # the selection is the selection
    assert all(len(text.splitlines()) == 8 for text in seen)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": []}, "nothing to measure with"),
        ({"seeds": [1, 1]}, "names one twice"),
        ({"arms": ["all"]}, "two different ones"),
        ({"sft": {"max_steps": 4}}, "sft.max_steps is set by the comparison"),
    ],
)
def test_settings_that_make_no_comparison_are_refused(settings, changes, message):
    with pytest.raises(ConfigError, match=message):
        settings(**changes)


def test_a_folder_without_selection_is_named(settings, tmp_path):
    (tmp_path / "curated" / "longest.jsonl").unlink()
    with pytest.raises(BaroError, match=r"longest.jsonl is missing"):
        ablate(settings())
