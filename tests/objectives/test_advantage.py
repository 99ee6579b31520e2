import math

import pytest
import torch
from torch import Tensor

from baro.objectives import advantage, kl, policy

NAN = float("nan")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def real(*lengths: int) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def spread(rewards: list[float], values: list[float], gamma: float, lam: float) -> list[float]:
    """Advantages of one row from the definition: sum over l of (gamma lam)^l delta_{t+l}."""
    ahead = [*values[1:], 0.0]
    deltas = [r + gamma * after - now for r, after, now in zip(rewards, ahead, values, strict=True)]
    return [
        sum((gamma * lam) ** (step - t) * deltas[step] for step in range(t, len(deltas))) for t in range(len(deltas))
    ]


@pytest.mark.invariant("I25")
@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.8), (1.0, 1.0), (0.97, 0.0)])
def test_gae_is_the_discounted_sum_of_errors(gamma, lam):
    rewards, values, lengths = normal(3, 6, seed=1), normal(3, 6, seed=2), (6, 4, 1)
    advantages, _ = advantage.gae(rewards, values, real(*lengths), gamma=gamma, lam=lam)
    for row, n in enumerate(lengths):
        expected = spread(rewards[row, :n].tolist(), values[row, :n].tolist(), gamma, lam)
        assert advantages[row].tolist() == pytest.approx(expected + [0.0] * (6 - n), abs=1e-12)


@pytest.mark.invariant("I25")
def test_limits_of_gae():
    rewards, values, acts = normal(2, 5, seed=1), normal(2, 5, seed=2), real(5, 5)
    full, _ = advantage.gae(rewards, values, acts, gamma=1.0, lam=1.0)
    to_go = rewards.flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(full, to_go - values, atol=1e-12, rtol=0)
    one_step, _ = advantage.gae(rewards, values, acts, gamma=0.9, lam=0.0)
    for t in range(5):
        after = values[:, t + 1] if t < 4 else torch.zeros(2, dtype=torch.float64)
        torch.testing.assert_close(one_step[:, t], rewards[:, t] + 0.9 * after - values[:, t], atol=1e-12, rtol=0)
    terminal = torch.tensor([[0.0, 0.0, 0.0, 2.0]], dtype=torch.float64)
    decayed, _ = advantage.gae(terminal, torch.zeros_like(terminal), real(4), gamma=0.9, lam=0.8)
    assert decayed[0].tolist() == pytest.approx([2.0 * 0.72 ** (3 - t) for t in range(4)], abs=1e-12)


@pytest.mark.invariant("I26")
@pytest.mark.incident("T11", "T24", "T39")
def test_padding_adds_nothing_and_holds_nothing_even_when_it_is_nan():
    rewards, values, acts = normal(2, 6, seed=1), normal(2, 6, seed=2), real(6, 3)
    clean = advantage.gae(rewards, values, acts, gamma=0.9, lam=0.9)
    dirty_rewards, dirty_values = rewards.masked_fill(~acts, NAN), values.masked_fill(~acts, NAN)
    dirty = advantage.gae(dirty_rewards, dirty_values, acts, gamma=0.9, lam=0.9)
    for a, b in zip(clean, dirty, strict=True):
        assert torch.equal(a, b)
        assert (a[~acts] == 0).all()
    advantages, returns = clean
    torch.testing.assert_close(returns[acts], (advantages + values)[acts])
    # more padding on the right changes nothing on the left
    wider = [torch.cat([x, torch.full((2, 3), 9.0, dtype=torch.float64)], 1) for x in (rewards, values)]
    wide = advantage.gae(*wider, torch.cat([acts, torch.zeros(2, 3, dtype=torch.bool)], 1), gamma=0.9, lam=0.9)
    assert torch.equal(wide[0][:, :6], advantages)


@pytest.mark.incident("T40")
def test_the_state_after_the_last_token_is_worth_nothing():
    values = torch.tensor([[1.0, 2.0, 50.0]], dtype=torch.float64)
    advantages, _ = advantage.gae(torch.zeros_like(values), values, real(3)[:, :3] & (values < 50), gamma=1.0, lam=1.0)
    assert advantages.tolist() == [[-1.0, -2.0, 0.0]]


def test_tokens_between_two_turns_cost_no_time():
    rewards, values = normal(1, 7, seed=1), normal(1, 7, seed=2)
    acts = torch.tensor([[True, True, False, False, True, True, False]])
    advantages, returns = advantage.gae(rewards, values, acts, gamma=0.9, lam=0.8)
    expected = spread(rewards[acts].tolist(), values[acts].tolist(), 0.9, 0.8)
    assert advantages[acts].tolist() == pytest.approx(expected, abs=1e-12)
    assert (returns[~acts] == 0).all()


def test_a_row_without_a_chosen_token():
    empty = torch.zeros(1, 4, dtype=torch.bool)
    advantages, returns = advantage.gae(normal(1, 4), normal(1, 4), empty, gamma=1.0, lam=0.95)
    assert advantages.abs().sum() + returns.abs().sum() == 0
    placed = advantage.place_score(torch.zeros(1, 4), empty, torch.tensor([3.0]))
    assert placed.sum() == 0


