"""Large files: what is found depends neither on how the rows are cut into stretches nor on who looks at them."""

import json
import tracemalloc

import faults
import numpy as np
import pytest
from faults import FAULTS, spoilt

from baro.data.doctor import duplicates, examine, stretch, tell
from baro.data.doctor.duplicates import Hashes
from baro.data.doctor.registry import Setting

KINDS = ("instruct", "pairs", "text")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return faults.clean(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def files(rows, tmp_path_factory):
    """A file of each kind with all its faults that a row can have, and rows twice, far apart."""
    folder = tmp_path_factory.mktemp("spoilt")
    found = {}
    for kind in KINDS:
        lines = []
        for number, fault in enumerate(each for each in FAULTS if each.of == kind):
            spoilt(rows[kind], fault, folder / "one.jsonl")
            whole = (folder / "one.jsonl").read_bytes().splitlines(keepends=True)
            lines += whole[number % 3 : number % 3 + 30]
        found[kind] = folder / f"{kind}.jsonl"
        found[kind].write_bytes(b"".join(lines))
    (folder / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows["instruct"][:9]))
    return found | {"held": folder / "held.jsonl"}


@pytest.fixture
def report(files, monkeypatch):
    """(kind, rows of a stretch, processes, …) → everything that is found."""

    def look(kind, size, processes=1, alone=2, **setting):
        monkeypatch.setattr(examine, "ROWS", size)
        monkeypatch.setattr(stretch, "ALONE", alone)
        given = Setting(held_out=(files["held"],), **setting)
        found = examine.examine(files[kind], given, processes=processes)
        shown = [(name, where, noun, record) for name, where, noun, record in found.shown]
        return tell.as_json(found), shown, found.files[0].lengths

    return look


@pytest.mark.parametrize("kind", KINDS)
def test_stretches_and_processes_change_nothing(report, kind, build, monkeypatch):
    setting = {"tokenizer": build("bpe"), "tokenised": 30, "sampled": 40, "compared": 300}
    whole = report(kind, 1 << 20, **setting)
    assert len(whole[0]["findings"]) >= 5
    monkeypatch.setattr(duplicates, "HELD", 16)
    assert report(kind, 11, **setting) == whole
    assert report(kind, 11, processes=2, **setting) == whole


def test_every_row_is_looked_at_once_and_letters_end_a_stretch(report, files, monkeypatch):
    monkeypatch.setattr(examine, "LETTERS", 300)
    found, _, _ = report("instruct", 1000, processes=2)
    assert found["files"][0]["rows"] == len(files["instruct"].read_bytes().splitlines())


def test_what_comes_before_damage_is_told(rows, tmp_path, monkeypatch):
    """The packed file breaks off: in the stretches read before, faults are found all the same."""
    import gzip
    import random

    noise = random.Random(0)
    lines = [json.dumps(row | {"seed": f"{noise.getrandbits(4000):x}"}) for row in rows["instruct"][:200]]
    lines[3] = '{"instruction": "Say it.", "input": "", "output": ""}'
    packed = gzip.compress("\n".join(lines).encode())
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(packed[: len(packed) * 3 // 4])
    monkeypatch.setattr(examine, "ROWS", 10)
    monkeypatch.setattr(stretch, "ALONE", 1)
    for processes in (1, 2):
        found = examine.examine(file, Setting(), processes=processes)
        told = {finding.check: list(finding.rows) for finding in found.errors}
        assert told == {"empty-answer": [3], "unreadable-file": []}
        assert 20 < found.files[0].rows < 200


@pytest.mark.parametrize("held", [3, 1 << 20])
def test_groups_of_hashes_are_those_of_a_dictionary(monkeypatch, held):
    monkeypatch.setattr(duplicates, "HELD", held)
    draw = np.random.default_rng(0)
    keys, values = draw.integers(0, 40, 60).tolist(), draw.integers(0, 3, 60).tolist()
    whole, expected = Hashes(), {}
    for start in range(0, 60, 5):
        part = Hashes()
        for place in range(start, start + 5):
            part.add(f"key {keys[place]}", values[place], place)
            expected.setdefault(keys[place], []).append((place, values[place]))
        whole.join(part)
    found = [list(zip(places.tolist(), each.tolist(), strict=True)) for places, each in whole.groups()]
    assert found == [group for group in expected.values() if len(group) > 1]
    assert bool(whole.files) == (held == 3)


@pytest.mark.slow
def test_memory_hardly_grows_with_the_rows(tmp_path, monkeypatch):
    """A few places of four bytes each remain of a row, not its text of 600."""
    monkeypatch.setattr(duplicates, "HELD", 500)
    monkeypatch.setattr(examine, "ROWS", 100)
    peaks = []
    for size in (1500, 6000):
        file = tmp_path / f"{size}.jsonl"
        texts = (f"{n} " + " ".join(f"word{n * k % 991}" for k in range(80)) for n in range(size))
        file.write_text(
            "".join(json.dumps({"instruction": f"Tell {n}.", "output": t}) + "\n" for n, t in enumerate(texts))
        )
        tracemalloc.start()
        examine.examine(file, Setting(compared=200))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 4500 * 60
