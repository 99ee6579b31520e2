"""Fine-tuning: what is learnt, what is measured, models of other houses, and rows that break."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml


def test_only_the_answers_are_learnt_unless_asked_otherwise(train, world, model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    rows = [json.loads(line) for line in (world / "instruct.jsonl").read_text().splitlines()[:8]]
    answers = whole = 0
    for row in rows:
        turns = [{"role": "user", "content": row["instruction"]}, {"role": "assistant", "content": row["output"]}]
        answers += len(tokenizer(row["output"], add_special_tokens=False)["input_ids"]) + 1  # its end token
        whole += len(tokenizer.apply_chat_template(turns[:1], add_generation_prompt=True)["input_ids"]) - 1
    changes = {"max_samples": 8, "max_steps": 1}
    assert train("sft", "answers", **changes).steps[-1]["count"] == answers
    assert train("sft", "all", completion_only_loss=False, **changes).steps[-1]["count"] == answers + whole


def test_exact_match_by_plain_generate(train, world, plain):
    from transformers import AutoTokenizer

    held_out = world / "instruct_heldout.jsonl"
    run = train("sft", eval_dataset=[str(held_out)], max_steps=60, learning_rate=1e-2, max_completion_length=8)
    model, tokenizer = plain(run.folder), AutoTokenizer.from_pretrained(run.folder)
    right = ended = 0
    rows = [json.loads(line) for line in held_out.read_text().splitlines()]
    for row in rows:
        asked = [{"role": "user", "content": row["instruction"]}]
        ids = torch.tensor([tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]])
        made = model.generate(ids, do_sample=False, max_new_tokens=8)[0, ids.shape[1] :]
        right += tokenizer.decode(made, skip_special_tokens=True).strip() == row["output"]
        ended += made[-1].item() == tokenizer.eos_token_id
    found = run.result["metrics"]
    assert found["exact_match"] == pytest.approx(right / 12)
    assert found["format"] == pytest.approx(ended / 12)
    assert right >= 4  # learnt by heart: the comparison above says something
    assert found["exact_match_before"] == 0
    assert found["nats_per_token"] == pytest.approx(run.log[-1]["eval/nats_per_token"])


@pytest.mark.parametrize("form", ["alpaca", "messages", "strings", "completion turns"])
def test_every_form_of_held_out_rows_asks_the_question_it_teaches(train, rows, form, monkeypatch):
    """The prompt that is answered for exact match is, token by token, the one that stands before the learnt answer."""
    from baro.evals import tasks
    from baro.recipes import sft

    question, answer = "Colour of the cat?", "red."
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    row = {
        "alpaca": {"instruction": question, "input": "", "output": answer},
        "messages": {"messages": turns},
        "strings": {"prompt": question, "completion": " " + answer},
        "completion turns": {"prompt": turns[:1], "completion": turns[1:]},
    }[form]
    file, seen, asked = [rows("one", [row] * 8)], [], []
    step, answers = sft.step, tasks.answers

    def drawn(model, tokenizer, prompts, **options):
        found = answers(model, tokenizer, prompts, **options)
        asked.append(found[0][0].prompt_tokens)
        assert tasks.accepted(prompts[0]) in ([answer], [answer, answer])
        return found

    monkeypatch.setattr(sft, "step", lambda model, batch: seen.append(batch) or step(model, batch))
    monkeypatch.setattr(tasks, "answers", drawn)
    train("sft", dataset=file, eval_dataset=file, max_steps=1)
    batch = seen[0]
    tokens, learn = batch.tokens[: batch.lengths[0]], batch.learn[: batch.lengths[0]]
    assert asked == [tokens[~learn].tolist()] * 2


@pytest.mark.invariant("I68", "I8")
@pytest.mark.parametrize("kind", ["gpt2", "qwen3"])
def test_a_model_of_another_house_is_tuned_and_served_by_plain_transformers(train, foreign, world, kind):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from baro.data.records import Message, Prompt
    from baro.evals.answers import answers
    from baro.models.load import language_model, load_tokenizer

    run = train("sft", model_name_or_path=str(foreign(kind)), max_steps=30, learning_rate=1e-2, max_length=128)
    assert run.steps[-1]["loss"] < 0.7 * run.steps[0]["loss"]
    ours = language_model(run.folder, dtype="float32", device="cpu").eval()
    row = answers(
        ours,
        load_tokenizer(run.folder),
        [Prompt((Message("user", "Colour of the cat?"),))],
        temperature=0.0,
        max_new_tokens=12,
    )[0][0]
    theirs, tokenizer = AutoModelForCausalLM.from_pretrained(run.folder), AutoTokenizer.from_pretrained(run.folder)
    asked = [{"role": "user", "content": "Colour of the cat?"}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
    assert ids == row.prompt_tokens
    made = theirs.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=12)[0, len(ids) :].tolist()
    assert made == row.answer.tokens
    assert theirs.generation_config.eos_token_id == tokenizer.eos_token_id


def test_plain_strings_stay_plain_in_the_saved_tokenizer(train, rows, foreign):
    """Nothing was rendered with a template, so none is invented for the folder."""
    from transformers import AutoTokenizer

    file = [rows("strings", [{"prompt": "Q: colour?", "completion": " A: red"}] * 8)]
    run = train("sft", model_name_or_path=str(foreign("gpt2")), dataset=file, max_steps=1)
    assert AutoTokenizer.from_pretrained(run.folder).chat_template is None


# --- rows that break -------------------------------------------------------------------------------------------------


@pytest.mark.incident("T20")
def test_rows_too_long_weigh_nothing_and_all_of_them_are_refused(train, rows, world):
    from baro.core.errors import DataError

    lines = [json.loads(line) for line in (world / "instruct.jsonl").read_text().splitlines()[:7]]
    long = {"instruction": "colour " * 90, "input": "", "output": "red."}
    some = train("sft", "some", dataset=[rows("some", [*lines, long])], max_steps=1)
    none = train("sft", "none", dataset=[rows("none", lines)], max_steps=1)
    assert some.steps[-1]["count"] == none.steps[-1]["count"]
    with pytest.raises(DataError, match=r"none of the 2 rows has a token to learn within max_length=64"):
        train("sft", "all", dataset=[rows("all", [long, long])])


def test_bad_rows_stop_the_run_or_are_written_down(train, rows, world):
    from baro.core.errors import DataError

    lines = [json.loads(line) for line in (world / "instruct.jsonl").read_text().splitlines()[:7]]
    file = [rows("bad", [*lines[:3], {"instruction": "Colour?", "output": ""}, *lines[3:]])]
    with pytest.raises(DataError, match=r"bad\.jsonl:4"):
        train("sft", "stops", dataset=file)
    run = train("sft", "skips", dataset=file, on_bad_row="skip", max_steps=1)
    skipped = [json.loads(line) for line in (run.folder / "skipped_rows.jsonl").read_text().splitlines()]
    assert len(skipped) == 1
    assert skipped[0]["where"].endswith("bad.jsonl:4")
    assert "1 rows skipped" in run.said[0]


@pytest.fixture
def poisoned(foreign, tmp_path) -> str:
    """A model in which the letter ~ is not a number."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoTokenizer

    folder = tmp_path / "poisoned"
    shutil.copytree(foreign("qwen3"), folder)
    (letter,) = AutoTokenizer.from_pretrained(folder)("~")["input_ids"]
    found = load_file(folder / "model.safetensors")
    assert "lm_head.weight" in found  # not tied: nothing but ~ is broken
    found["model.embed_tokens.weight"][letter] = float("nan")
    save_file(found, folder / "model.safetensors", {"format": "pt"})
    return str(folder)


