"""Opening the store, and the one way in and out of it: pairs are added, shown, chosen, taken back and read.

Every change is one transaction, committed (and on SQLite flushed to the disk) before the call returns.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from baro.core.errors import DataError
from baro.data.choices import tables
from baro.data.choices.engine import engine, shown
from baro.data.choices.tables import annotators, choices, pairs, showings
from baro.data.records import Message

Choice = Literal["a", "b", "tie", "skip"]
Outcome = Literal["kept", "again", "already"]
VERSION = 1
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt, as yet without an opinion.

    Attributes:
        prompt: shared turns.
        a, b: the answers, each beginning with the assistant's turn.
        models: who wrote a and b; "" where unknown.
        plain: as in `Dialogue`.
    """

    prompt: tuple[Message, ...]
    a: tuple[Message, ...]
    b: tuple[Message, ...]
    models: tuple[str, str] = ("", "")
    plain: bool = False

    @property
    def key(self) -> str:
        """The same for the same answers to the same prompt, whichever is called a."""
        return _hash(_turns(self.prompt), *sorted([_turns(self.a), _turns(self.b)]), str(self.plain))


@dataclass(frozen=True, slots=True)
class Kept:
    """A choice that stands. `left` is the answer that stood on the left; times are seconds (since 1970)."""

    pair: int
    key: str
    annotator: str
    choice: Choice
    left: str
    repeat: int
    seconds: float
    tags: tuple[str, ...]
    note: str
    since: float
    models: tuple[str, str]
    click: str
    showing: int


