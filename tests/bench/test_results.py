"""What is printed of a work and what is written of it."""

import json
import re

import pytest

from bench import results
from bench.table import show

SIDE = {"median": 2400.0, "spread": 0.02, "rates": [2400.0], "length": 0.0, "peak_bytes": 1 << 30}
FOUND = {
    "unit": "tokens",
    "sides": {
        "baro": SIDE | {"ratio": 1.0, "share": 0.5},
        "trl": SIDE | {"median": 12.5, "ratio": 4.0, "share": None, "peak_bytes": 3 << 29},
    },
    "peak_flops": 2e11,
    "load_after": (0.5, 0.4, 0.3),
}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(results, "machine", lambda: "a-machine")
    return tmp_path / "results" / "a-machine.json"


def test_the_machine_is_a_file_name(monkeypatch):
    monkeypatch.undo()
    assert re.fullmatch(r"[a-z0-9_-]+-\d+-cores", results.machine())


def test_works_are_merged_into_the_machines_file_and_a_new_run_replaces_its_own(place):
    assert results.known() == {}
    results.keep("sft 7m 1 threads", FOUND)
    results.keep("dpo 7m 1 threads", {"unit": "pairs"})
    results.keep("dpo 7m 1 threads", {"unit": "pairs", "rounds": 5})
    written = json.loads(place.read_text())
    assert written == results.known()
    assert set(written) == {"sft 7m 1 threads", "dpo 7m 1 threads"}
    assert written["dpo 7m 1 threads"]["rounds"] == 5
    sft = written["sft 7m 1 threads"]
    assert sft["sides"] == json.loads(json.dumps(FOUND["sides"]))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", sft["date"])
    assert {"torch", "python"} <= set(sft)


def test_equal_results_give_equal_bytes(place):
    results.keep("a", FOUND)
    results.keep("b", FOUND)
    first = place.read_bytes()
    place.unlink()
    results.keep("b", FOUND)
    results.keep("a", FOUND)
    assert place.read_bytes() == first


def test_the_table_says_who_how_fast_and_how_near_the_limit(asked, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    show("sft", asked(size="7m", rounds=5), FOUND)
    lines = capsys.readouterr().out.splitlines()
    assert any("sft, 7m, 1 thread(s), 5 rounds" in line for line in lines)
    ours, theirs = ([part.strip() for part in line.split("│")[1:-1]] for line in lines if line.startswith("│"))
    assert ours == ["baro", "2,400", "2%", "1.00×", "50%", "1,024 MiB"]
    assert theirs == ["trl as shipped", "12.50", "2%", "4.00×", "–", "1,536 MiB"]
    assert any("peak 200 GFLOP/s; load of the machine 0.5" in line for line in lines)
