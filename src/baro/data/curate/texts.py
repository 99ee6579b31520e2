"""Texts as points, without any model: TF-IDF of words and character n-grams, reduced to a few dimensions."""

from __future__ import annotations

from collections.abc import Sequence as Items

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 64


def text_embeddings(texts: Items[str], *, seed: int = 0) -> NDArray[np.float32]:
    """(n, D) latent semantic analysis (Deerwester et al. 1990) of texts; D at most 64."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counted = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=30_000)
    table = counted.fit_transform([text or " " for text in texts])
    size = min(DIMENSIONS, table.shape[1] - 1, table.shape[0] - 1)
    if size < 1:
        return np.ones((len(texts), 1), dtype=np.float32)
    return TruncatedSVD(size, random_state=seed).fit_transform(table).astype(np.float32)


def plane(embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, 2) projection on the two directions of the largest variance (principal components), signs fixed."""
    centred = embeddings.astype(np.float64) - embeddings.mean(0, dtype=np.float64)
    values, directions = np.linalg.eigh(centred.T @ centred)
    directions = directions[:, np.argsort(-values)[:2]]
    signs = np.sign(directions[np.abs(directions).argmax(0), range(directions.shape[1])])
    flat = centred @ (directions * signs)
    return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
