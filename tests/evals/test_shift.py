"""Token shift: ranks by hand and against plain transformers, and what must hold whatever the models are."""

import pytest
import torch
import transformers

from baro.core.errors import BaroError
from baro.core.types import Answer, Sequence
from baro.data.packing import pack
from baro.data.records import Message, Prompt
from baro.data.tokenizer import train_characters
from baro.evals.answers import Answered
from baro.evals.shift import answer_ranks, kind_of, summary, token_shift
from baro.models import create
from baro.models.forward import token_ranks
from baro.models.logits import ranks_of

TEXTS = ["the red cat sat on the mat. what is it? it is red."] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return train_characters(TEXTS, 300)


def built(tokenizer, seed):
    model = create.language_model(20_000, tokenizer, max_length=64, seed=seed, dtype="float32", device="cpu").eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():  # fresh weights are so small that one token always wins
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def prompts(*texts):
    return [Prompt((Message("user", text),)) for text in texts]


ASKED = prompts("what is it?", "is the cat red?", "it is", "sat", "on the mat")


def test_ranks_by_hand():
    logits = torch.tensor([[0.1, 3.0, 2.0, -1.0], [0.1, 3.0, 2.0, -1.0], [5.0, 5.0, 5.0, 5.0], [0.0, 1.0, 1.0, 2.0]])
    assert ranks_of(logits, torch.tensor([1, 3, 2, 1])).tolist() == [1, 4, 1, 2]  # ties share the better place


@pytest.mark.parametrize(("rank", "kind"), [(1, 0), (2, 1), (3, 1), (4, 2), (5000, 2)])
def test_kinds_are_those_of_the_paper(rank, kind):
    assert kind_of(rank) == kind


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_ranks_are_places_in_transformers_own_order(architecture):
    torch.manual_seed(3)
    small = {"vocab_size": 50, "max_position_embeddings": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    if architecture == "llama":
        config = transformers.LlamaConfig(**small, hidden_size=16, intermediate_size=24)
        model = transformers.LlamaForCausalLM(config).double().eval()
    else:
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2))
        model = model.double().eval()
    rows = [[1, 5, 9, 30, 2, 7], [4, 4, 8]]
    batch = pack([Sequence(row, [False, False] + [True] * (len(row) - 2)) for row in rows])
    expected = []
    for row in rows:
        order = model(torch.tensor([row])).logits[0].argsort(-1, descending=True)
        expected += [order[t - 1].tolist().index(row[t]) + 1 for t in range(2, len(row))]
    assert token_ranks(model, batch).tolist() == expected


def test_a_model_is_not_shifted_from_itself(tokenizer):
    model = built(tokenizer, 1)
    found = token_shift(model, model, tokenizer, ASKED, max_new_tokens=12)
    assert (found.unshifted, found.marginal, found.shifted) == (1, 0, 0)  # greedy tokens are first choices
    assert found.most_shifted == []


def test_shares_sum_to_one_at_every_place_and_all_together(tokenizer):
    found = token_shift(built(tokenizer, 1), built(tokenizer, 2), tokenizer, ASKED, max_new_tokens=12)
    assert found.unshifted + found.marginal + found.shifted == pytest.approx(1)
    assert found.shifted > 0.3  # strangers
    for place in found.by_position:
        assert place["unshifted"] + place["marginal"] + place["shifted"] == pytest.approx(1)
    assert sum(place["tokens"] for place in found.by_position) == found.tokens
    assert found.by_position[0]["tokens"] == found.answers == len(ASKED)


def test_the_base_judges_the_answers_of_the_aligned_model(tokenizer):
    one, two = built(tokenizer, 1), built(tokenizer, 2)
    there, back = (token_shift(*pair, tokenizer, ASKED, max_new_tokens=12) for pair in ((one, two), (two, one)))
    assert [row["tokens"] for row in there.shown] != [row["tokens"] for row in back.shown]


def test_shares_by_hand(tokenizer):
    def row(tokens):
        return Answered(ASKED[0], [1], Answer(tokens, [0.0] * len(tokens), True), "")

    found = summary([row([5, 6, 7]), row([5, 6])], [[1, 2, 9], [4, 1]], tokenizer)
    assert (found.unshifted, found.marginal, found.shifted) == (2 / 5, 1 / 5, 2 / 5)
    assert [place["tokens"] for place in found.by_position] == [2, 2, 1]
    assert [place["shifted"] for place in found.by_position] == [0.5, 0, 1]
    assert [(each["shifted"], each["count"]) for each in found.most_shifted] == [(1, 2), (1, 1)]


def test_the_first_token_of_an_answer_is_ranked_behind_its_prompt(tokenizer):
    model = built(tokenizer, 1)
    rows = [Answered(ASKED[0], [3, 4, 5], Answer([6, 7], [0.0, 0.0], False), "")]
    logits = model(torch.tensor([[3, 4, 5, 6, 7]])).logits[0]
    expected = [int((logits[t - 1] > logits[t - 1, token]).sum()) + 1 for t, token in ((3, 6), (4, 7))]
    assert answer_ranks(model, rows) == [expected]


def test_models_of_two_vocabularies_are_refused(tokenizer):
    other = train_characters(["abc"], 264)
    with pytest.raises(BaroError, match="ranks cannot be compared"):
        token_shift(built(other, 1), built(tokenizer, 1), tokenizer, ASKED)