@pytest.mark.invariant("I27", "I36")
@pytest.mark.incident("T12")
def test_the_score_is_paid_once_at_the_last_chosen_token():
    acts = torch.tensor([[True, True, True], [True, False, False], [True, False, True]])
    scores = torch.tensor([5.0, -1.0, 2.0])
    assert advantage.place_score(torch.zeros(3, 3), acts, scores).tolist() == [[0, 0, 5], [-1, 0, 0], [0, 0, 2]]
    before = torch.full((3, 3), 0.25)
    placed = advantage.place_score(before, acts, scores)
    torch.testing.assert_close(placed.sum(1) - before.sum(1), scores)
    assert before.sum() == 2.25  # the input is not changed


@pytest.mark.invariant("I27")
def test_rewards_of_an_answer_sum_to_its_score_minus_its_price():
    log_probs, reference, acts = -normal(2, 5, seed=1).abs(), -normal(2, 5, seed=2).abs(), real(5, 2)
    paid = advantage.place_score(
        kl.penalty(log_probs, reference, coefficient=0.1), acts, torch.tensor([1.0, -2.0], dtype=torch.float64)
    )
    for row, (n, score) in enumerate([(5, 1.0), (2, -2.0)]):
        drift = sum(log_probs[row, :n].tolist()) - sum(reference[row, :n].tolist())
        assert paid[row, :n].sum().item() == pytest.approx(score - 0.1 * drift, abs=1e-12)


def test_whitening_uses_the_population_variance():
    values = torch.arange(1.2, 2.05, 0.1).reshape(3, 3)
    white = advantage.whiten(values, torch.ones(3, 3, dtype=torch.bool), keep_mean=True)
    assert white[0].tolist() == pytest.approx([0.0508, 0.4381, 0.8254], abs=5e-5)


@pytest.mark.invariant("I24", "I26")
@pytest.mark.incident("T11", "T39")
def test_whitened_values_have_mean_0_and_variance_1_over_what_counts():
    values, mask = 3 + 5 * normal(4, 6, seed=1), real(6, 4, 2, 1)
    white = advantage.whiten(values.masked_fill(~mask, NAN), mask)
    kept = white[mask].tolist()
    assert sum(kept) / 13 == pytest.approx(0, abs=1e-9)
    assert sum(x * x for x in kept) / 13 == pytest.approx(1, abs=1e-8)
    assert (white[~mask] == 0).all()
    with_mean = advantage.whiten(values, mask, keep_mean=True)
    assert (with_mean[mask] - white[mask]).tolist() == pytest.approx([values[mask].mean().item()] * 13)
    assert (with_mean[~mask] == 0).all()


def test_whitening_of_equal_values_of_one_value_and_of_nothing():
    everything = torch.ones(2, 2, dtype=torch.bool)
    assert advantage.whiten(torch.full((2, 2), 6.5), everything).abs().sum() == 0
    assert advantage.whiten(torch.tensor([[7.0]]), torch.tensor([[True]])).item() == 0
    assert advantage.whiten(torch.full((2, 2), NAN), ~everything).abs().sum() == 0


def test_constant_rewards_do_not_look_like_an_advantage():
    # reward 1 everywhere, V = 0: the discounted sums differ by position, but whitened their mean is 0
    rewards = torch.ones(2, 12, dtype=torch.float64)
    acts = real(12, 12)
    advantages, _ = advantage.gae(rewards, torch.zeros_like(rewards), acts, gamma=1.0, lam=0.95)
    assert advantages.mean() > 5
    assert advantage.whiten(advantages, acts).mean().abs() < 1e-12


def _gradient(scores: Tensor, whiten: bool) -> Tensor:
    acts = real(5, 3, 4)
    rewards = advantage.place_score(torch.zeros(3, 5, dtype=torch.float64), acts, scores)
    if whiten:
        rewards = advantage.whiten(rewards, acts)
    advantages, _ = advantage.gae(rewards, torch.zeros(3, 5, dtype=torch.float64), acts, gamma=1.0, lam=0.95)
    log_probs = normal(3, 5, seed=3).requires_grad_()
    old = log_probs.detach()
    policy.clipped_policy(log_probs[acts], old[acts], advantages[acts], clip_low=0.2, clip_high=0.2).sum().backward()
    assert log_probs.grad is not None
    return log_probs.grad


@pytest.mark.invariant("I41")
def test_scaling_the_reward_scales_the_update_unless_rewards_are_whitened():
    scores = torch.tensor([3.0, -1.0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(_gradient(7 * scores, False), 7 * _gradient(scores, False), atol=1e-10, rtol=0)
    assert (_gradient(7 * scores, False) - _gradient(scores, False)).abs().max() > 1
    torch.testing.assert_close(_gradient(7 * scores, True), _gradient(scores, True), atol=1e-6, rtol=0)


def test_precision_is_that_of_the_input():
    acts = real(3, 2)
    for dtype in (torch.float32, torch.float64):
        advantages, returns = advantage.gae(
            torch.ones(2, 3, dtype=dtype), torch.ones(2, 3, dtype=dtype), acts, gamma=1.0, lam=0.95
        )
        assert advantages.dtype == returns.dtype == dtype
        assert advantage.whiten(advantages, acts).dtype == dtype
    assert math.isfinite(advantages.sum().item())


def test_the_explained_variance_of_a_perfect_a_constant_and_an_opposite_critic():
    returns = normal(50)
    assert advantage.explained_variance(returns, returns) == 1.0
    assert advantage.explained_variance(returns + 3.0, returns) == pytest.approx(1.0), "a constant error explains all"
    assert advantage.explained_variance(torch.zeros(50), returns) == pytest.approx(0.0)
    assert advantage.explained_variance(-returns, returns) == pytest.approx(-3.0)
