"""The same promises on a real PostgreSQL server: a private cluster on a free loopback port, run by another user."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from baro.data.choices.store import Store

pytestmark = pytest.mark.slow


def _contract():
    spec = importlib.util.spec_from_file_location("store_contract", Path(__file__).parent / "contract.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _programs() -> Path:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    return found[-1].parent


def _user() -> dict:
    """PostgreSQL refuses to run as root: then as the first of these users that exists."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    pytest.skip("there is no user but root to run PostgreSQL as")


@pytest.fixture(scope="module")
def server():
    """postgresql:// address of a running server."""
    programs, user = _programs(), _user()
    folder = Path(tempfile.mkdtemp(prefix="baro-pg-"))
    if user:
        os.chown(folder, user["user"], user["group"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def command(*words: str) -> None:
        done = subprocess.run(words, cwd=folder, env={"PATH": os.defpath, "LC_ALL": "C"}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, **user)  # fmt: skip
        assert done.returncode == 0, done.stdout

    data = str(folder / "data")
    command(str(programs / "initdb"), "-D", data, "-U", "baro", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    command(str(programs / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    yield f"postgresql://baro@127.0.0.1:{port}/postgres"
    command(str(programs / "pg_ctl"), "-D", data, "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(server):
    opened = Store(server)
    yield opened
    with opened.writing() as connection:
        for table in ("choices", "showings", "pairs", "annotators", "settings"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    opened.close()


@pytest.mark.parametrize("promise", _contract().PROMISES, ids=lambda promise: promise.__name__)
def test_postgresql_keeps(promise, store, pair):
    promise(store, pair)


def test_it_is_exported_and_read_in_like_any_other(store, pair, tmp_path):
    from baro.data.choices.export import read_in, rows
    from baro.data.read import write_jsonl

    store.record(pair(1, ("m", "n")), "kim", "a", "c1", tags=["x"], note="'; DROP TABLE choices; --")
    write_jsonl(tmp_path / "out.jsonl", list(rows(store)))
    other = Store(tmp_path / "other.db")
    assert read_in(other, tmp_path / "out.jsonl") == (1, 0)
    assert other.kept()[0].note == store.kept()[0].note
    other.close()