class Store:
    """A store at `where`: a file (SQLite, made when missing) or a postgresql:// URL.

    Raises:
        DataError: it cannot be opened, or was written by a later version.
    """

    def __init__(self, where: str | Path) -> None:
        self.where = str(where)
        self.engine, self.lock = engine(self.where), threading.Lock()
        try:
            with self.writing() as connection:
                tables.METADATA.create_all(connection)
            version = self.setting("version", VERSION)
            self.secret = self.setting("secret", secrets.token_hex(32))
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise DataError(f"the store cannot be opened: {reason}.", where=shown(self.where)) from error
        if version != VERSION:
            raise DataError(
                f"the store is of version {version}, this program writes {VERSION}.",
                where=shown(self.where),
                hint="Use the version of baro that wrote it, or another file.",
            )

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that nobody else writes beside: one in this process, and one in the database."""
        with self.lock, self.engine.connect().execution_options(write=True) as connection, connection.begin():
            if self.engine.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(0xBA50)))
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Let the connections go."""
        self.engine.dispose()

    # --- settings and people ---

    def setting(self, key: str, default: Any) -> Any:
        """The value of `key`; `default` is written down where it has none."""
        with self.writing() as connection:
            found = connection.scalar(select(tables.settings.c.value).where(tables.settings.c.key == key))
            if found is not None:
                return json.loads(found)
            connection.execute(insert(tables.settings).values(key=key, value=json.dumps(default)))
        return default

    def set(self, key: str, value: Any) -> None:
        """Write a setting down, whatever stood there."""
        self.setting(key, value)
        with self.writing() as connection:
            connection.execute(
                update(tables.settings).where(tables.settings.c.key == key).values(value=json.dumps(value))
            )

    def join(self, name: str) -> None:
        """Make `name` known.

        Raises:
            DataError: the name is empty, too long, or holds signs that are not printed.
        """
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise DataError(f"{name[:80]!r} cannot be an annotator's name.", hint="Give 1 to 64 printable characters.")
        with self.writing() as connection:
            _join(connection, name)

    def people(self) -> list[str]:
        """The annotators, in the order they came."""
        with self.reading() as connection:
            return list(connection.scalars(select(annotators.c.name).order_by(annotators.c.since, annotators.c.name)))

    def token(self, name: str) -> str:
        """The secret of `name`'s link: the same as long as the store lives, told by nothing else in it."""
        return hashlib.blake2b(name.encode(), key=bytes.fromhex(self.secret), digest_size=24).hexdigest()

    # --- pairs ---

    def add(self, new: Iterable[Pair], *, shared: float = 0.0) -> int:
        """Add pairs that are not there yet, in an order drawn by lot; returns how many were new.

        Args:
            new: pairs; one whose answers are the same word for word is left out.
            shared: the share of pairs to be shown to several people.
        """
        with self.writing() as connection:
            return sum(self._add(connection, pair, shared)[1] for pair in new if pair.a != pair.b)

    def _add(self, connection: Connection, pair: Pair, shared: float) -> tuple[Any, bool]:
        key = pair.key
        found = connection.execute(select(pairs).where(pairs.c.key == key)).first()
        if found is not None:
            return found, False
        connection.execute(
            insert(pairs).values(
                key=key,
                prompt=_turns(pair.prompt),
                a=_turns(pair.a),
                b=_turns(pair.b),
                model_a=pair.models[0][:400],
                model_b=pair.models[1][:400],
                plain=pair.plain,
                place=self.lot("place", key),
                shared=self.lot("shared", key) < shared,
                since=time.time(),
            )
        )
        return connection.execute(select(pairs).where(pairs.c.key == key)).one(), True

    def lot(self, *words: str) -> float:
        """A number in [0, 1), drawn once for all for these words in this store."""
        return int(_hash(self.secret, *words)[:13], 16) / 16**13

    def pair(self, number: int) -> Pair:
        """The pair of that number."""
        with self.reading() as connection:
            return as_pair(connection.execute(select(pairs).where(pairs.c.id == number)).one())

    def all_pairs(self) -> dict[int, Pair]:
        """Every pair by its number."""
        with self.reading() as connection:
            return {row.id: as_pair(row) for row in connection.execute(select(pairs).order_by(pairs.c.id))}

    def numbers(self, known: Iterable[Pair]) -> list[int]:
        """The numbers of pairs that are there."""
        with self.reading() as connection:
            return [connection.execute(select(pairs.c.id).where(pairs.c.key == one.key)).scalar_one() for one in known]

    def reorder(self, places: dict[int, float]) -> None:
        """Show pairs in the order of the numbers given, smallest first."""
        with self.writing() as connection:
            for number, place in places.items():
                connection.execute(update(pairs).where(pairs.c.id == number).values(place=place))

    # --- choices ---

    def decide(
        self,
        annotator: str,
        showing: int,
        choice: Choice,
        click: str,
        *,
        seconds: float = 0.0,
        tags: Iterable[str] = (),
        note: str = "",
    ) -> Outcome:
        """Keep a choice: "kept"; "again" when this very click was kept before; "already" when another one stands.

        Raises:
            DataError: no such pair was shown to `annotator`, or the click belongs to something else.
        """
        try:
            with self.writing() as connection:
                owner = connection.scalar(select(showings.c.annotator).where(showings.c.id == showing))
                if owner != annotator:
                    raise DataError("this pair was not shown to you.", hint="Load the page again.")
                before = connection.scalar(select(choices.c.showing).where(choices.c.click == click))
                if before is not None:
                    if before != showing:
                        raise DataError("this click was already used for another pair.", hint="Load the page again.")
                    return "again"
                _insert_choice(connection, showing, choice, click, seconds, tags, note)
        except IntegrityError:
            return "already"
        return "kept"

    def left_of(self, showing: int) -> str:
        """The answer that stood on the left of a showing; "a" where there is none such."""
        with self.reading() as connection:
            return connection.scalar(select(showings.c.left).where(showings.c.id == showing)) or "a"

    def done(self, annotator: str) -> tuple[int, str]:
        """How many choices of `annotator` stand, and the click of the last of them, "" without any."""
        stands = and_(showings.c.annotator == annotator, choices.c.withdrawn.is_(None))
        query = select(choices.c.click).join(showings, choices.c.showing == showings.c.id).where(stands)
        with self.reading() as connection:
            count = connection.scalar(select(func.count()).select_from(query.subquery()))
            return int(count or 0), connection.scalar(query.order_by(choices.c.id.desc()).limit(1)) or ""

    def withdraw(self, annotator: str, click: str) -> bool:
        """Take a choice back; False when it was none of `annotator`'s or is taken back already."""
        mine = select(showings.c.id).where(showings.c.annotator == annotator)
        with self.writing() as connection:
            done = connection.execute(
                update(choices)
                .where(choices.c.click == click, choices.c.withdrawn.is_(None), choices.c.showing.in_(mine))
                .values(withdrawn=time.time())
            )
        return done.rowcount == 1

    def record(self, pair: Pair, annotator: str, choice: Choice, click: str, **more: Any) -> Outcome:
        """Keep a choice about a pair that was shown elsewhere: in a chat, or in a file that is read in.

        Args:
            pair: added where it is new; `choice` and `left` are in its terms of a and b.
            more: `left` ("a" or "b", the answer on the left), `repeat` (0 or 1), `seconds`, `tags`, `note`; and
                `replace`, True to take a standing choice back first.
        """
        replace, left, repeat = more.pop("replace", False), more.pop("left", "a"), more.pop("repeat", 0)
        other: dict[str, Any] = {"a": "b", "b": "a"}
        with self.writing() as connection:
            _join(connection, annotator)
            row, _ = self._add(connection, pair, 0.0)
            if row.a != _turns(pair.a):  # stored the other way round
                choice, left = other.get(choice, choice), other[left]
            asked = (showings.c.pair == row.id, showings.c.annotator == annotator, showings.c.repeat == repeat)
            showing = connection.scalar(select(showings.c.id).where(*asked))
            if showing is None:
                showing = show(connection, row.id, annotator, repeat, left)
            elif replace:
                stands = (choices.c.showing == showing, choices.c.withdrawn.is_(None), choices.c.click != click)
                connection.execute(update(choices).where(*stands).values(withdrawn=time.time()))
        return self.decide(annotator, showing, choice, click, **more)

    def kept(self, annotator: str | None = None) -> list[Kept]:
        """The choices that stand, skips included, in the order they were made."""
        query = (
            select(choices, showings, pairs.c.key, pairs.c.model_a, pairs.c.model_b)
            .join(showings, choices.c.showing == showings.c.id)
            .join(pairs, showings.c.pair == pairs.c.id)
            .where(choices.c.withdrawn.is_(None))
            .order_by(choices.c.id)
        )
        if annotator is not None:
            query = query.where(showings.c.annotator == annotator)
        with self.reading() as connection:
            return [
                Kept(
                    pair=row["pair"],
                    key=row["key"],
                    annotator=row["annotator"],
                    choice=row["choice"],
                    left=row["left"],
                    repeat=row["repeat"],
                    seconds=row["seconds"],
                    tags=tuple(json.loads(row["tags"])),
                    note=row["note"],
                    since=row["since"],
                    models=(row["model_a"], row["model_b"]),
                    click=row["click"],
                    showing=row["showing"],
                )
                for row in connection.execute(query).mappings()
            ]


