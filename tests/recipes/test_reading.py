"""The data of a stage: looked over before the first step, named by the user, mixed by weights."""

import json
from pathlib import Path

import pytest

from baro.core.errors import DataError


@pytest.mark.incident("T20")
def test_errors_stop_a_run_before_its_first_step(train, rows, world, model):
    pair = json.loads((world / "preferences.jsonl").read_text().splitlines()[0])
    file = rows("ties", [pair, pair | {"rejected": pair["chosen"]}])
    with pytest.raises(DataError, match=r"1 error \(chosen-equals-rejected 1\).*check_data=false"):
        train("dpo", dataset=[file], max_steps=1)
    assert train("dpo", dataset=[file], max_steps=1, check_data=False).result["method"] == "dpo"


def test_warnings_are_said_and_kept(train, rows, world, model):
    asked = [json.loads(line) for line in (world / "instruct.jsonl").read_text().splitlines()[:12]]
    file = rows("twice", [*asked, asked[3]])
    run = train("sft", dataset=[file], max_steps=1)
    assert any("exact-duplicate 1" in line for line in run.said)
    kept = json.loads((run.folder / "data_check.json").read_text())
    assert [(each["check"], each["rows"]) for each in kept["findings"]] == [("exact-duplicate", [12])]


def test_columns_formats_and_weights(train, rows, world, model):
    first = rows("first", [{"Frage": "Colour of the cat?", "Antwort": "red."}] * 4)
    second = rows("second", [{"Frage": f"Colour of the hat? {n}", "Antwort": "blue."} for n in range(8)])
    names = {"columns": {"instruction": "Frage", "output": "Antwort"}, "format": "alpaca"}
    run = train("sft", dataset=[first, second], dataset_weights=[2, 0.5], num_train_epochs=1, max_steps=-1, **names)
    assert [line for line in run.said if "→" in line] == [
        "read as alpaca: instruction, output → 4 conversations × 2",
        "read as alpaca: instruction, output → 8 conversations × 0.5",
    ]


@pytest.mark.parametrize("method", ["rejection", "group", "ppo", "online_dpo"])
def test_a_prompt_that_fills_the_context_stops_a_run_before_its_first_step(train, rows, model, method, monkeypatch):
    monkeypatch.setattr(f"baro.recipes.{method}.language_model", lambda *_, **__: pytest.fail("a model is loaded"))
    context = json.loads((Path(model) / "config.json").read_text())["max_position_embeddings"]
    file = rows("long", [{"prompt": "Colour of the cat?"}, {"prompt": "red " * 2 * context}])
    with pytest.raises(DataError, match=rf"context is {context}: nothing can be added.*on_bad_row=skip") as problem:
        train(method, dataset=[file])
    assert problem.value.where.endswith("long.jsonl:2")


def test_prompts_that_fill_the_context_can_be_left_out(train, rows, model):
    short, long = [{"prompt": f"Colour of the {thing}?"} for thing in ("cat", "hat")], {"prompt": "red " * 2000}
    both = train("rejection", "both", dataset=[rows("both", [short[0], long, short[1]])], on_bad_row="skip")
    assert any(line.startswith("1 of 3 prompts are left out: ") and "both.jsonl:2" in line for line in both.said)
    (line,) = map(json.loads, (both.folder / "skipped_rows.jsonl").read_text().splitlines())
    assert line["where"].endswith("both.jsonl:2")
    assert line["row"]["prompt"][0]["content"] == long["prompt"]
    assert "context of 64 tokens" in line["reason"]
    alone = train("rejection", "alone", dataset=[rows("alone", short)])
    assert both.log == alone.log
    assert not (alone.folder / "skipped_rows.jsonl").exists()
    with pytest.raises(DataError, match="nothing can be added"):
        train("rejection", "none", dataset=[rows("none", [long])], on_bad_row="skip")
