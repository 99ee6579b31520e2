"""Intervals over seeds and prompts: their limits are known."""

import numpy as np
import pytest

from baro.evals.nested import difference, nested
from baro.evals.statistics import bootstrap


def scores(seeds, prompts, *, of_seed=0.0, of_prompt=1.0, dice=0):
    draws = np.random.default_rng(dice)
    return of_seed * draws.normal(size=(seeds, 1)) + of_prompt * draws.normal(size=(1, prompts))


def test_seeds_that_agree_leave_the_interval_over_prompts():
    table = scores(4, 400)
    found, plain = nested(table), bootstrap(table[0].tolist())
    assert found.mean == pytest.approx(plain.mean)
    assert found.high - found.low == pytest.approx(plain.high - plain.low, rel=0.1)


def test_seeds_that_differ_widen_it_as_much_as_their_spread_says():
    table = scores(30, 50, of_seed=1.0, of_prompt=0.0)
    found = nested(table)
    half = 1.96 * table[:, 0].std() / np.sqrt(30)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    plain = bootstrap(table.mean(0).tolist())
    assert plain.high - plain.low == pytest.approx(0, abs=1e-12)  # what a bootstrap over prompts alone would say


def test_what_is_hard_for_both_does_not_blur_the_difference():
    hard = scores(3, 300, of_prompt=5.0)
    found = difference(hard + 0.1, hard)
    assert found.mean == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1)


def test_differences_turn_their_sign():
    one, two = scores(3, 100, dice=1), scores(2, 100, dice=2)
    assert difference(one, two).mean == pytest.approx(-difference(two, one).mean)


def test_other_prompts_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        difference(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="expected"):
        nested([1.0, 2.0])
