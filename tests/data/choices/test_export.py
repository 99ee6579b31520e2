"""Choices as the field's rows, and back; a store read by the readers of data."""

import json
import sqlite3

import pytest

from baro.core.errors import DataError
from baro.data.choices.export import read_in, rows
from baro.data.choices.store import Store
from baro.data.read import read_preferences, read_texts, write_jsonl


@pytest.fixture
def judged(store, pair):
    """Pair 1: kim and lee say a, park b; pair 2: a tie; pair 3: skipped."""
    store.record(pair(1, ("m", "n")), "kim", "a", "c1", left="b", seconds=3.25, tags=["truth"], note="clear")
    store.record(pair(1), "lee", "a", "c2")
    store.record(pair(1), "park", "b", "c3")
    store.record(pair(2), "kim", "tie", "c4")
    store.record(pair(3), "kim", "skip", "c5")
    return store


def test_every_choice_is_a_row(judged):
    found = list(rows(judged))
    assert [row["annotator"] for row in found] == ["kim", "lee", "park"]
    first = found[0]
    assert first["prompt"] == [{"role": "user", "content": "Question 1?"}]
    assert first["chosen"] == [{"role": "assistant", "content": "A 1"}]
    assert first["rejected"] == [{"role": "assistant", "content": "B 1"}]
    assert (first["model_chosen"], first["model_rejected"], first["left"]) == ("m", "n", "rejected")
    assert (first["agreement"], first["annotators"], first["tags"]) == (pytest.approx(2 / 3, abs=1e-4), 3, ["truth"])
    assert "margin" not in first  # a loss would subtract it
    assert found[2]["chosen"] == [{"role": "assistant", "content": "B 1"}]


def test_a_majority_is_a_row_with_its_margin(judged):
    (row,) = rows(judged, per="pair")
    assert row["margin"] == pytest.approx(1 / 3, abs=1e-4)
    assert (row["votes"], row["annotators"], row["agreement"]) == (3, 3, pytest.approx(2 / 3, abs=1e-4))


@pytest.mark.parametrize("per", ["choice", "pair"])
def test_ties_are_left_out_or_written_both_ways(judged, per):
    assert not [row for row in rows(judged, per=per) if row["choice"] == "tie"]
    one, other = [row for row in rows(judged, per=per, ties="keep") if row["choice"] == "tie"]
    assert (one["chosen"], one["rejected"]) == (other["rejected"], other["chosen"])


def test_out_and_in_again_is_the_same(judged, tmp_path):
    write_jsonl(tmp_path / "out.jsonl", list(rows(judged, ties="keep")))
    other = Store(tmp_path / "other.db")
    assert read_in(other, tmp_path / "out.jsonl") == (4, 1)  # a tie's second row is the same choice

    def told(store):
        dropped = {"made"}
        return [{k: v for k, v in row.items() if k not in dropped} for row in rows(store, ties="keep")]

    assert told(other) == told(judged)
    assert read_in(other, tmp_path / "out.jsonl") == (0, 5)
    other.close()


def test_a_row_without_annotator_is_refused(store, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"prompt": "q", "chosen": "a", "rejected": "b"}) + "\n")
    with pytest.raises(DataError, match=r"in.jsonl:1: the row names no annotator"):
        read_in(store, file)


def test_plain_pairs_stay_plain(store, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps({"prompt": "Once ", "chosen": "upon", "rejected": "there", "annotator": "kim"}) + "\n")
    read_in(store, file)
    (row,) = rows(store)
    assert (row["prompt"], row["chosen"], row["rejected"]) == ("Once ", "upon", "there")
    (found,) = read_preferences(store.where).rows
    assert found.plain


def test_the_readers_of_data_read_a_store(judged):
    found = read_preferences(judged.where)
    assert len(found.rows) == 3
    assert found.rows[0].chosen[0].content == "A 1"
    assert "3 preferences" in found.description
    with pytest.raises(DataError, match="text"):
        read_texts(judged.where)


def test_other_databases_are_told_apart_and_left_alone(tmp_path):
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE x (y)")
    before = file.read_bytes()
    with pytest.raises(DataError, match="holds no choices"):
        read_preferences(file)
    assert file.read_bytes() == before
    file.write_text("words")
    with pytest.raises(DataError, match=r"found a \.db file"):
        read_preferences(file)


def test_a_folder_of_data_is_not_read_as_choices(judged, tmp_path):
    write_jsonl(tmp_path / "p.jsonl", [{"prompt": "q", "chosen": "a", "rejected": "b"}])
    assert len(read_preferences(tmp_path).rows) == 1
