"""The page: whole, self-contained, safe against what models write, complete in both languages, the same every time."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import os
import re
import runpy
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest

from baro.pipeline.report import compare, findings, glossary, parts, words
from baro.pipeline.report.build import page, write
from baro.pipeline.report.details import Details
from baro.pipeline.report.markup import MOST_LETTERS, visible

SAMPLE = runpy.run_path(str(Path(__file__).with_name("sample_report.py")))
SOURCE = Path(parts.__file__).parent
DETAILS = SAMPLE["details"]()
LIGHT = dataclasses.replace(DETAILS, curves={})
VOID = {"meta", "input", "br", "link", "img", "hr", "base", "source", "embed"}


class Page(HTMLParser):
    """A page read by the standard library: every element, its attributes, and the elements around every text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict]] = []
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, list[tuple[str, dict]]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len({key for key, _ in attrs}) == len(attrs), f"{tag} repeats an attribute"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1][0] == tag, f"</{tag}> closes <{self.open[-1][0]}>"
        self.open.pop()

    def handle_data(self, data):
        self.texts.append((data, list(self.open)))

    def named(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def within(self, style):
        """Texts inside elements of a class, an element's pieces joined."""
        found: dict[int, str] = {}
        for text, around in self.texts:
            for _, attrs in around:
                if style in (attrs.get("class") or "").split():
                    found[id(attrs)] = found.get(id(attrs), "") + text
        return list(found.values())


@pytest.fixture(scope="module")
def html():
    return page(SAMPLE["report"](), DETAILS)


@pytest.fixture(scope="module")
def read(html):
    return Page(html)


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)></title></style>{{ 7*7 }}<!-- "


def hostile():
    """A report in which everything a user, a file or a model could have written is hostile."""
    report = SAMPLE["report"]() | {"recipe": HOSTILE, "device": HOSTILE, "seed": HOSTILE, "baro": HOSTILE}
    report["models"][HOSTILE] = report["models"]["dpo"] | {
        "alarms": [HOSTILE, {"code": HOSTILE, "en": HOSTILE, "ko": HOSTILE}]
    }
    report["stages"][HOSTILE] = {"seconds": 1.0, "tokens": 1, "peak_bytes": 1, "metrics": {HOSTILE: 1.0}}
    answer = {"text": HOSTILE, "judge": 0.5, "reward": 0.5, "ended": False}
    details = Details(
        command=HOSTILE,
        graph=[(HOSTILE, HOSTILE, []), ("sft", HOSTILE, [HOSTILE])],
        curves={HOSTILE: {HOSTILE: ([0, 1], [1.0, 2.0])}},
        samples=[{"prompt": HOSTILE, "answers": {HOSTILE: answer, "sft": answer}}],
        paths={HOSTILE: [(0, 0.1, 0.2), (1, 0.2, 0.3)]},
        configs={HOSTILE: HOSTILE},
        warnings=[HOSTILE, {"en": HOSTILE, "ko": HOSTILE}],
        datasets={HOSTILE: HOSTILE},
        judge=HOSTILE,
        judge_measures=HOSTILE,
        capability_measures=HOSTILE,
        sampling=HOSTILE,
        correlation=0.5,
        correlations={HOSTILE: 0.4},
    )
    return report, details


# ---------------------------------------------------------------------------------------------------------- the file


def test_write_makes_both_files_and_leaves_nothing_else(tmp_path):
    path = write(tmp_path, SAMPLE["report"](), DETAILS)
    assert path == tmp_path / "report.html"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "report.json"]
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == SAMPLE["report"]()
    assert path.stat().st_size < 400_000


def test_json_holds_no_nan(tmp_path):
    report = SAMPLE["report"]()
    report["models"]["dpo"]["kl"] = math.nan
    report["stages"]["base"]["metrics"]["nats_per_token"] = math.inf
    write(tmp_path, report, LIGHT)
    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    assert not re.search(r"NaN|Infinity", text)
    assert json.loads(text)["models"]["dpo"]["kl"] is None


