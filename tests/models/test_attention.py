from __future__ import annotations

import copy
import math

import pytest
import torch

from baro.models import attention
from baro.models.attention import Rule, bucket, packed

PLAIN = Rule(None, None, None, 0.0)


def by_loops(query, key, value, lengths, rule: Rule):
    """Attention by its definition, one query at a time: (H, T, Dh), (Hkv, T, Dh) twice → (T, H, Dh)."""
    heads, tokens, size = query.shape
    groups = heads // key.shape[0]
    scaling = rule.scaling or 1 / math.sqrt(size)
    output = torch.zeros(tokens, heads, size, dtype=query.dtype)
    start = 0
    for length in lengths:
        for place in range(start, start + length):
            first = start if rule.window is None else max(start, place - rule.window + 1)
            for head in range(heads):
                z = key[head // groups, first : place + 1] @ query[head, place] * scaling
                z = z if rule.softcap is None else rule.softcap * torch.tanh(z / rule.softcap)
                output[place, head] = torch.softmax(z, 0) @ value[head // groups, first : place + 1]
        start += length
    return output


@pytest.mark.invariant("I5")
@pytest.mark.incident("T26", "T29", "T30")
@pytest.mark.parametrize("lengths", [(9,), (4, 4, 4), (1, 7, 3, 7, 1, 40, 38, 2), (5, 70)])
@pytest.mark.parametrize(
    "rule",
    [PLAIN, Rule(0.3, None, None, 0.0), Rule(None, 3, None, 0.0), Rule(0.5, None, 1.5, 0.0), Rule(0.5, 4, 1.5, 0.0)],
)
def test_packed_attention_equals_its_definition(lengths, rule):
    torch.manual_seed(0)
    tokens = sum(lengths)
    query, key, value = (torch.randn(1, heads, tokens, 8, dtype=torch.float64) for heads in (4, 2, 2))
    found = packed(lengths, query.device).attend(0, query, key, value, rule)[0]
    torch.testing.assert_close(found, by_loops(query[0], key[0], value[0], lengths, rule), rtol=0, atol=1e-12)


def test_gradients_flow_through_padding_exactly():
    torch.manual_seed(0)
    plan = packed((1, 3, 2), torch.device("cpu"))
    assert plan.moves is not None
    inputs = [torch.randn(1, heads, 6, 4, dtype=torch.float64, requires_grad=True) for heads in (2, 1, 1)]
    assert torch.autograd.gradcheck(lambda q, k, v: plan.attend(0, q, k, v, PLAIN), inputs)


@pytest.mark.parametrize("seed", range(4))
def test_buckets_hold_every_sequence_once_and_waste_little(seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randn(300, generator=generator).mul(0.7).add(4).exp().int().clamp(1, 600).tolist()
    groups = bucket(lengths, call=2000)
    assert sorted(index for group in groups for index in group) == list(range(300))
    padded = sum(len(group) * max(lengths[index] for index in group) for group in groups)
    assert padded < 1.25 * sum(lengths)
    assert len(groups) < 60
    assert len(bucket(lengths, call=10**9)) == 1
    assert len(bucket(lengths, call=0)) == len(set(lengths))


def test_equal_lengths_and_single_sequences_are_not_moved():
    for lengths in ((7,), (5, 5, 5)):
        plan = packed(lengths, torch.device("cpu"))
        assert plan.moves is None
        assert plan.kept is None
        assert plan.buckets == ((len(lengths), lengths[0]),)


def test_the_window_by_hand():
    seen = attention._band(4, 2, torch.device("cpu"))
    assert seen.int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]


@pytest.mark.invariant("I3")
@pytest.mark.incident("T31")
@pytest.mark.parametrize("name", ["llama", "gemma2", "gemma3", "gpt2", "mistral"])
def test_a_model_with_our_attention_still_works_as_transformers_uses_it(make, name, exact):
    """Padded rows with a mask, and generate with its cache: the function reads transformers' own masks then."""
    reference = make(name)
    model = copy.deepcopy(reference)
    attention.register()
    model.set_attn_implementation(attention.NAME)
    tokens = torch.randint(3, 67, (3, 11), generator=torch.Generator().manual_seed(0))
    real = torch.arange(11) < torch.tensor([11, 4, 7])[:, None]
    for mask in (real, real.flip(1)):
        arguments = {"input_ids": tokens, "attention_mask": mask.long(), "position_ids": (mask.cumsum(1) - 1).clamp(0)}
        expected, found = reference(**arguments).logits, model(**arguments).logits
        torch.testing.assert_close(found[mask], expected[mask], rtol=0, atol=1e-9)
    options = {"max_new_tokens": 12, "do_sample": False, "attention_mask": real.flip(1).long()}
    assert torch.equal(model.generate(tokens, **options), reference.generate(tokens, **options))


@pytest.mark.invariant("I5")
@pytest.mark.parametrize("rule", [PLAIN, Rule(0.5, 4, 1.5, 0.0)])
def test_shared_beginnings_attend_as_if_they_stood_before_each(rule):
    """Sequences 1 and 3 begin with tokens of 0, 4 with tokens of 2: the definition on the whole row is the witness."""
    torch.manual_seed(0)
    lengths, shared = (9, 7, 5, 6, 8), ((0, 0), (0, 4), (2, 0), (0, 4), (2, 3))
    plan = packed(lengths, torch.device("cpu"), shared)
    assert plan.kept.tolist() == [*range(9), *range(13, 16), *range(16, 21), *range(25, 27), *range(30, 35)]
    rows = [torch.randn(1, heads, len(plan.kept), 8, dtype=torch.float64) for heads in (4, 2, 2)]
    expected = by_loops(*(row[0].index_select(1, plan.home) for row in rows), lengths, rule)
    found = plan.attend(0, *rows, rule)[0]
    torch.testing.assert_close(found.index_select(0, plan.home), expected, rtol=0, atol=1e-12)


def test_gradients_reach_shared_tokens_from_every_place():
    torch.manual_seed(0)
    plan = packed((4, 3, 4), torch.device("cpu"), ((0, 0), (0, 2), (0, 3)))
    inputs = [torch.randn(1, heads, 6, 4, dtype=torch.float64, requires_grad=True) for heads in (2, 1, 1)]
    assert torch.autograd.gradcheck(lambda q, k, v: plan.attend(0, q, k, v, PLAIN), inputs)


def test_what_is_first_needed_while_sampling_serves_training():
    """Autograd refuses to keep tensors made in inference mode; plans and masks are kept for whoever comes next."""
    cpu = torch.device("cpu")
    attention.packed.cache_clear()
    attention._band.cache_clear()
    with torch.inference_mode():
        plan, mask = packed((41, 7, 7), cpu, ((0, 0), (0, 3), (0, 0))), attention._band(41, 3, cpu)
    kept = [mask, plan.kept, plan.home, *plan.moves]
    assert not any(tensor.is_inference() for tensor in kept)
    assert packed((41, 7, 7), cpu, ((0, 0), (0, 3), (0, 0))) is plan
    rows = torch.randn(len(plan.kept), 4, requires_grad=True)
    rows.index_select(0, plan.home).sum().backward()
    assert rows.grad.sum() == len(plan.home) * 4
