"""Tokens on the disk: the same sequences as in memory, and memory that does not grow with them."""

import json
import tracemalloc

import pytest

from baro.core.errors import BaroError, DataError
from baro.core.types import Sequence
from baro.data import store
from baro.data.packing import pack
from baro.data.read import read_dialogues, read_texts, streamed
from baro.data.store import Store

PLACES = ["a.jsonl:1", "a.jsonl:2", "b/c.jsonl:7", "", "a:b", "a:", "c:007", ":3", "d:-1", "e:٣"]


@pytest.fixture
def sequences() -> list[Sequence]:
    rows = [
        Sequence([7 * n + k for k in range(n + 1)], [k % 3 == 1 for k in range(n + 1)], PLACES[n]) for n in range(10)
    ]
    return [*rows, Sequence([(1 << 31) - 1, 0], [False, True], "a.jsonl:9000000000")]


@pytest.mark.parametrize("at_once", [1, 5, 1 << 20])
def test_what_was_put_in_comes_out(tmp_path, sequences, monkeypatch, at_once):
    monkeypatch.setattr(store, "AT_ONCE", at_once)
    kept = Store(tmp_path, iter(sequences))
    assert len(kept) == len(sequences)
    assert list(kept) == sequences
    assert [kept[n] for n in (3, 0, 10, 3)] == [sequences[n] for n in (3, 0, 10, 3)]
    assert not list(tmp_path.iterdir())  # nothing is left behind, whatever ends the process
    with pytest.raises(IndexError):
        kept[len(sequences)]


def test_a_batch_from_the_disk_is_the_batch_from_memory(tmp_path, sequences):
    kept = Store(tmp_path, sequences)
    ours, theirs = pack([kept[n] for n in range(11)]), pack(sequences)
    assert ours.tokens.equal(theirs.tokens)
    assert ours.learn.equal(theirs.learn)
    assert (ours.count, ours.where, ours.shared) == (theirs.count, theirs.where, theirs.shared)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, sequences):
    with pytest.raises(BaroError, match=r"nowhere: cannot keep tokens here: No such file"):
        Store(tmp_path / "nowhere", sequences)


def test_streamed_rows_are_those_the_reader_holds(tmp_path):
    rows = [{"instruction": f"say {n}", "output": str(n)} for n in range(9)] + [{"instruction": "x", "output": ""}]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"on_bad_row": "skip", "skipped_to": tmp_path / "aside.jsonl"}
    held = read_dialogues(file, **options)
    aside = (tmp_path / "aside.jsonl").read_bytes()
    found = streamed("conversations", file, **options)
    assert list(found) == list(found) == held.rows
    assert len(found) == 9
    assert found.description == held.description
    assert (tmp_path / "aside.jsonl").read_bytes() == aside
    assert list(streamed("conversations", file, max_samples=4)) == held.rows[:4]
    with pytest.raises(DataError, match=r"rows\.jsonl:10"):
        streamed("conversations", file)


def test_nothing_is_left_aside_where_nothing_is_wrong(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a"}\n')
    read_texts(file, on_bad_row="skip", skipped_to=tmp_path / "aside.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "AT_ONCE", 1 << 12)
    peaks = []
    for size in (500, 4000):
        file = tmp_path / f"{size}.jsonl"
        file.write_text("".join(json.dumps({"text": f"{n} " + "word " * 50}) + "\n" for n in range(size)))
        tracemalloc.start()
        rows = streamed("texts", file)
        kept = Store(tmp_path, (Sequence([ord(c) for c in row.text], [True] * len(row.text)) for row in rows))
        total = sum(row.count for row in kept)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert total > size * 250
    assert peaks[1] < 1.5 * peaks[0]
