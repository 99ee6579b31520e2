import math

import pytest
import torch

from baro.objectives import policy

CLIP = {"clip_low": 0.2, "clip_high": 0.2}


def doubles(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.invariant("I23")
def test_before_the_first_step_ppo_is_reinforce():
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    actions, advantages = torch.tensor([0, 1, 2, 3, 4, 0]), doubles(1.0, -2.0, 0.5, 3.0, -1.0, 0.0)
    free = logits.clone().requires_grad_()
    log_probs = free.log_softmax(-1)[torch.arange(6), actions]
    old = log_probs.detach()
    policy.clipped_policy(log_probs, old, advantages, **CLIP).sum().backward()
    # REINFORCE by hand: d(-A ln softmax_a)/dlogits = A (softmax - onehot)
    expected = advantages[:, None] * (logits.softmax(-1) - torch.nn.functional.one_hot(actions, 5))
    torch.testing.assert_close(free.grad, expected, atol=1e-12, rtol=0)
    assert policy.approx_kl(log_probs, old).abs().sum() == 0
    assert policy.clipped_fraction(log_probs, old, advantages, **CLIP).sum() == 0


@pytest.mark.invariant("I24")
def test_with_zero_mean_advantages_the_first_loss_is_0():
    advantages = torch.randn(64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    advantages -= advantages.mean()
    log_probs = -torch.rand(64, dtype=torch.float64)
    assert policy.clipped_policy(log_probs, log_probs, advantages, **CLIP).mean().abs() < 1e-12


@pytest.mark.invariant("I30")
@pytest.mark.parametrize("advantage", [2.0, -2.0])
@pytest.mark.parametrize("ratio", [0.5, 0.79, 0.81, 1.0, 1.29, 1.31, 2.0])
def test_where_the_clip_stops_the_gradient(advantage, ratio):
    low, high = 0.2, 0.3
    log_probs = doubles(math.log(ratio)).requires_grad_()
    advantages = doubles(advantage)
    loss = policy.clipped_policy(log_probs, doubles(0.0), advantages, clip_low=low, clip_high=high)
    loss.sum().backward()
    stopped = (advantage > 0 and ratio > 1 + high) or (advantage < 0 and ratio < 1 - low)
    assert log_probs.grad.item() == pytest.approx(0.0 if stopped else -advantage * ratio, abs=1e-12)
    bound = min(max(ratio, 1 - low), 1 + high)
    assert loss.item() == pytest.approx(-advantage * (bound if stopped else ratio), abs=1e-12)
    fraction = policy.clipped_fraction(log_probs, doubles(0.0), advantages, clip_low=low, clip_high=high)
    assert fraction.item() == float(stopped)


def test_the_clipped_loss_is_never_below_the_unclipped_one():
    generator = torch.Generator().manual_seed(0)
    new, old, advantages = torch.randn(3, 500, generator=generator, dtype=torch.float64)
    loss = policy.clipped_policy(new, old, advantages, **CLIP)
    assert (loss >= -advantages * torch.exp(new - old) - 1e-12).all()


@pytest.mark.invariant("I31")
@pytest.mark.incident("T41")
def test_clipped_value_loss():
    values, old, returns = doubles(0.0, 1.0, 1.0, -1.0), doubles(0.0, 0.0, 0.0, 0.0), doubles(2.0, 2.0, -1.0, -1.0)
    # free: 4, 1, 4, 0; near = 0, .2, .2, -.2: 4, 3.24, 1.44, .64; half of the larger
    assert policy.clipped_value(values, old, returns, clip=0.2).tolist() == pytest.approx([2.0, 1.62, 2.0, 0.32])
    assert policy.clipped_value(values, old, returns, clip=None).tolist() == pytest.approx([2.0, 0.5, 2.0, 0.0])
    generator = torch.Generator().manual_seed(0)
    values, old, returns = torch.randn(3, 500, generator=generator, dtype=torch.float64)
    clipped = policy.clipped_value(values, old, returns, clip=0.2)
    assert (clipped >= 0.5 * (values - returns) ** 2).all()


def test_gradient_of_the_value_loss():
    values = doubles(0.1, 1.0, -1.0).requires_grad_()
    policy.clipped_value(values, doubles(0.0, 0.0, 0.0), doubles(2.0, 2.0, 2.0), clip=0.2).sum().backward()
    # v - R while it may move; 0 where it has moved further towards R than the clip; free where it moved away
    assert values.grad.tolist() == pytest.approx([-1.9, 0.0, -3.0])


def test_approx_kl_is_half_the_squared_log_ratio():
    assert policy.approx_kl(doubles(-1.0, -2.0), doubles(-3.0, -2.0)).tolist() == [2.0, 0.0]


@pytest.mark.invariant("I37")
def test_a_certain_token_does_not_move_the_policy():
    logits = doubles(90.0, 0.0).requires_grad_()
    log_prob = logits.log_softmax(0)[:1]
    policy.clipped_policy(log_prob, log_prob.detach(), doubles(1.0), **CLIP).sum().backward()
    assert logits.grad.abs().max() < 1e-30
    assert policy.approx_kl(log_prob, log_prob).item() == 0