@pytest.mark.slow
@pytest.mark.invariant("I69")
def test_equal_reports_give_equal_bytes(html):
    assert page(SAMPLE["report"](), DETAILS) == html
    code = (
        "import runpy, sys, hashlib; from baro.pipeline.report.build import page\n"
        f"s = runpy.run_path({str(Path(__file__).with_name('sample_report.py'))!r})\n"
        "print(hashlib.sha256(page(s['report'](), s['details']()).encode()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    assert other.stdout.strip() == hashlib.sha256(html.encode()).hexdigest()


@pytest.mark.slow
def test_a_thousand_hostile_prompts_stay_below_two_megabytes():
    report = SAMPLE["report"]()
    for number in range(6):
        report["models"][f"more_{number}"] = report["models"]["dpo"]
    answer = {"text": "&<\x00" * 20_000, "judge": 0.5, "reward": 1.0, "ended": False}
    sample = {"prompt": "한\x00&" * 20_000, "answers": dict.fromkeys(report["models"], answer)}
    curve = (list(range(50_000)), [math.sin(step / 500) for step in range(50_000)])
    curves = {f"stage {number}": dict.fromkeys("abcdef", curve) for number in range(4)}
    details = dataclasses.replace(DETAILS, samples=[sample] * 1000, curves=curves)
    assert len(page(report, details).encode()) < 2_000_000


# ------------------------------------------------------------------------------------------------------------- whole


@pytest.mark.parametrize("case", ["sample", "hostile", "nulls", "nothing", "folded"])
def test_every_element_is_closed_and_every_reference_kept(case):
    report, details = SAMPLE["report"](), DETAILS
    if case == "hostile":
        report, details = hostile()
    if case == "nulls":
        report, details = nulls(), Details(command="baro run x.yaml")
    if case == "folded":
        details = dataclasses.replace(LIGHT, samples=[*DETAILS.samples, *DETAILS.samples])
    if case == "nothing":
        report, details = report | {"models": {}, "stages": {}}, Details(command="baro run x.yaml")
    html = page(report, details)
    assert html.startswith("<!DOCTYPE html>\n<html lang=")
    read = Page(html)
    ids = [attrs["id"] for _, attrs in read.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r"url\(#([^)]+)\)", html)) | {
        attrs["href"][1:] for _, attrs in read.elements if (attrs.get("href") or "").startswith("#")
    }
    assert wanted <= set(ids)
    assert len(read.named("h1")) == 1


def test_tables_and_pictures_speak_to_a_screen_reader(read):
    assert all(attrs.get("scope") in ("col", "row") for attrs in read.named("th"))
    pictures = [attrs for _, attrs in read.elements if attrs.get("role") == "img"]
    assert len(pictures) == 2 + 1 + 11  # two scatters, the graph of stages, the curves
    for attrs in pictures:
        assert attrs["aria-label"] == attrs["data-label-en"]
        assert re.search("[가-힣]", attrs["data-label-ko"])
    assert all(attrs.get("aria-hidden") == "true" for attrs in read.named("svg"))
    assert all("aria-label" in attrs for attrs in read.named("nav"))


def test_the_page_answers_in_order(html):
    anchors = re.findall(r'<section[^>]* id="(\w+)"', html)
    assert anchors == ["result", "comparison", "frontier", "samples", "run", "curves", "warnings", "settings", "again"]
    assert html.index("DPO won.") < html.index('id="comparison"')


# ---------------------------------------------------------------------------------------------------- self-contained


@pytest.mark.parametrize("case", ["sample", "hostile"])
def test_nothing_is_loaded_from_anywhere(case):
    html = page(*(hostile() if case == "hostile" else (SAMPLE["report"](), DETAILS)))
    read = Page(html)
    assert not {tag for tag, _ in read.elements} & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "video",
        "source",
    }
    for _, attrs in read.elements:
        assert not {"src", "srcset", "action", "poster", "background", "xlink:href"} & set(attrs)
        assert (attrs.get("href") or "#").startswith("#")
        assert all(part.startswith("#") for part in re.findall(r"url\(([^)]*)\)", attrs.get("style") or ""))
    style = "".join(text for text, around in read.texts if around and around[-1][0] == "style")
    assert not re.search(r"url\(|@import|@font-face|https?:|//", style)
    assert not re.search(r"https?://", html)


def test_the_browser_is_told_to_run_this_script_and_load_nothing(read):
    policy = next(attrs["content"] for attrs in read.named("meta") if "http-equiv" in attrs)
    script = "".join(text for text, around in read.texts if around and around[-1][0] == "script")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


# -------------------------------------------------------------------------------------------------------------- safe


def test_whatever_is_written_stays_text():
    read = Page(page(*hostile()))
    assert len(read.named("script")) == 1
    assert len(read.named("style")) == 1
    assert len(read.named("title")) == 1
    assert not any(key.startswith("on") for _, attrs in read.elements for key in attrs)
    assert HOSTILE in read.within("text")
    assert any(text.endswith(HOSTILE) for text in read.within("prompt"))
    assert sum(text.count(HOSTILE) for text, _ in read.texts) > 20
    assert not any("49" in text for text in read.within("text"))  # the template does not look into its values


