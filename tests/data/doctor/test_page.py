"""The page: everything found is on it, nothing in it comes from elsewhere, what is learnt is marked."""

import json
import re

from baro.data.doctor.examine import examine
from baro.data.doctor.page import write_page
from baro.data.doctor.registry import Setting

ROWS = [
    {"instruction": f"What is {n} and {n + 1}?", "input": "", "output": f"It is {n + n + 1}, I say."} for n in range(40)
]


def page(tmp_path, rows, tokenizer=None):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    report = examine(tmp_path / "a.jsonl", Setting(tokenizer=tokenizer))
    write_page(report, tmp_path / "page.html", tokenizer)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_findings_in_both_languages_and_nothing_from_elsewhere(tmp_path):
    rows = [*ROWS, ROWS[3], {"instruction": "<script>alert(1)</script>", "input": "", "output": ""}]
    text = page(tmp_path, rows)
    for said in ("exact-duplicate", "똑같은 행", "the same row again", "empty-answer", "빈 답", "오류 1종류"):
        assert said in text
    assert "<script>alert(1)" not in text
    assert re.findall(r'(?:src|href)="(?!https://github\.com/)[^"]*"', text) == []


def test_clean_data_says_so(tmp_path):
    assert "Nothing wrong was found" in page(tmp_path, ROWS)


def test_answers_and_their_end_are_marked_as_learnt(tmp_path, build):
    tokenizer = build("bpe")
    text = page(tmp_path, ROWS, tokenizer)
    first = text[text.index('<div class="tokens') :].split("</div>")[0]
    learnt = "".join(re.findall(r'<span class="l">([^<]*)</span>', first)).replace("&lt;", "<").replace("&gt;", ">")
    seen = "".join(re.findall(r'<span class="s">([^<]*)</span>', first)).replace("&lt;", "<").replace("&gt;", ">")
    assert learnt == ROWS[0]["output"] + "<|end|>"
    assert seen == f"<|bos|><|user|>{ROWS[0]['instruction']}<|assistant|>"


def test_letters_without_a_model(tmp_path):
    first = page(tmp_path, ROWS).split('<div class="tokens letters">')[1].split("</div>")[0]
    assert re.findall(r'<span class="l">([^<]*)</span>', first) == [ROWS[0]["output"] + "\n"]
