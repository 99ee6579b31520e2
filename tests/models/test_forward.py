"""Packed rows against transformers' own padded forward, for every architecture, in float64."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import replace

import pytest
import torch

from baro.core.types import Batch
from baro.models import forward, heads
from baro.models.support import support

LENGTHS = (7, 12, 1, 20, 3, 12, 9)
IN_BLOCKS = {"llama", "llama-untied", "qwen2", "qwen3", "mistral"}


def joined(batches: list[Batch]) -> Batch:
    return Batch(
        torch.cat([batch.tokens for batch in batches]),
        torch.cat([batch.positions for batch in batches]),
        tuple(length for batch in batches for length in batch.lengths),
        torch.cat([batch.learn for batch in batches]),
        sum(batch.count for batch in batches),
    )


def pieces(batch: Batch) -> list[Batch]:
    parts = (part.split(list(batch.lengths)) for part in (batch.tokens, batch.positions, batch.learn))
    return [Batch(t, p, (len(t),), learn, int(learn.sum())) for t, p, learn in zip(*parts, strict=True)]


@pytest.mark.invariant("I3", "I5")
@pytest.mark.incident("T12", "T19", "T26", "T27", "T30")
def test_log_probs_and_gradients_equal_the_padded_forward(architecture, make, make_row, by_the_book, exact):
    model, batch = make(architecture), make_row(LENGTHS)
    reference = copy.deepcopy(model)
    found = support(model)
    assert found.packed
    assert found.plain_head
    assert (found.blocks is not None) == (architecture in IN_BLOCKS)
    found, expected = (
        forward.token_log_probs(model, batch, temperature=0.7),
        by_the_book(reference, batch, temperature=0.7),
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    weights = torch.linspace(-1, 1, len(found), dtype=torch.float64)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        # Gemma's and Cohere's normalisations sum their gradient in float32 even in float64 models
        narrow = "norm" in name and architecture in ("gemma", "gemma2", "gemma3", "cohere")
        torch.testing.assert_close(
            ours.grad, theirs.grad, rtol=1e-5 if narrow else 1e-9, atol=1e-4 if narrow else 1e-10
        )


@pytest.mark.invariant("I3")
@pytest.mark.parametrize(("left", "extra"), [(True, 0), (False, 5), (True, 7)])
def test_padding_on_either_side_changes_nothing(make, make_row, by_the_book, exact, left, extra):
    model, batch = make("llama"), make_row(LENGTHS)
    expected = by_the_book(copy.deepcopy(model), batch, left=left, extra=extra)
    torch.testing.assert_close(forward.token_log_probs(model, batch), expected, rtol=0, atol=1e-10)


@pytest.mark.invariant("I3", "I5")
@pytest.mark.incident("T26")
def test_order_and_company_of_sequences_change_nothing(make, make_row):
    model, batch = make("gemma2"), make_row(LENGTHS)
    alone = [forward.token_log_probs(model, part) for part in pieces(batch)]
    order = [4, 1, 6, 0, 2, 5, 3]
    shuffled = joined([pieces(batch)[index] for index in order])
    torch.testing.assert_close(forward.token_log_probs(model, batch), torch.cat(alone), rtol=0, atol=1e-10)
    expected = torch.cat([alone[index] for index in order])
    torch.testing.assert_close(forward.token_log_probs(model, shuffled), expected, rtol=0, atol=1e-10)
    for found, one in zip(forward.split(torch.cat(alone), batch), alone, strict=True):
        assert torch.equal(found, one)


@pytest.mark.invariant("I5")
def test_changing_one_sequence_leaves_the_others_bitwise_alone(make, make_row):
    model, batch = make("llama"), make_row((6, 9, 5))
    tokens = batch.tokens.clone()
    tokens[7] = (tokens[7] + 1) % 60 + 3
    before, after = (forward.hidden(model, replace(batch, tokens=row)) for row in (batch.tokens, tokens))
    assert torch.equal(before[:6], after[:6])
    assert torch.equal(before[15:], after[15:])
    assert (before[7:15] != after[7:15]).any(1).all()
    assert torch.equal(before[6], after[6]), "the token before it does not see it"


@pytest.mark.invariant("I1")
def test_uniform_logits_cost_ln_v(make, make_row):
    model, batch = make("llama-untied"), make_row((6, 9))
    torch.nn.init.zeros_(model.lm_head.weight)
    found, entropy = forward.log_probs_and_entropy(model, batch)
    torch.testing.assert_close(found, torch.full_like(found, -math.log(67)), rtol=0, atol=1e-12)
    torch.testing.assert_close(entropy, torch.full_like(found, math.log(67)), rtol=0, atol=1e-12)


@pytest.mark.invariant("I2")
@pytest.mark.incident("T12")
def test_a_model_that_repeats_its_input_fails_where_tokens_change(make):
    """Trunk switched off and the head tied: every state is the embedding of its own token, which it then predicts."""
    model = make("llama")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.zero_()
        model.model.norm.weight.fill_(20.0)
        torch.nn.init.orthogonal_(model.model.embed_tokens.weight[:32])
    tokens = torch.tensor([4, 4, 4, 9, 9])
    batch = Batch(tokens, torch.arange(5), (5,), torch.tensor([False, True, True, True, True]), 4)
    found = forward.token_log_probs(model, batch)
    assert found[[0, 1, 3]].exp().min() > 0.9, "4→4, 4→4 and 9→9 are what it says"
    assert found[2].exp() < 1e-3, "4→9 is not"


@pytest.mark.invariant("I4")
@pytest.mark.incident("T1")
def test_gradients_of_micro_batches_add_up(make, make_row):
    whole, batch = make("olmo2"), make_row(LENGTHS)
    parts = copy.deepcopy(whole)
    forward.token_log_probs(whole, batch).sum().backward()
    cut = pieces(batch)
    for micro in (cut[:2], cut[2:3], cut[3:]):
        forward.token_log_probs(parts, joined(micro)).sum().backward()
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-10)


@pytest.mark.invariant("I6")
@pytest.mark.incident("T11", "T20")
def test_sequences_without_learnt_tokens_weigh_nothing(make, make_row):
    model, batch = make("llama"), make_row((5, 8, 4))
    learn = batch.learn.clone()
    learn[5:13] = False
    silent = replace(batch, learn=learn, count=int(learn.sum()))
    sums = forward.sequence_log_probs(model, silent)
    assert sums[1] == 0
    sums.sum().backward()
    with_it = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    forward.sequence_log_probs(model, joined([pieces(silent)[0], pieces(silent)[2]])).sum().backward()
    for one, other in zip(with_it, model.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad, rtol=1e-9, atol=1e-12)
    nothing = replace(batch, learn=torch.zeros_like(learn), count=0)
    assert forward.token_log_probs(model, nothing).shape == (0,)
    forward.token_log_probs(model, nothing).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.invariant("I35")
@pytest.mark.incident("T32")
def test_temperature_divides_the_logits(make, make_row):
    model, batch = make("gemma2"), make_row((9,), learn=1.0)
    logits = model(input_ids=batch.tokens[None]).logits[0, :-1]
    expected = torch.log_softmax(logits / 1.7, -1)
    found, entropy = forward.log_probs_and_entropy(model, batch, temperature=1.7)
    torch.testing.assert_close(found, expected.gather(1, batch.tokens[1:, None])[:, 0], rtol=0, atol=1e-6)
    torch.testing.assert_close(
        entropy, torch.distributions.Categorical(logits=logits / 1.7).entropy(), rtol=0, atol=1e-6
    )
    assert not entropy.requires_grad


@pytest.mark.invariant("I42")
@pytest.mark.incident("T34")
def test_two_passes_in_eval_mode_are_identical_and_dropout_acts_in_train_mode(make, make_row):
    model, batch = make("gpt2", attn_pdrop=0.5, resid_pdrop=0.0, embd_pdrop=0.0), make_row(LENGTHS)
    first, second = (forward.token_log_probs(model, batch) for _ in range(2))
    assert torch.equal(first, second)
    assert not model.training
    model.train()
    torch.manual_seed(0)
    first, second = (forward.token_log_probs(model, batch) for _ in range(2))
    assert not torch.equal(first, second), "the attention's own dropout is honoured where it is switched on"
    assert model.training


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma3"])
def test_gradient_checkpointing_changes_no_gradient(make, make_row, name):
    plain, batch = make(name), make_row(LENGTHS)
    for layer in plain.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    plain.config.attention_dropout = plain.config.attn_pdrop = 0.0
    saving = copy.deepcopy(plain).train()
    saving.gradient_checkpointing_enable()
    for model in (plain, saving):
        for layer in model.modules():
            if type(layer).__name__ == "GPT2Attention":
                layer.attn_dropout.p = 0.0
        forward.token_log_probs(model, batch).sum().backward()
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-10)


def test_sums_by_sequence_by_hand():
    learn = torch.tensor([False, True, True, False, False, True])
    batch = Batch(torch.zeros(6), torch.zeros(6), (3, 1, 2), learn, 3)
    assert forward.sums(torch.tensor([1.0, 2.0, 4.0]), batch).tolist() == [3.0, 0.0, 4.0]
    assert [part.tolist() for part in forward.split(torch.tensor([1.0, 2.0, 4.0]), batch)] == [[1.0, 2.0], [], [4.0]]


@pytest.mark.invariant("I20")
@pytest.mark.incident("T25")
def test_scores_equal_sequence_classification(architecture, make, make_row, exact):
    if architecture in ("granite", "cohere"):
        pytest.skip("transformers has no sequence classification for it")
    kind = "AutoModelForSequenceClassification"
    model, batch = make(architecture, kind, num_labels=1), make_row(LENGTHS)
    reference = copy.deepcopy(model)
    rows = torch.nn.utils.rnn.pad_sequence(batch.tokens.split(list(batch.lengths)), batch_first=True)
    rows = torch.nn.functional.pad(rows, (0, 3))
    expected = reference(input_ids=rows, attention_mask=(rows != 0).long()).logits[:, 0]
    torch.testing.assert_close(forward.scores(model, batch), expected, rtol=0, atol=1e-10)
    expected.sum().backward()
    forward.scores(model, batch).sum().backward()
    head, theirs = heads.score_layer(model).weight.grad, heads.score_layer(reference).weight.grad
    torch.testing.assert_close(head, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.invariant("I20")
def test_a_score_ignores_what_comes_after_its_sequence(make, make_row):
    model, batch = make("llama", "AutoModelForSequenceClassification", num_labels=1), make_row((8, 5))
    alone = forward.scores(model, pieces(batch)[0])
    torch.testing.assert_close(forward.scores(model, batch)[:1], alone, rtol=0, atol=1e-12)


@pytest.mark.invariant("I26")
@pytest.mark.incident("T12")
def test_values_are_read_one_position_before_each_learnt_token(make, make_row):
    model, batch = make("qwen3", "AutoModelForSequenceClassification", num_labels=1), make_row((8, 5, 1, 3))
    outputs = model.score(forward.hidden(model, batch))[:, 0].tolist()
    places = [place - 1 for place, learnt in enumerate(batch.learn.tolist()) if learnt]
    found = forward.values(model, batch)
    assert found.tolist() == pytest.approx([outputs[place] for place in places], abs=1e-12)


def test_unknown_architectures_run_padded_and_are_named_once(make_row):
    """State-space layers carry a state along the row: it would leak from one packed sequence into the next."""
    import transformers

    torch.manual_seed(0)
    config = transformers.MambaConfig(
        vocab_size=67, hidden_size=32, num_hidden_layers=2, state_size=4, pad_token_id=0, tie_word_embeddings=False
    )
    model = transformers.AutoModelForCausalLM.from_config(config).double().eval()
    batch = make_row((6, 3, 9))
    with pytest.warns(UserWarning, match="MambaForCausalLM does not take packed rows"):
        together = forward.token_log_probs(model, batch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone = torch.cat([forward.token_log_probs(model, part) for part in pieces(batch)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    together.sum().backward()


def test_an_attention_set_back_by_somebody_is_set_again(make, make_row):
    model, batch = make("llama"), make_row(LENGTHS)
    expected = forward.token_log_probs(model, batch)
    model.set_attn_implementation("sdpa")
    assert torch.equal(forward.token_log_probs(model, batch), expected)


def test_half_precision_models_give_float32(make, make_row):
    model, batch = make("llama"), make_row(LENGTHS)
    exact = forward.token_log_probs(model, batch)
    found = forward.token_log_probs(model.to(torch.bfloat16), batch)
    assert found.dtype == torch.float32
    assert (found - exact).abs().mean() < 0.1
    # bfloat16 would round to steps of 2^-6 between 2 and 4; these are finer
    assert ((found * 64) % 1 != 0).any()
