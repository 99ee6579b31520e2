"""DPO and its family: the first loss, the reference and its cache, what is learnt of a pair, what is left out."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

LN2 = math.log(2)


@pytest.fixture
def eight(world, rows):
    """As many pairs as one update holds, of unequal lengths."""
    lines = (world / "preferences.jsonl").read_text().splitlines()[:8]
    return [rows("eight", [json.loads(line) for line in lines])]


@pytest.fixture
def rendered(eight, model):
    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer

    return render_pairs(load_tokenizer(model), read_preferences(eight).rows, 64)


# --- the first loss --------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I52", "I60")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"loss_type": "sigmoid"}, LN2),
        ({"loss_type": "sigmoid", "label_smoothing": 0.2}, LN2),
        ({"loss_type": "robust", "label_smoothing": 0.2}, LN2),
        ({"loss_type": "sigmoid_norm"}, LN2),
        ({"loss_type": "hinge"}, 1.0),
        ({"loss_type": "ipo", "beta": 0.1}, 25.0),  # (0 - 1 / (2 tau))²
    ],
)
def test_the_first_logged_loss_has_its_closed_form(train, changes, expected):
    run = train("dpo", max_steps=2, **changes)
    first, second = run.steps
    assert first["loss"] == pytest.approx(expected, rel=2e-5)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-5)
    assert first["rewards/chosen"] == pytest.approx(0, abs=1e-5)
    assert first["rewards/rejected"] == pytest.approx(0, abs=1e-5)
    assert second["loss"] < first["loss"]


@pytest.mark.invariant("I52")
@pytest.mark.parametrize("loss_type", ["simpo", "orpo"])
def test_losses_without_a_reference_by_hand(train, eight, rendered, model, plain, plain_log_probs, loss_type):
    run = train("dpo", dataset=eight, loss_type=loss_type, beta=2.0, simpo_gamma=0.7, max_steps=1)
    theirs, expected = plain(model), 0.0
    for pair in rendered:
        won, lost = (plain_log_probs(theirs, sequence).mean().item() for sequence in pair)
        if loss_type == "simpo":
            expected += math.log1p(math.exp(-(2.0 * (won - lost) - 0.7)))
        else:
            odds = [mean - math.log1p(-math.exp(mean)) for mean in (won, lost)]
            expected += 2.0 * math.log1p(math.exp(-(odds[0] - odds[1]))) - won
    assert run.steps[0]["loss"] == pytest.approx(expected / 8, rel=1e-5)
    assert not (run.folder / "cache").exists()  # nothing to cache


@pytest.mark.invariant("I60")
def test_a_tie_counts_half(train, rows, world, model, tmp_path):
    """With equal answers every implicit reward ties, in training and in the evaluation.

    The model's logits are all 0, and the update does not move them: others may differ in the last digit between two
    places of a packed row.
    """
    even = shutil.copytree(model, tmp_path / "even")
    network = AutoModelForCausalLM.from_pretrained(model)
    torch.nn.init.zeros_(network.get_output_embeddings().weight)
    network.save_pretrained(even)
    row = json.loads((world / "preferences.jsonl").read_text().splitlines()[0])
    file = [rows("ties", [row | {"rejected": row["chosen"]}] * 8)]
    same = {"dataset": file, "eval_dataset": file, "model_name_or_path": str(even)}
    run = train("dpo", **same, max_steps=1, check_data=False, learning_rate=1e-30)
    assert run.steps[0]["loss"] == pytest.approx(LN2, abs=1e-7)
    assert run.steps[0]["rewards/accuracies"] == 0.5
    assert run.result["metrics"]["accuracy"] == 0.5


@pytest.mark.invariant("I56")
def test_equal_answers_cost_ln_2_and_teach_nothing(train, rows, world, model, weights):
    row = json.loads((world / "preferences.jsonl").read_text().splitlines()[0])
    run = train("dpo", dataset=[rows("ties", [row | {"rejected": row["chosen"]}] * 16)], check_data=False)
    assert [line["loss"] for line in run.steps] == pytest.approx([LN2] * 2, abs=1e-6)
    assert [line["grad_norm"] for line in run.steps] == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.invariant("I42", "I52")
@pytest.mark.incident("T34")
def test_a_model_with_dropout_is_trained_without_it(train, foreign):
    run = train("dpo", model_name_or_path=str(foreign("gpt2")), max_steps=1)
    assert run.steps[0]["loss"] == pytest.approx(LN2, abs=1e-6)


# --- what is learnt of a pair ----------------------------------------------------------------------------------------


@pytest.mark.invariant("I7")
@pytest.mark.incident("T17", "T19", "T22")
def test_the_step_sees_both_answers_whole_and_nothing_of_the_prompt(train, eight, model, monkeypatch):
    from baro.models.load import load_tokenizer
    from baro.recipes import dpo

    seen, step = [], dpo.step
    monkeypatch.setattr(dpo, "step", lambda model, batch, config: seen.append(batch) or step(model, batch, config))
    train("dpo", dataset=eight, max_steps=1, per_device_train_batch_size=3, gradient_accumulation_steps=3)
    tokenizer = load_tokenizer(model)
    learnt, prompts = [], []
    for batch in seen:
        for tokens, flags in zip(batch.tokens.split(batch.lengths), batch.learn.split(batch.lengths), strict=True):
            learnt.append(tokenizer.decode(tokens[flags]))
            prompts.append(tokenizer.decode(tokens[~flags]))
    assert sorted(batch.count for batch in seen) == [2, 3, 3]
    assert prompts[::2] == prompts[1::2]
    assert all(text.count("<|assistant|>") == 1 for text in prompts)
    pairs = [json.loads(line) for line in Path(eight[0]).read_text().splitlines()]
    answers = sorted((row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in pairs)
    assert sorted(zip(learnt[::2], learnt[1::2], strict=True)) == [(a + "<|end|>", b + "<|end|>") for a, b in answers]


@pytest.mark.invariant("I56")
@pytest.mark.incident("T22")
def test_prompt_positions_receive_no_gradient_from_above(rendered, model, settings, tmp_path):
    """Of the last hidden states only those that predict an answer's token are pulled on. (Prompts not shared here.)"""
    from dataclasses import replace

    from baro.data.packing import pairs
    from baro.models.load import language_model
    from baro.recipes import dpo

    config = dpo.Config(**settings("dpo") | {"output_dir": tmp_path})
    # layers that are recomputed make every state, not only those asked about
    policy, kept = language_model(model, dtype="float32", device="cpu", recompute=True).eval(), []
    policy.model.norm.register_forward_hook(lambda _, __, output: output.retain_grad() or kept.append(output))
    batch = replace(pairs(rendered), shared=())
    batch.extra["reference"] = torch.zeros(16)
    dpo.step(policy, batch, config).total.backward()
    (states,) = kept
    pulled = states.grad.reshape(len(batch.tokens), -1).abs().sum(1) > 0
    assert torch.equal(pulled[:-1], batch.learn[1:])
    assert not pulled[-1]


