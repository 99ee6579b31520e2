"""The two laws of over-optimisation: their peaks, their ends, and that a fit finds what made the points."""

import math

import numpy as np
import pytest

from baro.evals.overoptimisation import Law, fit


@pytest.mark.parametrize("form", ["best_of_n", "rl"])
def test_nothing_is_gained_where_nothing_was_optimised(form):
    assert Law(form, 0.7, 0.2).at([0.0]).tolist() == [0.0]


def test_the_published_peak_of_best_of_n():
    # Gao et al. 2022, the 3M reward model: α 0.490, β 0.120; highest at KL 4.17 nats, where R = 0.50
    d, gain = Law("best_of_n", 0.490, 0.120).peak
    assert d**2 == pytest.approx(4.17, abs=0.01)
    assert gain == pytest.approx(0.50, abs=0.005)


@pytest.mark.parametrize(("form", "alpha", "beta"), [("best_of_n", 0.6, 0.11), ("rl", 0.36, 0.15), ("rl", -0.2, 0.3)])
def test_the_peak_is_the_highest_point(form, alpha, beta):
    law = Law(form, alpha, beta)
    d, gain = law.peak
    around = np.linspace(d * 0.5, d * 1.5, 2001)
    assert law.at(around).max() == pytest.approx(gain, abs=1e-9)
    assert around[law.at(around).argmax()] == pytest.approx(d, rel=1e-3)
    slope = (law.at([d + 1e-5]) - law.at([d - 1e-5]))[0] / 2e-5
    assert slope == pytest.approx(0, abs=1e-6)


def test_the_laws_cross_zero_where_the_paper_says():
    assert Law("best_of_n", 0.6, 0.2).at([3.0])[0] == pytest.approx(0, abs=1e-12)  # α/β
    assert Law("rl", 0.3, 0.2).at([math.exp(1.5)])[0] == pytest.approx(0, abs=1e-12)  # exp(α/β)


def test_at_one_square_root_nat_reinforcement_learning_has_gained_alpha():
    assert Law("rl", 0.37, 0.18).at([1.0])[0] == pytest.approx(0.37)


@pytest.mark.parametrize("law", [Law("best_of_n", 0.5, -0.1), Law("best_of_n", -0.5, 0.1), Law("rl", 0.5, 0.0)])
def test_a_law_that_rises_for_ever_or_only_falls_has_no_peak(law):
    assert law.peak is None


@pytest.mark.parametrize("form", ["best_of_n", "rl"])
def test_the_fit_finds_the_law_that_made_the_points(form):
    d = np.linspace(0, 4, 23)
    law, r2 = fit(form, d, Law(form, 0.62, 0.17).at(d))
    assert (law.alpha, law.beta, r2) == pytest.approx((0.62, 0.17, 1.0))


def test_the_fit_is_unmoved_by_noise_that_the_law_cannot_make():
    d = np.array([1.0, 2.0, 3.0])
    clean = Law("best_of_n", 0.8, 0.2)
    # orthogonal to both columns d and d², so least squares must not follow it
    noise = np.array([3.0, -3.0, 1.0])
    assert noise @ d == noise @ d**2 == 0
    law, r2 = fit("best_of_n", d, clean.at(d) + noise)
    assert (law.alpha, law.beta) == pytest.approx((0.8, 0.2))
    total = ((clean.at(d) + noise - (clean.at(d) + noise).mean()) ** 2).sum()
    assert r2 == pytest.approx(1 - (noise @ noise) / total)


def test_two_coefficients_are_not_fitted_to_one_distance():
    with pytest.raises(ValueError, match="found 1"):
        fit("rl", [0.0, 2.0, 2.0], [0.0, 1.0, 1.1])
