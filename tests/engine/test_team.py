"""Further processes: how many, when none, and that they end with the first one."""

import os
import signal
import subprocess
import sys
import time

import pytest

from baro.core.process import cores
from baro.engine import team

PAIR = """
import sys, time
from baro.engine import dist, team
team.gather(2, [sys.executable, *sys.argv])
dist.start()
print(dist.share(dist.rank()), flush=True)
{then}
"""


@pytest.fixture
def pair(tmp_path):
    """(what both processes do after they have met) → the first of the two, started."""

    def start(then: str = "") -> subprocess.Popen:
        file = tmp_path / "pair.py"
        file.write_text(PAIR.format(then=then))
        environment = {key: value for key, value in os.environ.items() if key != "WORLD_SIZE"}
        environment |= {"CUDA_VISIBLE_DEVICES": ""}
        return subprocess.Popen([sys.executable, str(file)], env=environment, stdout=subprocess.PIPE, text=True)

    return start


def living(word: str) -> list[str]:
    found = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
    return [line for line in found if word in line]


def test_a_number_is_meant_and_auto_is_one_a_core(monkeypatch):
    assert team.size(3) == 3
    monkeypatch.setattr(team.torch.cuda, "is_available", lambda: False)
    assert team.size("auto") == min(cores(), team.MOST)
    monkeypatch.setattr(team.torch.cuda, "is_available", lambda: True)
    assert team.size("auto") == 1


@pytest.mark.parametrize(("count", "world"), [(1, None), (2, "4")])
def test_one_process_and_torchruns_start_no_other(monkeypatch, count, world):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if world:
        monkeypatch.setenv("WORLD_SIZE", world)
    before = dict(os.environ)
    team.gather(count, ["a command that does not exist"])
    assert dict(os.environ) == before


@pytest.mark.slow
def test_both_meet_and_only_the_first_speaks(pair, tmp_path):
    said, _ = pair().communicate(timeout=60)
    assert said == "[0, 1]\n"
    assert living(str(tmp_path)) == []


@pytest.mark.slow
def test_a_crash_of_the_other_is_told(pair):
    said, _ = pair("if dist.rank() == 1: raise RuntimeError('out of luck')").communicate(timeout=60)
    assert "out of luck" in said


@pytest.mark.slow
def test_the_other_ends_with_a_killed_first(pair, tmp_path):
    first = pair("while True: dist.share(0); time.sleep(0.05)")
    first.stdout.readline()
    assert len(living(str(tmp_path))) == 2
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    deadline = time.monotonic() + 30
    while living(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert living(str(tmp_path)) == []
