"""Which model's answers are preferred: Bradley–Terry strengths from comparisons, with intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from baro.evals.agreement import NORMAL_95
from baro.evals.statistics import Interval

PRIOR = 2.0


class Contest(NamedTuple):
    """One comparison: `won` is 1 when `first` was preferred, 0 when `second` was, one half for a tie."""

    first: str
    second: str
    won: float


@dataclass(frozen=True)
class Standing:
    """One model among those compared.

    Attributes:
        model: its name.
        strength: log-odds of being preferred to a model of strength 0, the mean of all; with its 95 % interval.
        games: comparisons it took part in.
        wins: of those, the share it won, a tie counting half.
    """

    model: str
    strength: Interval
    games: int
    wins: float


def bradley_terry(contests: Iterable[Contest], *, prior: float = PRIOR) -> list[Standing]:
    """Strengths s with P(i is preferred to j) = σ(s_i - s_j) (Bradley & Terry 1952), strongest first.

    Ties are half a win for either (as in the arena rankings). A normal prior of mean 0 and standard deviation `prior`
    keeps the strength of a model finite that won every time; infinity gives the plain maximum of the likelihood.
    Intervals are the normal approximation at that maximum, from the inverse of the information matrix, of strengths
    centred at 0.
    """
    games = [game for game in contests if game.first != game.second]
    names = sorted({name for game in games for name in game[:2]})
    if not names:
        return []
    place = {name: index for index, name in enumerate(names)}
    first = np.array([place[game.first] for game in games])
    second = np.array([place[game.second] for game in games])
    won = np.array([game.won for game in games], dtype=np.float64)
    size, strengths = len(names), np.zeros(len(names))
    centre = np.eye(size) - 1 / size
    for _ in range(100):  # Newton; the problem is concave
        chance = 1 / (1 + np.exp(strengths[second] - strengths[first]))
        slope = np.bincount(first, won - chance, size) - np.bincount(second, won - chance, size) - strengths / prior**2
        bend = np.zeros((size, size))
        weight = chance * (1 - chance)
        for one, other, sign in ((first, first, 1), (second, second, 1), (first, second, -1), (second, first, -1)):
            np.add.at(bend, (one, other), sign * weight)
        information = bend + np.eye(size) / prior**2
        move = centre @ (np.linalg.pinv(information) @ slope)
        strengths = strengths + move * min(1.0, 2.0 / max(float(np.abs(move).max()), 1e-300))
        if np.abs(move).max() < 1e-10:
            break
    spread = NORMAL_95 * np.sqrt(np.diag(centre @ np.linalg.pinv(information) @ centre))
    found = []
    for index, name in enumerate(names):
        mine = np.concatenate([won[first == index], 1 - won[second == index]])
        middle = float(strengths[index])
        interval = Interval(middle, middle - float(spread[index]), middle + float(spread[index]))
        found.append(Standing(name, interval, len(mine), float(mine.mean())))
    return sorted(found, key=lambda standing: -standing.strength.mean)
