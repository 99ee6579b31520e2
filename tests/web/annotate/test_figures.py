"""Figures of a store: sides and repeats are undone before anything is compared."""

import math

import pytest

from baro.data.choices.store import Kept
from baro.web.annotate.figures import Live, figures


def kept(pair, annotator, choice, left="a", repeat=0, seconds=2.0, models=("m", "n")):
    return Kept(pair, str(pair), annotator, choice, left, repeat, seconds, (), "", 0.0, models, "", 0)


def test_a_repeat_is_judged_by_answers_not_sides():
    rows = [
        kept(1, "kim", "a", "a"),
        kept(1, "kim", "a", "b", repeat=1),
        kept(2, "kim", "a"),
        kept(2, "kim", "b", "b", 1),
    ]
    found = figures(rows)
    assert (found.twice, found.consistency.mean) == (2, 0.5)
    assert found.left.mean == pytest.approx(3 / 4)
    assert found.shared == 0


def test_skips_count_nowhere_else():
    found = figures([kept(1, "kim", "a"), kept(1, "lee", "skip"), kept(2, "kim", "tie")])
    assert (found.choices, found.skipped, found.shared, found.decided) == (2, 1, 0, 1)
    assert found.ties.mean == 0.5
    assert len(found.people) == 1
    assert math.isnan(found.percent.mean)


def test_models_are_ranked_and_ties_are_half():
    rows = [kept(n, "kim", "a") for n in range(9)] + [kept(20, "kim", "tie"), kept(21, "kim", "a", models=("m", "m"))]
    found = figures(rows).models
    assert [(one.model, one.games, one.wins) for one in found] == [("m", 10, 0.95), ("n", 10, pytest.approx(0.05))]


def test_people_are_compared_on_the_pairs_they_share():
    rows = [kept(n, name, "a" if n < top else "b") for name, top in (("kim", 10), ("lee", 6)) for n in range(10)]
    found = figures(rows)
    assert found.percent.mean == pytest.approx(0.6)
    assert [person.together.mean for person in found.people] == [0.6, 0.6]
    assert found.kappas[0][3] == 10


def test_live_figures_are_not_worked_out_at_every_call(store, pair):
    live = Live(store)
    assert live.now().choices == 0
    store.record(pair(1), "kim", "a", "c1")
    assert live.now().choices == 0
    live.when -= 10
    assert live.now().choices == 1