def test_korean_emoji_and_markup_come_out_as_they_went_in(read):
    texts = read.within("text")
    for answers in SAMPLE["ANSWERS"].values():
        for text, _, _, _ in answers.values():
            assert text in texts or text == ""
    assert "(empty answer)(빈 답변)" in texts


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x1b[31m", "a␀b␛[31m"),
        ("a\x7f\x85b", "a␡\ufffdb"),
        ("one\r\ntwo\rthree\tfour\n", "one\ntwo␍three\tfour\n"),
        ("half \ud83d", "half \ufffd"),
        ("한국어 🍎", "한국어 🍎"),
    ],
)
def test_control_characters_are_made_visible(text, shown):
    assert visible(text) == shown


def test_control_characters_never_reach_the_page(tmp_path):
    report, details = SAMPLE["report"](), LIGHT
    bad = "".join(map(chr, range(32))) + "\x7f\x9b\ud800\u202e"
    report["recipe"] = report["models"]["ppo\x1b\ud800"] = bad
    report["models"]["ppo\x1b\ud800"] = report["models"]["ppo"]
    answers = {"sft": {"text": bad, "judge": None, "reward": None, "ended": True}}
    details = dataclasses.replace(details, samples=[{"prompt": bad, "answers": answers}], configs={"sft": bad})
    text = write(tmp_path, report, details).read_text(encoding="utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert 'dir="auto"' in text  # what turns the direction of writing cannot turn the page


def test_very_long_answers_are_cut_and_say_so():
    answers = {"sft": {"text": "가" * 12_345, "judge": None, "reward": None, "ended": True}}
    samples = [{"prompt": "x", "answers": answers}]
    html = page(SAMPLE["report"](), dataclasses.replace(LIGHT, samples=samples))
    assert f"{12_345 - MOST_LETTERS:,} more characters" in html
    assert "가" * MOST_LETTERS in html
    assert "가" * (MOST_LETTERS + 1) not in html


# ---------------------------------------------------------------------------------------------------- both languages

TABLES = {
    "FINDINGS": words.FINDINGS,
    "PAGE": words.PAGE,
    **{key: getattr(glossary, key) for key in ("NAMES", "SHORT", "METRICS", "UNITS", "MEANINGS", "ALARMS")},
    **{key: getattr(glossary, key) for key in ("ALARM_MEANINGS", "FIGURES", "NUMBERED")},
}
SAME = {"DPO", "PPO", "RLOO", "GRPO", "KTO", "SFT", "Distinct‑2", "dis-\ntinct-2", "{value} pp", "KL\nnats"}


@pytest.mark.parametrize("table", TABLES)
def test_every_word_has_both_languages(table):
    for key, text in TABLES[table].items():
        assert set(text) == {"en", "ko"}, key
        fields = [sorted(field for _, field, _, _ in Formatter().parse(text[lang]) if field) for lang in ("en", "ko")]
        assert fields[0] == fields[1], key
        if text["en"] not in SAME:
            assert re.search("[가-힣]", text["ko"]), key
            assert not re.search("[가-힣]", text["en"]), key


def test_no_word_is_left_over():
    used = "".join(file.read_text(encoding="utf-8") for file in SOURCE.iterdir() if file.suffix in (".py", ".j2"))
    used = used.replace(Path(words.__file__).read_text(encoding="utf-8"), "")
    made = {f"chart_frontier_{key}" for key in ("judge", "reward")} | {f"axis_{key}" for key in ("judge", "reward")}
    shown = {*parts.COLUMNS, *compare.COLUMNS}
    made |= {f"terminal_{key}" for key in shown} | {f"nav_{key}" for key in ANCHORS}
    for key in (*words.PAGE, *words.FINDINGS):
        assert f'"{key}"' in used or f"page.{key}" in used or key in made, key
    assert set(glossary.UNITS) == set(glossary.MEANINGS) == shown
    assert set(glossary.ALARMS) == set(glossary.ALARM_MEANINGS)
    assert set(glossary.ALARMS) >= findings.HACKING_ALARMS


ANCHORS = ("result", "frontier", "health", "samples", "run", "curves", "warnings", "settings", "again")
# What stands outside the two languages because it is the same in both, or is nobody's words but the user's.
NEUTRAL = {*SAME, "Distinct‑", "baro", "English", "한국어", "playground-small", "cpu", "MiB", "GiB"}


def test_the_switch_swaps_every_word(read):
    quoted = {"text", "prompt", "method", "graph"}
    stray = []
    for text, around in read.texts:
        tags = {tag for tag, _ in around}
        styles = {style for _, attrs in around for style in (attrs.get("class") or "").split()}
        if tags & {"script", "style", "pre", "title", "dt"} or styles & {"en", "ko"} or styles & quoted:
            continue
        stray += [word for word in re.findall(r"[A-Za-z가-힣‑-]{2,}", text) if word not in NEUTRAL]
    instructions = "alpaca: instruction, input, output → 11,823 conversations"
    assert [word for word in stray if word not in instructions] == ["documents"]  # a count of the user's own function


def test_as_many_english_as_korean_texts(html):
    assert html.count('class="en"') == html.count('class="ko"') > 150
    for kind in ("tip", "label"):
        assert html.count(f"data-{kind}-en=") == html.count(f"data-{kind}-ko=") > 5


# ------------------------------------------------------------------------------------------------------------- nulls


def nulls():
    report = SAMPLE["report"]()
    for model, values in report["models"].items():
        report["models"][model] = dict.fromkeys(values)
    for stage in report["stages"].values():
        stage.update(seconds=None, tokens=None, peak_bytes=None, metrics={"nats_per_token": None})
    return report


def test_nothing_measured_is_said_and_never_shown_as_a_number():
    read = Page(page(nulls(), Details(command="baro run x.yaml")))
    text = " ".join(text for text, around in read.texts if not {"script", "style"} & {tag for tag, _ in around})
    assert "No winner can be named" in text
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b", text)


def test_a_single_missing_figure_is_a_dash_for_the_eye_and_a_word_for_the_ear(html):
    row = html[html.index("What each number means") - 20_000 :]
    assert '<span class="dim">–<span class="hidden"><span class="en" lang="en">not measured</span>' in row


def test_overlapping_intervals_are_said_on_the_page():
    report = SAMPLE["report"]()
    report["models"]["ppo"].update(judge=0.90, judge_low=0.88, judge_high=0.92)
    html = page(report, LIGHT)
    assert "DPO, PPO lead; this run cannot tell them apart." in html
    assert html.count('class="leader"') == 2


def test_more_alarms_than_we_know_are_shown_as_they_are():
    report = SAMPLE["report"]()
    report["models"]["ppo"]["alarms"] = ["something_new"]
    html = page(report, LIGHT)
    assert "something new" in html
    assert "An alarm of the run’s monitors" in html


# ----------------------------------------------------------------------------------------------------------- browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def dump(file: Path, profile: Path) -> str:
    """The page as it stands after its script has run."""
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={profile}"]
    done = subprocess.run([*command, "--lang=en-US", "--dump-dom", file.as_uri()], capture_output=True, timeout=60)
    return done.stdout.decode()


@browser
@pytest.mark.slow
def test_the_switch_works_and_is_remembered(tmp_path):
    file = write(tmp_path, SAMPLE["report"](), DETAILS)
    html = file.read_text(encoding="utf-8")
    seen = dump(file, tmp_path / "profile")
    assert '<html lang="en" data-language="en"' in seen
    assert ">Report: playground-small</title>" in seen

    # Clicks need further scripts, which the page's own policy would (rightly) refuse.
    before = "<script>localStorage.setItem('baro-report-language', 'ko')</script>"
    after = """<script>addEventListener('load', () => {
        const note = (key, value) => document.body.setAttribute('data-' + key, value);
        const press = (language) => document.querySelector(`[data-set-language=${language}]`).click();
        note('opened', document.documentElement.lang);
        press('en');
        note('pressed', document.documentElement.lang);
        press('ko');
        note('kept', localStorage.getItem('baro-report-language'));
    })</script>"""
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', before, html).replace(
        "</body>", after + "</body>"
    )
    file.write_text(html, encoding="utf-8")
    seen = dump(file, tmp_path / "profile")
    assert '<body data-opened="ko" data-pressed="en" data-kept="ko">' in seen
    assert '<html lang="ko" data-language="ko"' in seen
    assert ">보고서: playground-small</title>" in seen
    assert re.search(r'<button[^>]*data-set-language="ko"[^>]*aria-pressed="true"', seen)
    labels = re.findall(r'role="img" aria-label="([^"]*)"', seen)
    assert len(labels) > 10
    assert all(re.search("[가-힣]", label) for label in labels)


@browser
@pytest.mark.slow
def test_the_policy_keeps_foreign_scripts_out(tmp_path):
    file = write(tmp_path, SAMPLE["report"](), LIGHT)
    foreign = "<script>document.body.id = 'taken'</script></body>"
    file.write_text(file.read_text(encoding="utf-8").replace("</body>", foreign), encoding="utf-8")
    seen = dump(file, tmp_path / "profile")
    assert "DPO won." in seen
    assert 'id="taken"' not in seen
