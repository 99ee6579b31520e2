"""What a round of every work is, and that both sides go through it in the same order."""

import json
from dataclasses import replace

import pytest

from baro.data.read import read_dialogues, read_preferences, read_prompts
from baro.data.stream import Stream
from bench import limits, tasks, world


@pytest.mark.parametrize(
    ("name", "reader"), [("dialogues", read_dialogues), ("pairs", read_preferences), ("rows-of-256", read_dialogues)]
)
def test_our_loader_gives_the_rows_of_epoch_zero_in_the_order_of_the_file_that_the_others_read(folder, name, reader):
    found = [reader([folder / f"{name}{kind}.jsonl"]).rows for kind in ("", ".inorder")]
    ours, theirs = ([replace(row, where="") for row in rows] for rows in found)
    order = [int(at) for update in Stream(len(ours), updates=2, per_update=len(ours) // 2, seed=0) for at in update]
    assert sorted(order) == list(range(len(ours)))
    assert [ours[at] for at in order] == theirs != ours


@pytest.mark.parametrize("name", ["dialogues", "pairs", "prompts"])
def test_texts_are_the_tokens_that_the_limits_count(folder, name):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    texts, rows = (world.read(folder, f"{name}.{kind}.jsonl") for kind in ("inorder", "tokens"))
    assert rows == tasks.data(name)
    keys = {"dialogues": ["completion"], "pairs": ["chosen", "rejected"], "prompts": []}[name]
    for text, row in zip(texts, rows, strict=True):
        assert tokenizer(text["prompt"])["input_ids"] == row["prompt"]
        written = [tokenizer(text["prompt"] + text[key])["input_ids"] + [world.END] for key in keys]
        assert written == [row["prompt"] + answer for answer in row["answers"][: len(keys)]]


def test_prompts_are_read_as_plain_text(folder):
    assert all(row.plain for row in read_prompts([folder / "prompts.inorder.jsonl"]).rows)


def test_what_is_there_stays(folder, size):
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    tasks.write(folder, size)
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()} == before


def test_units_are_counted_from_what_was_written(folder):
    rows = [json.loads(line) for line in (folder / "dialogues.tokens.jsonl").read_text().splitlines()]
    tokens = sum(len(row["prompt"]) + len(row["answers"][0]) for row in rows)
    assert tasks.ALL["sft"].units() == tokens
    assert tasks.ALL["reward"].units() == tasks.ALL["dpo"].units() == 16
    assert tasks.ALL["rloo"].units() == tasks.ALL["ppo"].units() == tasks.drawn("grpo") == 32
    assert {tasks.ALL[f"length-{length}"].units() for length in tasks.LENGTHS} == {4096}
    assert tasks.drawn("sft") == 0


@pytest.mark.parametrize("full", [False, True])
def test_answers_that_are_given_belong_to_the_rows_prompts_and_keep_to_the_limit(full):
    task = tasks.ALL["grpo"]
    given = task.given(full=full)
    assert list(given) == [tuple(row["prompt"]) for row in task.rows]
    for answers in given.values():
        assert len({tuple(answer) for answer in answers}) == task.samples
        assert all(world.END not in answer and 1 <= len(answer) <= tasks.GENERATED for answer in answers)
        assert not full or {len(answer) for answer in answers} == {tasks.GENERATED}


def test_training_costs_three_forward_passes_and_dpo_a_fourth(size):
    cost = limits.cost(size)
    row = cost.token * 256 + cost.pair * 256**2 / 2 + cost.state * 192  # 64 tokens are the prompt's
    assert tasks.least("length-256", size) == pytest.approx(3 * row / 256)
    heads = sum(len(answer) for row in tasks.ALL["dpo"].rows for answer in row["answers"]) * limits.cost(size).state
    without = tasks.least("reward", size) / 3
    assert tasks.least("dpo", size) / 4 == pytest.approx(without + heads / 16)


def test_an_answer_that_shares_its_prompt_costs_less(size):
    alone, shared = (tasks.least(f"generate-{samples}", size, 40.0) for samples in (1, 4))
    bare = limits.cost(size).token + limits.cost(size).state
    assert bare < shared < alone
