"""What the choices so far say: about the people, and about the models."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from baro.data.choices.store import Kept, Store
from baro.evals import agreement
from baro.evals.agreement import Rating
from baro.evals.statistics import Interval
from baro.evals.strength import Contest, Standing, bradley_terry

PAIRS_OF_PEOPLE = 12
"""Pairs of people whose kappa is shown: those who share the most."""

FRESH = 2.0
"""Seconds for which figures are not worked out again."""


@dataclass(frozen=True)
class Person:
    """One annotator; `together` is the share of others' choices on the same pairs that are the same."""

    name: str
    choices: int
    ties: Interval
    seconds: Interval
    consistency: Interval
    twice: int
    left: Interval
    together: Interval
    last: str


@dataclass(frozen=True)
class Figures:
    """Everything on the page of results. Skipped pairs count in `skipped` only; `decided` are no ties."""

    choices: int
    skipped: int
    ties: Interval
    seconds: Interval
    percent: Interval
    fleiss: Interval
    krippendorff: Interval
    shared: int
    consistency: Interval
    twice: int
    left: Interval
    people: list[Person]
    kappas: list[tuple[str, str, Interval, int]]
    models: list[Standing]
    tags: list[tuple[str, int]]
    decided: int


def figures(kept: list[Kept]) -> Figures:
    """The figures of choices that stand."""
    given = [one for one in kept if one.choice != "skip"]
    ratings = [Rating(one.pair, one.annotator, one.choice) for one in given]
    kappas = [(a, b, kappa, shared) for (a, b), (kappa, shared) in agreement.cohen_kappas(_most(ratings)).items()]
    twice = _twice(given)
    every = [labels for each in twice.values() for labels in each]
    return Figures(
        choices=len(given),
        skipped=len(kept) - len(given),
        ties=_ties(given),
        seconds=agreement.median([one.seconds for one in given]),
        percent=agreement.percent_agreement(ratings),
        fleiss=agreement.fleiss_kappa(ratings),
        krippendorff=agreement.krippendorff_alpha(ratings),
        shared=len(agreement.tabulate(ratings)),
        consistency=agreement.self_consistency(every),
        twice=len(every),
        left=_left(given),
        people=_people(given, twice),
        kappas=sorted(kappas, key=lambda row: -row[3])[:PAIRS_OF_PEOPLE],
        models=bradley_terry(_contests(given)),
        tags=Counter(tag for one in given for tag in one.tags).most_common(20),
        decided=sum(one.choice != "tie" for one in given),
    )


@dataclass
class Live:
    """Figures of a store, worked out again when choices have changed, at most every two seconds."""

    store: Store
    lock: threading.Lock = field(default_factory=threading.Lock)
    when: float = -FRESH
    found: Figures | None = None

    def now(self) -> Figures:
        """The figures."""
        with self.lock:
            if self.found is None or time.monotonic() - self.when > FRESH:
                self.found, self.when = figures(self.store.kept()), time.monotonic()
            return self.found


def _people(given: list[Kept], twice: dict[str, list[tuple[str, str]]]) -> list[Person]:
    by_pair: dict[int, dict[str, str]] = defaultdict(dict)
    for one in given:
        by_pair[one.pair].setdefault(one.annotator, one.choice)
    names = dict.fromkeys(one.annotator for one in given)
    found = []
    for name in names:
        mine = [one for one in given if one.annotator == name]
        met = [
            choice == votes[name]
            for votes in by_pair.values()
            if name in votes
            for other, choice in votes.items()
            if other != name
        ]
        found.append(
            Person(
                name=name,
                choices=len(mine),
                ties=_ties(mine),
                seconds=agreement.median([one.seconds for one in mine]),
                consistency=agreement.self_consistency(twice.get(name, [])),
                twice=len(twice.get(name, [])),
                left=_left(mine),
                together=agreement.share(sum(met), len(met)),
                last=datetime.fromtimestamp(max(one.since for one in mine), UTC).strftime("%Y-%m-%d %H:%M UTC"),
            )
        )
    return found


def _most(ratings: list[Rating]) -> list[Rating]:
    """The ratings of the people who gave the most: a table of all pairs of fifty people tells nobody anything."""
    busiest = {name for name, _ in Counter(one.rater for one in ratings).most_common(8)}
    return [one for one in ratings if one.rater in busiest]


def _twice(given: list[Kept]) -> dict[str, list[tuple[str, str]]]:
    """Annotator → (first choice, second choice) of the pairs shown twice, in terms of answers, not of sides."""
    first = {(one.annotator, one.pair): one.choice for one in given if not one.repeat}
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in given:
        if one.repeat and (one.annotator, one.pair) in first:
            found[one.annotator].append((first[one.annotator, one.pair], one.choice))
    return found


def _left(given: list[Kept]) -> Interval:
    sides = ["tie" if one.choice == "tie" else "left" if one.choice == one.left else "right" for one in given]
    return agreement.side_bias(sides)


def _ties(given: list[Kept]) -> Interval:
    return agreement.share(sum(one.choice == "tie" for one in given), len(given))


def _contests(given: list[Kept]) -> list[Contest]:
    worth = {"a": 1.0, "b": 0.0, "tie": 0.5}
    return [Contest(*one.models, worth[one.choice]) for one in given if all(one.models)]
