"""Connections to the database of a store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from baro.core.errors import DataError


def shown(where: str) -> str:
    """The place of a store without its password."""
    if "://" not in where or "@" not in where:
        return where
    head, _, tail = where.partition("://")
    return f"{head}://…@{tail.rpartition('@')[2]}"


def engine(where: str) -> Engine:
    """Connections to a file (SQLite) or a postgresql:// address; a file is made where there is none.

    Raises:
        DataError: neither, or the file cannot be made.
    """
    if "://" in where:
        if not where.startswith("postgresql://"):
            raise DataError("expected a file or a postgresql:// address.", where=shown(where))
        try:
            return create_engine(where.replace("postgresql://", "postgresql+psycopg://", 1), pool_pre_ping=True)
        except (ImportError, SQLAlchemyError, ValueError) as error:
            raise DataError(
                f"the address cannot be used: {error}.", where=shown(where), hint="pip install 'baro[postgresql]'"
            ) from error
    file = Path(where)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # the secret of the links is in it
    except OSError as error:
        raise DataError(f"the store cannot be opened: {error.strerror}.", where=where) from error
    made = create_engine(f"sqlite:///{file.resolve()}", connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(made, "connect")
    def prepared(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {setting}").close()

    @event.listens_for(made, "begin")
    def begun(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return made
