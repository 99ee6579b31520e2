"""Choices as rows of preferences, in the field's columns, and back."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from baro.core.errors import DataError
from baro.data.choices.store import Kept, Pair, Store
from baro.data.files import Paths, find, rows_of
from baro.data.formats import preference_of
from baro.data.records import Message

Ties = Literal["drop", "keep"]
Per = Literal["choice", "pair"]


def rows(store: Store, *, ties: Ties = "drop", per: Per = "choice") -> Iterator[dict[str, Any]]:
    """Rows of `prompt`, `chosen`, `rejected` and what is known about the choice.

    Args:
        ties: "drop" leaves ties out; "keep" writes a tie as two rows, one in each order: a loss over both is lowest
            where the answers score the same.
        per: "choice" gives one row for every choice that stands, so that people who disagree are all heard; "pair" one
            for every pair with a majority, its `margin` being the share of votes for minus the share against.
    """
    pairs, votes = store.all_pairs(), defaultdict(list)
    for kept in store.kept():
        if kept.choice != "skip":
            votes[kept.pair].append(kept)
    for number, given in votes.items():
        yield from (_of_choices if per == "choice" else _of_pair)(pairs[number], given, ties)


def read_in(store: Store, paths: Paths) -> tuple[int, int]:
    """Choices of a file that `rows` wrote, or any preferences with a column `annotator`: (kept, already there).

    Raises:
        DataError: a row is no preference or names no annotator.
    """
    kept = already = 0
    for path in find(paths):
        for row in rows_of(path):
            where = f"{path}:{row.number}"
            if row.problem:
                raise DataError(row.problem, where=where, hint=row.hint)
            found, _ = preference_of(row.columns, where, None)
            name = row.columns.get("annotator")
            if not isinstance(name, str) or not name:
                raise DataError("the row names no annotator.", where=where, hint="Add a column annotator.")
            models = (str(row.columns.get("model_chosen") or ""), str(row.columns.get("model_rejected") or ""))
            pair = Pair(found.prompt, found.chosen, found.rejected, models, found.plain)
            tie, repeat = row.columns.get("choice") == "tie", int(row.columns.get("repeat") or 0)
            click = hashlib.sha256(f"{pair.key} {name} {repeat}".encode()).hexdigest()[:40]
            outcome = store.record(
                pair,
                name,
                "tie" if tie else "a",
                click,
                left="b" if row.columns.get("left") == "rejected" else "a",
                repeat=repeat,
                seconds=float(row.columns.get("seconds") or 0),
                tags=row.columns.get("tags") or (),
                note=str(row.columns.get("note") or ""),
            )
            kept, already = kept + (outcome == "kept"), already + (outcome != "kept")
    return kept, already


def _of_choices(pair: Pair, given: list[Kept], ties: Ties) -> Iterator[dict[str, Any]]:
    for kept in given:
        alike = sum(other.choice == kept.choice for other in given) / len(given)
        about = {
            "annotator": kept.annotator,
            "choice": "tie" if kept.choice == "tie" else "chosen",
            "agreement": round(alike, 4),
            "annotators": len({other.annotator for other in given}),
            "repeat": kept.repeat,
            "seconds": round(kept.seconds, 3),
            "tags": list(kept.tags),
            "note": kept.note,
            "made": datetime.fromtimestamp(kept.since, UTC).isoformat(timespec="seconds"),
        }
        for best in ("a", "b") if kept.choice == "tie" else (kept.choice,):
            if kept.choice != "tie" or ties == "keep":
                yield _row(pair, best) | {"left": "chosen" if kept.left == best else "rejected"} | about


def _of_pair(pair: Pair, given: list[Kept], ties: Ties) -> Iterator[dict[str, Any]]:
    for_a, for_b = (sum(kept.choice == side for kept in given) for side in "ab")
    margin = abs(for_a - for_b) / len(given)
    about = {
        "margin": round(margin, 4),
        "choice": "chosen" if margin else "tie",
        "agreement": round(max(for_a, for_b, len(given) - for_a - for_b) / len(given), 4),
        "annotators": len({kept.annotator for kept in given}),
        "votes": len(given),
        "tags": sorted({tag for kept in given for tag in kept.tags}),
    }
    for best in ("a", "b") if not margin else ("a",) if for_a > for_b else ("b",):
        if margin or ties == "keep":
            yield _row(pair, best) | about


def _row(pair: Pair, best: str) -> dict[str, Any]:
    chosen, rejected = (pair.a, pair.b) if best == "a" else (pair.b, pair.a)
    models = pair.models if best == "a" else pair.models[::-1]
    return {
        "prompt": _written(pair.prompt, pair.plain),
        "chosen": _written(chosen, pair.plain),
        "rejected": _written(rejected, pair.plain),
        "model_chosen": models[0],
        "model_rejected": models[1],
    }


def _written(turns: tuple[Message, ...], plain: bool) -> Any:
    """Turns, or the string they are where prompt and answer are joined as they stand."""
    return "".join(turn.content for turn in turns) if plain else [turn.as_dict() for turn in turns]


def rows_in(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a store's file, for training: every choice, ties left out. Nothing is written to it.

    Raises:
        DataError: the file is no store.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as opened:
            known = {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise DataError(f"the file is no SQLite database: {error}.", where=str(path)) from error
    if not {"pairs", "showings", "choices"} <= known:
        raise DataError("the database holds no choices.", where=str(path), hint="Name one that baro annotate wrote.")
    store = Store(path)
    try:
        yield from rows(store)
    finally:
        store.close()
