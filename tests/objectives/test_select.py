import itertools
import math

import pytest
import torch

from baro.objectives import select


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_best_of_every_row_and_the_first_of_equals():
    scores = torch.tensor([[0.1, 0.9, 0.3, 0.2], [2, 1, 2, 2], [-5, -5, -5, -4], [0, 0, 0, 0]])
    assert select.best_of(scores).tolist() == [1, 0, 3, 0]
    # five prompts with four answers each, best at positions 2, 4, 1, 3, 4 counted from 1
    rewards = torch.tensor(
        [[0.2, 0.7, 0.1, 0.5], [0.3, 0.1, 0.2, 0.8], [0.9, 0.4, 0.3, 0.1], [0.2, 0.5, 0.6, 0.4], [0.1, 0.2, 0.5, 0.7]]
    )
    assert (select.best_of(rewards) + 1).tolist() == [2, 4, 1, 3, 4]


@pytest.mark.invariant("I48")
@pytest.mark.parametrize("transform", [torch.exp, torch.atan, lambda x: 3 * x - 8, lambda x: x**3])
def test_selection_depends_on_the_order_of_rewards_only(transform):
    scores = normal(200, 8)
    assert torch.equal(select.best_of(transform(scores)), select.best_of(scores))


@pytest.mark.invariant("I48")
def test_the_random_control_keeps_as_many_and_is_uniform():
    scores = normal(8000, 4)
    control = select.random_of(8000, 4, generator=torch.Generator().manual_seed(0))
    assert control.shape == select.best_of(scores).shape
    counts = control.bincount(minlength=4)
    assert counts.shape == (4,)
    # 4 standard deviations of a binomial of 8000 at 1/4
    assert (counts - 2000).abs().max() < 4 * math.sqrt(8000 * 0.25 * 0.75)
    assert torch.equal(control, select.random_of(8000, 4, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(control, select.random_of(8000, 4, generator=torch.Generator().manual_seed(1)))
    kept = scores.gather(1, control[:, None])
    assert kept.mean().abs() < 4 / math.sqrt(8000)  # the control gains nothing


@pytest.mark.invariant("I46")
def test_bound_on_the_divergence_of_best_of_n():
    table = {1: 0.0, 2: 0.1931, 4: 0.6363, 8: 1.2044, 16: 1.8351, 64: 3.1745, 128: 3.8598, 1000: 5.909, 60000: 10.002}
    for n, nats in table.items():
        assert select.kl_bound(n) == pytest.approx(nats, abs=6e-4 if n >= 1000 else 6e-5)


@pytest.mark.invariant("I46")
def test_exact_divergence_is_below_the_bound_monotone_and_0_for_one_sample():
    base = normal(6).softmax(0)
    values = [select.kl_exact(base, n) for n in range(1, 40)]
    assert values[0] == pytest.approx(0, abs=1e-12)
    assert all(a < b for a, b in itertools.pairwise(values))
    assert all(value <= select.kl_bound(n) + 1e-12 for n, value in enumerate(values, start=1))


@pytest.mark.invariant("I46")
def test_exact_divergence_by_hand_and_in_its_limits():
    # a winner of probability 1/1000: nearly always absent from 16 samples
    assert select.kl_exact(torch.tensor([0.999, 0.001]), 16) == pytest.approx(0.0291, abs=5e-5)
    # two answers of 1/2 and n = 2: q = 1/4, 3/4
    by_hand = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    assert select.kl_exact(torch.tensor([0.5, 0.5]), 2) == pytest.approx(by_hand, abs=1e-12)
    # many equally likely answers are nearly a continuum, where the bound is reached
    even = torch.full((20_000,), 1 / 20_000, dtype=torch.float64)
    assert select.kl_exact(even, 8) == pytest.approx(1.2044, abs=1e-3)
    # as n grows only the best remains: KL -> -ln p of the best
    assert select.kl_exact(torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64), 1000) == pytest.approx(
        math.log(10), abs=1e-9
    )


@pytest.mark.invariant("I46")
def test_exact_divergence_agrees_with_enumeration():
    base = [0.2, 0.5, 0.3]
    best = [0.0, 0.0, 0.0]
    for draw in itertools.product(range(3), repeat=4):
        best[max(draw)] += math.prod(base[i] for i in draw)
    expected = sum(q * math.log(q / p) for p, q in zip(base, best, strict=True))
    assert select.kl_exact(torch.tensor(base, dtype=torch.float64), 4) == pytest.approx(expected, abs=1e-12)


@pytest.mark.invariant("I47")
def test_gain_of_best_of_n_on_normal_rewards():
    table = {1: 0.0, 2: 0.5642, 4: 1.0294, 8: 1.4236, 16: 1.7660, 64: 2.3437, 128: 2.5946}
    for n, lift in table.items():
        assert select.normal_lift(n) == pytest.approx(lift, abs=6e-5)
    assert select.normal_lift(2) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-12)
    assert select.normal_lift(3) == pytest.approx(1.5 / math.sqrt(math.pi), abs=1e-12)