# --- the reference ---------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    """The paths of the models that dpo loads."""
    from baro.recipes import dpo

    paths, loader = [], dpo.language_model
    monkeypatch.setattr(dpo, "language_model", lambda path, **place: paths.append(str(path)) or loader(path, **place))
    return paths


@pytest.mark.invariant("I57")
@pytest.mark.incident("T36")
def test_the_cache_is_used_again_and_gives_the_same_bits(train, tmp_path, counted, model, world, weights):
    cache = str(tmp_path / "kept")
    first = train("dpo", "first", cache_dir=cache)
    assert counted == [str(model)] * 2  # the reference, then the policy
    second = train("dpo", "second", cache_dir=cache)
    assert counted == [str(model)] * 3
    assert weights(first.folder) == weights(second.folder)
    train("dpo", "third", cache_dir=cache, beta=0.3, learning_rate=1e-4)  # neither is the reference's business
    assert counted == [str(model)] * 4
    train("dpo", "fewer", cache_dir=cache, max_samples=40)  # other data
    assert counted == [str(model)] * 6
    assert len(list((tmp_path / "kept").iterdir())) == 2


@pytest.mark.invariant("I57")
@pytest.mark.incident("T35", "T36")
def test_a_reference_of_its_own_changes_the_loss_as_it_should(
    train, eight, rendered, move, model, plain, plain_log_probs
):
    other = move(model)
    run = train("dpo", dataset=eight, ref_model=other, beta=0.5, max_steps=1)
    policy, reference, expected, margins = plain(model), plain(other), 0.0, 0.0
    for pair in rendered:
        gains = [(plain_log_probs(policy, s) - plain_log_probs(reference, s)).sum().item() for s in pair]
        margins += 0.5 * (gains[0] - gains[1])
        expected += math.log1p(math.exp(-0.5 * (gains[0] - gains[1])))
    assert run.steps[0]["loss"] == pytest.approx(expected / 8, rel=1e-4)
    assert run.steps[0]["rewards/margins"] == pytest.approx(margins / 8, rel=1e-3)
    assert abs(margins) > 0.01


