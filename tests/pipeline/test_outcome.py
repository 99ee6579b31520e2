"""report.json: its exact shape, and that its figures are those of the stages' own files and of plain arithmetic."""

import json
import math
import shutil

import pytest
import torch

MODELS = ["base", "sft", "dpo", "rejection", "ppo"]
FIGURES = {
    "judge", "judge_low", "judge_high", "reward", "kl", "kl_per_token", "eos_rate", "distinct_2", "mean_length",
    "win_rate", "win_rate_low", "win_rate_high", "capability", "text_nats", "alarms",
}  # fmt: skip


@pytest.fixture(scope="session")
def report(whole, read):
    return read(whole[1] / "report.json")


def lines(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_shape(report):
    assert set(report) >= {"baro", "recipe", "seed", "device", "threads", "seconds", "stages", "models"}
    assert (report["recipe"], report["seed"]) == ("tiny", 0)
    assert isinstance(report["threads"], int)
    assert isinstance(report["device"], str)
    assert list(report["stages"]) == ["world", "base", "sft", "dpo", "reward", "rejection", "ppo"]
    for stage in report["stages"].values():
        assert set(stage) == {"seconds", "tokens", "peak_bytes", "metrics"}
        assert stage["seconds"] >= 0
    assert list(report["models"]) == MODELS
    for row in report["models"].values():
        assert set(row) >= FIGURES
        for alarm in row["alarms"]:
            assert set(alarm) == {"code", "en", "ko", "value"}


def test_there_is_no_number_json_does_not_know(whole):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    text = (whole[1] / "report.json").read_text()
    assert json.loads(text, parse_constant=refuse)


def test_stages_are_their_own_results(report, whole, read):
    for name, stage in report["stages"].items():
        own = read(whole[1] / name / "result.json")
        assert {key: own[key] for key in stage} == stage
    assert report["stages"]["world"]["metrics"] == {"text": 32, "tasks": 32, "preferences": 32, "prompts": 8}
    measured = sum(read(whole[1] / "evaluation" / f"{name}.json")["seconds"] for name in MODELS)
    total = sum(stage["seconds"] for stage in report["stages"].values()) + measured
    assert report["seconds"] == pytest.approx(total)


def test_the_reference_is_compared_with_nothing(report):
    row = report["models"]["sft"]
    assert (row["kl"], row["kl_per_token"]) == (0, 0)
    assert row["win_rate"] is None
    assert row["alarms"] == []
    assert all(report["models"][name]["win_rate"] is not None for name in MODELS if name != "sft")


def test_figures_by_hand(report, whole, read):
    """Judge, wins, ends and lengths from the answers themselves, drawn again."""
    from baro.data.read import read_prompts
    from baro.evals.answers import answers
    from baro.models.load import language_model, load_tokenizer

    prompts, drawn = read_prompts([whole[1] / "world" / "prompts.jsonl"]).rows, {}
    for name in ("sft", "ppo"):
        model = language_model(whole[1] / name, dtype="float32", device="cpu").eval()
        found = answers(model, load_tokenizer(whole[1] / name), prompts, max_new_tokens=8, seed=0)
        drawn[name] = [row[0] for row in found]

    def judged(row) -> float:
        return len(set(row.text) & set(row.prompt.columns["right"])) / max(len(set(row.text)), 1)

    scores = {name: [judged(row) for row in rows] for name, rows in drawn.items()}
    for name, rows in drawn.items():
        row = report["models"][name]
        assert row["judge"] == pytest.approx(sum(scores[name]) / 8)
        assert row["judge_low"] <= row["judge"] <= row["judge_high"]
        assert row["eos_rate"] == pytest.approx(sum(one.answer.ended for one in rows) / 8)
        assert row["mean_length"] == pytest.approx(sum(len(one.answer.tokens) for one in rows) / 8)
    wins = [(a > b) + 0.5 * (a == b) for a, b in zip(scores["ppo"], scores["sft"], strict=True)]
    assert report["models"]["ppo"]["win_rate"] == pytest.approx(sum(wins) / 8)


def test_kl_and_text_by_plain_transformers(report, whole):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from baro.data.read import read_prompts
    from baro.evals.answers import answers
    from baro.models.load import language_model, load_tokenizer

    run = whole[1]
    theirs = {n: AutoModelForCausalLM.from_pretrained(run / n, dtype=torch.float64).eval() for n in ("sft", "dpo")}
    prompts = read_prompts([run / "world" / "prompts.jsonl"]).rows
    ours = language_model(run / "dpo", dtype="float32", device="cpu").eval()
    kl = 0.0
    for row in answers(ours, load_tokenizer(run / "dpo"), prompts, max_new_tokens=8, seed=0):
        ids, start = row[0].prompt_tokens + row[0].answer.tokens, len(row[0].prompt_tokens)
        for name, sign in (("dpo", 1), ("sft", -1)):
            with torch.no_grad():
                logs = theirs[name](torch.tensor([ids])).logits[0].log_softmax(-1)
            kl += sign * sum(logs[t - 1, ids[t]].item() for t in range(start, len(ids)))
    assert report["models"]["dpo"]["kl"] == pytest.approx(kl / 8, abs=1e-4)
    tokenizer, nats, tokens = AutoTokenizer.from_pretrained(run / "sft"), 0.0, 0
    for line in lines(run / "world" / "text.jsonl")[:8]:  # the file repeats itself
        ids = [*tokenizer(line["text"])["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            logs = theirs["sft"](torch.tensor([ids])).logits[0].log_softmax(-1)
        nats -= sum(logs[t - 1, ids[t]].item() for t in range(1, len(ids)))
        tokens += len(ids) - 1
    assert report["models"]["sft"]["text_nats"] == pytest.approx(nats / tokens, rel=1e-4)
    assert math.isfinite(nats)


def test_the_page_and_the_shown_answers(whole, report, read):
    page = (whole[1] / "report.html").read_text()
    assert "A chain." in page or "사슬" in page or "tiny" in page
    for name in MODELS:
        assert name in page
        shown = read(whole[1] / "evaluation" / f"{name}.json")["answers"]
        assert len(shown) == 3
        assert all(set(row) == {"prompt", "text", "judge", "reward", "ended"} for row in shown)


@pytest.fixture
def untouched(whole, tmp_path):
    """The run's folder is put back after the test."""
    shutil.copytree(whole[1], tmp_path / "kept")
    yield
    shutil.rmtree(whole[1])
    shutil.move(tmp_path / "kept", whole[1])


def test_only_what_changed_is_measured_again(whole, untouched, went, read, monkeypatch):
    from baro.pipeline import evaluation, runner

    measured, measure = [], evaluation._Bench.measure

    def remember(self, name):
        measured.append(name)
        return measure(self, name)

    monkeypatch.setattr(evaluation._Bench, "measure", remember)
    file, folder = whole
    before = read(folder / "report.json")
    runner.run(file, [f"run={folder}"])
    assert (went, measured) == ([], [])
    assert read(folder / "report.json") == before
    runner.run(file, [f"run={folder}", "evaluate.minutes=9"])  # how long it is expected to take is no figure
    assert measured == []
    runner.run(file, [f"run={folder}", "ppo.kl_coef=0.5"])
    assert went == ["ppo"]
    assert measured == ["sft", "ppo"]  # the reference's own answers are needed to compare with
    after = read(folder / "report.json")
    assert {n: after["models"][n] for n in MODELS if n != "ppo"} == {
        n: before["models"][n] for n in MODELS if n != "ppo"
    }
    measured.clear()
    runner.run(file, [f"run={folder}", "ppo.kl_coef=0.5", "evaluate.max_completion_length=6"])
    assert measured == ["sft", "base", "dpo", "rejection", "ppo"]
