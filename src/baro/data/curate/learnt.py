"""A learnt quality classifier in the manner of phi (Gunasekar et al. 2023): a few hundred labelled rows, then all.

Features are either embeddings of the rows (phi: a code model's, into a random forest) or, without any model, the
words and character n-grams of the texts (into a logistic regression). How good it is, cross-validation says: every
labelled row is scored by a classifier that has not seen it, and the area under the ROC curve (AUC) is

    P(score of a good row > score of a bad row) + ½ P(equal)        0.5 knows nothing, 1.0 is never wrong
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baro.core.errors import DataError

FOLDS = 5
LEAST = 10
"""Rows of each label below which nothing can be learnt or tested."""
GOOD = {"1", "1.0", "true", "yes", "good", "keep", "high"}
BAD = {"0", "0.0", "false", "no", "bad", "drop", "low"}


@dataclass(frozen=True)
class Learnt:
    """A classifier and how good it is.

    Attributes:
        scores: texts, or (n, D) embeddings → (n,) probability of "good".
        auc: area under the ROC curve of the cross-validated scores of the labelled rows.
        low, high: its 95 % interval (Hanley & McNeil 1982).
        labelled: rows it learnt from.
    """

    scores: Callable[[Any], NDArray[np.float64]]
    auc: float
    low: float
    high: float
    labelled: int


def label_of(value: object, where: str) -> bool:
    """A row's `label` as good (True) or bad. DataError for anything that is neither."""
    word = str(value).strip().lower()
    if word in GOOD or word in BAD:
        return word in GOOD
    raise DataError(
        f"label is {value!r}; expected one of {', '.join(sorted(GOOD))} or {', '.join(sorted(BAD))}.",
        where=where,
        hint="Give every row of the labelled file a column `label`.",
    )


def from_texts(labelled: Items[str], good: Items[bool], *, seed: int = 0) -> Learnt:
    """A classifier over the words, pairs of words and character 2- to 4-grams of texts.

    Raises:
        DataError: too few labelled rows of one of the labels.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    def build():
        # case is kept: a small letter behind a full stop tells broken text
        shared: dict[str, Any] = {"sublinear_tf": True, "lowercase": False}
        words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\w+|[^\w\s]", **shared)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=50_000, **shared)
        return make_pipeline(make_union(words, letters), LogisticRegression(C=10.0, max_iter=1000))

    return _learn(build, list(labelled), good, seed)


def from_embeddings(labelled: NDArray[np.floating], good: Items[bool], *, seed: int = 0) -> Learnt:
    """phi's form: a random forest over embeddings, (m, D) labelled. Errors as `from_texts`."""
    from sklearn.ensemble import RandomForestClassifier

    return _learn(lambda: RandomForestClassifier(300, random_state=seed), labelled, good, seed)


def _learn(build, labelled, good: Items[bool], seed: int) -> Learnt:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    right = np.asarray(good, dtype=bool)
    least = int(min(right.sum(), (~right).sum()))
    if least < LEAST:
        raise DataError(
            f"the labelled rows are {int(right.sum())} good and {int((~right).sum())} bad; "
            f"expected at least {LEAST} of each.",
            hint="Label a few hundred rows, some of them bad.",
        )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    unseen = cross_val_predict(build(), labelled, right, cv=folds, method="predict_proba")[:, 1]
    area = auc(unseen, right)
    low, high = auc_interval(area, int(right.sum()), int((~right).sum()))
    model = build().fit(labelled, right)
    return Learnt(lambda asked: np.asarray(model.predict_proba(asked)[:, 1]), area, low, high, len(right))


def auc(scores: Items[float] | NDArray[np.float64], good: Items[bool] | NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a good row scores above a bad one, ties one half."""
    held, right = np.asarray(scores, dtype=np.float64), np.asarray(good, dtype=bool)
    bad = np.sort(held[~right])
    above = np.searchsorted(bad, held[right], side="left")
    not_below = np.searchsorted(bad, held[right], side="right")
    return float((above + not_below).sum() / 2 / (right.sum() * (~right).sum()))


def auc_interval(area: float, good: int, bad: int) -> tuple[float, float]:
    """95 % interval of an AUC from `good` and `bad` rows (Hanley & McNeil 1982, with Q1 = A/(2-A), Q2 = 2A²/(1+A))."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (good - 1) * (q1 - area**2) + (bad - 1) * (q2 - area**2)
    half = 1.959964 * float(np.sqrt(max(spread, 0.0) / (good * bad)))
    return max(0.0, area - half), min(1.0, area + half)
