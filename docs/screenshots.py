"""Take the pictures of the pages, and check what a picture cannot show: that no page is wider than its screen.

    python docs/screenshots.py FOLDER          # every page, both languages and themes, 1280 and 390 px
    python docs/screenshots.py --docs          # the picture docs/annotation.png alone
    python docs/screenshots.py --compare runs/quickstart/compare/compare.html    # docs/compare.png

Needs Chromium (apt-get install chromium) and Playwright (the dev extra).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

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
    for n, pair in enumerate(read_pairs(folder / "judged.jsonl")[0]):
        for place, name in enumerate(("하나", "kim", "lee")):
            side = "tie" if (n + place) % 9 == 0 else "b" if (n * 7 + place * 5) % 11 < 3 + place else "a"
            left = "a" if n % 2 else "b"
            more = {"seconds": 4 + (n * 3 + place) % 9, "tags": ["correct", "clear"][: n % 3]}
            store.record(pair, name, side, f"{n}-{name}", left=left, **more)
            if n % 5 == 0:
                again = "b" if left == "a" else "a"
                store.record(pair, name, side if n % 3 else "a", f"{n}-{name}-2", left=again, repeat=1, seconds=5)
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


def main(target: Path, *, only_docs: bool) -> None:
    """Start the server, visit, take pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        prepared(Path(folder))
        words = [sys.executable, "-u", "-m", "baro", "annotate", "--db", "choices.db", "--repeat", "0"]
        server = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        link = next(line.split()[-1] for line in server.stdout if "browser" in line)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        try:
            for width, height in ((1280, 800),) if only_docs else ((1280, 800), (390, 844)):
                for theme, lang in (("light", "en"), ("dark", "ko")):
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=theme, locale=lang
                    )
                    page = context.new_page()
                    page.goto(link)
                    page.wait_for_selector("#pair:not([hidden])")
                    if only_docs:
                        if theme == "light":
                            shot(page, target)
                        continue
                    shot(page, target / f"compare-{width}-{lang}.png")
                    for name in ("guideline", "results", "people"):
                        page.goto(link.split("?")[0] + name)
                        shot(page, target / f"{name}-{width}-{lang}.png", whole=True)
                    context.close()
        finally:
            browser.close()
            server.terminate()
            server.wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["--docs"]:
        main(HERE / "annotation.png", only_docs=True)
    elif len(sys.argv) == 3 and sys.argv[1] == "--compare":
        compared(Path(sys.argv[2]), HERE / "compare.png")
    elif len(sys.argv) == 2:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[1]), only_docs=False)
    else:
        sys.exit(__doc__)
