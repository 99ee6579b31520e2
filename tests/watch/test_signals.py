import numpy as np
import pytest
from scipy.stats import linregress

from baro.watch.signals import efficiency, explained_by, mismatch, repeated, slope


def test_what_length_explains_is_a_line_s_share_of_variance():
    roll = np.random.default_rng(0)
    x = roll.normal(size=200)
    y = 2 * x + roll.normal(size=200)
    fitted = linregress(x, y)
    residual = ((y - fitted.intercept - fitted.slope * x) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert explained_by(y.tolist(), x.tolist()) == pytest.approx(1 - residual)
    assert explained_by((-y).tolist(), x.tolist()) == pytest.approx(residual - 1)
    assert explained_by([1.0, 1.0], [1.0, 2.0]) == explained_by([1.0, 2.0], [3.0, 3.0]) == 0.0
    # the unit of neither matters
    assert explained_by((7 * y + 3).tolist(), (5 * x - 2).tolist()) == pytest.approx(1 - residual)


def test_only_answers_to_other_prompts_are_repeats():
    assert repeated([("p", "yes"), ("p", "yes"), ("q", "no")]) == 0.0
    assert repeated([("p", "yes"), ("q", "yes"), ("r", "no"), ("s", "maybe")]) == 0.5
    assert repeated([]) == 0.0


def test_mismatch_is_per_token_whatever_its_sign():
    assert mismatch([[-1.0, -2.0], [-3.0]], [[-1.1, -1.9], [-3.4]]) == pytest.approx(0.2)
    assert mismatch([], []) == 0.0


def test_slope_is_the_least_squares_line_s():
    roll = np.random.default_rng(1)
    values = roll.normal(size=9)
    assert slope(values.tolist()) == pytest.approx(linregress(range(9), values).slope)
    assert slope([4.0, 4.0, 4.0]) == slope([3.0]) == 0.0
    assert slope([1.0, 1.5, 2.0]) == pytest.approx(0.5)


def test_the_best_use_of_a_drift_is_the_tilted_reference():
    """Rewards N(m, s²): the reference tilted by exp(r/β) is N(m + s²/β, s²), s²/(2β²) nats away."""
    grid = np.linspace(-14, 14, 40_001)
    for beta in (0.5, 1.0, 3.0):
        reference = np.exp(-(grid**2) / 2)
        reference /= reference.sum()
        tilted = reference * np.exp(grid / beta)
        tilted /= tilted.sum()
        held = tilted > 0
        nats = float((tilted[held] * np.log(tilted[held] / reference[held])).sum())
        assert efficiency(float((tilted * grid).sum()), nats) == pytest.approx(1.0, abs=1e-3)
    # the best of n samples, the exact drift of a continuous reward: nearly the best use, never better
    for n, expected in ((2, 0.5642), (4, 1.0294), (16, 1.7660)):
        assert 0.9 < efficiency(expected, np.log(n) - (n - 1) / n) < 1.0
    assert efficiency(-0.3, 2.0) == 0.0
    assert efficiency(0.0, 0.0) == 1.0, "who has not moved has wasted nothing"
