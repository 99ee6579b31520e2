"""Fifty annotators with ten clicks a second between them, against a server of its own on SQLite.

    python bench/annotate.py [SECONDS]

Prints clicks, the time from click to the next pair (median, 95 %, worst) and errors.
"""

from __future__ import annotations

import json
import random
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

PEOPLE, PAUSE = 50, 5.0


def ask(link: str, path: str, body: dict | None = None) -> dict:
    """A request with the token of `link`."""
    home, token = link.split("/?token=")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(home + path, data, headers), timeout=20) as reply:
        return json.load(reply)


def judge(name: str, link: str, end: float, times: list[float], errors: list[str]) -> None:
    """One person: a click every five seconds."""
    time.sleep(random.random() * PAUSE)
    shown = ask(link, "/api/next")
    while time.monotonic() < end:
        start = time.monotonic()
        click = {"person": name, "showing": shown["showing"], "click": secrets.token_hex(16), "side": "left"}
        try:
            shown = ask(link, "/api/choose", click | {"seconds": 1})["next"]
            times.append(time.monotonic() - start)
        except OSError as error:
            errors.append(repr(error))
        time.sleep(max(0.0, PAUSE - (time.monotonic() - start)))


def main(seconds: float) -> None:
    """Start the server, let the people work, print."""
    names, links, times, errors = [f"p{n}" for n in range(PEOPLE)], {}, list[float](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        rows = ({"prompt": f"q{n}", "response_a": f"a{n} " * 50, "response_b": f"b{n} " * 50} for n in range(3000))
        (Path(folder) / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        words = [sys.executable, "-u", "-m", "baro", "annotate", "pairs.jsonl", "--annotators", ",".join(names)]
        server = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        for line in server.stdout:
            if found := re.match(r"(p\d+):\s+(\S+)", line):
                links[found[1]] = found[2]
            if line.startswith("Every"):
                break
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=judge, args=(n, links[n], end, times, errors)) for n in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.terminate()
        server.wait()
    times.sort()
    at = [times[int(share * (len(times) - 1))] * 1000 for share in (0.5, 0.95, 1)]
    print(
        f"{len(times)} clicks, {len(times) / seconds:.1f} a second: median {at[0]:.0f} ms, 95 % {at[1]:.0f} ms, ",
        end="",
    )
    print(f"worst {at[2]:.0f} ms; {len(errors)} errors {errors[:3]}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 20.0)
