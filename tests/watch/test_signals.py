import numpy as np
import pytest
from scipy.stats import linregress

from baro.watch.signals import explained_by, mismatch, repeated


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
