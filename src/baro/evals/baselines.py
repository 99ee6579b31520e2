"""What a reward model has to beat: the length of an answer, and its words without their order.

Both are Bradley–Terry models, fitted on pairs of other prompts than those they are asked about. A reward model that
does no better has learnt nothing that needs a language model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Sequence as Items

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

Texts = Items[tuple[str, str]]
"""(chosen, rejected) answers."""
Baseline = Callable[[Texts, Texts], list[float]]
"""(pairs to learn from, pairs to judge) → gap of each judged pair, logits."""

MOST_WORDS, STRENGTH = 20_000, 0.1
_WORD, _HANGUL = re.compile(r"\w+|[^\w\s]"), re.compile(r"[가-힣]{2,}")


def by_length(learn: Texts, judged: Texts) -> list[float]:
    """One weight, on the difference of the logarithms of the lengths."""
    return _fitted(_lengths(learn), _lengths(judged), strength=1e3)


def by_words(learn: Texts, judged: Texts) -> list[float]:
    """One weight per word (in Korean also per pair of syllables), on the difference of their presence."""
    counter = CountVectorizer(analyzer=words, binary=True, max_features=MOST_WORDS, dtype=np.float64)
    counter.fit([text for pair in learn for text in pair])

    def difference(pairs: Texts):
        chosen, rejected = zip(*pairs, strict=True)
        return counter.transform(chosen) - counter.transform(rejected)

    return _fitted(difference(learn), difference(judged), strength=STRENGTH)


def words(text: str) -> list[str]:
    """Words and marks in small letters, and the pairs of syllables inside Korean words, whose endings vary."""
    found = _WORD.findall(text.lower())
    return found + [word[i : i + 2] for part in found for word in _HANGUL.findall(part) for i in range(len(word) - 1)]


def crossed(baseline: Baseline, pairs: Texts, groups: Items[str], *, folds: int = 5) -> list[float]:
    """The gap of every pair by a baseline that learnt from the pairs of other groups (prompts) only.

    Returns an empty list where there are fewer than two groups.
    """
    folds = min(folds, len(set(groups)))
    if folds < 2:
        return []
    gaps = np.zeros(len(pairs))
    for learn, judged in GroupKFold(folds).split(pairs, groups=groups):
        gaps[judged] = baseline([pairs[i] for i in learn], [pairs[i] for i in judged])
    return gaps.tolist()


def _lengths(pairs: Texts) -> np.ndarray:
    return np.array([[np.log1p(len(chosen)) - np.log1p(len(rejected))] for chosen, rejected in pairs])


def _fitted(learn, judged, *, strength: float) -> list[float]:
    """Gaps of a Bradley–Terry model: a logistic regression on differences, without intercept, each pair both ways."""
    from scipy.sparse import issparse, vstack

    both = vstack([learn, -learn]) if issparse(learn) else np.concatenate([learn, -learn])
    labels = np.repeat([1, 0], learn.shape[0])
    model = LogisticRegression(fit_intercept=False, C=strength, max_iter=500).fit(both, labels)
    return model.decision_function(judged).tolist()
