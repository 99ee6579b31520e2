"""Agreement, judged by other libraries, published examples and what must hold whatever the data."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as peers_fleiss
from statsmodels.stats.proportion import proportion_confint

from baro.evals import agreement
from baro.evals.agreement import Rating

# Krippendorff (2011), Computing Krippendorff's alpha-reliability, section C: 4 observers, 12 units, values missing.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# Fleiss (1971), table 1 as reprinted everywhere: 10 subjects, 14 raters, 5 categories.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def ratings(*raters) -> list[Rating]:
    return [
        Rating(item, f"r{rater}", str(label))
        for rater, labels in enumerate(raters)
        for item, label in enumerate(labels)
        if label is not None
    ]


def drawn(seed: int, items: int, raters: int, noise: float = 0.4) -> list[list[str]]:
    random = np.random.default_rng(seed)
    truth = random.choice(["a", "b", "tie"], items, p=[0.5, 0.35, 0.15])
    return [
        [str(random.choice(["a", "b", "tie"])) if random.random() < noise else str(label) for label in truth]
        for _ in range(raters)
    ]


def test_krippendorffs_example():
    assert agreement.krippendorff_alpha(ratings(*OBSERVERS)).mean == pytest.approx(0.743, abs=5e-4)


def test_fleiss_example():
    assert agreement.fleiss(np.array(FLEISS, dtype=float)) == pytest.approx(0.210, abs=5e-4)


@pytest.mark.parametrize("seed", range(3))
def test_fleiss_is_statsmodels(seed):
    rows = ratings(*drawn(seed, 60, 4))
    expected = peers_fleiss(agreement.tabulate(rows), method="fleiss")
    assert agreement.fleiss_kappa(rows).mean == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_cohen_is_sklearns(seed):
    one, other = drawn(seed, 80, 2)
    (found, shared), *rest = agreement.cohen_kappas(ratings(one, other)).values()
    assert rest == []
    assert shared == 80
    assert found.mean == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert found.low < found.mean < found.high


def test_cohen_looks_at_shared_items_only():
    one, other = drawn(1, 50, 2)
    part = [label if place % 2 else None for place, label in enumerate(other)]
    found, shared = agreement.cohen_kappas(ratings(one, part))["r0", "r1"]
    assert shared == 25
    assert found.mean == pytest.approx(cohen_kappa_score(one[1::2], other[1::2]), abs=1e-12)
    assert agreement.cohen_kappas([Rating(1, "x", "a"), Rating(2, "y", "a")]) == {}


def test_perfect_agreement_is_one_and_chance_is_zero():
    same = drawn(0, 40, 1)[0]
    for figure in (agreement.percent_agreement, agreement.fleiss_kappa, agreement.krippendorff_alpha):
        assert figure(ratings(same, same, same)).mean == pytest.approx(1)
    noise = ratings(*drawn(0, 4000, 2, noise=1.0))
    assert agreement.percent_agreement(noise).mean == pytest.approx(1 / 3, abs=0.03)
    for figure in (agreement.fleiss_kappa, agreement.krippendorff_alpha):
        assert figure(noise).mean == pytest.approx(0, abs=0.04)
        assert figure(noise).low < 0 < figure(noise).high


def test_opposite_raters_are_below_chance():
    flipped = ratings(["a", "b"] * 10, ["b", "a"] * 10)
    assert agreement.cohen_kappas(flipped)["r0", "r1"][0].mean == pytest.approx(-1)
    assert agreement.fleiss_kappa(flipped).mean == pytest.approx(-1)


def test_alpha_approaches_fleiss_as_items_grow():
    rows = ratings(*drawn(2, 3000, 3))
    assert agreement.krippendorff_alpha(rows).mean == pytest.approx(agreement.fleiss_kappa(rows).mean, abs=1e-3)


def test_agreement_without_choice_has_no_value():
    always = ratings(["a"] * 5, ["a"] * 5)
    assert agreement.percent_agreement(always).mean == 1
    assert math.isnan(agreement.fleiss_kappa(always).mean)
    assert math.isnan(agreement.krippendorff_alpha(always).mean)
    assert all(math.isnan(value) for value in vars(agreement.fleiss_kappa([])).values())


def test_a_pair_one_person_judged_twice_is_no_agreement_between_people():
    rows = [Rating(1, "x", "a"), Rating(1, "x", "a"), Rating(2, "x", "a"), Rating(2, "y", "b")]
    assert agreement.percent_agreement(rows).mean == 0
    assert len(agreement.tabulate(rows)) == 1


def test_names_of_items_raters_and_labels_play_no_part():
    rows = ratings(*drawn(3, 40, 3))
    swap = {"a": "b", "b": "a", "tie": "tie"}
    other = [Rating(f"i{99 - int(r.item)}", r.rater[::-1], swap[r.label]) for r in reversed(rows)]
    for figure in (agreement.percent_agreement, agreement.fleiss_kappa, agreement.krippendorff_alpha):
        assert figure(rows).mean == pytest.approx(figure(other).mean)


@pytest.mark.parametrize(("successes", "of"), [(0, 5), (5, 5), (3, 10), (700, 1000)])
def test_shares_have_wilsons_interval(successes, of):
    low, high = proportion_confint(successes, of, method="wilson")
    found = agreement.share(successes, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert found.mean == successes / of


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth = agreement.percent_agreement(ratings(*drawn(99, 40_000, 2))).mean
    hits = 0
    for seed in range(40):
        found = agreement.percent_agreement(ratings(*drawn(seed, 60, 2)))
        hits += found.low <= truth <= found.high
    assert 33 <= hits <= 40


def test_self_consistency_and_side_bias():
    assert agreement.self_consistency([("a", "a"), ("a", "b"), ("tie", "tie"), ("b", "b")]).mean == 0.75
    found = agreement.side_bias(["left"] * 9 + ["right"] + ["tie"] * 5)
    assert found.mean == 0.9
    assert found.low > 0.5
    assert math.isnan(agreement.side_bias(["tie"]).mean)


def test_a_long_pause_does_not_move_the_median():
    assert agreement.median([3, 4, 5, 6, 3600]).mean == 5
    assert agreement.median([4.0] * 9) == agreement.Interval(4, 4, 4)
