"""Pre-training: where the loss begins, how updates are cut, what is measured, and what is in the folder."""

import json
import math

import pytest
import torch

CUTS = [(8, 1), (1, 8), (2, 4)]


@pytest.mark.invariant("I1")
@pytest.mark.parametrize("tokenizer", ["bpe", "characters"])
def test_from_scratch_the_first_loss_is_ln_v(train, tokenizer):
    run = train("pretrain", tokenizer=tokenizer, max_steps=3)
    vocabulary = json.loads((run.folder / "config.json").read_text())["vocab_size"]
    assert vocabulary >= 270
    assert run.steps[0]["loss"] == pytest.approx(math.log(vocabulary), rel=0.01)
    assert run.steps[0]["nats_per_token"] == run.steps[0]["loss"]


@pytest.mark.invariant("I4", "I3")
@pytest.mark.incident("T1", "T4", "T7")
@pytest.mark.parametrize("method", ["pretrain", "sft"])
def test_an_update_is_the_same_however_it_is_cut(train, tensors, method):
    """Twenty rows of unequal length: two whole windows and a last one of four."""
    runs = [
        train(
            method,
            f"{size}x{times}",
            per_device_train_batch_size=size,
            gradient_accumulation_steps=times,
            dtype="float64",
            max_samples=20,
            max_steps=-1,
            num_train_epochs=1.0,
        )
        for size, times in CUTS
    ]
    first = tensors(runs[0].folder)
    assert len(runs[0].steps) == 3
    assert len({line["count"] for line in runs[0].steps}) == 3
    for run in runs[1:]:
        found = tensors(run.folder)
        assert found.keys() == first.keys()
        for name, value in found.items():
            torch.testing.assert_close(value, first[name], rtol=0, atol=1e-9)
        for ours, theirs in zip(run.steps, runs[0].steps, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-9)


def test_long_documents_are_cut_and_every_token_is_learnt_once(train, rows):
    text = "The cat is red and the dog is blue. " * 20
    file = [rows("long", [{"text": text}, {"text": "The hat is gold."}])]
    run = train("pretrain", dataset=file, max_length=32, max_steps=1, vocab_size=263)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(run.folder)
    ids = [tokenizer(row, add_special_tokens=False)["input_ids"] for row in (text, "The hat is gold.")]
    pieces = math.ceil(len(ids[0]) / 31) + 1  # bos and end make n + 2 tokens, of which a piece learns 31
    assert pieces > 8
    run = train("pretrain", "all", dataset=file, max_length=32, max_steps=-1, num_train_epochs=1.0, vocab_size=263)
    assert len(run.steps) == math.ceil(pieces / 8)
    assert run.result["tokens"] == run.steps[-1]["count"] == sum(len(row) + 1 for row in ids)


def test_a_document_that_leaves_nothing_to_learn_is_named(train, rows):
    from baro.core.errors import DataError

    with pytest.raises(DataError, match=r"empty\.jsonl:1"):
        train("pretrain", dataset=[rows("empty", [{"text": ""}])])


@pytest.mark.invariant("I68")
def test_held_out_figures_by_plain_transformers(train, world, plain):
    from transformers import AutoTokenizer

    held_out = world / "text_heldout.jsonl"
    run = train("pretrain", eval_dataset=[str(held_out)], max_steps=6)
    model, tokenizer = plain(run.folder), AutoTokenizer.from_pretrained(run.folder)
    nats, tokens, texts = 0.0, 0, [json.loads(line)["text"] for line in held_out.read_text().splitlines()]
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id
        with torch.no_grad():
            logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        nats -= sum(logs[t - 1, ids[t]].item() for t in range(1, len(ids)))
        tokens += len(ids) - 1
    found = run.result["metrics"]
    assert found["nats_per_token"] == pytest.approx(nats / tokens, rel=1e-4)
    assert found["nats_per_char"] == pytest.approx(nats / sum(map(len, texts)), rel=1e-4)
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / sum(len(t.encode()) for t in texts), rel=1e-4)
    assert run.log[-1]["eval/nats_per_token"] == pytest.approx(found["nats_per_token"], rel=1e-6)


@pytest.mark.parametrize("kind", ["gpt2", "qwen3"])
def test_a_model_of_another_house_is_continued(train, foreign, kind):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run = train("pretrain", model_name_or_path=str(foreign(kind)), max_steps=40, learning_rate=1e-2)
    assert run.steps[0]["loss"] == pytest.approx(math.log(257), rel=0.1)
    assert run.steps[-1]["loss"] < 0.8 * run.steps[0]["loss"]
    saved = AutoModelForCausalLM.from_pretrained(run.folder)
    assert saved.config.model_type == kind
    assert AutoTokenizer.from_pretrained(run.folder)("The")["input_ids"]


def test_the_default_rates(train, model, settings):
    """By size from scratch (held at 4e-3 for the smallest), 1e-4 when continuing."""
    changes = {"max_steps": 1, "learning_rate": 0.0, "warmup_ratio": 0.0}
    assert train("pretrain", "scratch", **changes).steps[0]["learning_rate"] == pytest.approx(4e-3)
    on = train("pretrain", "on", model_name_or_path=str(model), **changes)
    assert on.steps[0]["learning_rate"] == pytest.approx(1e-4)


@pytest.mark.invariant("I69")
def test_the_same_seed_writes_the_same_bytes(train, weights):
    first, second = train("pretrain", "first", max_steps=5), train("pretrain", "second", max_steps=5)
    assert weights(first.folder) == weights(second.folder)
    assert (first.folder / "metrics.jsonl").read_bytes() == (second.folder / "metrics.jsonl").read_bytes()
    third = train("pretrain", "third", max_steps=5, seed=1)
    assert weights(first.folder) != weights(third.folder)


@pytest.mark.invariant("I11")
def test_a_rate_of_zero_changes_no_bit(train, model, tensors):
    run = train("sft", learning_rate=0.0, weight_decay=0.5, max_steps=3)
    start, end = tensors(model), tensors(run.folder)
    assert all(torch.equal(start[name].float(), end[name]) for name in start)
