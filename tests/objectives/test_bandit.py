"""Policy gradient with a KL price on a bandit with five arms, whose optimum is known in closed form."""

import math

import pytest
import torch
from torch import Tensor

from baro.objectives import kl, policy

REWARDS = torch.tensor([1.0, 0.2, -0.5, 0.9, 0.0], dtype=torch.float64)
REFERENCE = torch.tensor([0.1, 0.4, 0.2, 0.05, 0.25], dtype=torch.float64).log()


def train(beta: float, steps: int = 1500, reference: Tensor = REFERENCE) -> Tensor:
    """Logits after `steps` of gradient descent on the exact expectation over arms of the clipped loss."""
    logits = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([logits], lr=2 / (beta or 1))  # the curvature at the optimum is beta diag(pi)
    for _ in range(steps):
        log_probs = logits.log_softmax(0)
        old = log_probs.detach()
        paid = REWARDS + kl.penalty(old, reference, coefficient=beta)
        advantages = paid - (old.exp() * paid).sum()
        loss = policy.clipped_policy(log_probs, old, advantages, clip_low=0.2, clip_high=0.2)
        optimiser.zero_grad()
        (old.exp() * loss).sum().backward()
        optimiser.step()
    return logits.detach()


def objective(logits: Tensor, beta: float) -> float:
    """E[r] - beta KL, from the definition."""
    p = logits.softmax(0).tolist()
    reward = sum(a * r for a, r in zip(p, REWARDS.tolist(), strict=True))
    drift = sum(a * (math.log(a) - q) for a, q in zip(p, REFERENCE.tolist(), strict=True))
    return reward - beta * drift


@pytest.mark.invariant("I38")
@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_converges_to_the_tilted_reference_whose_value_is_beta_ln_z(beta):
    logits = train(beta)
    weights = [math.exp(q + r / beta) for q, r in zip(REFERENCE.tolist(), REWARDS.tolist(), strict=True)]
    z = sum(weights)
    assert logits.softmax(0).tolist() == pytest.approx([w / z for w in weights], abs=1e-5)
    value = objective(logits, beta)
    assert value == pytest.approx(beta * math.log(z), abs=1e-8)
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        moved = logits + 0.1 * torch.randn(5, generator=generator, dtype=torch.float64)
        assert objective(moved, beta) < value


@pytest.mark.invariant("I29")
def test_a_high_price_keeps_the_reference_and_a_price_of_0_ignores_it():
    tied = train(200.0)
    assert tied.softmax(0).tolist() == pytest.approx(REFERENCE.exp().tolist(), abs=2e-3)
    other = train(0.0, steps=300, reference=REFERENCE.flip(0))
    assert torch.equal(train(0.0, steps=300), other)
    assert other.softmax(0).argmax() == 0
