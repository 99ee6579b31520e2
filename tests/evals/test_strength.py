"""Bradley–Terry strengths: another library's logistic regression, closed forms, limits, recovery."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from baro.evals.strength import Contest, bradley_terry


def games(strengths: dict[str, float], count: int, seed: int = 0) -> list[Contest]:
    random, names, found = np.random.default_rng(seed), list(strengths), []
    for _ in range(count):
        one, other = random.choice(names, 2, replace=False)
        won = random.random() < 1 / (1 + math.exp(strengths[other] - strengths[one]))
        found.append(Contest(str(one), str(other), float(won)))
    return found


def by_name(found):
    return {standing.model: standing for standing in found}


def test_two_models_differ_by_the_log_odds_of_their_wins():
    found = by_name(bradley_terry([Contest("x", "y", 1.0)] * 30 + [Contest("y", "x", 1.0)] * 10, prior=math.inf))
    assert found["x"].strength.mean - found["y"].strength.mean == pytest.approx(math.log(3))
    half = found["x"].strength.high - found["x"].strength.mean
    assert half == pytest.approx(1.959964 * math.sqrt(1 / 30 + 1 / 10) / 2, rel=1e-5)  # of s_x = (s_x - s_y) / 2
    assert (found["x"].games, found["x"].wins) == (40, 0.75)


def test_it_is_a_logistic_regression():
    rows = games({"p": 0.0, "q": 0.7, "r": -0.5, "s": 1.2}, 500)
    names = sorted("pqrs")
    design = np.array([[(row.first == name) - (row.second == name) for name in names[1:]] for row in rows], dtype=float)
    peer = sm.Logit([row.won for row in rows], design).fit(disp=0).params
    full = np.array([0.0, *peer])
    found = by_name(bradley_terry(rows, prior=math.inf))
    assert [found[name].strength.mean for name in names] == pytest.approx(list(full - full.mean()), abs=1e-8)


def test_strengths_are_recovered_and_the_error_shrinks():
    truth = {"p": 0.6, "q": 0.1, "r": -0.7}
    widths = []
    for count in (200, 3200):
        found = by_name(bradley_terry(games(truth, count), prior=math.inf))
        assert all(found[name].strength.low <= value <= found[name].strength.high for name, value in truth.items())
        widths.append(found["p"].strength.high - found["p"].strength.low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.1)


def test_a_model_that_always_wins_stays_finite_and_first():
    found = bradley_terry([Contest("best", "other", 1.0)] * 20 + [Contest("other", "worst", 1.0)] * 20)
    assert [standing.model for standing in found] == ["best", "other", "worst"]
    assert all(abs(standing.strength.mean) < 10 for standing in found)
    assert sum(standing.strength.mean for standing in found) == pytest.approx(0, abs=1e-9)


def test_ties_count_half_and_order_does_not_matter():
    rows = games({"p": 0.5, "q": 0.0}, 60) + [Contest("p", "q", 0.5)] * 20
    turned = [Contest(row.second, row.first, 1 - row.won) for row in reversed(rows)]
    one, other = by_name(bradley_terry(rows)), by_name(bradley_terry(turned))
    assert one["p"].strength.mean == pytest.approx(other["p"].strength.mean)
    even = by_name(bradley_terry([Contest("p", "q", 0.5)] * 50))
    assert even["p"].strength.mean == pytest.approx(0, abs=1e-12)
    assert bradley_terry([]) == bradley_terry([Contest("p", "p", 1.0)]) == []
