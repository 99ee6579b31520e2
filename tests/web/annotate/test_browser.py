"""Annotation as people do it: in Chromium, by keyboard, several at once, while the server is killed."""

import json
import re
import sqlite3

import pytest

from baro.data.choices.store import Store
from baro.data.read import write_jsonl

pytestmark = pytest.mark.slow


def pairs(folder, count=40):
    """Pairs whose better answer says so."""
    rows = [
        {"prompt": f"Question {n}?", "response_a": f"good answer {n}", "response_b": f"bad answer {n}"}
        | {"model_a": "alpha", "model_b": "beta"}
        for n in range(count)
    ]
    write_jsonl(folder / "pairs.jsonl", rows)


def shown(page):
    """Wait until a pair is shown; its number in the page's words."""
    page.wait_for_selector("#pair:not([hidden])")
    return page.inner_text("#prompt")


def press(page, key):
    """Press a key and wait until the page has moved on."""
    before = page.inner_text("#done"), page.inner_text("#prompt")
    page.keyboard.press(key)
    page.wait_for_function(
        "before => before[0] !== document.getElementById('done').innerText"
        " || before[1] !== document.getElementById('prompt').innerText"
        " || !document.getElementById('finished').hidden",
        arg=before,
    )


def better(page):
    return "1" if "good" in page.inner_text("#left") else "2"


def test_thirty_pairs_by_keyboard_then_export_and_a_reward_model(serve, visit, tmp_path):
    pairs(tmp_path, 30)
    server = serve("pairs.jsonl", "--repeat", "0")
    page = visit(server.links["owner"])
    keys = []
    shown(page)
    assert "token" not in page.url
    for number in range(30):
        keys.append("0" if number == 5 else "s" if number == 9 else better(page))
        press(page, keys[-1])
        if number == 3:  # changed their mind
            press(page, "u")
            press(page, better(page))
    page.wait_for_selector("#finished:not([hidden])")
    assert {"1", "2"} <= set(keys)
    page.click("#finished a")
    assert page.inner_text(".counts li").startswith("29")
    assert "alpha" in page.inner_text("#figures")
    command = page.inner_text("#command")
    assert command.startswith("baro reward dataset=choices.db")
    assert "29 choices in choices.db" not in server.stop()  # the skip stands in the store too
    rows = Store(tmp_path / "choices.db").kept()
    assert (len(rows), sum(row.choice == "a" for row in rows)) == (30, 28)
    assert all(0 < row.seconds < 60 for row in rows)
    _train(tmp_path)


def _train(folder):
    """`baro reward` on the store itself."""
    from baro.cli import training  # noqa: F401  the command is registered
    from baro.data.read import read_preferences
    from baro.data.tokenizer import train_bpe
    from baro.models import create
    from baro.models.load import save
    from baro.recipes import reward

    found = read_preferences(folder / "choices.db").rows
    assert all("good" in row.chosen[0].content and "bad" in row.rejected[0].content for row in found)
    tokenizer = train_bpe((row.chosen[0].content + row.rejected[0].content for row in found), 300)
    save(create.language_model(20_000, tokenizer, max_length=64, seed=1), tokenizer, folder / "base")
    config = reward.Config(
        model_name_or_path=str(folder / "base"),
        dataset=[folder / "choices.db"],
        eval_dataset=[folder / "choices.db"],
        output_dir=folder / "reward",
        learning_rate=3e-3,
        num_train_epochs=6.0,
        per_device_train_batch_size=8,
        max_length=64,
        device="cpu",
        dtype="float32",
    )
    result = reward.main(config)
    assert result["metrics"]["accuracy"] == 1.0
    assert "choices.db" in (folder / "reward" / "README.md").read_text(encoding="utf-8")


