"""`baro eval shift`: figures, page and report of a finished run."""

import json

import pytest

from baro.core.errors import ConfigError
from baro.engine.config import load
from baro.pipeline.shift import ShiftSettings, page, shift

CPU = {"device": "cpu", "dtype": "float32"}


@pytest.mark.slow
def test_figures_are_printed_and_written(whole, tmp_path, capsys):
    folder, out = whole[1], tmp_path / "deep" / "shift.json"
    given = {"base": str(folder / "base"), "aligned": str(folder / "sft"), "out": out}
    found = shift(
        load(ShiftSettings, prompts=[folder / "world" / "prompts.jsonl"], max_completion_length=8, **given, **CPU)
    )
    assert json.loads(out.read_text()) == found
    assert found["answers"] == 8
    assert "tokens of 8 greedy answers" in capsys.readouterr().out
    written = out.with_suffix(".html").read_text(encoding="utf-8")
    assert written.count("<article") == len(found["shown"])


@pytest.mark.slow
def test_the_run_measured_the_shift_of_every_model_but_the_base(whole):
    report = json.loads((whole[1] / "report.json").read_text())
    assert set(report["shift"]) == {"sft", "dpo", "rejection", "ppo"}
    for row in report["shift"].values():
        assert row["unshifted"] + row["marginal"] + row["shifted"] == pytest.approx(1)
    text = (whole[1] / "report.html").read_text(encoding="utf-8")
    assert "What alignment changed" in text
    assert "정렬이 바꾼 것" in text


def test_tokens_of_a_page_are_escaped():
    place = {"unshifted": 1.0, "marginal": 0.0, "shifted": 0.0, "tokens": 1}
    row = {
        "unshifted": 1.0,
        "marginal": 0.0,
        "shifted": 0.0,
        "tokens": 1,
        "answers": 1,
        "by_position": [place],
        "most_shifted": [{"token": "<i>", "shifted": 1, "count": 2}],
        "shown": [{"prompt": "<b>", "tokens": [["<u>", 7]]}],
    }
    written = page({"sft": row})
    assert "&lt;i&gt;" in written
    assert "&lt;b&gt;" in written
    assert "&lt;u&gt;" in written
    assert "<u>" not in written
    assert "100.0 / 0.0 / 0.0 %" in written


def test_a_path_that_is_no_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match="base"):
        load(ShiftSettings, base=str(tmp_path / "none"), aligned=str(tmp_path), prompts=[tmp_path])
