"""Perplexity and IFD: the published fixture, a uniform model, and a model whose answers are copied from the prompt."""

import math

import pytest
import torch
import transformers

from baro.core.types import Sequence
from baro.evals.difficulty import Difficulty, answer_alone, difficulty, embeddings

VOCAB = 40


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
    )
    return transformers.LlamaForCausalLM(config).double().eval()


def row(prompt: list[int], answer: list[int]) -> Sequence:
    return Sequence([*prompt, *answer], [False] * len(prompt) + [True] * len(answer))


def test_the_published_item():
    # Cherry LLM's worked example: 0.696 after the instruction, 0.761 alone
    found = Difficulty(0.696, 0.761, 10)
    assert found.ifd == pytest.approx(0.9146, abs=1e-4)
    assert found.ifd_ppl == pytest.approx(0.9371, abs=1e-4)


def test_the_two_definitions_order_rows_differently():
    easy, hard = Difficulty(0.2, 0.4, 5), Difficulty(2.0, 3.0, 5)
    assert easy.ifd < hard.ifd
    assert easy.ifd_ppl > hard.ifd_ppl


def test_both_are_1_where_the_instruction_changes_nothing():
    found = Difficulty(1.7, 1.7, 3)
    assert found.ifd == found.ifd_ppl == 1


def test_a_certain_answer_has_no_ratio_and_an_impossible_one_no_overflow():
    assert math.isnan(Difficulty(0.0, 0.0, 1).ifd)
    assert Difficulty(math.inf, 1.0, 1).perplexity == math.inf


def test_a_model_that_knows_nothing_finds_everything_as_hard_as_its_vocabulary_is_large(model):
    torch.nn.init.zeros_(model.lm_head.weight)
    try:
        for found in difficulty(model, [row([1, 2, 3], [4, 5]), row([7], [8, 9, 10, 2])], begin=1):
            assert found.perplexity == pytest.approx(VOCAB)
            assert found.ifd == pytest.approx(1)
    finally:
        torch.manual_seed(1)
        torch.nn.init.normal_(model.lm_head.weight, std=0.5)


@torch.no_grad()
def test_losses_are_those_of_plain_transformers(model):
    rows = [row([1, 2, 3, 4], [5, 6, 7]), row([1, 9], [8, 3]), row([1, 30, 31, 32, 33], [34])]
    for sequence, found in zip(rows, difficulty(model, rows, begin=1), strict=True):
        given = torch.tensor([sequence.tokens])
        labels = given.masked_fill(~torch.tensor([sequence.learn]), -100)
        answer = [t for t, learn in zip(sequence.tokens, sequence.learn, strict=True) if learn]
        alone = torch.tensor([[1, *answer]])
        assert found.given == pytest.approx(float(model(given, labels=labels).loss), rel=1e-6)
        bare = alone.masked_fill(torch.tensor([[True] + [False] * len(answer)]), -100)
        assert found.alone == pytest.approx(float(model(alone, labels=bare).loss), rel=1e-6)
        assert found.tokens == len(answer)


def test_rows_keep_their_places_whatever_their_lengths(model):
    rows = [row([1, *range(2, 2 + n)], [5, 6, 7]) for n in (20, 3, 11, 1)]
    together = difficulty(model, rows, begin=1)
    alone = [difficulty(model, [one], begin=1)[0] for one in rows]
    assert [r.given for r in together] == pytest.approx([r.given for r in alone])


def test_an_answer_alone_is_made_of_the_very_same_tokens():
    alone = answer_alone(Sequence([3, 4, 5, 6, 7], [True, False, True, False, True]), 1)
    assert alone.tokens == [1, 5, 7]  # the first token of a row is never learnt
    assert alone.learn == [False, True, True]


def test_a_row_without_answer_is_unknown(model):
    found = difficulty(model, [row([1, 2], []), row([1], [2])], begin=1)
    assert math.isnan(found[0].given)
    assert math.isfinite(found[1].given)


def test_embeddings_are_the_mean_of_the_last_states(model):
    prompts = [[1, 2, 3, 4, 5], [7], [9, 9]]
    found = embeddings(model, prompts)
    for ids, point in zip(prompts, found, strict=True):
        states = model.model(torch.tensor([ids])).last_hidden_state[0].mean(0)
        assert point == pytest.approx(states.detach().float().numpy(), abs=1e-5)