@pytest.mark.invariant("I47")
@pytest.mark.parametrize("n", [2, 4, 16])
def test_selection_gains_that_much_and_wins_n_times_in_n_plus_1(n):
    rows = 40_000
    rewards, rival = normal(rows, n, seed=n), normal(rows, seed=99)
    chosen = rewards.gather(1, select.best_of(rewards)[:, None])[:, 0]
    assert chosen.mean().item() == pytest.approx(select.normal_lift(n), abs=4 / math.sqrt(rows))
    rate = n / (n + 1)
    win = (chosen > rival).double().mean().item()
    assert win == pytest.approx(rate, abs=4 * math.sqrt(rate * (1 - rate) / rows))


@pytest.mark.invariant("I49")
@pytest.mark.parametrize("k", [1, 2, 3, 6, 7])
def test_best_of_k_is_the_mean_over_all_subsets(k):
    scores = normal(5, 7, seed=k).round(decimals=1)  # rounding makes ties
    for row, estimate in zip(scores.tolist(), select.best_of_k(scores, k).tolist(), strict=True):
        subsets = [max(subset) for subset in itertools.combinations(row, k)]
        assert estimate == pytest.approx(sum(subsets) / len(subsets), abs=1e-12)


@pytest.mark.invariant("I49")
def test_best_of_k_of_right_and_wrong_is_pass_at_k():
    scores = torch.tensor([[1.0, 0, 0, 0, 1, 0, 0, 0, 0, 0]], dtype=torch.float64)
    # 2 right of 10: 1 - C(8,3)/C(10,3)
    assert select.best_of_k(scores, 3).item() == pytest.approx(1 - 56 / 120, abs=1e-12)


def test_best_of_k_refuses_more_than_there_are():
    with pytest.raises(ValueError, match="best of 5 cannot be estimated from 4 samples"):
        select.best_of_k(torch.zeros(1, 4), 5)
    with pytest.raises(ValueError, match=r"k must be in 1\.\.4"):
        select.best_of_k(torch.zeros(1, 4), 0)


@pytest.mark.invariant("I49")
@pytest.mark.parametrize("k", [1, 2, 3, 6, 7])
def test_what_the_best_of_k_is_worth_is_the_mean_over_all_subsets(k):
    scores, values = normal(5, 7, seed=k).round(decimals=0), normal(5, 7, seed=k + 50)  # rounding makes ties
    found = select.value_of_k(scores, values, k).tolist()
    for row, worth, estimate in zip(scores.tolist(), values.tolist(), found, strict=True):
        subsets = []
        for subset in itertools.combinations(range(7), k):
            best = [i for i in subset if row[i] == max(row[j] for j in subset)]
            subsets.append(sum(worth[i] for i in best) / len(best))  # equals are chosen equally often
        assert estimate == pytest.approx(sum(subsets) / len(subsets), abs=1e-12)


def test_the_worth_of_the_best_of_1_is_the_mean_and_of_all_the_worth_of_the_best():
    scores, values = normal(3, 1024), normal(3, 1024, seed=9)
    assert select.value_of_k(scores, values, 1).tolist() == pytest.approx(values.mean(1).tolist())
    best = values.gather(1, scores.argmax(1, keepdim=True))[:, 0]
    assert select.value_of_k(scores, values, 1024).tolist() == pytest.approx(best.tolist())


def test_a_proxy_that_knows_nothing_gains_nothing_whatever_n():
    scores, values = torch.zeros(4, 64, dtype=torch.float64), normal(4, 64)
    for k in (1, 8, 64):
        assert select.value_of_k(scores, values, k).tolist() == pytest.approx(values.mean(1).tolist())
