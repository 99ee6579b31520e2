"""The noise ceiling from annotators' agreement: by hand and by simulation."""

import math

import numpy as np
import pytest

from baro.evals.ceiling import agreement, ceiling, majority, repeated, votes_of


def test_agreement_by_hand():
    # 3 votes against 1: 3 agreeing couples of 6; 2 against 0: 1 of 1
    assert agreement([(3, 1), (2, 0), (1, 0)]) == pytest.approx((0.5 + 1) / 2)
    assert agreement([(1, 0)]) is None


def test_equally_hard_pairs_reach_the_upper_bound():
    p = 0.8
    assert ceiling(p * p + (1 - p) ** 2)[1] == pytest.approx(p)
    assert ceiling(1.0) == (1.0, 1.0)
    assert ceiling(0.4) == (0.5, 0.5)


def test_a_perfect_model_lies_between_the_bounds_when_pairs_differ():
    roll = np.random.default_rng(0)
    p = roll.beta(6, 2, 20_000)
    votes = roll.binomial(3, p)
    low, high = ceiling(agreement([(int(v), 3 - int(v)) for v in votes]))
    perfect = np.maximum(p, 1 - p).mean()
    assert low <= perfect + 0.005
    assert perfect <= high + 0.005
    assert low < high


def test_the_estimate_does_not_depend_on_how_many_annotators_there_are():
    roll = np.random.default_rng(1)
    found = [agreement([(int(v), k - int(v)) for v in roll.binomial(k, 0.75, 40_000)]) for k in (2, 3, 7)]
    assert found == pytest.approx([0.75**2 + 0.25**2] * 3, abs=0.01)


def test_majorities():
    assert majority(0.7, 1) == pytest.approx(0.7)
    assert majority(0.7, 2) == pytest.approx(0.7)  # a tie is a coin
    assert majority(0.7, 3) == pytest.approx(0.7**3 + 3 * 0.7**2 * 0.3)
    assert majority(0.7, 101) > 0.9999
    assert majority(0.5, 8) == pytest.approx(0.5)


def test_votes_are_read_in_both_forms():
    rows = [{"votes": {"chosen": 3, "rejected": 1}}, {"votes": ["chosen", "rejected", "chosen"]}, {"source": "x"}]
    assert votes_of(rows) == [(3, 1), (2, 1)]
    assert votes_of([{"votes": [True, 0, 1]}]) == [(2, 1)]


def test_the_same_pair_judged_again_in_either_order_is_a_vote():
    judged = [("p", "a", "b"), ("p", "b", "a"), ("p", "a", "b"), ("q", "a", "b"), ("p", "a", "c")]
    assert repeated(judged) == [(2, 1)]
    assert math.isclose(agreement(repeated(judged)), 1 / 3)
