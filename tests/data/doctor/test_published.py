"""Published data, where it lies beside the project: the faults its collectors list are found at their rows."""

import time
from pathlib import Path

import pytest

from baro.data.doctor.examine import examine
from baro.data.files import rows_of

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets do not lie beside the project")


def found(*parts):
    return {finding.check: list(finding.rows) for finding in examine(SHARED.joinpath(*parts)).findings}


def test_songys():
    told = found("songys", "ChatbotData.csv")
    rows = [row.columns for row in rows_of(SHARED / "songys" / "ChatbotData.csv")]
    assert [repr(rows[place]["label"]) for place in told["stray-label"]] == ["'2   '"]
    seen, again = set(), []
    for place, row in enumerate(rows):
        if (row["Q"], row["A"]) in seen:
            again.append(place)
        seen.add((row["Q"], row["A"]))
    assert told["exact-duplicate"] == again
    assert len(again) == 73
    assert {"several-answers", "near-duplicate"} <= told.keys()


def test_gpteacher():
    assert found("gpteacher", "roleplay.json.gz")["placeholder"] == [1435, 1957, 1959]
    assert found("gpteacher", "toolformer.json.gz")["extra-key"] == [1486]


@pytest.mark.incident("T18")
def test_hh_rlhf():
    told = found("hh_rlhf", "harmless_base_1800.jsonl.gz")
    assert told["empty-answer"] == [86, 516, 925, 1103]
    assert told["prompts-differ"] == [1254, 1688]


def test_windows_line_ends_in_code():
    told = found("mbpp", "mbpp.jsonl.gz")["carriage-return"]
    rows = [row.columns for row in rows_of(SHARED / "mbpp" / "mbpp.jsonl.gz")]
    assert told == [place for place, row in enumerate(rows) if "\r" in str(row["code"]) + "".join(row["test_list"])]


def test_categories_that_are_null():
    told = found("korean_safety", "square_question_valid.json.gz")
    rows = rows_of(SHARED / "korean_safety" / "square_question_valid.json.gz")
    assert told["null-value"] == [place for place, row in enumerate(rows) if row.columns["category"] is None]
    assert "lopsided-label" in told


def test_gsm8k_holds_nothing_that_stops_a_run():
    report = examine(SHARED / "gsm8k" / "train.jsonl.gz")
    assert report.errors == []
    assert report.files[0].noun == "conversations"


@pytest.mark.slow
def test_150_000_reviews_in_a_minute():
    begin = time.process_time()
    told = found("nsmc", "nsmc_train.tsv.gz")
    assert time.process_time() - begin < 60
    assert {"exact-duplicate", "label-conflict", "near-duplicate"} <= told.keys()
