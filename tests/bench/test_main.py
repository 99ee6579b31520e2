"""`python -m bench` as it is typed."""

import importlib
import sys

import pytest

from bench import growth
from bench.compare import FailedError

command = importlib.import_module("bench.__main__")


@pytest.fixture
def run(monkeypatch):
    """(words) → works that failed; what would be measured is noted in `run.done`."""
    done: list[str] = []
    monkeypatch.setattr(command.tasks, "write", lambda *_: None)
    monkeypatch.setattr(command, "keep", lambda key, found: done.append(key))
    monkeypatch.setattr(command, "show", lambda *_: None)
    monkeypatch.setattr(command, "unavailable", lambda work, sides: "there is none" if work == "ppo" else "")

    def compared(work, *_):
        if work == "dpo":
            raise FailedError("trl ended: out of memory")
        return {}

    monkeypatch.setattr(command, "compare", compared)

    def call(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["bench", *words])
        return command.main()

    call.done = done
    return call


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nosuch"], "unknown work: nosuch; there are sft, reward, dpo,"),
        (["sft", "nosuch", "none"], "unknown work: none, nosuch"),
        (["sft", "--rounds", "0"], "--rounds is at least 1"),
        (["sft", "--size", "7b"], "invalid choice: '7b'"),
        (["sft", "--sides", "verl"], "invalid choice: 'verl'"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(run, capsys, words, told):
    with pytest.raises(SystemExit) as ended:
        run(*words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert run.done == []


def test_a_work_that_fails_stops_no_other_and_is_counted(run, capsys):
    assert run("sft", "dpo", "ppo", "generate-4") == 1
    assert run.done == ["sft 7m 1 threads", "generate-4 7m 1 threads"]
    said = capsys.readouterr().out
    assert "dpo: trl ended: out of memory" in said
    assert "ppo: left out, there is none" in said


def test_without_a_word_every_work_is_measured(run, monkeypatch):
    monkeypatch.setattr(command, "measure", lambda asked: run.done.append("growth") or True)
    assert run("--size", "60m", "--threads", "2") == 1
    assert run.done[-1] == "growth"
    assert [key.split()[0] for key in run.done[:-1]] == [w for w in command.tasks.UNITS if w not in ("dpo", "ppo")]
    assert all(key.endswith("60m 2 threads") for key in run.done[:-1])


def test_growth_goes_on_along_the_other_axes_and_is_not_drawn_with_a_gap(asked, monkeypatch, capsys):
    kept = []

    def point(side, axis, *_):
        if axis == "batch" and side == "trl":
            raise FailedError("trl ended: out of memory")
        return {"rate": 100.0, "peak_bytes": 1 << 20}

    monkeypatch.setattr(growth, "point", point)
    monkeypatch.setattr(growth, "keep", lambda key, found: kept.append((key, found)))
    monkeypatch.setattr(growth, "draw", lambda threads: pytest.fail("drawn with a gap"))
    assert growth.measure(asked()) is False
    assert [key for key, _ in kept] == [f"growth {axis} 1 threads" for axis in ("length", "size", "samples")]
    assert set(kept[0][1]["sides"]["trl"]) == {"64", "256", "1024", "4096"}
    assert "growth by batch: trl ended: out of memory" in capsys.readouterr().out
