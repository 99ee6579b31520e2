"""Losses on pairs, judged by closed forms, finite differences and their population optima."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from baro.objectives import preference

LN2 = math.log(2)
POLICY_LOSSES = {
    "dpo": lambda w, r: preference.dpo(w, r, beta=0.3),
    "ipo": lambda w, r: preference.ipo(w, r, tau=0.3),
    "cdpo": lambda w, r: preference.cdpo(w, r, beta=0.3, label_smoothing=0.1),
    "rdpo": lambda w, r: preference.rdpo(w, r, beta=0.3, label_smoothing=0.1),
    "hinge": lambda w, r: preference.hinge(w, r, beta=0.3),
    "simpo": lambda w, r: preference.simpo(w, r, beta=2.0, gamma=0.5),
}


def doubles(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def lowest(loss, low: float = -40.0, high: float = 40.0) -> float:
    """Where a convex function of one number is lowest, by ternary search."""
    for _ in range(200):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return (low + high) / 2


# --- Bradley-Terry and rankings ------------------------------------------------------------------------------------


@pytest.mark.invariant("I14")
def test_equal_scores_cost_ln_2():
    same = normal(5)
    assert preference.bradley_terry(same, same).tolist() == pytest.approx([LN2] * 5, abs=1e-12)


def test_bradley_terry_by_hand():
    # sigma(ln 3) = 3/4
    loss = preference.bradley_terry(doubles(math.log(3)), doubles(0.0))
    assert loss.item() == pytest.approx(math.log(4 / 3), abs=1e-12)


@pytest.mark.invariant("I15")
def test_swapping_the_pair_adds_exactly_the_difference_and_probabilities_sum_to_1():
    chosen, rejected = normal(20, seed=1), normal(20, seed=2)
    loss, swapped = preference.bradley_terry(chosen, rejected), preference.bradley_terry(rejected, chosen)
    torch.testing.assert_close(swapped - loss, chosen - rejected, atol=1e-12, rtol=0)
    torch.testing.assert_close((-loss).exp() + (-swapped).exp(), torch.ones(20, dtype=torch.float64))


@pytest.mark.invariant("I16")
def test_only_the_difference_of_scores_counts_but_their_scale_does():
    chosen, rejected, prompt = normal(20, seed=1), normal(20, seed=2), 5 * normal(20, seed=3)
    loss = preference.bradley_terry(chosen, rejected)
    torch.testing.assert_close(preference.bradley_terry(chosen + prompt, rejected + prompt), loss, atol=1e-12, rtol=0)
    assert (preference.bradley_terry(2 * chosen, 2 * rejected) - loss).abs().min() > 1e-3


@pytest.mark.invariant("I18")
def test_the_margin_shifts_the_difference_and_0_is_no_margin():
    chosen, rejected, margin = normal(20, seed=1), normal(20, seed=2), normal(20, seed=3).abs()
    plain = preference.bradley_terry(chosen, rejected)
    torch.testing.assert_close(preference.bradley_terry(chosen, rejected, margin=0.0), plain)
    for i in range(20):
        gap = (chosen[i] - rejected[i] - margin[i]).item()
        expected = math.log1p(math.exp(-gap))
        assert preference.bradley_terry(chosen, rejected, margin=margin)[i].item() == pytest.approx(expected)
    # the larger the margin asked for, the higher the loss
    assert (preference.bradley_terry(chosen, rejected, margin=1.0) > plain).all()


@pytest.mark.invariant("I18")
def test_a_ranking_of_two_is_a_pair():
    scores = normal(6, 2, seed=4)
    pair = preference.bradley_terry(scores[:, 0], scores[:, 1])
    torch.testing.assert_close(preference.plackett_luce(scores), pair, atol=1e-12, rtol=0)
    torch.testing.assert_close(preference.all_pairs(scores), pair, atol=1e-12, rtol=0)


def test_plackett_luce_is_a_distribution_over_rankings():
    scores = normal(4, seed=5)
    orders = torch.stack([scores[list(order)] for order in itertools.permutations(range(4))])
    assert (-preference.plackett_luce(orders)).exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    # the first choice alone is a softmax
    first = (-preference.plackett_luce(orders)).exp().reshape(4, 6).sum(1)
    torch.testing.assert_close(first, scores.softmax(0), atol=1e-12, rtol=0)


@pytest.mark.invariant("I17")
def test_all_pairs_is_the_mean_over_every_pair():
    scores = normal(3, 5, seed=6)
    for row, loss in zip(scores.tolist(), preference.all_pairs(scores).tolist(), strict=True):
        pairs = [math.log1p(math.exp(-(a - b))) for a, b in itertools.combinations(row, 2)]
        assert len(pairs) == 10
        assert loss == pytest.approx(sum(pairs) / 10, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_100_apart_stay_finite_in_value_and_gradient(dtype):
    chosen = torch.tensor([-100.0, 100.0], dtype=dtype, requires_grad=True)
    rejected = torch.tensor([100.0, -100.0], dtype=dtype)
    losses = [
        preference.bradley_terry(chosen, rejected, margin=1.0),
        preference.plackett_luce(torch.stack([chosen, rejected], 1).float()),
        preference.all_pairs(torch.stack([chosen, rejected], 1)),
        *(loss(chosen, rejected) for loss in POLICY_LOSSES.values()),
    ]
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss.sum(), chosen, retain_graph=True)
        assert loss.isfinite().all()
        assert gradient.isfinite().all()
    assert losses[0][0].item() == pytest.approx(201, rel=1e-2)
    assert losses[1][1].item() == pytest.approx(0, abs=1e-6)


def test_centering_moves_the_mean_of_a_pair_and_not_its_difference():
    chosen, rejected = doubles(2.0, -1.0).requires_grad_(), doubles(1.0, 3.0).requires_grad_()
    loss = preference.centering(chosen, rejected)
    assert loss.tolist() == [9.0, 4.0]
    loss.sum().backward()
    assert torch.equal(chosen.grad, rejected.grad)
    assert preference.centering(doubles(1.5), doubles(-1.5)).item() == 0


@pytest.mark.invariant("I21")
def test_utilities_are_recovered_from_their_comparisons_at_rate_one_over_root_n():
    utilities = doubles(-1.0, -0.4, 0.0, 0.3, 1.1)
    errors = []
    for n in (500, 8_000):
        squares = []
        for seed in range(12):
            generator = torch.Generator().manual_seed(seed)
            a = torch.randint(5, (n,), generator=generator)
            b = (a + torch.randint(1, 5, (n,), generator=generator)) % 5
            wins = torch.rand(n, generator=generator, dtype=torch.float64) < (utilities[a] - utilities[b]).sigmoid()
            found = _fit(torch.where(wins, a, b), torch.where(wins, b, a))
            squares.append(((found - found.mean()) - (utilities - utilities.mean())).square().mean())
        errors.append(torch.stack(squares).mean().sqrt().item())
    assert errors[1] < 0.04
    assert 2.7 < errors[0] / errors[1] < 6  # 16 times the data: a quarter of the error


@pytest.mark.invariant("I22")
@pytest.mark.parametrize("flipped", [0.2, 0.5])
def test_flipped_labels_cap_accuracy_and_random_ones_teach_nothing(flipped):
    generator = torch.Generator().manual_seed(1)

    def pairs(n: int) -> tuple[Tensor, Tensor]:
        """Differences of features, and whether the first answer was labelled the better one."""
        features = torch.randn(n, 4, generator=generator, dtype=torch.float64)
        flips = torch.rand(n, generator=generator) < flipped
        return features, (features @ doubles(3.0, -2.0, 1.0, 0.5) > 0) ^ flips

    features, first_wins = pairs(4000)
    ordered = torch.where(first_wins[:, None], features, -features)
    weights = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = preference.bradley_terry(ordered @ weights, torch.zeros(4000, dtype=torch.float64)).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    held_out, labels = pairs(4000)
    accuracy = ((held_out @ weights.detach() > 0) == labels).double().mean().item()
    assert accuracy == pytest.approx(1 - flipped, abs=4 * math.sqrt(flipped * (1 - flipped) / 4000) + 0.01)


def _fit(winners: Tensor, losers: Tensor) -> Tensor:
    scores = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([scores], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = preference.bradley_terry(scores[winners], scores[losers]).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return scores.detach()


# --- policies ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I52")
def test_values_where_policy_and_reference_agree():
    zero = doubles(0.0, 0.0)
    assert preference.dpo(zero, zero, beta=0.1).tolist() == pytest.approx([LN2] * 2, abs=1e-12)
    assert preference.cdpo(zero, zero, beta=0.1, label_smoothing=0.2).tolist() == pytest.approx([LN2] * 2, abs=1e-12)
    assert preference.rdpo(zero, zero, beta=0.1, label_smoothing=0.2).tolist() == pytest.approx([LN2] * 2, abs=1e-12)
    assert preference.ipo(zero, zero, tau=0.1).tolist() == pytest.approx([25.0] * 2, abs=1e-12)
    assert preference.hinge(zero, zero, beta=0.1).tolist() == [1.0, 1.0]
    means = doubles(-1.3, -0.2)
    assert preference.orpo(means, means).tolist() == pytest.approx([LN2] * 2, abs=1e-12)
    for gamma, value in [(0.5, 0.9741), (1.4, 1.6204)]:
        assert preference.simpo(means, means, beta=2.5, gamma=gamma).tolist() == pytest.approx([value] * 2, abs=5e-5)
        assert preference.simpo(means, means, beta=2.5, gamma=gamma)[0].item() == pytest.approx(
            math.log1p(math.exp(gamma)), abs=1e-12
        )


def test_simpo_by_hand():
    # beta * (difference of means) - gamma = 2 * 1.5 - 1 = 2
    loss = preference.simpo(doubles(-0.5), doubles(-2.0), beta=2.0, gamma=1.0)
    assert loss.item() == pytest.approx(math.log1p(math.exp(-2.0)), abs=1e-12)


@pytest.mark.invariant("I53")
def test_gradient_of_dpo_is_the_one_of_the_paper():
    beta = 0.3
    chosen, rejected = normal(8, seed=1).requires_grad_(), normal(8, seed=2).requires_grad_()
    preference.dpo(chosen, rejected, beta=beta).sum().backward()
    for w, r, grad_w, grad_r in zip(
        chosen.tolist(), rejected.tolist(), chosen.grad.tolist(), rejected.grad.tolist(), strict=True
    ):
        weight = beta / (1 + math.exp(beta * (w - r)))
        assert grad_w == pytest.approx(-weight, abs=1e-12)
        assert grad_r == pytest.approx(weight, abs=1e-12)


@pytest.mark.invariant("I53")
@pytest.mark.parametrize("name", [*POLICY_LOSSES, "orpo"])
def test_gradients_agree_with_finite_differences(name):
    loss = POLICY_LOSSES.get(name, preference.orpo)
    chosen, rejected = -normal(6, seed=1).abs() - 0.1, -normal(6, seed=2).abs() - 0.1
    assert torch.autograd.gradcheck(loss, (chosen.requires_grad_(), rejected.requires_grad_()), eps=1e-6, atol=1e-6)


@pytest.mark.invariant("I54")
def test_swapping_chosen_and_rejected_adds_beta_h():
    chosen, rejected = 5 * normal(20, seed=1), 5 * normal(20, seed=2)
    difference = preference.dpo(rejected, chosen, beta=0.7) - preference.dpo(chosen, rejected, beta=0.7)
    torch.testing.assert_close(difference, 0.7 * (chosen - rejected), atol=1e-12, rtol=0)


@pytest.mark.invariant("I55")
@pytest.mark.parametrize("p", [0.3, 0.5, 0.8, 0.95])
def test_optimum_over_a_population_that_prefers_the_first_with_probability_p(p):
    beta, tau = 0.4, 0.25

    def population(pair):
        return lowest(lambda h: p * pair(doubles(h), doubles(0.0)) + (1 - p) * pair(doubles(0.0), doubles(h)))

    assert population(lambda w, r: preference.dpo(w, r, beta=beta)) == pytest.approx(
        math.log(p / (1 - p)) / beta, abs=1e-5
    )
    assert population(lambda w, r: preference.ipo(w, r, tau=tau)) == pytest.approx((2 * p - 1) / (2 * tau), abs=1e-5)


@pytest.mark.invariant("I55")
def test_optimum_of_conservative_dpo_is_its_target_confidence():
    for e in (0.1, 0.3):
        best = lowest(lambda h, e=e: preference.cdpo(doubles(h), doubles(0.0), beta=0.4, label_smoothing=e))
        assert best == pytest.approx(math.log((1 - e) / e) / 0.4, abs=1e-5)
    certain = lowest(lambda h: preference.ipo(doubles(h), doubles(0.0), tau=0.25))
    assert certain == pytest.approx(2.0, abs=1e-6)  # finite for a certain preference, where dpo's is not


@pytest.mark.invariant("I55")
@pytest.mark.parametrize("e", [0.1, 0.4])
def test_robust_dpo_on_flipped_labels_is_dpo_on_clean_ones(e):
    chosen, rejected = 3 * normal(20, seed=1), 3 * normal(20, seed=2)
    kept = preference.rdpo(chosen, rejected, beta=0.4, label_smoothing=e)
    flipped = preference.rdpo(rejected, chosen, beta=0.4, label_smoothing=e)
    clean = torch.log1p(torch.exp(-0.4 * (chosen - rejected)))
    torch.testing.assert_close((1 - e) * kept + e * flipped, clean, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["cdpo", "rdpo"])
def test_without_label_smoothing_the_noisy_losses_are_dpo(name):
    chosen, rejected = normal(9, seed=1), normal(9, seed=2)
    noisy = getattr(preference, name)(chosen, rejected, beta=0.4, label_smoothing=0.0)
    torch.testing.assert_close(noisy, torch.log1p(torch.exp(-0.4 * (chosen - rejected))), atol=1e-12, rtol=0)


@pytest.mark.invariant("I56")
@pytest.mark.parametrize("name", [*POLICY_LOSSES, "orpo"])
def test_identical_chosen_and_rejected_have_no_gradient(name):
    logits = normal(10, seed=3).requires_grad_()
    log_prob = logits.log_softmax(0)[4]
    loss = POLICY_LOSSES.get(name, preference.orpo)(log_prob[None], log_prob[None])
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-15
    if name in ("dpo", "cdpo", "rdpo", "orpo"):
        assert loss.item() == pytest.approx(LN2, abs=1e-12)


@pytest.mark.invariant("I60")
def test_at_step_0_implicit_rewards_tie_and_no_answer_is_pushed_more_than_the_other():
    log_probs = normal(4, 2, seed=7) * 30
    ratios = (log_probs - log_probs.clone()).requires_grad_()
    preference.dpo(ratios[:, 0], ratios[:, 1], beta=0.1).sum().backward()
    assert (ratios[:, 0] - ratios[:, 1]).abs().max() == 0
    torch.testing.assert_close(ratios.grad, doubles(-0.05, 0.05).expand(4, 2))


def test_a_certain_answer_has_finite_odds():
    chosen = torch.zeros(2, requires_grad=True)
    rejected = torch.tensor([0.0, -1.0], requires_grad=True)
    loss = preference.orpo(chosen, rejected)
    loss.sum().backward()
    assert loss[0].item() == pytest.approx(LN2, abs=1e-6)
    assert chosen.grad.isfinite().all()
    assert rejected.grad.isfinite().all()


def test_orpo_by_hand():
    # p = 3/4 has odds 3, p = 1/2 has odds 1: sigma(ln 3) = 3/4
    loss = preference.orpo(doubles(math.log(0.75)), doubles(math.log(0.5)))
    assert loss.item() == pytest.approx(math.log(4 / 3), abs=1e-12)


@pytest.mark.invariant("I58")
def test_doubling_every_token_changes_sums_but_not_means():
    per_token = [normal(4, seed=1), normal(7, seed=2)]
    once = [preference.per_token(x.sum(), torch.tensor(len(x))) for x in per_token]
    twice = [preference.per_token(x.repeat(2).sum(), torch.tensor(2 * len(x))) for x in per_token]
    torch.testing.assert_close(once, twice, atol=1e-12, rtol=0)
    for loss in POLICY_LOSSES.values():
        torch.testing.assert_close(loss(*once), loss(*twice), atol=1e-12, rtol=0)
    # of sums: -ln sigma(beta h) with h doubled
    h = (per_token[0].sum() - per_token[1].sum()).item()
    doubled = preference.dpo(2 * per_token[0].sum(), 2 * per_token[1].sum(), beta=0.3)
    assert doubled.item() == pytest.approx(math.log1p(math.exp(-0.3 * 2 * h)), abs=1e-12)


@pytest.mark.incident("T20")
def test_an_answer_without_tokens_has_mean_0_and_no_nan():
    sums = doubles(-3.0, 0.0).requires_grad_()
    means = preference.per_token(sums, torch.tensor([2, 0]))
    assert means.tolist() == [-1.5, 0.0]
    means.sum().backward()
    assert sums.grad.isfinite().all()


# --- KTO -------------------------------------------------------------------------------------------------------------

WEIGHTS = {"desirable_weight": 1.0, "undesirable_weight": 1.0}


@pytest.mark.invariant("I52")
def test_kto_at_the_reference_point_is_half_the_weight():
    ratios, good = torch.full((2,), 1.7), torch.tensor([True, False])
    weights = {"desirable_weight": 1.0, "undesirable_weight": 3.0}
    assert preference.kto(ratios, good, 1.7, beta=0.4, **weights).tolist() == pytest.approx([0.5, 1.5])


@pytest.mark.invariant("I54")
def test_kto_of_a_good_and_of_a_bad_answer_sum_to_one():
    ratios = torch.linspace(-30, 30, 61, dtype=torch.float64)
    good, bad = (preference.kto(ratios, torch.full((61,), flag), 2.0, beta=0.3, **WEIGHTS) for flag in (True, False))
    torch.testing.assert_close(good + bad, torch.ones(61, dtype=torch.float64))
    assert (good.diff() < 0).all()
    assert (bad.diff() > 0).all()


@pytest.mark.invariant("I53")
def test_kto_gradient_saturates_on_both_sides():
    """w beta sigma(1 - sigma): largest at the reference point, gone far from it."""
    ratios = torch.tensor([-80.0, 0.5, 80.0], dtype=torch.float64, requires_grad=True)
    good = torch.tensor([True, True, True])
    found = torch.autograd.grad(preference.kto(ratios, good, 0.5, beta=0.8, **WEIGHTS).sum(), ratios)[0]
    assert found.tolist() == pytest.approx([0.0, -0.8 / 4, 0.0], abs=1e-12)


@pytest.mark.invariant("I59")
def test_ktos_reference_point_is_never_negative_and_carries_no_gradient():
    ratios = torch.tensor([1.0, -4.0], requires_grad=True)
    assert preference.kto_reference_point(ratios).item() == 0
    found = preference.kto_reference_point(-ratios)
    assert found.item() == pytest.approx(1.5)
    assert not found.requires_grad
