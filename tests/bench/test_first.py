"""How soon work begins, measured on a small model."""

import pytest

from bench import first


@pytest.mark.slow
def test_the_marks_of_a_first_update_come_in_their_order(folder):
    found = first.tuned(folder)
    times = [found[mark] for mark in (*first.PARTS, "ended")]
    assert times == sorted(times)
    assert times[0] > 0.1
    assert 0.3 < first.imported(folder) < 1
    assert 0 < first.helped() < times[0] + 1


@pytest.mark.slow
def test_a_run_that_fails_is_shown(folder, tmp_path):
    (tmp_path / "model").symlink_to(folder / "model")
    (tmp_path / "dialogues.jsonl").write_text("{}\n")
    with pytest.raises(SystemExit, match=r"(?s)did not come to its end.*error: "):
        first.tuned(tmp_path)
