"""Layers in blocks of tokens against the same layers through transformers' modules, in float64."""

from __future__ import annotations

import copy

import pytest
import torch

from baro.models import attention, blocks, forward, trunk
from baro.models.invariant import batch_invariant
from baro.models.recompute import recompute_layers
from baro.models.support import support

LENGTHS = (7, 12, 1, 20, 3, 12, 9)
NAMES = ("llama", "qwen2", "qwen3", "mistral")
CLOSE = {"rtol": 0, "atol": 1e-10}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of eight tokens, so that their borders fall within sequences."""
    monkeypatch.setattr(blocks, "LEAST", 8)
    monkeypatch.setattr(blocks, "BLOCK", 1)


def states(model, row, at=None, *, plainly: bool = False) -> torch.Tensor:
    plan = attention.packed(row.lengths, row.tokens.device)
    if not plainly:
        return trunk.run(model, row.tokens, row.positions, plan, at)
    found = attention.run(model.base_model, row.tokens, row.positions, plan)
    return found if at is None else found[at]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("asked", [None, [3, 50, 12, 12, 0, 63, 12]], ids=["all", "some, one of them three times"])
def test_states_and_gradients_equal_the_modules(make, make_row, exact, small_blocks, name, asked):
    row, model = make_row(LENGTHS), make(name)
    other, at = copy.deepcopy(model), None if asked is None else torch.tensor(asked)
    assert support(model).blocks
    support(other)
    found, expected = states(model, row, at), states(other, row, at, plainly=True)
    torch.testing.assert_close(found, expected, **CLOSE)
    slope = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found.backward(slope)
    expected.backward(slope)
    for (weight, ours), theirs in zip(model.base_model.named_parameters(), other.base_model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-10, msg=lambda text, w=weight: w + text)


def test_weights_that_are_frozen_get_no_gradient_and_the_others_their_own(make, make_row, small_blocks):
    row, model = make_row(LENGTHS), make("qwen2")
    whole, frozen = copy.deepcopy(model), {"q_proj.bias", "up_proj.weight", "input_layernorm.weight", "o_proj.weight"}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(name.endswith(part) for part in frozen))
    for each in (model, whole):
        states(each, row).square().sum().backward()
    for (name, ours), theirs in zip(model.base_model.named_parameters(), whole.base_model.parameters(), strict=True):
        if any(name.endswith(part) for part in frozen):
            assert ours.grad is None
        else:
            assert torch.equal(ours.grad, theirs.grad)


def test_rotating_back_is_the_transpose_and_the_inverse(make):
    draws = torch.Generator().manual_seed(0)
    one, other = (torch.randn(5, 3, 8, dtype=torch.float64, generator=draws) for _ in range(2))
    angles = torch.randn(5, 1, 4, dtype=torch.float64, generator=draws).repeat(1, 1, 2)
    cos, sin = angles.cos(), angles.sin()
    turned = blocks.rotated(one, cos, sin)
    assert not torch.allclose(turned, one)
    torch.testing.assert_close(turned.norm(dim=2), one.norm(dim=2), **CLOSE)
    torch.testing.assert_close(blocks.rotated(turned, cos, sin, back=True), one, **CLOSE)
    back = blocks.rotated(other, cos, sin, back=True)
    torch.testing.assert_close((turned * other).sum(), (one * back).sum(), **CLOSE)


def test_the_slope_of_a_norm_equals_finite_differences():
    draws = torch.Generator().manual_seed(1)
    rows, slope = (torch.randn(3, 6, dtype=torch.float64, generator=draws) for _ in range(2))
    norm, step = blocks.Norm(torch.randn(6, dtype=torch.float64, generator=draws), 0.03), 1e-6
    to_weight = torch.zeros(6, dtype=torch.float64)
    found = blocks.norm_slope(rows, blocks.normed(rows, norm)[1], norm, slope.clone(), to_weight)

    def value(some: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return (blocks.normed(some, blocks.Norm(weight, 0.03))[0] * slope).sum()

    for place in range(6):
        nudge = torch.zeros(6, dtype=torch.float64)
        nudge[place] = step
        by_weight = (value(rows, norm.weight + nudge) - value(rows, norm.weight - nudge)) / (2 * step)
        torch.testing.assert_close(to_weight[place], by_weight, rtol=1e-6, atol=1e-8)
        nudged = torch.zeros_like(rows)
        nudged[1] = nudge
        by_rows = (value(rows + nudged, norm.weight) - value(rows - nudged, norm.weight)) / (2 * step)
        torch.testing.assert_close(found[1, place], by_rows, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "options",
    [{"hidden_act": "gelu"}, {"attention_bias": True}, {"mlp_bias": True}, {"attention_dropout": 0.1}],
    ids=lambda options: next(iter(options)),
)
def test_layers_with_anything_else_in_them_run_through_their_modules(make, make_row, monkeypatch, options):
    model = make("llama", **options)
    found = support(model)
    assert found.packed
    assert found.blocks is None
    monkeypatch.setattr(blocks, "run", None)
    assert states(model, make_row(LENGTHS)).shape == (sum(LENGTHS), 32)


def test_a_layer_that_looks_alike_and_computes_otherwise_is_found_out(make):
    model = make("llama")
    between = model.model.layers[1].post_attention_layernorm
    plain = between.forward
    between.forward = lambda rows: 1.001 * plain(rows)
    found = support(model)
    assert found.packed
    assert found.blocks is None


@pytest.mark.parametrize("way", ["exact", "recomputed"])
def test_the_exact_mode_and_recomputed_layers_use_the_modules(make, make_row, monkeypatch, way):
    model = make("llama")
    assert support(model).blocks
    if way == "recomputed":
        recompute_layers(model)
    monkeypatch.setattr(blocks, "run", None)
    with batch_invariant(way == "exact"):
        states(model, make_row(LENGTHS)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.base_model.parameters())


def test_half_of_what_the_modules_keep_for_the_backward_pass_is_kept(make, make_row):
    model, row = make("llama", intermediate_size=96).float(), make_row(LENGTHS)
    support(model)
    kept = []
    for plainly in (False, True):
        seen = {}

        def note(tensor: torch.Tensor, seen=seen) -> torch.Tensor:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            states(model, row, plainly=plainly)
        weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
        kept.append(sum(size for place, size in seen.items() if place not in weights))
    assert kept[0] < 0.6 * kept[1]


def test_learning_goes_the_same_way(make, make_row, exact):
    """Ten steps of AdamW from the same start end at the same log-probabilities."""
    row, ends = make_row(LENGTHS), []
    for plainly in (False, True):
        model = make("qwen3")
        assert support(model).blocks
        if plainly:
            recompute_layers(model)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        for _ in range(10):
            optimiser.zero_grad()
            (-forward.token_log_probs(model, row).mean()).backward()
            optimiser.step()
        ends.append(forward.token_log_probs(model, row).detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-7)
