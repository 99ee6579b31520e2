"""Divergences, with exact expectations over a three-letter alphabet as the judge."""

import math

import pytest
import torch

from baro.objectives import kl

P, Q = (0.7, 0.2, 0.1), (0.3, 0.3, 0.4)
KL_PQ = sum(p * math.log(p / q) for p, q in zip(P, Q, strict=True))
KL_QP = sum(q * math.log(q / p) for p, q in zip(P, Q, strict=True))


def doubles(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def expectation(estimator) -> float:
    p, q = doubles(*P), doubles(*Q)
    return (p * estimator(p.log(), q.log())).sum().item()


def test_exact_divergence_and_its_direction():
    assert pytest.approx(0.3734, abs=5e-5) == KL_PQ
    # unnormalised: a constant added to the logits changes nothing
    assert kl.exact(doubles(*P).log() + 3, doubles(*Q).log() - 1).item() == pytest.approx(KL_PQ, abs=1e-12)
    assert kl.exact(doubles(*Q).log(), doubles(*P).log()).item() == pytest.approx(KL_QP, abs=1e-12)
    assert abs(KL_PQ - KL_QP) > 0.01
    assert kl.exact(doubles(1.0, 2.0), doubles(1.0, 2.0)).item() == 0


def test_exact_divergence_of_rows_and_of_impossible_tokens():
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    assert kl.exact(logits, logits.flip(0)).shape == (2, 3)
    minus = float("-inf")
    both = kl.exact(doubles(0.0, 0.0, minus), doubles(math.log(3), 0.0, minus))
    assert both.item() == pytest.approx(0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25), abs=1e-12)
    assert kl.exact(doubles(0.0, 0.0), doubles(0.0, minus)).item() == math.inf


@pytest.mark.invariant("I51")
@pytest.mark.incident("T37")
def test_k1_and_k3_are_unbiased_with_the_right_sign():
    assert expectation(kl.k1) == pytest.approx(KL_PQ, abs=1e-12)
    assert expectation(kl.k3) == pytest.approx(KL_PQ, abs=1e-12)
    by_hand = sum(p * math.log(p / q) ** 2 / 2 for p, q in zip(P, Q, strict=True))
    assert expectation(kl.k2) == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.invariant("I51")
def test_k2_and_k3_are_never_negative():
    log_p, log_q = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (kl.k3(log_p, log_q) >= 0).all()
    assert (kl.k2(log_p, log_q) >= 0).all()
    # in single precision too, where exp(x) - 1 - x would lose every digit
    near = kl.k3(torch.tensor([-1.0]), torch.tensor([-1.0 + 2e-4]))
    assert near.item() == pytest.approx(2e-8, rel=2e-3)


@pytest.mark.invariant("I51")
@pytest.mark.parametrize(
    ("name", "target"),
    [("k1", None), ("k2", "pq"), ("k3", "qp")],
    ids=["k1: nothing", "k2: reverse KL", "k3: forward KL"],
)
def test_expected_gradient_of_an_estimator_used_as_a_loss_on_policy(name, target):
    logits, q = doubles(*P).log().requires_grad_(), doubles(*Q)
    log_p = logits.log_softmax(-1)
    # samples come from p, so the weights of the expectation carry no gradient
    (log_p.detach().exp() * getattr(kl, name)(log_p, q.log())).sum().backward()

    def divergence(values: list[float]) -> float:
        total = sum(math.exp(v) for v in values)
        p = [math.exp(v) / total for v in values]
        pairs = list(zip(p, Q, strict=True))
        if target == "pq":
            return sum(a * math.log(a / b) for a, b in pairs)
        return sum(b * math.log(b / a) for a, b in pairs) if target == "qp" else 0.0

    base, eps = [math.log(p) for p in P], 1e-6
    for i in range(3):
        up, down = ([v + sign * eps * (j == i) for j, v in enumerate(base)] for sign in (1, -1))
        numeric = (divergence(up) - divergence(down)) / (2 * eps)
        assert logits.grad[i].item() == pytest.approx(numeric, abs=1e-8)


@pytest.mark.invariant("I27")
def test_the_price_of_an_answer_is_minus_beta_times_its_log_ratio():
    log_probs, reference = doubles(-1.0, -0.5, -2.0), doubles(-1.5, -0.1, -4.0)
    rewards = kl.penalty(log_probs, reference, coefficient=0.05)
    assert rewards.tolist() == pytest.approx([-0.025, 0.02, -0.1])
    assert rewards.sum().item() == pytest.approx(-0.05 * (-3.5 - -5.6), abs=1e-12)


@pytest.mark.invariant("I28", "I29")
@pytest.mark.incident("T37")
def test_no_price_without_drift_or_without_coefficient():
    log_probs = torch.randn(50, generator=torch.Generator().manual_seed(0))
    assert kl.penalty(log_probs, log_probs.clone(), coefficient=0.7).abs().sum() == 0
    assert kl.penalty(log_probs, log_probs.flip(0), coefficient=0.0).abs().sum() == 0


@pytest.mark.invariant("I37")
def test_a_certain_token_of_both_costs_nothing():
    zero = doubles(0.0)
    assert [k(zero, zero).item() for k in (kl.k1, kl.k2, kl.k3)] == [0.0, 0.0, 0.0]


@pytest.mark.invariant("I33")
def test_adaptive_coefficient():
    settings = {"target": 6.0, "samples": 512, "horizon": 10_000}
    assert kl.adapt(0.15, kl=6.0, **settings) == 0.15
    # 10 % over the target: e = .1; 512 answers of a horizon of 10,000
    assert kl.adapt(0.15, kl=6.6, **settings) == pytest.approx(0.15 * (1 + 0.1 * 0.0512))
    assert kl.adapt(0.15, kl=5.4, **settings) == pytest.approx(0.15 * (1 - 0.1 * 0.0512))
    # never by more than 20 % per horizon, however far off
    assert kl.adapt(0.15, kl=600.0, **settings) == pytest.approx(0.15 * (1 + 0.2 * 0.0512))
    assert kl.adapt(0.15, kl=-3.0, **settings) == pytest.approx(0.15 * (1 - 0.2 * 0.0512))


@pytest.mark.invariant("I33")
def test_adaptive_coefficient_settles_at_the_target():
    # a toy policy whose drift is inversely proportional to its price: kl = 1.2 / beta, target 6 at beta = .2
    coefficient = 0.05
    for _ in range(400):
        coefficient = kl.adapt(coefficient, kl=1.2 / coefficient, target=6.0, samples=512, horizon=10_000)
    assert coefficient == pytest.approx(0.2, rel=1e-3)
