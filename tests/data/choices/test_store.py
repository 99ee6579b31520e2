"""The store on SQLite: its promises, its file, and a process killed while it writes."""

import importlib.util
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from baro.core.errors import DataError
from baro.data.choices.engine import shown
from baro.data.choices.store import Store


def _contract():
    spec = importlib.util.spec_from_file_location("store_contract", Path(__file__).parent / "contract.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROMISES = _contract().PROMISES


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_sqlite_keeps(promise, store, pair):
    promise(store, pair)


def test_the_file_is_the_owners_alone_and_flushed_at_every_click(store):
    assert stat.S_IMODE(os.stat(store.where).st_mode) == 0o600
    with store.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_store_of_a_later_version_is_left_alone(store):
    store.set("version", 99)
    with pytest.raises(DataError, match="version 99"):
        Store(store.where)


@pytest.mark.parametrize("name", ["", " ", " kim", "x" * 65, "a\nb", "\u202etxt"])
def test_names_that_are_none(store, name):
    with pytest.raises(DataError, match="name"):
        store.join(name)


def test_places_that_are_none(tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        Store(tmp_path)
    (tmp_path / "text.db").write_text("no database, whatever it is called" * 50)
    with pytest.raises(DataError, match="cannot be opened"):
        Store(tmp_path / "text.db")
    with pytest.raises(DataError, match="postgresql"):
        Store("mysql://user:secret@host/name")
    assert "secret" not in shown("postgresql://user:secret@host/name")


KILLED = """
import sys
from baro.data.choices.store import Pair, Store
from baro.data.choices.order import upcoming
from baro.data.records import Message
store = Store(sys.argv[1])
store.join("kim")
turn = lambda role, text: (Message(role, text),)
store.add(Pair(turn("user", f"q{n}"), turn("assistant", "x"), turn("assistant", "y")) for n in range(300))
while shown := upcoming(store, "kim"):
    store.decide("kim", shown.number, "a", f"c{shown.number}")
    print(f"c{shown.number}", flush=True)  # acknowledged
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    file = tmp_path / "choices.db"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(file)], stdout=subprocess.PIPE, text=True)
    said = [process.stdout.readline().strip() for _ in range(25)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read().split()
    process.wait()
    assert len(said) >= 25
    opened = Store(file)
    kept = {one.click for one in opened.kept()}
    opened.close()
    assert set(said) <= kept
    assert len(kept) <= len(said) + 1  # at most the one whose reply was cut
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
