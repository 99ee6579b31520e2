"""Tens of runs with 100,000 updates each, while they grow, behind `baro board` and a page in Chromium.

    python -m bench.board [RUNS] [UPDATES]

Prints how long the first look takes, how long and how large the answers are that the page polls for, the page's worst
pause between two frames, and the server's memory.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync"]
KEYS = (
    "loss", "grad_norm", "learning_rate", "loss/policy_avg", "loss/value_avg", "policy/approxkl_avg",
    "policy/clipfrac_avg", "val/ratio", "objective/kl", "objective/scores", "objective/rlhf_reward",
    "objective/entropy", "val/ended", "val/length", "objective/kl_coef", "val/explained_variance",
    "watch/length_share", "watch/distinct_2", "watch/repeated", "watch/scores_sd", "count",
)  # fmt: skip
SHOWN = ("loss", "objective/scores", "objective/kl", "objective/entropy", "val/length", "grad_norm")
LOOKS = 15
FRAMES = """() => { window.gaps = []; let last = performance.now();
  const beat = (now) => { window.gaps.push(now - last); last = now; requestAnimationFrame(beat); };
  requestAnimationFrame(beat); }"""


def lines(first: int, last: int, generator: random.Random) -> str:
    """Lines of metrics.jsonl as PPO writes them."""
    found = []
    for step in range(first, last):
        row = {"step": step, **{key: math.exp(-step / 3e4) + generator.random() for key in KEYS}}
        found.append(json.dumps(row) + "\n")
    return "".join(found)


def made(folder: Path, runs: int, updates: int) -> list[Path]:
    """Folders of runs with one stage each; the files of figures."""
    found, text = [], lines(1, updates + 1, random.Random(0))
    for number in range(runs):
        stage = folder / f"run{number:02d}" / "ppo"
        stage.mkdir(parents=True)
        (stage / "stage.json").write_text("{}")
        (stage / "run.json").write_text(json.dumps({"settings": {"seed": number, "learning_rate": 3e-6}}))
        (stage / "speed.jsonl").write_text('{"step": 1, "seconds": 1, "counts_per_second": 100, "peak_bytes": 1000}\n')
        (stage / "metrics.jsonl").write_text(text)
        found.append(stage / "metrics.jsonl")
    return found


class Client:
    """Asks the server as the page does; keeps seconds and bytes of the answers."""

    def __init__(self, link: str) -> None:
        self.home, self.token = link.split("/?token=")
        self.seconds: dict[str, list[float]] = {}
        self.bytes: dict[str, int] = {}

    def ask(self, path: str, body: dict | None = None) -> dict:
        """The answer to one request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        start = time.monotonic()
        with urllib.request.urlopen(urllib.request.Request(self.home + path, data, headers), timeout=60) as reply:
            text = reply.read()
        name = path.split("?")[0]
        self.seconds.setdefault(name, []).append(time.monotonic() - start)
        self.bytes[name] = len(text)
        return json.loads(text)


def polled(client: Client, files: list[Path], updates: int) -> float:
    """Seconds of the first look at every curve; then LOOKS more while all runs grow."""
    of = [{"run": run["name"], "stage": "ppo", "seen": ""} for run in client.ask("/api/runs")["runs"]]
    body = {"of": of, "keys": list(SHOWN), "smooth": 0.9, "points": 600}
    start, reply = time.monotonic(), {"behind": True}
    while reply["behind"]:
        reply = client.ask("/api/curves", body)
        known = {row["run"]: row["version"] for row in reply["stages"]}
        for one in of:
            one["seen"] = known[one["run"]]
    first = time.monotonic() - start
    client.seconds.clear()
    generator = random.Random(1)
    for look in range(LOOKS):
        for file in files:
            with file.open("a") as stream:
                stream.write(lines(updates + look * 5, updates + look * 5 + 5, generator))
        client.ask("/api/runs")
        client.ask("/api/curves", body)  # `seen` is old, so all curves of all runs are drawn and sent
        client.ask(f"/api/run?run={of[0]['run']}&stage=ppo")
    return first


def paused(link: str, seconds: float = 12.0) -> list[float]:
    """Milliseconds between frames while the page is open and scrolled, all runs shown."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(link)
        page.wait_for_selector("#charts canvas")
        for box in page.query_selector_all("#runs input:not(:checked)"):
            box.check()
        page.wait_for_timeout(4000)
        page.evaluate(FRAMES)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            page.mouse.wheel(0, 400)
            page.wait_for_timeout(200)
        found = page.evaluate("() => window.gaps")
        browser.close()
    return sorted(found)


def main(runs: int, updates: int) -> None:
    """Make the runs, serve them, look, print."""
    with tempfile.TemporaryDirectory() as folder:
        files = made(Path(folder), runs, updates)
        size = sum(file.stat().st_size for file in files)
        words = [sys.executable, "-u", "-m", "baro", "board", folder, "--port", "0"]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        link = next(line.split()[1] for line in server.stdout if line.startswith("open"))
        client = Client(link)
        first = polled(client, files, updates)
        print(f"{runs} runs of {updates:,} updates, {size / 2**20:,.0f} MiB: first look at all curves {first:.1f} s")
        for path, times in client.seconds.items():
            times = sorted(times)
            middle, worst = times[len(times) // 2] * 1000, times[-1] * 1000
            print(f"{path}: median {middle:.0f} ms, worst {worst:.0f} ms, {client.bytes[path] / 1024:,.0f} KiB")
        status = Path(f"/proc/{server.pid}/status").read_text()
        print("server:", next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1], "kB")
        gaps = paused(link)
        at = [gaps[int(share * (len(gaps) - 1))] for share in (0.5, 0.95, 1)]
        print(f"page: between frames median {at[0]:.0f} ms, 95 % {at[1]:.0f} ms, worst {at[2]:.0f} ms")
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["30", "100000"][len(sys.argv) - 1 :])))
