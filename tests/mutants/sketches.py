"""Bugs in the sketches by which near duplicates are found."""

from __future__ import annotations

from mutant import Mutant

MUTANTS = [
    Mutant(
        name="all functions of a sketch are the same one",
        incident="of our own: one value, 64 times, says next to nothing about what two sets have in common",
        file="data/minhash.py",
        old="(2, functions, 1), np.uint64)",
        new="(2, 1, 1), np.uint64).repeat(functions, 1)",
        test="data/test_minhash.py",
    ),
    Mutant(
        name="of a long document the last part alone is sketched",
        incident="of our own: long documents are near duplicates when their ends are",
        file="data/minhash.py",
        old="np.minimum(smallest, values.min(1), out=smallest)",
        new="smallest = values.min(1)",
        test="data/test_minhash.py",
    ),
]
