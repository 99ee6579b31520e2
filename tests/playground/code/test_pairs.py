"""Pairs: length says nothing, what is held out stays out, and the same seed writes the same bytes."""

import json
from pathlib import Path

import pytest

from baro.core.errors import ConfigError, DataError
from baro.playground.code import export
from baro.playground.code.pairs import ANY, BINS, NEW_FORMS, NEW_HARMS
from baro.playground.code.programs import real

REAL = Path(__file__).parents[4] / "shared" / "data"
SMALL = {"programs": 40, "pairs": 120, "heldout": 40}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    counts = export(folder, **SMALL)
    return folder, counts, {name: rows(folder / f"{name}.jsonl") for name in counts}


def rows(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def gain(row):
    better, worse = (len(row[name][0]["content"]) for name in ("chosen", "rejected"))
    return 2 * (better - worse) / (better + worse)


def test_the_longer_one_is_the_better_half_of_the_time_at_every_difference(made):
    for name in ("preferences", "preferences_heldout", "preferences_new_harms"):
        gains = [gain(row) for row in made[2][name]]
        assert all(gains)
        for low, high in zip((0, *BINS), (*BINS, 2), strict=True):
            inside = [value for value in gains if low < abs(value) <= high]
            assert sum(value > 0 for value in inside) * 2 == len(inside)
        assert sum(value > 0 for value in gains) * 2 == len(gains)


def test_held_out_harms_and_programs_stay_out_of_training(made):
    _, counts, files = made
    assert counts == {
        "text": counts["text"],
        "preferences": 120,
        "preferences_heldout": 40,
        "preferences_new_harms": 40,
    }
    kinds = {name: {k for row in files[name] for k in row["kind"].split("+")} for name in files if name != "text"}
    assert kinds["preferences_new_harms"] <= set(NEW_HARMS)
    assert not kinds["preferences"] & set(NEW_HARMS)
    assert not kinds["preferences_heldout"] & set(NEW_HARMS)
    asked = {name: {row["prompt"][0]["content"] for row in files[name]} for name in kinds}
    assert ANY in asked["preferences"]
    assert not asked["preferences"] & (asked["preferences_heldout"] | asked["preferences_new_harms"])
    assert len(NEW_FORMS) == 2


def test_the_same_seed_writes_the_same_bytes(made, tmp_path):
    export(tmp_path / "same", **SMALL)
    export(tmp_path / "other", **SMALL, seed=1)
    for name in made[1]:
        assert (tmp_path / "same" / f"{name}.jsonl").read_bytes() == (made[0] / f"{name}.jsonl").read_bytes()
        assert (tmp_path / "other" / f"{name}.jsonl").read_bytes() != (made[0] / f"{name}.jsonl").read_bytes()


def test_too_many_pairs_and_a_missing_file_are_one_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="were asked for"):
        export(tmp_path, programs=1, pairs=100, heldout=10)
    with pytest.raises(DataError, match="no programs of mbpp"):
        export(tmp_path, data=tmp_path)


@pytest.mark.skipif(not (REAL / "mbpp").is_dir(), reason="the real programs (MBPP, HumanEval) are not here")
def test_real_programs():
    found = real(REAL)
    assert len(found) > 500
    assert len({program.family for program in found}) == len(found)
    assert all(program.tree and program.task for program in found)
