"""The model and the data that both sides get."""

import statistics

import pytest
import torch

from bench import world


@pytest.fixture(scope="module")
def dialogues() -> list[dict]:
    return world.rows(400, seed=3, answers=2)


def test_rows_depend_on_the_seed_alone(dialogues):
    assert world.rows(400, seed=3, answers=2) == dialogues
    assert world.rows(400, seed=4, answers=2) != dialogues
    assert world.rows(5, seed=3, answers=2) == dialogues[:5]


def test_lengths_are_within_what_is_promised(dialogues):
    prompts = [len(row["prompt"]) for row in dialogues]
    answers = [len(answer) - 1 for row in dialogues for answer in row["answers"]]
    assert 20 <= min(prompts) < 25 < 195 < max(prompts) <= 200
    assert min(answers) >= 1
    assert 350 < max(answers) <= 400
    assert statistics.median(answers) == pytest.approx(60, rel=0.1)
    assert statistics.stdev([torch.tensor(float(n)).log().item() for n in answers]) == pytest.approx(0.7, abs=0.06)


def test_the_end_token_ends_every_answer_and_stands_nowhere_else(dialogues):
    for row in dialogues:
        assert min(row["prompt"]) > world.END
        for answer in row["answers"]:
            assert answer[-1] == world.END
            assert min(answer[:-1]) > world.END
            assert max(answer) < world.VOCABULARY


@pytest.mark.parametrize("length", [64, 100, 4096])
def test_even_rows_have_the_length_asked_for(length):
    (row,) = world.even(1, length)
    assert len(row["prompt"]) + len(row["answers"][0]) == length


def test_text_and_tokens_are_the_same_thing(folder, dialogues):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    for row in dialogues[:20]:
        assert tokenizer(world.tokens_to_text(row["prompt"]))["input_ids"] == row["prompt"]
    assert tokenizer.eos_token_id == world.END
    assert tokenizer.pad_token_id == world.PAD


def test_about_one_answer_in_eighty_ends_at_every_token(folder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder / "model").eval()
    torch.manual_seed(1)
    with torch.no_grad():
        logits = model(torch.randint(2, world.VOCABULARY, (8, 64))).logits
    assert float(logits.softmax(-1)[..., world.END].mean()) == pytest.approx(1 / 80, rel=0.25)


def test_the_reward_model_has_the_trunk_of_the_language_model_and_scores_of_size_one(folder):
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    reward = AutoModelForSequenceClassification.from_pretrained(folder / "reward")
    assert reward.config.num_labels == 1
    ours, theirs = model.base_model.state_dict(), reward.base_model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with torch.no_grad():
        scores = reward(torch.randint(2, world.VOCABULARY, (16, 64))).logits
    assert 0.01 < float(scores.std()) < 3
