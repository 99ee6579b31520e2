"""Means, wins and distinct n-grams by hand."""

import math

import numpy as np
import pytest

from baro.evals.statistics import bootstrap, distinct, wins


def test_interval_covers_the_normal_approximation():
    values = np.random.default_rng(1).normal(3.0, 2.0, size=400)
    found = bootstrap(values.tolist())
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.04)
    assert found.high == pytest.approx(values.mean() + half, abs=0.04)


def test_constant_scores_have_no_width_and_nothing_has_no_mean():
    assert (bootstrap([0.5] * 10).low, bootstrap([0.5] * 10).high) == (0.5, 0.5)
    assert math.isnan(bootstrap([]).mean)


@pytest.mark.invariant("I69")
def test_interval_is_the_same_every_time():
    assert bootstrap([0.0, 1.0, 1.0]) == bootstrap([0.0, 1.0, 1.0])


def test_a_tie_is_half_a_win():
    assert wins([1.0, 0.0, 0.3], [0.0, 1.0, 0.3]) == [1.0, 0.0, 0.5]


def test_wins_refuse_lists_of_unequal_length():
    with pytest.raises(ValueError):
        wins([1.0], [1.0, 2.0])


def test_distinct_2_by_hand():
    # pairs: (1,2) (2,1) (1,2) | (1,2) → 2 kinds of 4
    assert distinct([[1, 2, 1, 2], [1, 2]]) == 0.5
    assert distinct([[7]]) == 0.0
