"""`baro sample`, `baro score` and `baro eval` on files."""

import json

import pytest
import torch

from baro.core.errors import BaroError, ConfigError, DataError
from baro.engine.config import load
from baro.pipeline import inference

CPU = {"device": "cpu", "dtype": "float32"}


def rows(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def sampled(whole, tmp_path):
    """(**settings) → what `baro sample` wrote about the recipe's prompts."""

    def run(name: str = "answers", **changes):
        given = {"model": str(whole[1] / "sft"), "dataset": [whole[1] / "world" / "prompts.jsonl"], **CPU}
        out = tmp_path / "deep" / f"{name}.jsonl"
        inference.sample(load(inference.Sample, **given | {"out": out, "max_completion_length": 6} | changes))
        return out

    return run


def test_answers_are_written_with_their_prompts_and_columns(sampled, whole, capsys):
    found, asked = rows(sampled(num_generations=3)), rows(whole[1] / "world" / "prompts.jsonl")
    assert len(found) == 8
    for row, source in zip(found, asked, strict=True):
        assert row["prompt"] == source["prompt"]
        assert row["right"] == source["right"]
        assert len(row["completions"]) == len(row["ended"]) == 3
    assert "8 prompts × 3 answers" in capsys.readouterr().out
    assert any(len(set(row["completions"])) > 1 for row in found)


@pytest.mark.invariant("I9")
def test_answers_do_not_depend_on_how_many_are_asked_for_at_a_time(sampled, monkeypatch):
    whole = rows(sampled("whole", num_generations=2))
    monkeypatch.setattr(inference, "CHUNK", 3)
    assert rows(sampled("parts", num_generations=2)) == whole
    assert rows(sampled("first", num_generations=2, max_samples=5)) == whole[:5]
    assert rows(sampled("other", num_generations=2, seed=1)) != whole


def test_stop_texts_end_answers_and_do_not_belong_to_them(sampled):
    long = {"max_completion_length": 24, "num_generations": 4}
    plain = [text for row in rows(sampled("plain", **long)) for text in row["completions"]]
    stop = max(" ea", key=lambda one: sum(one in text for text in plain))
    assert any(stop in text[3:] for text in plain)
    found = rows(sampled("stopped", stop=[stop, "never said"], **long))
    ended = [flag for row in found for flag in row["ended"]]
    for text, cut, end in zip(plain, [text for row in found for text in row["completions"]], ended, strict=True):
        assert cut == text.split(stop)[0]
        assert end or stop not in text
    with pytest.raises(ConfigError, match="empty"):
        sampled(stop=[""])


IMPOSSIBLE = ["num_generations=0", "temperature=-1.0", "top_k=-1", "top_p=0", "top_p=2", "min_p=-0.1", "max_samples=0"]


@pytest.mark.parametrize("words", [*IMPOSSIBLE, "max_completion_length=0"])
def test_settings_that_no_answer_can_be_drawn_with_are_refused(whole, words):
    given = [f"model={whole[1] / 'sft'}", f"dataset={whole[1] / 'world' / 'prompts.jsonl'}", "out=answers.jsonl"]
    key, value = words.split("=")
    with pytest.raises(ConfigError, match=rf"{key}: found '{value}', expected a number (greater|less) than"):
        load(inference.Sample, None, [*given, words])


def test_a_prompt_that_fills_the_context_is_named_before_the_model_is_loaded(sampled, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "language_model", lambda *_, **__: pytest.fail("the model is loaded all the same"))
    context = json.loads((whole[1] / "sft" / "config.json").read_text())["max_position_embeddings"]
    file = tmp_path / "long.jsonl"
    asked = [json.dumps({"prompt": "ab " * count}) for count in (1, 2 * context, 1, 3 * context)]
    file.write_text("\n".join(asked) + "\n")
    with pytest.raises(DataError, match=rf"context is {context}: .* Of all, 2 are that long") as problem:
        sampled(dataset=[file])
    assert problem.value.where.endswith("long.jsonl:2")


def test_greedy_answers_are_those_of_plain_transformers(sampled, whole):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = rows(sampled(temperature=0.0))
    model = AutoModelForCausalLM.from_pretrained(whole[1] / "sft").eval()
    tokenizer = AutoTokenizer.from_pretrained(whole[1] / "sft")
    for row in found[:3]:
        ids = torch.tensor([tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]])
        made = model.generate(ids, do_sample=False, max_new_tokens=6)[0, ids.shape[1] :]
        assert row["completions"] == [tokenizer.decode(made, skip_special_tokens=True)]


