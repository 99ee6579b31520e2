"""The board in a real browser while a run goes on: curves grow, a press stops it, nothing is asked of other hosts."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import uvicorn

from baro.web import start
from baro.web.board.app import create

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")]
RECIPE = """
stages:
  base: {method: pretrain, dataset: [text.jsonl], size: 20_000, vocab_size: 270, max_length: 32, max_steps: 100_000,
         logging_steps: 1, device: cpu, dtype: float32}
"""


@pytest.fixture
def live(tmp_path):
    """A run that would go on for an hour, started as a person would."""
    (tmp_path / "text.jsonl").write_text('{"text": "The cat is red."}\n' * 50)
    (tmp_path / "small.yaml").write_text(RECIPE)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "baro", "run", "small.yaml"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    limit = time.monotonic() + 90
    while not (tmp_path / "runs/small/base/metrics.jsonl").is_file():
        assert time.monotonic() < limit
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.1)
    yield process, tmp_path / "runs"
    process.kill()
    process.wait()


def test_a_live_run_is_watched_and_stopped(live):
    from axe_playwright_python.sync_playwright import Axe

    sync = pytest.importorskip("playwright.sync_api")
    process, runs = live
    address = start.bind()
    app = create(address.access({"secret": "owner"}), [runs])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [address.socket]}, daemon=True)
    thread.start()
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page, asked, problems = browser.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{address.home}/?token=secret&lang=en")
        page.wait_for_selector(".run.state-running", timeout=20_000)
        page.wait_for_selector(".chart canvas", timeout=20_000)
        first = page.locator(".way .facts").text_content()
        page.wait_for_function("old => document.querySelector('.way .facts').textContent !== old", arg=first)
        page.wait_for_selector("#settings table", timeout=20_000)
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        page.locator("[data-id^='stop ']").click()
        page.wait_for_selector(".run.state-stopped", timeout=30_000)
        assert page.locator("[data-id^='resume ']").count() == 1
        browser.close()
    assert process.wait(30) == 143
    assert problems == []
    assert all(url.startswith(address.home) for url in asked)
    server.should_exit = True
    thread.join(10)
