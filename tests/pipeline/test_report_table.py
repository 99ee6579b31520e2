"""The table on the terminal."""

from __future__ import annotations

import runpy
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from baro.pipeline.report.table import show

SAMPLE = runpy.run_path(str(Path(__file__).with_name("sample_report.py")))


def lines(report, where=None, **options):
    text = StringIO()
    show(report, where, console=Console(file=text, width=100), **options)
    return text.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_one_screen_of_100_columns(language):
    shown = lines(SAMPLE["report"](), Path("runs/first/report.html"), language=language)
    assert len(shown) <= 24
    assert max(cell_len(line) for line in shown) <= 100


def test_best_first_with_intervals():
    shown = lines(SAMPLE["report"]())
    assert shown[0] == "DPO won."
    rows = [line for line in shown if "[" in line and "%" in line]
    assert rows[0].split()[:4] == ["DPO", "0.91", "[0.89,", "0.93]"]
    assert [row.split("  ")[0] for row in rows] == [
        "DPO",
        "PPO",
        "Rejection sampling",
        "Random choice (control) 0.63 [0.60, 0.66] 51% [48, 54]",
        "SFT",
        "PPO without KL !",
        "Base",
    ]


def test_a_line_per_alarm_and_the_place_of_the_page_last():
    shown = lines(SAMPLE["report"](), Path("runs/first/report.html"))
    assert [line.split(" · ")[1].split(":")[0] for line in shown if line.startswith("! ")] == [
        "does not end",
        "less variety",
    ]
    assert any(line.startswith("Reward hacking: PPO without KL") for line in shown)
    assert shown[-1] == "The whole report: runs/first/report.html"


def test_what_nobody_measured_has_no_column():
    report = SAMPLE["report"]()
    for values in report["models"].values():
        values.update(judge=None, judge_low=None, judge_high=None, win_rate=None)
    shown = "\n".join(lines(report))
    assert shown.startswith("No winner can be named: there was no judge.")
    assert "beats SFT" not in shown
    assert "None" not in shown


def test_markup_and_control_characters_of_names_are_only_text():
    report = SAMPLE["report"]()
    report["models"]["[red]x[/red]\x1b[2J"] = report["models"].pop("dpo")
    shown = "\n".join(lines(report))
    assert "[red]x[/red]" in shown.replace("\n", "")
    assert "\x1b" not in shown


def test_no_models():
    assert lines(SAMPLE["report"]() | {"models": {}}) == ["No model was evaluated."]
