"""When two sides are taken to compute the same, what is told of their rounds, and sides that end too soon."""

import importlib.util
import subprocess
import sys

import pytest

from bench import compare, tasks
from bench.compare import FailedError, Side, agree, same_lengths


class Known(Side):
    """A side without a process that answers what it is told to."""

    def __init__(self, name: str, answer: dict | None = None, rounds: list | None = None) -> None:
        super().__init__(name, None, rounds or [])
        self.answer = answer

    def ask(self, what: str) -> dict:
        return self.answer


def sides(*checks: list, exact: bool = False) -> list[Side]:
    return [Known(f"side {n}", {"check": list(check), "exact": exact}) for n, check in enumerate(checks)]


def test_sides_agree_within_the_tolerance():
    assert agree(sides([2.0, 0.5], [2.003, 0.4995], [1.997, 0.5])) == [2.0, 0.5]
    assert agree(sides([7, 9, 1], [7, 9, 1], exact=True)) == [7, 9, 1]
    assert agree(sides([0.0], [1e-9])) == [0.0]


@pytest.mark.parametrize(
    ("ours", "theirs", "exact"),
    [
        ([2.0, 0.5], [2.0, 0.502], False),
        ([2.0], [2.0, 0.5], False),
        ([2.0, 0.5], [2.0], False),
        ([2.0], [float("nan")], False),
        ([0.0], [1e-6], False),
        ([7, 9], [7, 8], True),
        ([1000], [1001], True),
    ],
)
def test_sides_that_differ_are_named_with_their_figures(ours, theirs, exact):
    with pytest.raises(FailedError, match=r"side 0 \[.*side 1 \["):
        agree(sides(ours, theirs, exact=exact))
    with pytest.raises(FailedError, match="side 2"):
        agree(sides(ours, ours, theirs, exact=exact))


def answered(length: float, rounds: int = 2) -> list[dict]:
    return [{"seconds": 1.0, "units": 32, "length": length}] * rounds


def test_answers_may_differ_in_length_by_chance_alone():
    allowed = 4 * tasks.GENERATED / 3 * (2 / 64) ** 0.5  # two rounds of 32 answers
    near, far = (Known("trl", rounds=answered(70 + part * allowed)) for part in (0.99, 1.01))
    ours = Known("baro", rounds=answered(70))
    same_lengths("rloo", [ours, near])
    with pytest.raises(FailedError, match=r"answers of 70.0 tokens by baro, of .* by trl"):
        same_lengths("rloo", [ours, far])
    with pytest.raises(FailedError):
        same_lengths("rloo", [far, ours])
    same_lengths("sft", [ours, far])  # whose answers are given


def test_more_rounds_leave_less_to_chance():
    few, many = ([Known("baro", rounds=answered(70, n)), Known("trl", rounds=answered(85, n))] for n in (2, 200))
    same_lengths("grpo", few)
    with pytest.raises(FailedError):
        same_lengths("grpo", many)


def test_a_summary_is_the_median_rate_and_its_spread():
    turns = [(2.0, 100, 10.0), (1.0, 100, 20.0), (4.0, 100, 60.0)]
    side = Known("baro", rounds=[{"seconds": s, "units": u, "length": n} for s, u, n in turns])
    assert side.summary() == {"median": 50.0, "spread": 1.5, "rates": [25.0, 50.0, 100.0], "length": 30.0}
    slower = [{"seconds": 2 * turn["seconds"], "units": turn["units"]} for turn in side.rounds]
    assert Known("trl", rounds=slower).summary()["median"] == 25.0
    assert Known("trl", rounds=slower).summary()["spread"] == 1.5
    assert Known("trl", rounds=slower).summary()["length"] == 0.0


@pytest.fixture
def talking(tmp_path):
    """(code) → a side whose process runs it."""
    made = []

    def start(code: str) -> Side:
        log = (tmp_path / "log").open("w+")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, "text": True}
        process = subprocess.Popen([sys.executable, "-S", "-c", code], **pipes)
        process.log = log
        made.append(Side("trl", process, []))
        return made[-1]

    yield start
    for side in made:
        compare.stop(side)


def test_a_side_answers_line_by_line(talking):
    side = talking("print('{}', flush=True)\nfor n in '12': print('{\"got\": \"' + input() + '\"}', flush=True)")
    assert [side.ask(what) for what in ("", "check", "round")] == [{}, {"got": "check"}, {"got": "round"}]


@pytest.mark.parametrize("what", ["", "round"])
def test_a_side_that_ends_says_its_last_words(talking, what):
    side = talking("import sys; sys.exit('out of memory')")
    side.process.wait()
    with pytest.raises(FailedError, match="trl ended: out of memory"):
        side.ask(what)


def test_a_side_that_says_something_else_is_quoted(talking):
    with pytest.raises(FailedError, match="trl said 'Loading weights'"):
        talking("print('Loading weights', flush=True)").ask("")


def test_ppo_needs_its_own_environment_only_where_the_other_side_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "OLD_TRL", tmp_path / "python")
    assert "make bench/.venv-trl-1.8/ready" in compare.unavailable("ppo", ["baro", "trl"])
    assert compare.unavailable("ppo", ["baro"]) == compare.unavailable("sft", ["baro", "trl"]) == ""
    (tmp_path / "python").touch()
    assert compare.unavailable("ppo", ["baro", "trl"]) == ""


@pytest.mark.slow
def test_our_side_alone_is_measured_and_set_beside_the_limit(folder, asked):
    found = compare.compare("generate-4", asked(sides=["baro"], rounds=2), folder)
    side = found["sides"]["baro"]
    assert side["ratio"] == 1.0
    assert len(side["rates"]) == found["rounds"] == 2
    assert len(found["check"]) == 8
    assert 0 < side["share"] < 1
    assert side["peak_bytes"] > 50 * 2**20
    assert 1 <= side["length"] <= tasks.GENERATED


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="TRL is not installed: pip install 'baro[dev]'")
def test_both_sides_train_on_the_same_rows_to_the_same_losses(folder, asked):
    found = [compare.start(side, "sft", asked(), folder) for side in ("baro", "trl")]
    try:
        assert len(agree(found)) == tasks.CHECKED
    finally:
        for side in found:
            compare.stop(side)
