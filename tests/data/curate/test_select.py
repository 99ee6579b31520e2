"""Selections: facts about ranks, quotas and distances, none of which is computed by the code under test."""

import numpy as np
import pytest
from scipy.stats import rankdata

from baro.data.curate import select

ALL = np.arange(200)


@pytest.fixture
def scores():
    return np.random.default_rng(0).uniform(0.1, 1, size=200)


def test_ranks_are_scipys_shares():
    values = np.random.default_rng(1).integers(0, 20, size=300).astype(float)
    assert select.ranks(values) == pytest.approx(rankdata(values, method="max") / 300)
    assert select.ranks(values, descending=True) == pytest.approx(rankdata(-values, method="max") / 300)


def test_an_unknown_score_ranks_below_everything_and_counts_nobody_out():
    found = select.ranks([3.0, float("nan"), 1.0, float("inf")])
    assert found.tolist() == [1.0, 0.0, 0.5, 0.0]


def test_ranks_ignore_any_increasing_change_of_scale(scores):
    assert select.ranks(np.exp(5 * scores)).tolist() == select.ranks(scores).tolist()


def test_a_product_of_ranks_wants_both():
    columns = {"a": np.array([3.0, 2.0, 1.0]), "b": np.array([1.0, 2.0, 3.0])}
    found = select.combined(columns, ["a", "b"], [])
    assert found.argmax() == 1  # 2/3 · 2/3 beats 1 · 1/3
    assert select.combined(columns, ["a", "b"], ["b"]).argmax() == 0


def test_top_takes_the_best_in_order_and_ties_go_to_the_first(scores):
    kept = select.top(scores, ALL, 10)
    assert scores[kept].tolist() == sorted(scores.tolist(), reverse=True)[:10]
    assert select.top(np.ones(5), np.array([4, 2, 3]), 2) == [4, 2]
    assert select.top(scores, np.array([5]), 10) == [5]


def test_diverse_with_points_that_are_all_at_right_angles_is_top(scores):
    assert select.diverse(scores, np.eye(200), ALL, 20) == select.top(scores, ALL, 20)


def test_diverse_takes_one_of_each_direction_before_it_takes_a_second():
    directions = np.repeat(np.eye(4), 5, axis=0)
    scores = np.linspace(1.0, 0.5, 20)
    first = select.diverse(scores, directions, np.arange(20), 4)
    assert sorted(row // 5 for row in first) == [0, 1, 2, 3]
    assert first[0] == 0
    assert first == [0, 5, 10, 15]  # the best of each
    assert sorted(select.diverse(scores, directions, np.arange(20), 20)) == list(range(20))


def test_diverse_does_not_look_at_lengths_of_points(scores):
    points = np.random.default_rng(2).normal(size=(200, 8))
    stretched = points * np.random.default_rng(3).uniform(0.1, 9, size=(200, 1))
    assert select.diverse(scores, points, ALL, 30) == select.diverse(scores, stretched, ALL, 30)


def test_a_copy_of_a_kept_row_comes_last_however_good():
    points = np.array([[1.0, 0.0], [1.0, 0.001], [0.0, 1.0]])
    assert select.diverse(np.array([1.0, 0.99, 0.01]), points, np.arange(3), 3) == [0, 2, 1]


def test_equal_quotas_share_out_and_small_kinds_give_theirs_away():
    kinds = ["a"] * 50 + ["b"] * 30 + ["c"] * 4
    found = select.quotas(kinds, 30, equal=True)
    assert found == {"a": 13, "b": 13, "c": 4}
    assert sum(select.quotas(kinds, 84, equal=True).values()) == 84


def test_proportional_quotas_are_the_largest_remainders():
    kinds = ["a"] * 50 + ["b"] * 30 + ["c"] * 20
    assert select.quotas(kinds, 10, equal=False) == {"a": 5, "b": 3, "c": 2}
    found = select.quotas(["a", "a", "a", "b", "b", "c"], 4, equal=False)  # 2.00 1.33 0.67
    assert found == {"a": 2, "b": 1, "c": 1}
    assert select.quotas(kinds, 1000, equal=False) == {"a": 50, "b": 30, "c": 20}


def test_within_a_kind_the_choice_is_as_without_kinds(scores):
    kinds = ["even" if row % 2 == 0 else "odd" for row in range(200)]
    kept = select.by_kind(kinds, ALL, 20, lambda rows, keep: select.top(scores, rows, keep), equal=True)
    assert sorted(kept[:10]) == sorted(sorted(range(0, 200, 2), key=lambda row: -scores[row])[:10])
    assert all(row % 2 for row in kept[10:])


def test_controls():
    kept = select.random_rows(ALL, 50, seed=3)
    assert len(set(kept)) == 50
    assert kept == select.random_rows(ALL, 50, seed=3)
    assert kept != select.random_rows(ALL, 50, seed=4)
    assert len(select.random_rows(ALL, 500, seed=0)) == 200
    assert select.longest([3, 9, 1, 9], 2) == [1, 3]
