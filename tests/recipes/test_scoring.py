"""Scores of ensembles and bounded scores, as a recipe and baro score use them."""

import copy
import json

import pytest
import torch

from baro.core.errors import DataError
from baro.core.types import Answer
from baro.data.records import Message, Prompt
from baro.evals.answers import Answered
from baro.models.adapters import Lora
from baro.models.load import load_tokenizer, reward_model, save
from baro.recipes import scoring
from baro.recipes.ppo import Config
from baro.recipes.scoring import by_model, by_models, disagreement_of


@pytest.fixture(scope="module")
def other(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    save(reward_model(model, seed=4), load_tokenizer(model), folder)
    return str(folder)


@pytest.fixture
def config(settings, reward, tmp_path):
    return lambda **changes: Config(
        **settings("ppo") | {"output_dir": tmp_path, "device": "cpu", "dtype": "float32"} | changes
    )


@pytest.fixture
def rows(model):
    tokenizer = load_tokenizer(model)
    found = []
    for text in ("red.", "The cat is blue.", "green, friend."):
        prompt = Prompt((Message("user", "Colour of the cat?"),), where="f:1")
        ids = tokenizer("Colour of the cat?").input_ids
        found.append(Answered(prompt, ids, Answer(tokenizer(text).input_ids, [], True), text))
    return found


def test_an_ensemble_is_its_members_combined(config, rows, model, reward, other):
    tokenizer = load_tokenizer(model)
    one, two = (by_model(str(path), tokenizer, device="cpu", dtype="float32")(rows) for path in (reward, other))
    assert one != two

    def found(how, **more):
        return by_models(config(reward_ensemble=[other], reward_combine=how, **more), tokenizer)(rows)

    assert found("mean") == pytest.approx([(a + b) / 2 for a, b in zip(one, two, strict=True)])
    assert found("min") == pytest.approx([min(a, b) for a, b in zip(one, two, strict=True)])
    apart = [abs(a - b) / 2 for a, b in zip(one, two, strict=True)]
    assert disagreement_of(config(reward_ensemble=[other]), tokenizer)(rows) == pytest.approx(apart)
    mean = found("mean")
    assert found("lcb", reward_caution=2.0) == pytest.approx([m - 2 * d for m, d in zip(mean, apart, strict=True)])
    # heads apart, the members are one model: averaging weights and averaging scores is then the same
    assert found("warm") == pytest.approx(mean, abs=1e-5)


def test_a_bounded_score_is_one_half_for_the_reference_s_own_answer(config, rows, model, tmp_path):
    tokenizer, file = load_tokenizer(model), tmp_path / "reference.jsonl"
    line = {"prompt": [{"role": "user", "content": "Colour of the cat?"}], "completions": ["red."]}
    file.write_text(json.dumps(line) + "\n")
    score = by_models(config(reward_reference=file), tokenizer)
    from baro.recipes.scoring import _answered

    again = [_answered(rows[0].prompt, "red.", tokenizer), _answered(rows[0].prompt, "green, friend.", tokenizer)]
    found = score(again)
    assert found[0] == pytest.approx(0.5)
    assert 0 < found[1] < 1


def test_a_prompt_without_reference_answer_is_named(config, rows, model, tmp_path):
    file = tmp_path / "reference.jsonl"
    line = {"prompt": [{"role": "user", "content": "Something else?"}], "completions": ["red."]}
    file.write_text(json.dumps(line) + "\n")
    score = by_models(config(reward_reference=file), load_tokenizer(model))
    with pytest.raises(DataError, match="no reference answer to this prompt"):
        score(rows)


def test_ppo_runs_against_a_cautious_ensemble_and_watches_its_disagreement(train, other):
    run = train("ppo", reward_ensemble=[other], reward_combine="lcb")
    assert run.steps[-1]["watch/disagreement"] > 0


@pytest.fixture(scope="module")
def adapters(model, tmp_path_factory):
    """Two reward models that are adapters, with heads, of one base."""
    found = []
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp(f"adapter{seed}")
        made = reward_model(model, seed=seed, lora=Lora(r=4, seed=seed))
        move = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in made.parameters():
                if parameter.requires_grad:
                    parameter += 0.3 * torch.randn(parameter.shape, generator=move)
        save(made, load_tokenizer(model), folder)
        found.append(str(folder))
    return found


def test_adapters_of_one_base_are_an_ensemble_with_one_base_in_memory(config, rows, model, adapters, monkeypatch):
    tokenizer, loaded = load_tokenizer(model), []
    keep = scoring.trained
    monkeypatch.setattr(scoring, "trained", lambda *a, **k: loaded.append(keep(*a, **k)) or loaded[-1])
    one, two = (by_model(path, tokenizer, device="cpu", dtype="float32")(rows) for path in adapters)
    assert one != two
    loaded.clear()
    settings = config(reward_model_name_or_path=adapters[0], reward_ensemble=[adapters[1]])
    assert by_models(settings, tokenizer)(rows) == pytest.approx(
        [(a + b) / 2 for a, b in zip(one, two, strict=True)], abs=1e-5
    )
    places = [{parameter.data_ptr() for parameter in member.parameters()} for member in loaded]
    sizes = {parameter.data_ptr(): parameter.numel() for member in loaded for parameter in member.parameters()}
    shared = sum(sizes[place] for place in places[0] & places[1])
    base = sum(parameter.numel() for parameter in reward_model(model).base_model.parameters())
    assert shared == base


def test_averaged_adapters_are_the_mean_of_whole_weights(config, rows, model, adapters):
    """The mean of two products is not the product of two means."""
    tokenizer = load_tokenizer(model)
    whole = [reward_model(path, device="cpu", dtype="float32") for path in adapters]
    middle = copy.deepcopy(whole[0])
    with torch.no_grad():
        for mean, *both in zip(*(each.parameters() for each in (middle, *whole)), strict=True):
            mean.copy_((both[0] + both[1]) / 2)
    wanted = scoring.reader(middle.eval(), tokenizer, tokenizer)(rows)
    given = {"reward_model_name_or_path": adapters[0], "reward_ensemble": [adapters[1]], "reward_combine": "warm"}
    assert by_models(config(**given, use_peft=True), tokenizer)(rows) == pytest.approx(wanted, abs=1e-5)
