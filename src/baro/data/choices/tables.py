"""The tables, the same on SQLite and PostgreSQL.

Nothing is ever overwritten: a choice that is taken back stays, marked. That at most one choice of a showing stands is
a unique index, so no two windows, processes or machines can disagree about it.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()

settings = Table(
    "settings",
    METADATA,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),  # JSON
)

annotators = Table(
    "annotators",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("since", Float, nullable=False),  # seconds since 1970, as all times here
)

pairs = Table(
    "pairs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # hash of prompt and answers, in either order
    Column("prompt", Text, nullable=False),  # JSON: turns
    Column("a", Text, nullable=False),  # JSON: turns of one answer
    Column("b", Text, nullable=False),
    Column("model_a", String(400), nullable=False, server_default=""),
    Column("model_b", String(400), nullable=False, server_default=""),
    Column("plain", Boolean, nullable=False),
    Column("place", Float, nullable=False),  # where in the order: smallest first
    Column("shared", Boolean, nullable=False),  # shown to several people
    Column("since", Float, nullable=False),
)

showings = Table(
    "showings",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("pair", ForeignKey("pairs.id"), nullable=False),
    Column("annotator", ForeignKey("annotators.name"), nullable=False),
    Column("repeat", Integer, nullable=False),  # 0 the first time, 1 when shown again with the sides swapped
    Column("left", String(1), nullable=False),  # "a" or "b": the answer that stood on the left
    Column("since", Float, nullable=False),
    UniqueConstraint("pair", "annotator", "repeat"),
)

choices = Table(
    "choices",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("showing", ForeignKey("showings.id"), nullable=False),
    Column("click", String(64), nullable=False, unique=True),  # made by the page: the same click counts once
    Column("choice", String(4), nullable=False),  # a, b, tie, skip
    Column("seconds", Float, nullable=False),
    Column("tags", Text, nullable=False),  # JSON: list
    Column("note", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("withdrawn", Float),  # when it was taken back
)

Index(
    "one_choice_stands",
    choices.c.showing,
    unique=True,
    sqlite_where=text("withdrawn IS NULL"),
    postgresql_where=text("withdrawn IS NULL"),
)
Index("in_order", pairs.c.place, pairs.c.id)
Index("of_a_pair", showings.c.pair)
Index("of_an_annotator", showings.c.annotator, showings.c.id)
