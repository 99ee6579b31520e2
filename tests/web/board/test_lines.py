"""Files that grow while they are read, and curves with fewer points."""

import json
import os
import time

import numpy as np
import pytest

from baro.web.board import lines
from baro.web.board.lines import Figures, tail
from baro.web.board.thin import smoothed, thinned


def write(path, rows, mode="a"):
    with path.open(mode) as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def test_only_what_is_new_is_read_and_half_a_line_waits(tmp_path):
    path = tmp_path / "metrics.jsonl"
    figures = Figures(path)
    figures.refresh()
    assert figures.curve("loss", points=10, smooth=0) is None
    write(path, [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "kl": 0.5}])
    figures.refresh()
    seen = figures.version
    with path.open("a") as file:
        file.write('{"step": 3, "lo')
    figures.refresh()
    assert figures.version == seen
    assert not figures.behind
    with path.open("a") as file:
        file.write('ss": 1.0}\n')
    figures.refresh()
    assert figures.version != seen
    assert figures.curve("loss", points=10, smooth=0) == {"x": [1, 2, 3], "y": [3, 2, 1]}
    assert figures.curve("kl", points=10, smooth=0) == {"x": [2], "y": [0.5]}


def test_a_file_that_was_cut_back_or_replaced_is_read_anew(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [{"step": n, "loss": n} for n in range(5)])
    figures = Figures(path)
    figures.refresh()
    other = tmp_path / "draft"
    write(other, [{"step": 9, "loss": 9}, *({"step": n, "loss": 0} for n in range(10, 20))])
    os.replace(other, path)  # as a resumed run does
    figures.refresh()
    assert figures.curve("loss", points=50, smooth=0)["x"][0] == 9
    path.write_text('{"step": 1, "loss": 4}\n')
    figures.refresh()
    assert figures.curve("loss", points=9, smooth=0) == {"x": [1], "y": [4]}


def test_lines_that_are_no_figures_are_passed_over(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'nonsense\n[1]\n{"loss": 1}\n{"step": "x"}\n\xff\xfe\n{"step": 1, "loss": null, "text": "a"}\n')
    write(path, [{"step": 2, "loss": 5}])
    figures = Figures(path)
    figures.refresh()
    assert figures.curve("loss", points=9, smooth=0) == {"x": [2], "y": [5]}


def test_a_long_file_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "CHUNK", 1000)
    path = tmp_path / "metrics.jsonl"
    write(path, [{"step": n, "loss": n} for n in range(200)])
    figures, looks = Figures(path), 0
    while looks == 0 or figures.behind:
        figures.refresh()
        looks += 1
    assert 4 < looks < 10
    assert figures.curve("loss", points=1000, smooth=0)["x"] == list(range(200))


@pytest.mark.parametrize("count", [5, 100, 601, 12_345])
def test_thinning_keeps_ends_and_extremes(count):
    y = np.random.default_rng(0).normal(size=count)
    y[count // 3], y[count // 2] = 50, -50
    x, kept = thinned(np.arange(count) * 2.0, y, 100)
    assert len(kept) <= 103
    assert (kept[0], kept[-1]) == (y[0], y[-1])
    assert (kept.max(), kept.min()) == (50, -50)
    assert (np.diff(x) > 0).all()
    assert (y[(x / 2).astype(int)] == kept).all(), "points of the curve itself"


def test_few_points_stay_as_they_are():
    x, y = np.arange(7.0), np.arange(7.0)[::-1]
    assert all(np.array_equal(a, b) for a, b in zip(thinned(x, y, 7), (x, y), strict=True))


def test_smoothing_keeps_a_constant_and_lowers_the_noise():
    assert smoothed(np.full(50, 3.0), 0.9) == pytest.approx(np.full(50, 3.0))
    noise = np.random.default_rng(0).normal(size=20_000)
    # variance of an exponential mean of independent values: (1 - w) / (1 + w)
    assert smoothed(noise, 0.9)[500:].var() == pytest.approx(0.1 / 1.9, rel=0.1)
    assert smoothed(noise, 0.9)[0] == pytest.approx(noise[0])
    assert smoothed(noise, 0) is noise


def test_the_tail_is_read_from_the_end(tmp_path):
    path = tmp_path / "a.jsonl"
    write(path, [{"step": n} for n in range(1000)])
    assert [row["step"] for row in tail(path, 3)] == [997, 998, 999]
    assert [row["step"] for row in tail(path, 900, most=100)][-1] == 999
    assert len(tail(path, 900, most=100)) < 10
    assert tail(tmp_path / "none", 3) == []


def test_a_long_run_is_read_and_thinned_in_moments(tmp_path):
    path = tmp_path / "metrics.jsonl"
    row = {f"figure/{n}": 0.123456789 * n for n in range(12)}
    path.write_text("".join(json.dumps({"step": n, "loss": n % 97, **row}) + "\n" for n in range(20_000)))
    figures = Figures(path)
    began = time.process_time()
    while not len(figures.steps) or figures.behind:
        figures.refresh()
    read = time.process_time() - began
    began = time.process_time()
    for n in range(6):
        figures.curve(f"figure/{n}", points=600, smooth=0.9)
    assert time.process_time() - began < 0.5
    assert read < 4
    began = time.process_time()
    figures.refresh()
    assert time.process_time() - began < 0.01, "nothing new costs nothing"


def test_lines_read_together_are_those_read_one_by_one(tmp_path, monkeypatch):
    draw, path = np.random.default_rng(0), tmp_path / "metrics.jsonl"
    pool = [1, -2.5, None, True, 3e-9, 12]
    for part in range(4):
        rows = [
            {"step": n, "fixed": n / 3, "rows": ["a:1"], "text": "2026-01-01"} for n in range(part * 9, part * 9 + 9)
        ]
        for row in rows:
            row |= {f"k{key}": pool[draw.integers(len(pool))] for key in range(part + 2) if draw.random() < 0.7}
        write(path, rows)
        if part == 2:
            write(path, [{"step": 27, "k1": "not a number"}, {"no": "step"}])
    found = Figures(path)
    found.refresh()
    monkeypatch.setattr(lines, "CHUNK", 700)  # other blocks
    parts = Figures(path)
    parts.refresh()
    while parts.behind:
        parts.refresh()
    monkeypatch.setattr(Figures, "_add_together", lambda *_: False)
    one_by_one = Figures(path)
    one_by_one.refresh()
    while one_by_one.behind:
        one_by_one.refresh()
    for other in (found, parts):
        assert other.steps == one_by_one.steps
        assert other.columns.keys() == one_by_one.columns.keys()
        for key, column in other.columns.items():
            np.testing.assert_array_equal(np.array(column), np.array(one_by_one.columns[key]))
