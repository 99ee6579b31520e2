"""Calibration by closed forms, and against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from baro.evals.calibration import Bin, expected_error, log_loss, mending_temperature, reliability


def draws(n=20_000, scale=1.0, seed=0):
    """Gaps of a model whose confidences are `scale` times as large as they should be."""
    roll = np.random.default_rng(seed)
    true = roll.normal(0, 1.5, n)
    sign = np.where(roll.random(n) < 1 / (1 + np.exp(-true)), 1, -1)
    return scale * true * sign


def test_an_honest_model_has_no_calibration_error_and_needs_no_temperature():
    gaps = draws()
    assert expected_error(reliability(gaps)) < 0.012
    assert mending_temperature(gaps) == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_scaling_the_scores_scales_the_temperature(scale):
    plain, scaled = mending_temperature(draws()), mending_temperature(draws(scale=scale))
    assert scaled == pytest.approx(scale * plain, rel=1e-6)
    assert expected_error(reliability(draws(scale=scale) / scaled)) < 0.012


def test_one_gap_of_known_accuracy_by_hand():
    # 8 of 10 right at a gap of ±2: σ(2/T) = 0.8, so T = 2 / ln 4
    gaps = [2.0] * 8 + [-2.0] * 2
    assert mending_temperature(gaps) == pytest.approx(2 / math.log(4), rel=1e-9)
    (only,) = reliability(gaps)
    assert (only.accuracy, only.count) == (0.8, 10)
    assert expected_error([only]) == pytest.approx(1 / (1 + math.exp(-2)) - 0.8)


def test_the_temperature_is_the_slope_of_a_logistic_regression():
    gaps = draws(2000, 2.0)
    both, labels = np.concatenate([gaps, -gaps])[:, None], np.repeat([1, 0], len(gaps))
    fitted = LogisticRegression(fit_intercept=False, C=1e9).fit(both, labels)
    assert mending_temperature(gaps) == pytest.approx(1 / fitted.coef_[0, 0], rel=1e-3)


def test_the_diagram_is_scikit_learns():
    gaps = draws(3000)
    confidence = 1 / (1 + np.exp(-np.abs(gaps)))
    share, mean = calibration_curve(gaps > 0, 2 * confidence - 1, n_bins=10)
    ours = reliability(gaps)
    assert [one.accuracy for one in ours] == pytest.approx(share.tolist())
    assert [2 * one.confidence - 1 for one in ours] == pytest.approx(mean.tolist())


def test_limits():
    assert log_loss([0.0, 0.0]) == pytest.approx(math.log(2))
    assert mending_temperature([1.0, 2.0]) == 0.0
    assert mending_temperature([-1.0, 0.5]) == math.inf
    assert mending_temperature([]) == math.inf
    assert reliability([0.0])[0].accuracy == 0.5
    assert math.isfinite(log_loss([-1e6]))
    assert math.isnan(expected_error([]))


def test_a_bin_weighs_as_many_pairs_as_it_has():
    assert expected_error([Bin(0.9, 0.9, 90), Bin(0.6, 0.5, 10)]) == pytest.approx(0.01)
