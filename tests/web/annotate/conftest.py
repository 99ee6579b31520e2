"""A site over a store of its own, the real server as a process, and Chromium."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baro.data.choices.store import Pair, Store
from baro.data.records import Message

CHROMIUM = "/usr/bin/chromium"
SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "choices.db")
    yield opened
    opened.close()


@pytest.fixture
def pair():
    """(number, a, b, models) → a pair about that number."""

    def build(number: int, a: str = "", b: str = "", models=("alpha", "beta"), prompt: str = "") -> Pair:
        asked = Message("user", prompt or f"Question {number}?")
        one = Message("assistant", a or f"First answer {number}")
        other = Message("assistant", b or f"Second answer {number}")
        return Pair((asked,), (one,), (other,), models)

    return build


@pytest.fixture
def site(store, access):
    """(**work) → (application, token of the owner, token of kim)."""
    from baro.web.annotate.site import Work
    from baro.web.annotate.site import site as build

    def made(lang="en", **work):
        store.join("kim")
        app = build(Work(store, **work), access({}), lang)
        return app, store.token("owner"), store.token("kim")

    return made


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium; closed with the module, for it holds the thread's event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"{CHROMIUM} is not installed (apt-get install chromium)")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """(link, **context) → a page in a browser of its own; what it asked for outside its server fails the test."""
    contexts, foreign = [], []

    def opened(link: str, **options):
        options = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"} | options
        context = browser.new_context(**options)
        contexts.append(context)
        home = re.match(r"http://[^/]+/", link)[0]
        context.on("request", lambda request: foreign.append(request.url) if not request.url.startswith(home) else None)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto(link)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert foreign == []


class Server:
    """`baro annotate` as a process of its own."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.words, self.links = folder, words, {}

    def start(self) -> Server:
        words = [sys.executable, "-m", "baro", "annotate", *self.words, "--port", str(self.port)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            words, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.match(r"(.+?):\s+(http\S+)", line):
                self.links["owner" if found[1].startswith("Open") else found[1]] = found[2]
            if line.startswith("Every choice"):
                return self
        raise AssertionError("".join(said))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> str:
        """Ask it to end; what it said last."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        rest = self.process.stdout.read()
        assert self.process.returncode == 0, rest
        return rest


@pytest.fixture
def serve(tmp_path):
    """(*words) → a running server in tmp_path."""
    servers = []

    def started(*words: str) -> Server:
        servers.append(Server(tmp_path, list(words)).start())
        return servers[-1]

    yield started
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def until():
    """Wait for a condition."""

    def wait(true, seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.02)

    return wait
