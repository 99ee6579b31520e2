"""The chat page in a real browser: streaming, a choice, no foreign request, nothing axe finds serious."""

from pathlib import Path

import pytest

from baro.data.choices.store import Store
from baro.pipeline.speaker import Speaker
from baro.web.serving.app import create

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")]


@pytest.fixture(scope="module")
def browser():
    sync = pytest.importorskip("playwright.sync_api")
    with sync.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize(("lang", "theme", "width"), [("en", "light", 1280), ("ko", "dark", 390)])
def test_two_models_answer_and_the_choice_is_kept(browser, served, tiny_model, tmp_path, lang, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    store = Store(tmp_path / "choices.db")
    with (
        Speaker(str(tiny_model), name="one") as one,
        Speaker(str(tiny_model), name="two") as two,
        served(lambda access: create(access, {"one": one, "two": two}, store), rate=1e6, burst=1e6) as address,
    ):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
        page, asked, problems = context.new_page(), [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{address.home}/?token=secret&lang={lang}")
        page.wait_for_selector("#question")  # from here on the browser must have nothing to complain about
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.fill("#question", "Colour of the cat? <img src=x onerror=alert(1)>")
        page.locator("#temperature").evaluate("node => { node.value = 1.5 }")
        page.keyboard.press("Enter")
        for _ in range(5):  # two answers that are the same word for word offer no choice
            page.wait_for_selector("#send:visible", timeout=20_000)
            if page.locator(".pick").count():
                break
            page.click("#again")
        assert page.locator(".asked img").count() == 0
        texts = page.locator(".answer .text").all_text_contents()
        page.locator(".pick").nth(1).click()
        page.wait_for_selector(".answer.best")
        assert page.locator(".answer.best .text").text_content() == texts[1]
        found = Axe().run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        context.close()
        assert all(url.startswith(address.home) for url in asked)
        assert problems == []
    (kept,) = store.kept()
    pair = store.pair(kept.pair)
    better = pair.a if kept.choice == "a" else pair.b
    assert better[0].content == texts[1]
    assert {*pair.models} == {"one", "two"}