@pytest.mark.invariant("I67")
def test_an_update_that_is_not_a_number_is_skipped_and_its_row_named(train, rows, poisoned, tensors):
    lines = [{"instruction": f"Say {n}", "input": "", "output": f"{n}."} for n in range(16)]
    lines[5]["instruction"] = "Say ~"
    changes = {"model_name_or_path": poisoned, "per_device_train_batch_size": 1, "gradient_accumulation_steps": 4}
    run = train("sft", dataset=[rows("broken", lines)], max_steps=4, max_length=128, **changes)
    skipped = [line for line in run.log if "skipped" in line]
    assert len(skipped) == 1
    assert [Path(row).name for row in skipped[0]["rows"]] == ["broken.jsonl:6"]
    assert [line for line in run.said if "broken.jsonl:6" in line and "No weight was changed" in line]
    assert len(run.steps) >= 3
    whole = tensors(run.folder)
    assert sum(value.isnan().any().item() for value in whole.values()) == 1  # the letter it began with


@pytest.mark.invariant("I67")
def test_a_broken_model_keeps_its_weights_and_the_run_ends_with_the_rows(train, rows, poisoned, tensors):
    from baro.core.errors import NonFiniteError

    lines = [{"instruction": "Say ~", "input": "", "output": f"{n}."} for n in range(8)]
    changes = {"model_name_or_path": poisoned, "dataset": [rows("broken", lines)], "max_length": 128}
    run = train("sft", "short", **changes, max_steps=3)
    assert [line["skipped"] for line in run.log if "skipped" in line] == ["loss is nan"] * 3
    start, end = tensors(poisoned), tensors(run.folder)
    assert all(torch.equal(start[name], end[name]) for name in start if "embed" not in name)
    with pytest.raises(NonFiniteError, match=r"broken\.jsonl"):
        train("sft", "long", **changes, max_steps=20)


# --- the folder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["pretrain", "sft", "reward", "dpo", "rejection", "ppo", "group", "rloo", "grpo", "kto", "online_dpo"]
)
def test_the_folder_is_complete(train, method, model):
    changes = {"total_episodes": 12, "num_ppo_epochs": 1} if method == "ppo" else {}
    changes |= {"rounds": 1, "num_train_epochs": 1.0} if method == "rejection" else {}
    run = train(method, **changes, max_steps=2)
    assert json.loads((run.folder / "result.json").read_text()) == json.loads(json.dumps(run.result))
    assert set(run.result) == {"method", "seconds", "busy_seconds", "tokens", "peak_bytes", "metrics"}
    assert run.result["method"] == method
    assert run.result["tokens"] > 0
    assert run.result["peak_bytes"] > 1e7
    assert run.result["seconds"] > 0
    text = (run.folder / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    card = yaml.safe_load(head)
    assert card["library_name"] == "transformers"
    assert card["tags"] == ["baro", method]
    assert card.get("base_model") == (None if method == "pretrain" else str(model))
    recipe = yaml.safe_load(body.split("```yaml\n")[1].split("```")[0])
    assert recipe["max_steps"] == 2
    assert "output_dir" in recipe
    settings = json.loads((run.folder / "run.json").read_text())["settings"]
    assert settings["learning_rate"] == recipe["learning_rate"] == 1e-3
