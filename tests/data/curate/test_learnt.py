"""The learnt classifier: AUC against scikit-learn and by hand, and that it learns what can be learnt, and no more."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from baro.core.errors import DataError
from baro.data.curate.learnt import auc, auc_interval, from_embeddings, from_texts, label_of
from baro.data.curate.texts import plane, text_embeddings


def test_auc_is_scikit_learns():
    dice = np.random.default_rng(0)
    scores, good = dice.integers(0, 9, size=300), dice.random(300) < 0.4
    assert auc(scores, good) == pytest.approx(roc_auc_score(good, scores))


def test_auc_by_hand():
    assert auc([1, 2, 3, 4], [False, False, True, True]) == 1
    assert auc([1, 2, 3, 4], [True, True, False, False]) == 0
    assert auc([5, 5, 5, 5], [True, False, True, False]) == 0.5
    assert auc([1, 2, 2, 3], [False, True, False, True]) == pytest.approx(3.5 / 4)


def test_interval_of_auc_is_that_of_the_paper():
    # Hanley & McNeil 1982, table I with 51 normal and 58 abnormal cases: area .893, standard error .032
    low, high = auc_interval(0.893, 51, 58)
    assert (high - 0.893) / 1.96 == pytest.approx(0.032, abs=0.001)
    assert 0.893 - low == pytest.approx(high - 0.893)
    assert auc_interval(1.0, 10, 10) == (1.0, 1.0)


def rows(count, seed):
    """Texts of which the good ones say "please"; the rest is the same."""
    dice = np.random.default_rng(seed)
    words = ["cat", "dog", "hat", "tree", "song", "bread"]
    good = [bool(place % 2) for place in range(count)]
    return [" ".join([*dice.choice(words, 5), *(["please"] if g else ["now"])]) for g in good], good


def test_what_tells_the_labels_apart_is_learnt_from_few_rows():
    seen, good = rows(120, 0)
    asked, truth = rows(200, 1)
    found = from_texts(seen, good)
    assert found.auc > 0.95
    assert found.labelled == 120
    assert roc_auc_score(truth, found.scores(asked)) > 0.95


def test_labels_that_mean_nothing_give_an_auc_of_one_half():
    seen, _ = rows(300, 2)
    coins = (np.random.default_rng(5).random(300) < 0.5).tolist()
    found = from_texts(seen, coins)
    assert found.low < 0.5 < found.high  # the scores of rows it has learnt by heart would say 1.0


def test_a_forest_learns_from_embeddings():
    dice = np.random.default_rng(0)
    good = np.arange(200) % 2 == 0
    points = dice.normal(size=(200, 6)) + 2 * good[:, None]
    found = from_embeddings(points, good.tolist())
    assert found.auc > 0.95
    assert found.scores(points[:10]).shape == (10,)


def test_too_few_rows_of_a_label_are_refused():
    with pytest.raises(DataError, match="expected at least 10 of each"):
        from_texts(["a"] * 30, [True] * 25 + [False] * 5)


@pytest.mark.parametrize(("value", "good"), [(1, True), ("0", False), ("Good", True), ("bad", False), (True, True)])
def test_labels_in_many_words(value, good):
    assert label_of(value, "") is good


def test_a_label_that_is_none_is_named_with_its_row():
    with pytest.raises(DataError, match=r"f.jsonl:3: label is 'so so'"):
        label_of("so so", "f.jsonl:3")


def test_texts_alike_are_near():
    points = text_embeddings(["red cats sleep", "red cats slept", "한국어 문장 하나", "한국어 문장 둘"])
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    near = units @ units.T
    assert near[0, 1] > 0.5 > near[0, 2]
    assert near[2, 3] > 0.5


def test_the_plane_holds_the_two_widest_directions_and_keeps_their_distances():
    dice = np.random.default_rng(0)
    flat = dice.normal(size=(50, 2)) * (5, 2)
    turned = np.linalg.qr(dice.normal(size=(6, 6)))[0][:2]
    found = plane(flat @ turned + 7)
    gaps = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    assert np.linalg.norm(found[:, None] - found[None], axis=-1) == pytest.approx(gaps)
    assert plane(np.ones((4, 1))).tolist() == [[0, 0]] * 4
