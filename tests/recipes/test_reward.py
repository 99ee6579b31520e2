"""The reward model: its loss, its margins, its normalisation, and what other tools find in its folder."""

import itertools
import json
import math

import pytest
import torch

LN2 = math.log(2)


@pytest.fixture
def pairs_of(world, model):
    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer

    return render_pairs(load_tokenizer(model), read_preferences([world / "preferences.jsonl"]).rows[:6], 64)


@pytest.fixture
def flat(model, tmp_path):
    """A reward model whose head is zero: it scores everything alike."""
    from baro.models.load import load_tokenizer, save, value_model

    folder = tmp_path / "flat"
    save(value_model(model, zero=True, dtype="float32", device="cpu"), load_tokenizer(model), folder)
    return str(folder)


def loss_of(model, rows, *, margins=None, centre: float = 0.0) -> float:
    from baro.data.packing import pairs
    from baro.recipes import reward as recipe

    batch = pairs(rows)
    batch.extra["margin"] = torch.tensor(margins or [0.0] * len(rows))
    return recipe.step(model, batch, centre=centre).total.item()


@pytest.fixture
def bare_scores(monkeypatch):
    """Scores the recipe will find, instead of a model's."""
    from baro.recipes import reward as recipe

    def plant(values):
        monkeypatch.setattr(recipe, "scores", lambda model, batch, normalised: torch.tensor(values))

    return plant


# --- the loss --------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I14")
def test_a_model_that_scores_alike_begins_at_ln_2(train, flat):
    run = train("reward", model_name_or_path=flat)
    assert run.steps[0]["loss"] == pytest.approx(LN2, abs=1e-6)
    assert run.steps[0]["accuracy"] == 0.5  # a tie counts half
    assert run.steps[0]["mean_reward"] == 0
    assert run.steps[-1]["loss"] < LN2


@pytest.mark.invariant("I15")
def test_swapping_a_pair_adds_its_difference(reward, pairs_of):
    from baro.data.packing import pack
    from baro.models.forward import scores
    from baro.models.load import reward_model

    ours = reward_model(reward, dtype="float64", device="cpu").eval()
    for pair in pairs_of:
        with torch.no_grad():
            won, lost = scores(ours, pack(pair), normalised=False).tolist()
        forth, back = loss_of(ours, [pair]), loss_of(ours, [pair[::-1]])
        assert back - forth == pytest.approx(won - lost, rel=1e-9)
        assert math.exp(-forth) + math.exp(-back) == pytest.approx(1, rel=1e-12)


@pytest.mark.invariant("I16")
def test_a_constant_per_prompt_changes_nothing_and_a_scale_does(bare_scores, pairs_of):
    chosen, rejected, constants = [1.0, -2.0, 0.5], [0.0, 1.0, 0.25], [3.0, -7.0, 100.0]
    rows = pairs_of[:3]
    bare_scores([value for pair in zip(chosen, rejected, strict=True) for value in pair])
    plain = loss_of(None, rows)
    assert plain == pytest.approx(sum(math.log1p(math.exp(b - a)) for a, b in zip(chosen, rejected, strict=True)))
    shifted = [(a + c, b + c) for a, b, c in zip(chosen, rejected, constants, strict=True)]
    bare_scores([value for pair in shifted for value in pair])
    assert loss_of(None, rows) == pytest.approx(plain, rel=1e-5)
    bare_scores([2 * value for pair in zip(chosen, rejected, strict=True) for value in pair])
    assert abs(loss_of(None, rows) - plain) > 0.1


def test_the_loss_does_not_see_the_stored_normalisation(reward, pairs_of):
    from baro.models.load import reward_model

    ours = reward_model(reward, dtype="float32", device="cpu").eval()
    before = loss_of(ours, pairs_of)
    ours.config.reward_gain, ours.config.reward_bias = 9.0, -4.0
    assert loss_of(ours, pairs_of) == before


@pytest.mark.invariant("I18")
def test_margins_are_used_and_can_be_ignored(train, flat, rows, world):
    lines = [json.loads(line) for line in (world / "preferences.jsonl").read_text().splitlines()[:8]]
    margins = [0.0, 0.5, 1.0, 2.0, 0.25, None, 3.0, 1.5]
    file = [rows("margins", [row | {"margin": margin} for row, margin in zip(lines, margins, strict=True)])]
    used = train("reward", "used", model_name_or_path=flat, dataset=file)
    expected = sum(math.log1p(math.exp(margin or 0.0)) for margin in margins) / 8
    assert used.steps[0]["loss"] == pytest.approx(expected, rel=1e-6)
    ignored = train("reward", "ignored", model_name_or_path=flat, dataset=file, use_margin=False)
    assert ignored.steps[0]["loss"] == pytest.approx(LN2, abs=1e-6)


