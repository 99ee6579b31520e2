"""How right a reward model could be at all: people disagree, and no model agrees with both sides.

Let p_i be the chance that a random annotator prefers the answer most of them prefer. Two annotators agree on pair i
with probability p_i² + (1 - p_i)², and a model that knows every p_i agrees with one annotator's label with probability
max(p_i, 1 - p_i). By Jensen, from a mean agreement A:

    A ≤ ceiling ≤ (1 + √(2A - 1)) / 2,   with equality on the right when all pairs are equally hard.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from collections.abc import Sequence as Items
from typing import Any


def agreement(votes: Items[tuple[int, int]]) -> float | None:
    """Mean probability that two annotators of one pair agree; None where no pair was judged twice.

    Args:
        votes: per pair, annotators who prefer the one answer and those who prefer the other.
    """
    shares = [
        (math.comb(a, 2) + math.comb(b, 2)) / math.comb(a + b, 2) for a, b in votes if a + b > 1
    ]  # unbiased for p² + (1 - p)², however many annotators
    return sum(shares) / len(shares) if shares else None


def ceiling(agreed: float) -> tuple[float, float]:
    """(lowest, highest) accuracy that a perfect model can have against one annotator's label, from their agreement."""
    return max(agreed, 0.5), (1 + math.sqrt(max(2 * agreed - 1, 0.0))) / 2


def majority(p: float, annotators: int) -> float:
    """Chance that the majority of `annotators` is right where each is with chance p; a tie is decided by a coin."""
    chances = [math.comb(annotators, k) * p**k * (1 - p) ** (annotators - k) for k in range(annotators + 1)]
    half = annotators / 2
    return sum(c * (1.0 if k > half else 0.5 if k == half else 0.0) for k, c in enumerate(chances))


def votes_of(columns: Items[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """(for chosen, for rejected) of every row with a column `votes`: {chosen: n, rejected: m} or a list of marks."""
    found = []
    for row in columns:
        votes = row.get("votes")
        if isinstance(votes, Mapping):
            found.append((int(votes.get("chosen") or 0), int(votes.get("rejected") or 0)))
        elif isinstance(votes, list):
            marks = [vote in (True, 1, "chosen") for vote in votes if vote in (True, False, 0, 1, "chosen", "rejected")]
            found.append((sum(marks), len(marks) - sum(marks)))
    return found


def repeated(pairs: Items[tuple[Hashable, str, str]]) -> list[tuple[int, int]]:
    """Votes of the pairs that were judged more than once, in either order.

    Args:
        pairs: (prompt, chosen answer, rejected answer) of every judgement.
    """
    seen: Counter = Counter()
    for prompt, chosen, rejected in pairs:
        first = min(chosen, rejected)
        seen[(prompt, first, max(chosen, rejected)), chosen == first] += 1
    keys = dict.fromkeys(key for key, _ in seen)
    counts = [(seen[key, True], seen[key, False]) for key in keys if key[1] != key[2]]
    return [pair for pair in counts if sum(pair) > 1]
