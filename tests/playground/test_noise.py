"""Planted noise: as much as was asked for, of the kinds that are named, and seen as such by the world's judge."""

import json
from collections import Counter

import pytest

from baro.core.errors import ConfigError
from baro.playground.files import export
from baro.playground.noise import export_noisy

SMALL = {"people": 20, "instructions": 900, "preferences": 100, "prompts": 200, "eval_prompts": 60}


@pytest.fixture(scope="module", params=["en", "ko"])
def noisy(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    counts = export_noisy(folder, lang=request.param, rows=800, documents=500, labelled=100, **SMALL)
    assert counts == {"instruct_noisy": 800, "labelled_instruct": 100, "text_noisy": 500, "labelled_text": 100}
    return request.param, {name: _rows(folder / f"{name}.jsonl") for name in counts}, folder


def _rows(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_shares_are_those_asked_for(noisy):
    kinds = Counter(row["planted"] for row in noisy[1]["instruct_noisy"])
    assert set(kinds) == {"", "wrong", "rude", "rambling"}
    assert kinds[""] / 800 == pytest.approx(0.7, abs=0.05)
    texts = Counter(row["planted"] for row in noisy[1]["text_noisy"])
    assert set(texts) == {"", "notice", "scrambled", "repeated", "broken"}
    assert texts[""] / 500 == pytest.approx(0.5, abs=0.07)


def test_held_out_prompts_are_not_among_the_rows(noisy, tmp_path):
    lang, files, _ = noisy
    export(tmp_path, lang=lang, documents=100, **SMALL)
    held_out = {row["prompt"][0]["content"] for row in _rows(tmp_path / "prompts_heldout.jsonl")}
    asked = {f"{row['instruction']}\n{row['input']}".strip() for row in files["instruct_noisy"]}
    assert not asked & held_out
    trained = [row["instruction"] for row in _rows(tmp_path / "instruct.jsonl")]
    assert [row["instruction"] for row in files["instruct_noisy"]] == trained[:800]


def test_labels_err_once_in_twenty_and_do_not_tell_what_was_planted(noisy):
    for name in ("labelled_instruct", "labelled_text"):
        rows = noisy[1][name]
        assert all("planted" not in row and row["label"] in (0, 1) for row in rows)
        assert 0.3 < sum(row["label"] for row in rows) / len(rows) < 0.7


def test_the_same_arguments_give_the_same_files(noisy, tmp_path):
    export_noisy(tmp_path, lang=noisy[0], rows=800, documents=500, labelled=100, **SMALL)
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (noisy[2] / file.name).read_bytes()


def test_more_rows_than_there_are_tasks_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="rows=800 of 700"):
        export_noisy(tmp_path, rows=800, **SMALL | {"instructions": 700})
