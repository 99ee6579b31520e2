"""Take the pictures of the pages, and check what a picture cannot show: that no page is wider than its screen.

    python docs/screenshots.py FOLDER RUN…     # every page, both languages and themes, 1280 and 390 px
    python docs/screenshots.py --docs RUN…     # the four pictures of docs/: annotation, results, board, chat
    python docs/screenshots.py --compare PAGE  # docs/compare.png, of a comparison's compare.html

RUN is a finished run folder, such as runs/quickstart; of several the board shows all, the chat page the first's models.
Needs Chromium (apt-get install chromium) and Playwright (the dev extra).
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from baro.data.choices.sources import read_pairs
from baro.data.choices.store import Store

HERE = Path(__file__).parent
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync"]
CODE = """Use `math.pi`:

```python
import math

def area(radius: float) -> float:
    \"\"\"Area of a circle.\"\"\"
    return math.pi * radius**2  # exact to the last digit
```

| radius | area |
|---|---|
| 1 | 3.14 |
| 2 | 12.57 |"""
WORDS = "The area grows with the **square** of the radius, so multiply the radius by itself and then by 3.14. "
WORTH = {"sft": 0.0, "dpo": 0.8, "ppo": 1.1}
PAIRS = [
    ("Write a Python function for the area of a circle.", CODE, WORDS + "\n\n" + "Mind the units. " * 60),
    (
        "서울의 겨울 날씨를 한 문장으로 알려 주세요.",
        "서울의 겨울은 춥고 건조하며, 1월 평균 기온은 영하 2도 안팎입니다.",
        "추움.",
    ),
    ("ما هي عاصمة فرنسا؟", "عاصمة فرنسا هي **باريس**.", "باريس، وهي أيضًا أكبر مدنها: Paris."),
]


def prepared(folder: Path) -> Path:
    """A store of pairs, some of them judged by three people."""
    models = [("sft", "dpo"), ("ppo", "sft"), ("dpo", "ppo")]
    rows = [
        {"prompt": asked, "response_a": a, "response_b": b, "model_a": models[n][0], "model_b": models[n][1]}
        for n, (asked, a, b) in enumerate(PAIRS)
    ]
    judged = [
        {"prompt": f"Question {n}?", "response_a": f"a {n}", "response_b": f"b {n}"}
        | dict(zip(("model_a", "model_b"), models[n % 3], strict=True))
        for n in range(60)
    ]
    for name, content in (("shown", rows), ("judged", judged)):
        text = "".join(json.dumps(row) + "\n" for row in content)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    store = Store(folder / "choices.db")
    store.add(read_pairs(folder / "shown.jsonl")[0])
    store.reorder({number: float(number) for number in store.all_pairs()})
    draw = random.Random(3)
    for n, pair in enumerate(read_pairs(folder / "judged.jsonl")[0]):
        better = WORTH[pair.models[0]] - WORTH[pair.models[1]] + draw.gauss(0, 1.2)
        for name, care in (("하나", 0.5), ("kim", 0.9), ("lee", 1.6)):
            felt, left = better + draw.gauss(0, care), "ab"[n % 2]
            side = "tie" if abs(felt) < 0.2 else "a" if felt > 0 else "b"
            more = {"seconds": round(4 + 9 * draw.random(), 1), "tags": ["correct", "clear"][: n % 3]}
            store.record(pair, name, side, f"{n}-{name}", left=left, **more)
            if n % 5 == 0:
                again = side if draw.random() < 0.85 else "a"
                store.record(pair, name, again, f"{n}-{name}-2", left="ba"[n % 2], repeat=1, seconds=5)
    store.set("guideline", "Prefer the answer that is **true**, then the one that is *shorter*.")
    store.close()
    return folder / "choices.db"


def shot(page: Page, file: Path, *, whole: bool = False) -> None:
    """A picture of the page, which must not be wider than its screen."""
    wide, screen = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    if wide > screen:
        print(f"{file.name}: the page is {wide} px wide on a screen of {screen}")
    page.screenshot(path=file, full_page=whole)


def compared(file: Path, target: Path) -> None:
    """A picture of the page of a comparison, down to where its answers begin."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", locale="en")
        page.goto(file.resolve().as_uri())
        end = page.evaluate("() => document.querySelector('#samples, #warnings').getBoundingClientRect().top - 20")
        page.set_viewport_size({"width": 1280, "height": int(end)})
        shot(page, target)
        browser.close()