def test_what_was_sampled_can_be_scored_by_a_model(sampled, whole, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    answers, out, folder = sampled(num_generations=2), tmp_path / "scores.jsonl", whole[1] / "reward"
    inference.score(load(inference.Score, model=str(folder), dataset=[answers], out=out, **CPU))
    found = rows(out)
    assert len(found) == 16
    assert [row["completion"] for row in found] == [text for row in rows(answers) for text in row["completions"]]
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float64).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row in found[:4]:
        turns = [*row["prompt"], {"role": "assistant", "content": row["completion"]}]
        with torch.no_grad():
            bare = model(torch.tensor([tokenizer.apply_chat_template(turns)["input_ids"]])).logits.item()
        expected = model.config.reward_gain * bare + model.config.reward_bias
        assert row["reward"] == pytest.approx(expected, abs=1e-3)


def test_and_by_a_function_that_needs_the_columns(sampled, whole, tmp_path):
    answers, out = sampled(num_generations=2), tmp_path / "scores.jsonl"
    judge = f"{whole[0].parent / 'tiny_data.py'}:judge"
    inference.score(load(inference.Score, function=judge, dataset=[answers], out=out))
    right = [row["right"] for row in rows(answers) for _ in row["completions"]]
    for row, colour in zip(rows(out), right, strict=True):
        letters = set(row["completion"])
        assert row["reward"] == pytest.approx(len(letters & set(colour)) / max(len(letters), 1))


def test_conversations_can_be_scored(whole, tmp_path):
    out = tmp_path / "scores.jsonl"
    inference.score(
        load(
            inference.Score,
            model=str(whole[1] / "reward"),
            dataset=[whole[1] / "world" / "tasks.jsonl"],
            out=out,
            **CPU,
        )
    )
    assert [row["completion"] for row in rows(out)][:2] == ["red.", "blue."]
    assert rows(out)[0]["prompt"] == [{"role": "user", "content": "Colour of the cat?"}]


def test_evaluation_prints_and_writes(whole, tmp_path, read, capsys):
    world, out = whole[1] / "world", tmp_path / "figures.json"
    given = {
        "model": str(whole[1] / "dpo"),
        "reference": str(whole[1] / "sft"),
        "text": [world / "text.jsonl"],
        "tasks": [world / "tasks.jsonl"],
        "prompts": [world / "prompts.jsonl"],
        "judge": f"{whole[0].parent / 'tiny_data.py'}:judge",
        "reward_model": str(whole[1] / "reward"),
        "max_completion_length": 8,
    }
    inference.evaluate(load(inference.Evaluate, out=out, **given, **CPU))
    found = read(out)
    report = read(whole[1] / "report.json")["models"]["dpo"]
    for name in ("judge", "reward", "kl", "win_rate", "eos_rate", "mean_length", "distinct_2"):
        assert found[name] == pytest.approx(report[name], abs=1e-6)
    said = capsys.readouterr().out
    for name in ("nats_per_token", "bits_per_byte", "exact_match", "judge", "kl"):
        assert name in said
        assert found[name] is not None


@pytest.mark.parametrize(
    ("command", "given", "message"),
    [
        (inference.score, inference.Score, "either model"),
        (inference.evaluate, inference.Evaluate, "nothing to evaluate on"),
    ],
)
def test_nothing_to_do_is_an_error(whole, tmp_path, command, given, message):
    values = {
        inference.Score: {"dataset": [whole[1] / "world" / "tasks.jsonl"], "out": tmp_path / "x"},
        inference.Evaluate: {"model": str(whole[1] / "sft")},
    }[given]
    with pytest.raises(ConfigError, match=message):
        command(load(given, **values))


def test_a_language_model_is_no_reward_model(whole, tmp_path):
    with pytest.raises(BaroError, match="reward"):
        inference.score(
            load(
                inference.Score,
                model=str(whole[1] / "sft"),
                dataset=[whole[1] / "world" / "tasks.jsonl"],
                out=tmp_path / "x",
                **CPU,
            )
        )