@pytest.mark.invariant("I57")
def test_cached_log_probs_are_those_asked_for_one_by_one(rendered, model, settings, tmp_path, plain, plain_log_probs):
    from baro.recipes import dpo

    config = dpo.Config(**settings("dpo") | {"output_dir": tmp_path, "device": "cpu", "dtype": "float32"})
    flat = [sequence for pair in rendered for sequence in pair]
    found = dpo.reference_log_probs(str(model), flat, tmp_path / "cache", config)
    expected = torch.stack([plain_log_probs(plain(model), sequence).sum() for sequence in flat]).detach()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    again = dpo.reference_log_probs(str(model), flat, tmp_path / "cache", config)
    assert torch.equal(found, again)


@pytest.mark.invariant("I4")
@pytest.mark.incident("T2")
def test_the_update_does_not_depend_on_how_it_is_cut(train, tensors):
    runs = [
        train("dpo", f"{size}", per_device_train_batch_size=size, gradient_accumulation_steps=8 // size, max_steps=3)
        for size in (1, 4, 8)
    ]
    first = tensors(runs[0].folder)
    for run in runs[1:]:
        for name, value in tensors(run.folder).items():
            torch.testing.assert_close(value, first[name], rtol=0, atol=2e-5)
        assert [line["loss"] for line in run.steps] == pytest.approx([line["loss"] for line in runs[0].steps], rel=1e-4)


# --- pairs that cannot be learnt -------------------------------------------------------------------------------------


@pytest.mark.incident("T20")
@pytest.mark.parametrize("method", ["dpo", "reward"])
def test_a_pair_without_an_answer_left_is_left_out_and_said(train, rows, world, method):
    lines = [json.loads(line) for line in (world / "preferences.jsonl").read_text().splitlines()[:8]]
    long = lines[0] | {"prompt": [{"role": "user", "content": "colour " * 80}]}
    run = train(method, dataset=[rows("some", [*lines, long])], num_train_epochs=1.0)
    assert run.steps[-1]["count"] == 8
    assert [line for line in run.said if "1 of 9 pairs" in line and "some.jsonl:9" in line]


@pytest.mark.parametrize("method", ["dpo", "reward"])
def test_pairs_of_which_nothing_is_left_are_refused(train, rows, world, method):
    from baro.core.errors import DataError

    long = json.loads((world / "preferences.jsonl").read_text().splitlines()[0])
    long["prompt"] = [{"role": "user", "content": "colour " * 80}]
    with pytest.raises(DataError, match=r"none of the 2 pairs .* max_length=64"):
        train(method, dataset=[rows("all", [long, long])])


@pytest.mark.parametrize("method", ["dpo", "reward", "sft", "pretrain", "ppo", "rejection", "group", "online_dpo"])
def test_the_user_is_told_what_the_data_was_taken_for(train, method):
    changes = {"total_episodes": 12, "num_ppo_epochs": 1} if method == "ppo" else {}
    changes |= {"rounds": 1, "num_train_epochs": 1.0} if method == "rejection" else {}
    run = train(method, **changes, max_steps=1)
    words = {"dpo": "preferences", "reward": "preferences", "sft": "conversations", "pretrain": "texts"}
    assert run.said[0].startswith("read ")
    assert words.get(method, "prompts") in run.said[0]