class Visit:
    """A page in one language, theme and width; pictures go to `target`, of `--docs` only those it names."""

    def __init__(self, browser: Browser, target: Path, width: int, theme: str, lang: str, only: bool) -> None:
        height = 800 if width > 400 else 844
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, locale=lang, reduced_motion="reduce"
        )
        self.page, self.target, self.only = context.new_page(), target, only
        self.label = f"{width}-{lang}-{theme}"

    def shot(self, name: str, *, docs: str = "", whole: bool = True) -> None:
        """A picture, unless only those of the documents are wanted."""
        if self.only and docs:
            shot(self.page, self.target / f"{docs}.png")
        elif not self.only:
            shot(self.page, self.target / f"{name}-{self.label}.png", whole=whole)


def annotating(visit: Visit, link: str) -> None:
    """Comparing, its first page and the last, the guideline, figures and people."""
    page, home = visit.page, link.split("?")[0]
    page.goto(link)
    page.wait_for_selector("#pair:not([hidden])")
    visit.shot("compare", docs="annotation", whole=False)
    page.locator("details.why summary").click()
    page.mouse.wheel(0, 2000)
    visit.shot("why", whole=False)
    for name in ("guideline", "results", "people"):
        page.goto(home + name)
        visit.shot(name, docs="results" if name == "results" else "")


def watching(visit: Visit, link: str) -> None:
    """All runs, and one closer."""
    page = visit.page
    page.goto(link)
    page.wait_for_selector(".chart canvas")
    page.wait_for_timeout(1500)
    visit.shot("board", docs="board")
    page.locator("#samples").scroll_into_view_if_needed()
    visit.shot("samples", whole=False)
    page.locator("#settings").scroll_into_view_if_needed()
    visit.shot("settings", whole=False)


def talking(visit: Visit, link: str) -> None:
    """An empty talk, answers side by side before and after the choice, and one model alone."""
    page = visit.page
    page.goto(link)
    page.wait_for_selector("#question")
    visit.shot("chat-empty", whole=False)
    page.locator("#question").fill("Where does Ned live? What is his favourite food?")
    page.locator("#send").click()
    page.wait_for_selector("#stop", state="hidden", timeout=60_000)
    page.wait_for_timeout(300)
    visit.shot("chat-side-by-side", docs="chat", whole=False)
    page.locator(".turn button").first.click()
    page.wait_for_timeout(500)
    visit.shot("chat-chosen", whole=False)
    page.locator("details.settings summary").click()
    for box in page.query_selector_all('[name="model"]:checked')[1:]:
        box.uncheck()
    page.locator("details.settings summary").click()
    page.locator("#question").fill("안녕? Name someone who loves tomato soup.")
    page.locator("#send").click()
    page.wait_for_selector("#stop", state="hidden", timeout=60_000)
    page.wait_for_timeout(300)
    visit.shot("chat-alone", whole=False)


@contextmanager
def served(folder: str, *words: str) -> Iterator[str]:
    """The link of a server that `baro WORDS` started in the folder."""
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "baro", *words], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield next(word for line in server.stdout for word in line.split() if "?token=" in word)
    finally:
        server.terminate()
        server.wait()


def main(target: Path, runs: list[Path], *, only_docs: bool) -> None:
    """Start the servers, visit, take pictures."""
    sizes = (1280,) if only_docs else (1280, 390)
    looks = [("light", "en")] if only_docs else [(theme, lang) for theme in ("light", "dark") for lang in ("en", "ko")]
    models = [str(runs[0] / stage) for stage in ("sft", "dpo", "ppo") if (runs[0] / stage / "config.json").is_file()]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        prepared(Path(folder))
        commands = {
            annotating: ["annotate", "--db", "choices.db", "--repeat", "0"],
            watching: ["board", *map(str, runs), "--port", "0"],
            talking: ["serve", *models, "--port", "0", "--choices", "talk.db"],
        }
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        for visiting, words in commands.items():
            with served(folder, *words) as link:
                for width in sizes:
                    for theme, lang in looks:
                        visit = Visit(browser, target, width, theme, lang, only_docs)
                        visiting(visit, link)
                        visit.page.context.close()
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if sys.argv[1] == "--compare":
        compared(Path(sys.argv[2]), HERE / "compare.png")
        sys.exit()
    only = sys.argv[1] == "--docs"
    folder = HERE if only else Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    main(folder, [Path(word).resolve() for word in sys.argv[2:]], only_docs=only)
