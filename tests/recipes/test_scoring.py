"""Scores of ensembles and bounded scores, as a recipe and baro score use them."""

import json

import pytest

from baro.core.errors import DataError
from baro.core.types import Answer
from baro.data.records import Message, Prompt
from baro.evals.answers import Answered
from baro.models.load import load_tokenizer, reward_model, save
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
