from __future__ import annotations

import pytest
import torch

from baro.models import logits
from baro.models.logits import Head, picked

CASES = {
    "plain": (False, 1.0, None),
    "bias": (True, 1.0, None),
    "scale": (False, 0.25, None),
    "softcap": (True, 1.0, 2.0),
    "all": (True, 0.5, 3.0),
}


def problem(case: str, *, rows: int = 23, vocabulary: int = 31, dtype=torch.float64):
    torch.manual_seed(0)
    with_bias, scale, softcap = CASES[case]
    hidden = torch.randn(rows, 8, dtype=dtype, requires_grad=True)
    weight = torch.randn(vocabulary, 8, dtype=dtype, requires_grad=True)
    bias = torch.randn(vocabulary, dtype=dtype, requires_grad=True) if with_bias else None
    return hidden, Head(weight, bias, scale, softcap), torch.randint(vocabulary, (rows,))


def naive(hidden, head, targets, temperature):
    z = hidden @ head.weight.T
    z = (z if head.bias is None else z + head.bias) * head.scale
    z = z if head.softcap is None else head.softcap * torch.tanh(z / head.softcap)
    return torch.log_softmax(z / temperature, -1)[torch.arange(len(targets)), targets]


@pytest.mark.invariant("I10")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("keep", [1 << 24, 0])
@pytest.mark.parametrize("chunk", [1, 31 * 5, 1 << 19])
def test_chunks_equal_the_naive_form(monkeypatch, case, keep, chunk):
    monkeypatch.setattr(logits, "KEEP", keep)
    monkeypatch.setattr(logits, "CHUNK", chunk)
    monkeypatch.setattr(logits, "LEAST", 1)
    hidden, head, targets = problem(case)
    inputs = [tensor for tensor in (hidden, head.weight, head.bias) if tensor is not None]
    weights = torch.linspace(-1, 2, len(targets), dtype=torch.float64)
    found, entropy = picked(hidden, head, targets, temperature=0.6)
    assert entropy is None
    expected = naive(hidden, head, targets, 0.6)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    ours = torch.autograd.grad((found * weights).sum(), inputs)
    theirs = torch.autograd.grad((expected * weights).sum(), inputs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.invariant("I10")
@pytest.mark.parametrize("case", ["bias", "all"])
def test_gradients_by_finite_differences(case):
    hidden, head, targets = problem(case, rows=3, vocabulary=5)

    def f(hidden, weight, bias):
        return picked(hidden, Head(weight, bias, head.scale, head.softcap), targets, temperature=1.3)[0]

    # a second backward pass computes again what the first has used up, so it may differ in the last digit
    assert torch.autograd.gradcheck(f, (hidden, head.weight, head.bias), nondet_tol=1e-12)


def test_entropy_against_torch_and_at_impossible_tokens():
    hidden, head, targets = problem("bias")
    with torch.no_grad():
        head.bias[3] = -torch.inf
        targets[targets == 3] = 4
    found, entropy = picked(hidden, head, targets, temperature=2.0, entropy=True)
    kept = [i for i in range(31) if i != 3]
    z = (hidden @ head.weight[kept].T + head.bias[kept]) / 2
    torch.testing.assert_close(entropy, torch.distributions.Categorical(logits=z).entropy(), rtol=0, atol=1e-10)
    assert not entropy.requires_grad
    assert found.requires_grad


def test_a_frozen_head_gets_no_gradient_and_the_trunk_does():
    hidden, head, targets = problem("plain")
    frozen = Head(head.weight.detach(), None, 1.0, None)
    picked(hidden, frozen, targets, temperature=1.0)[0].sum().backward()
    assert hidden.grad is not None
    assert head.weight.grad is None


def test_half_precision_gradients_are_summed_in_float32(monkeypatch):
    """Of 4,096 equal terms, a bfloat16 sum stops growing after 256."""
    monkeypatch.setattr(logits, "CHUNK", 1)
    monkeypatch.setattr(logits, "LEAST", 1)
    hidden, weight = (
        torch.ones(4096, 1, dtype=torch.bfloat16),
        torch.zeros(2, 1, dtype=torch.bfloat16, requires_grad=True),
    )
    targets = torch.zeros(4096, dtype=torch.int64)
    picked(hidden, Head(weight, None, 1.0, None), targets, temperature=1.0)[0].sum().backward()
    assert weight.grad.tolist() == [[2048.0], [-2048.0]]
    assert weight.grad.dtype == torch.bfloat16


@pytest.mark.invariant("I10")
def test_large_problems_hold_one_chunk_of_logits_at_a_time(monkeypatch):
    """Peak of what torch allocates during forward and backward, against the T x V logits nobody may hold."""
    monkeypatch.setattr(logits, "KEEP", 0)
    monkeypatch.setattr(logits, "CHUNK", 1 << 14)
    monkeypatch.setattr(logits, "LEAST", 1)
    hidden, head, targets = problem("plain", rows=2000, vocabulary=1000, dtype=torch.float32)
    with torch.profiler.profile(profile_memory=True) as profile:
        picked(hidden, head, targets, temperature=1.0)[0].sum().backward()
    held = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    assert 1000 < peak < 2000 * 1000 * 4 / 10, "bound: a tenth of the logits; four chunks are 0.26 MB"
