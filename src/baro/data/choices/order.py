"""Which pair an annotator sees next.

First what is still open in front of them; then a repeat that is due, sides swapped; then a pair nobody has; then
repeats that would be due later. Whether a pair is repeated or shared, and which answer stands on the left, is drawn
once, by the store's own lot, so that loading a page again changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, and_, exists, func, or_, select

from baro.data.choices.store import Pair, Store, as_pair, show
from baro.data.choices.tables import choices, pairs, showings

DISTANCE = 10
"""Pairs shown between the two showings of a repeated pair, where there are that many."""

RATERS = 3
"""People a shared pair is shown to."""

PATIENCE = 1800.0
"""Seconds after which a pair that was shown and never judged may go to somebody else."""


@dataclass(frozen=True)
class Showing:
    """A pair in front of a person: `left` names the answer on the left."""

    number: int
    pair: Pair
    left: str
    repeat: int

    @property
    def sides(self) -> tuple[str, str]:
        """The answers' names from left to right."""
        return ("a", "b") if self.left == "a" else ("b", "a")


def upcoming(store: Store, annotator: str, *, repeat: float = 0.0) -> Showing | None:
    """The pair to show now, or None when there is nothing left.

    Args:
        repeat: the share of pairs shown to the same person twice.
    """
    with store.writing() as connection:
        found = _open(connection, annotator)
        if found is None:
            due = _repeat(store, connection, annotator, repeat, DISTANCE)
            fresh = None if due else _fresh(connection, annotator)
            if fresh is not None:
                left = "a" if store.lot("left", annotator, str(fresh)) < 0.5 else "b"
                found = show(connection, fresh, annotator, 0, left)
            elif due := due or _repeat(store, connection, annotator, repeat, 0):
                pair, left = due
                found = show(connection, pair, annotator, 1, "b" if left == "a" else "a")
        if found is None:
            return None
        row = connection.execute(
            select(showings, pairs).join(pairs, showings.c.pair == pairs.c.id).where(showings.c.id == found)
        ).one()
        return Showing(found, as_pair(row), row.left, row.repeat)


def ahead(store: Store) -> int:
    """How many pairs nobody has been shown yet."""
    with store.reading() as connection:
        unseen = ~exists().where(showings.c.pair == pairs.c.id)
        return int(connection.scalar(select(func.count()).select_from(pairs).where(unseen)) or 0)


def _standing():
    return exists().where(choices.c.showing == showings.c.id, choices.c.withdrawn.is_(None))


def _open(connection: Connection, annotator: str) -> int | None:
    """What was shown and is not judged, or judged and taken back."""
    back = select(func.max(choices.c.withdrawn)).where(choices.c.showing == showings.c.id).scalar_subquery()
    mine = select(showings.c.id).where(showings.c.annotator == annotator, ~_standing())
    return connection.scalar(mine.order_by(func.coalesce(back, 0.0).desc(), showings.c.id).limit(1))


def _fresh(connection: Connection, annotator: str) -> int | None:
    """The first pair that is new to `annotator` and not yet seen by as many people as it should be."""
    other = showings.alias()
    judged = exists().where(choices.c.showing == other.c.id, choices.c.withdrawn.is_(None), choices.c.choice != "skip")
    counts = (
        select(func.count())
        .select_from(other)
        .where(other.c.pair == pairs.c.id, other.c.repeat == 0, or_(judged, other.c.since > time.time() - PATIENCE))
        .scalar_subquery()
    )
    mine = exists().where(showings.c.pair == pairs.c.id, showings.c.annotator == annotator)
    room = or_(and_(pairs.c.shared, counts < RATERS), counts < 1)
    return connection.scalar(select(pairs.c.id).where(~mine, room).order_by(pairs.c.place, pairs.c.id).limit(1))


def _repeat(store: Store, connection: Connection, annotator: str, share: float, distance: int) -> tuple | None:
    """(pair, left) of the oldest judged pair that is to be repeated and lies far enough back."""
    if share <= 0:
        return None
    rows = connection.execute(
        select(showings.c.pair, showings.c.left, showings.c.repeat, choices.c.choice)
        .join(choices, and_(choices.c.showing == showings.c.id, choices.c.withdrawn.is_(None)))
        .where(showings.c.annotator == annotator)
        .order_by(showings.c.id)
    ).all()
    twice = {row.pair for row in rows if row.repeat}
    for row in rows[: max(0, len(rows) - distance)]:
        wanted = not row.repeat and row.choice != "skip" and row.pair not in twice
        if wanted and store.lot("repeat", annotator, str(row.pair)) < share:
            return row.pair, row.left
    return None