def show(connection: Connection, pair: int, annotator: str, repeat: int, left: str) -> int:
    """Note that a pair is shown; returns the number of the showing."""
    values = {"pair": pair, "annotator": annotator, "repeat": repeat, "left": left, "since": time.time()}
    return int(connection.execute(insert(showings).values(**values).returning(showings.c.id)).scalar_one())


def as_pair(row: Any) -> Pair:
    """A row of the table as a pair."""
    prompt, a, b = (tuple(Message(**turn) for turn in json.loads(text)) for text in (row.prompt, row.a, row.b))
    return Pair(prompt, a, b, (row.model_a, row.model_b), row.plain)


def _insert_choice(connection: Connection, showing: int, choice: str, click: str, seconds: float, tags, note) -> None:
    connection.execute(
        insert(choices).values(
            showing=showing,
            choice=choice,
            click=click,
            seconds=seconds,
            tags=json.dumps(list(tags)),
            note=note.encode("utf-8", "replace").decode().replace("\0", "\ufffd"),
            since=time.time(),
        )
    )


def _join(connection: Connection, name: str) -> None:
    if connection.scalar(select(annotators.c.name).where(annotators.c.name == name)) is None:
        connection.execute(insert(annotators).values(name=name, since=time.time()))


def _turns(turns: Iterable[Message]) -> str:
    return json.dumps([turn.as_dict() for turn in turns], ensure_ascii=False)


def _hash(*words: str) -> str:
    return hashlib.sha256(json.dumps(words, ensure_ascii=True).encode()).hexdigest()