def test_two_people_and_two_windows_at_once(serve, visit, tmp_path):
    pairs(tmp_path, 24)
    server = serve("pairs.jsonl", "--annotators", "kim,lee", "--overlap", "0.5", "--repeat", "0")
    kim, lee = visit(server.links["kim"]), visit(server.links["lee"])
    again = kim.context.new_page()
    again.goto(server.links["kim"].split("?")[0])
    assert shown(kim) == shown(again)  # both windows show kim the same pair
    press(kim, "1")
    shown(again)
    again.keyboard.press("2")
    again.wait_for_function("() => document.getElementById('said').textContent.includes('another window')")
    again.close()
    for page in (kim, lee):
        shown(page)
    for _ in range(5):
        press(kim, better(kim))
        press(lee, better(lee))
    store = Store(tmp_path / "choices.db")
    kept = store.kept()
    assert len([one for one in kept if one.annotator == "kim"]) == 6
    assert len([one for one in kept if one.annotator == "lee"]) == 5
    assert "kim" in kim.inner_text(".top")
    kim.goto(server.links["lee"])  # now this browser is lee's
    assert "lee" in kim.inner_text(".top")
    store.close()


def test_a_killed_server_loses_nothing_that_was_acknowledged(serve, visit, tmp_path, until):
    pairs(tmp_path, 40)
    server = serve("pairs.jsonl", "--repeat", "0")
    page = visit(server.links["owner"])
    shown(page)
    for _ in range(7):
        press(page, better(page))
    server.kill()
    page.keyboard.press("1")  # into the void
    page.wait_for_selector("#banner:not([hidden])")
    assert "Nothing is lost" in page.inner_text("#banner")
    page.keyboard.press("2")  # while the first is on its way nothing else counts
    server.start()
    page.wait_for_function("() => document.getElementById('done').innerText.startsWith('8')")
    until(lambda: page.is_hidden("#banner"))
    press(page, better(page))
    store = Store(tmp_path / "choices.db")
    assert len(store.kept()) == 9
    store.close()
    with sqlite3.connect(tmp_path / "choices.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_click_whose_reply_was_lost_counts_once(serve, visit, tmp_path):
    pairs(tmp_path, 10)
    page = visit(serve("pairs.jsonl", "--repeat", "0").links["owner"])
    shown(page)
    lost = []

    def lose(route):
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch())  # the server kept it …
            route.abort()  # … and the page never heard

    page.route("**/api/choose", lose)
    press(page, "1")
    assert lost[0].json()["outcome"] == "kept"
    assert page.inner_text("#done").startswith("1 ")
    store = Store(tmp_path / "choices.db")
    assert len(store.kept()) == 1
    store.close()


DIRECTIONS = """() => [...document.querySelectorAll('.answer .text p')].map(
    p => getComputedStyle(p).textAlign + getComputedStyle(p).unicodeBidi)"""
HEIGHTS = "() => ['left', 'right'].map(i => document.getElementById(i).getBoundingClientRect().bottom)"
SEND = """([key, code, repeat]) =>
    document.body.dispatchEvent(new KeyboardEvent('keydown', {key, code, repeat, bubbles: true}))"""
TAKEN = "document.title = 'taken'"
MIXED = [
    ("Say hello.", f"<script>{TAKEN}</script>Hello", f'<img src=x onerror="{TAKEN}">Hi'),
    ("Sort it.", "```python\ndef f(x):\n    return sorted(x)  # done\n```", "Use `sorted`.\n\n" + "A long way. " * 400),
    ("ما هي عاصمة فرنسا؟", "عاصمة فرنسا هي **باريس**.", "باريس."),
    ("서울의 겨울은?", "춥고 건조합니다.", "[x](javascript:document.title='taken')"),
]