def test_centring_is_added_with_its_coefficient(bare_scores, pairs_of):
    bare_scores([3.0, 1.0, -1.0, -2.0])
    plain, centred = (loss_of(None, pairs_of[:2], centre=c) for c in (0.0, 0.01))
    assert centred - plain == pytest.approx(0.01 * ((3 + 1) ** 2 + (-1 - 2) ** 2), rel=1e-5)


@pytest.mark.invariant("I4")
def test_the_update_does_not_depend_on_how_it_is_cut(train, tensors):
    runs = [
        train("reward", str(size), per_device_train_batch_size=size, gradient_accumulation_steps=8 // size, max_steps=3)
        for size in (1, 2, 8)
    ]
    first = tensors(runs[0].folder)
    for run in runs[1:]:
        for name, value in tensors(run.folder).items():
            torch.testing.assert_close(value, first[name], rtol=0, atol=2e-5)


# --- what is measured ------------------------------------------------------------------------------------------------


def test_held_out_accuracy_of_planted_scores(monkeypatch, pairs_of):
    from baro.recipes import reward as recipe

    scores = [2.0, 1.0, 0.0, 3.0, 5.0, 5.0, 1.0, -1.0, 0.5, 0.0, -3.0, -2.0]  # right, wrong, tie, right, right, wrong
    monkeypatch.setattr(recipe, "model_scores", lambda model, sequences: scores[: len(sequences)])
    found = recipe.accuracy(None, pairs_of)
    assert found["accuracy"] == pytest.approx((3 + 0.5) / 6)
    assert 0 <= found["accuracy_low"] < found["accuracy"] < found["accuracy_high"] <= 1
    assert recipe.accuracy(None, []) == {}


@pytest.mark.invariant("I16")
def test_accuracy_by_plain_transformers(train, world):
    """The held-out accuracy in result.json is what transformers' own class finds in the saved folder."""
    from transformers import AutoModelForSequenceClassification

    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer

    held_out = [str(world / "preferences.jsonl")]
    run = train("reward", eval_dataset=held_out, max_steps=2, learning_rate=1e-4)
    saved = AutoModelForSequenceClassification.from_pretrained(run.folder, dtype=torch.float64).eval()
    right = []
    for pair in render_pairs(load_tokenizer(run.folder), read_preferences(held_out).rows[:24], 64):
        with torch.no_grad():
            won, lost = (saved(torch.tensor([sequence.tokens])).logits.item() for sequence in pair)
        right.append(won > lost)
    whole = train("reward", "again", eval_dataset=held_out, max_steps=2, learning_rate=1e-4)
    assert whole.result["metrics"] == run.result["metrics"]
    # the file repeats its first twelve prompts eight times
    assert run.result["metrics"]["accuracy"] == pytest.approx(sum(right) / len(right), abs=0.5 / 24)


# --- normalisation and files -----------------------------------------------------------------------------------------


@pytest.mark.invariant("I19", "I68")
def test_scores_are_normalised_in_the_folder_and_the_ranking_stays(train, world):
    from transformers import AutoModelForSequenceClassification

    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer, reward_model
    from baro.rewards.model import model_scores

    run = train("reward", normalize_samples=20)
    stored = json.loads((run.folder / "config.json").read_text())
    rows = render_pairs(load_tokenizer(run.folder), read_preferences([world / "preferences.jsonl"]).rows[:20], 64)
    flat = [sequence for pair in rows for sequence in pair]
    found = model_scores(reward_model(run.folder, dtype="float32", device="cpu").eval(), flat)
    assert sum(found) / 40 == pytest.approx(0, abs=1e-4)
    assert sum(value**2 for value in found) / 40 == pytest.approx(1, abs=1e-3)
    # the weights are bare, the two numbers are in the configuration; any tool finds the same ranking
    theirs = AutoModelForSequenceClassification.from_pretrained(run.folder, dtype=torch.float64).eval()
    assert theirs.config.num_labels == 1
    with torch.no_grad():
        bare = [theirs(torch.tensor([sequence.tokens])).logits.item() for sequence in flat]
    assert stored["reward_gain"] > 0
    expected = [stored["reward_gain"] * value + stored["reward_bias"] for value in bare]
    assert found == pytest.approx(expected, abs=1e-3)
    order = sorted(range(40), key=bare.__getitem__)
    assert all(found[a] <= found[b] + 1e-4 for a, b in itertools.pairwise(order))


@pytest.mark.invariant("I19")
def test_a_reward_model_trained_on_is_normalised_anew(train, world):
    first = train("reward", "first", max_steps=2)
    second = train("reward", "second", model_name_or_path=str(first.folder), max_steps=2)
    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer, reward_model
    from baro.rewards.model import model_scores

    rows = render_pairs(load_tokenizer(second.folder), read_preferences([world / "preferences.jsonl"]).rows, 64)
    flat = [sequence for pair in rows for sequence in pair]
    found = torch.tensor(model_scores(reward_model(second.folder, dtype="float32", device="cpu").eval(), flat))
    assert found.mean().item() == pytest.approx(0, abs=1e-4)
    assert found.std(correction=0).item() == pytest.approx(1, abs=1e-3)


def test_normalisation_can_be_left_out(train):
    run = train("reward", normalize_samples=0, max_steps=1)
    assert "reward_gain" not in json.loads((run.folder / "config.json").read_text())


@pytest.mark.incident("T25")
def test_transformers_pools_where_we_do_when_rows_are_padded(train, world):
    """A padded batch through plain transformers gives the scores we give."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from baro.data.read import read_preferences
    from baro.data.templates import render_pairs
    from baro.models.load import load_tokenizer, reward_model
    from baro.rewards.model import model_scores

    run = train("reward", max_steps=1, normalize_samples=0)
    rows = render_pairs(load_tokenizer(run.folder), read_preferences([world / "preferences.jsonl"]).rows[:4], 64)
    flat = [sequence for pair in rows for sequence in pair]
    tokenizer = AutoTokenizer.from_pretrained(run.folder)
    theirs = AutoModelForSequenceClassification.from_pretrained(run.folder, dtype=torch.float32).eval()
    padded = tokenizer.pad({"input_ids": [sequence.tokens for sequence in flat]}, return_tensors="pt")
    with torch.no_grad():
        expected = theirs(**padded).logits.squeeze(1).tolist()
    found = model_scores(reward_model(run.folder, dtype="float32", device="cpu").eval(), flat)
    assert found == pytest.approx(expected, abs=1e-4)


# --- length ----------------------------------------------------------------------------------------------------------


def test_without_a_correlation_to_pull_on_the_debiased_loss_is_the_plain_one(bare_scores, pairs_of, model):
    from baro.data.packing import pairs
    from baro.recipes import reward as recipe

    bare_scores([1.0] * 12)  # scores that do not vary have no correlation with anything
    batch = pairs(pairs_of)
    batch.extra["margin"] = torch.zeros(6)
    plain = recipe.step(None, batch, centre=0.0).total
    debiased = recipe.step(None, batch, centre=0.0, head=recipe.LengthHead(), debias=1.0).total
    assert debiased.item() == pytest.approx(plain.item())


def test_a_length_head_takes_what_length_explains(bare_scores, pairs_of):
    """With scores that say nothing, the head alone learns that the longer answer is preferred, and only from length."""
    from baro.data.packing import pairs
    from baro.recipes import reward as recipe

    bare_scores([0.0] * 12)
    batch = pairs(pairs_of)  # the chosen answer is always the longer one here
    batch.extra["margin"] = torch.zeros(6)
    head = recipe.LengthHead()
    recipe.step(None, batch, centre=0.0, head=head, debias=1.0).total.backward()
    longer = [math.log(a.count) - math.log(b.count) for a, b in pairs_of]
    assert head.worth.grad.item() == pytest.approx(-sum(longer) / 2, rel=1e-5)  # d(-ln σ(w d))/dw at 0 is -d/2


def test_the_length_head_is_thrown_away(train, tensors):
    plain, debiased = train("reward", "plain"), train("reward", "debiased", length_debias=1.0)
    assert set(tensors(plain.folder)) == set(tensors(debiased.folder))
    assert debiased.result["metrics"] == plain.result["metrics"] == {}


def test_a_debiased_model_does_not_hide_length_in_its_score(train, pairs_of):
    """Here only length tells the answers apart: a plain model lives on it, a debiased one leaves it to the head."""
    from baro.objectives.length import correlation, scaled
    from baro.rewards.model import model_scores, trained

    both = [sequence for pair in pairs_of for sequence in pair]
    lengths = scaled(torch.tensor([sequence.count for sequence in both]))

    def related(name, **changes):
        folder = train("reward", name, num_train_epochs=6, **changes).folder
        model = trained(str(folder), dtype="float32", device="cpu")
        return abs(correlation(torch.tensor(model_scores(model, both)), lengths).item())

    plain, debiased = related("plain"), related("debiased", length_debias=3.0)
    assert plain > 0.9
    assert debiased < 0.6
