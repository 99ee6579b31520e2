"""The same document twice, exactly or nearly, across the whole set: MinHash (Broder 1997) by datasketch."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib

import numpy as np
from numpy.typing import NDArray

from baro.data.doctor.duplicates import same

PERMUTATIONS, BAND = 64, 4
SHINGLE = 3
"""Words of a shingle."""
LEAST = 20
"""Words below which a document is compared as a whole only: short ones of one mould share most shingles."""
_WORD = re.compile(r"\w+")


def exact_key(text: str) -> str:
    """Equal for texts that differ in case, blanks and final signs alone; the same on every machine."""
    return hashlib.blake2b(same(text).encode("utf-8", "replace"), digest_size=16).hexdigest()


def signature(text: str) -> str:
    """MinHash of the text's word triples, written as ASCII; "" for a short text."""
    from datasketch import MinHash

    words = _WORD.findall(text.lower())
    if len(words) < LEAST:
        return ""
    found = {
        zlib.crc32(" ".join(words[place : place + SHINGLE]).encode("utf-8", "replace"))
        for place in range(len(words) - SHINGLE + 1)
    }
    sketch = MinHash(PERMUTATIONS, hashfunc=int, seed=1)
    sketch.update_batch(sorted(found))
    return base64.b85encode(np.asarray(sketch.hashvalues, dtype="<u4").tobytes()).decode()


def values_of(written: str) -> NDArray[np.uint64]:
    """(PERMUTATIONS,) hash values of a written signature."""
    return np.frombuffer(base64.b85decode(written), dtype="<u4").astype(np.uint64)


class Seen:
    """Documents so far; the first of several alike is the one that stays.

    Candidates share one of 16 bands of 4 hash values, which two documents of a similarity of 0.8 do with a probability
    of 1 - (1 - 0.8⁴)¹⁶ = 0.9998 (Leskovec et al. 2014, section 3.4); the share of equal values then decides.

    Args:
        threshold: Jaccard similarity from which two documents are nearly the same.
    """

    def __init__(self, threshold: float = 0.8) -> None:
        self.threshold = threshold
        self.exact: dict[str, str] = {}
        self.bands: dict[tuple[int, bytes], list[int]] = {}
        self.values: list[NDArray[np.uint64]] = []
        self.names: list[str] = []

    def add(self, where: str, key: str, written: str) -> tuple[str, str]:
        """("", "") if the document is new, else ("exact" or "near", where the first one is)."""
        if key in self.exact:
            return "exact", self.exact[key]
        self.exact[key] = where
        if not written:
            return "", ""
        values = values_of(written)
        bands = [(at, values[at : at + BAND].tobytes()) for at in range(0, PERMUTATIONS, BAND)]
        candidates = sorted({place for band in bands for place in self.bands.get(band, ())})
        for place in candidates:
            if np.mean(self.values[place] == values) >= self.threshold:
                return "near", self.names[place]
        for band in bands:
            self.bands.setdefault(band, []).append(len(self.values))
        self.values.append(values)
        self.names.append(where)
        return "", ""
