from __future__ import annotations

import zlib

import numpy as np
from scipy.stats import chisquare

from baro.data.minhash import CHUNK, sketch


def hashes(first: int, last: int) -> set[int]:
    return {zlib.crc32(f"word {number}".encode()) for number in range(first, last)}


def test_the_share_of_equal_values_is_the_share_in_common():
    for common in (0, 100, 500, 900):  # of 1,000 in either set
        first, second = hashes(0, 1000), hashes(1000 - common, 2000 - common)
        share = np.mean(sketch(first, 2048) == sketch(second, 2048))
        wanted = common / (2000 - common)
        assert abs(share - wanted) < 4 * max(wanted * (1 - wanted) / 2048, 1e-6) ** 0.5, common


def test_every_item_is_as_often_the_smallest():
    alone = np.stack([sketch({item}, 4096) for item in sorted(hashes(0, 10))])
    assert chisquare(np.bincount(alone.argmin(0), minlength=10)).pvalue > 1e-3


def test_a_union_has_the_smaller_values():
    first, second = hashes(0, 2 * CHUNK + 5), hashes(CHUNK, 3 * CHUNK + 7)
    both = sketch(first | second)
    assert (both == np.minimum(sketch(first), sketch(second))).all()
    assert both.max() < 2**32


def test_nothing_has_the_largest_values():
    assert (sketch(set()) == 2**32 - 1).all()