def test_answers_are_read_and_do_nothing(serve, visit, tmp_path):
    rows = [{"prompt": q, "response_a": a, "response_b": b} for q, a, b in MIXED]
    (tmp_path / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = visit(serve("mixed.jsonl", "--repeat", "0").links["owner"])
    seen = set()
    for _ in MIXED:
        asked = shown(page)
        seen.add(asked)
        assert "taken" not in page.title()
        assert page.locator(".text :is(script, img, iframe, style)").count() == 0
        if "فرنسا" in asked:
            directions = page.evaluate(DIRECTIONS)
            assert directions == ["startplaintext"] * 2
        if asked == "Sort it.":
            assert page.locator("pre .k").first.inner_text() == "def"
            heights = page.evaluate(HEIGHTS)
            assert max(heights) < 800  # both in sight, the long one scrolls inside
        press(page, "0")
    assert seen == {q for q, _, _ in MIXED}


def test_a_phone_reasons_and_notes(serve, visit, tmp_path):
    pairs(tmp_path, 12)
    server = serve("pairs.jsonl", "--lang", "ko", "--repeat", "0")
    page = visit(server.links["owner"], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    shown(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "어느 답변이" in page.inner_text("h1")
    boxes = [page.locator(f"[data-side={side}]").bounding_box() for side in ("left", "tie", "right")]
    assert all(box["height"] >= 44 and box["y"] + box["height"] <= 844 for box in boxes)
    page.tap(".why summary")
    page.tap(".tags label:first-of-type")
    page.fill("#note", "ㅅ 1 2 0 s u")  # typing is no choosing
    assert page.inner_text("#done").startswith("0")
    page.tap("[data-side=right]")
    page.wait_for_function("() => document.getElementById('done').innerText.startsWith('1')")
    store = Store(tmp_path / "choices.db")
    (kept,) = store.kept()
    assert (kept.tags, kept.note) == (("correct",), "ㅅ 1 2 0 s u")
    store.close()


def test_letters_work_under_a_korean_layout_and_holding_a_key_is_one_choice(serve, visit, tmp_path):
    pairs(tmp_path, 12)
    page = visit(serve("pairs.jsonl", "--repeat", "0").links["owner"])
    shown(page)
    page.evaluate(SEND, ["ㄴ", "KeyS", False])
    page.wait_for_function("() => document.getElementById('done').innerText.startsWith('1')")
    for _ in range(5):
        page.evaluate(SEND, ["1", "Digit1", True])
    page.wait_for_timeout(300)
    assert page.inner_text("#done").startswith("1 ")
    page.keyboard.press("Control+1")
    page.wait_for_timeout(200)
    assert page.inner_text("#done").startswith("1 ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(serve, visit, tmp_path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    rows = [{"prompt": q, "response_a": a, "response_b": b, "model_a": "m", "model_b": "n"} for q, a, b in MIXED]
    (tmp_path / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    server = serve("mixed.jsonl", "--lang", "en" if scheme == "light" else "ko", "--annotators", "kim")
    page = visit(server.links["owner"], color_scheme=scheme)
    home, faults = server.links["owner"].split("?")[0], []
    for path in ("", "guideline", "people", "results", "nowhere"):
        page.goto(home + path)
        if path == "":
            for _ in range(len(MIXED)):
                shown(page)
                faults += _serious(axe, page, path)
                press(page, "1")
        faults += _serious(axe, page, path)
    assert faults == []


def _serious(axe, page, path):
    # run as the page's own script would be refused by its policy; axe-playwright injects through the debugger
    found = axe.run(page).response["violations"]
    return [
        f"/{path} {fault['id']}: {node['html'][:120]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]


def test_the_link_is_the_only_way_in(serve, visit, tmp_path):
    pairs(tmp_path, 3)
    server = serve("pairs.jsonl")
    page = visit(server.links["owner"].split("?")[0])
    assert "403" in page.inner_text("body")
    assert "token" in page.inner_text("body")
    page = visit(server.links["owner"])
    shown(page)
    cookie = next(one for one in page.context.cookies() if one["name"].startswith("baro-"))
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert re.search(r"\d+ choices in choices.db", server.stop())
