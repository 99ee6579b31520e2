"""A run killed at any step, in any of the methods, goes on to the same bits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

METHODS = ["pretrain", "sft", "reward", "dpo", "rejection", "ppo", "group", "kto", "online_dpo"]
SAMPLING = ("rejection", "ppo", "group", "online_dpo")


def command(method: str, values: dict, folder: Path) -> list[str]:
    words = [f"{key}={json.dumps(value) if isinstance(value, list) else value}" for key, value in values.items()]
    return [sys.executable, "-m", "baro", method, f"output_dir={folder}", *words]


def start(words: list[str]) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(words: list[str]) -> None:
    process = start(words)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said


def wait_for_line(process: subprocess.Popen, file: Path, lines: int) -> None:
    """Until the run has logged that many updates."""
    for _ in range(6000):
        if file.is_file() and file.read_bytes().count(b"\n") >= lines:
            return
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)
    raise AssertionError("the run did not get that far")


def weights(folder: Path) -> dict[str, bytes]:
    """Every weight file of a finished stage."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("model*.safetensors")}


@pytest.mark.slow
@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
@pytest.mark.parametrize("method", METHODS)
def test_killed_run_resumes_to_the_same_bits(method, settings, tmp_path):
    values = settings(method)
    finish(command(method, values, tmp_path / "whole"))
    broken = tmp_path / "broken"
    process = start(command(method, values, broken))
    wait_for_line(process, broken / "metrics.jsonl", 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / "result.json").exists()
    finish(command(method, values, broken))
    assert weights(broken) == weights(tmp_path / "whole")
    assert weights(broken)
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        logs = [folder / name for folder in (broken, tmp_path / "whole") if (folder / name).exists()]
        assert len({log.read_bytes() for log in logs}) == bool(logs)
        assert len(logs) == 2 or (name == "rollouts.jsonl" and not logs and method not in SAMPLING)


@pytest.mark.slow
@pytest.mark.invariant("I66")
def test_a_polite_stop_saves_and_goes_on(settings, tmp_path):
    values = settings("ppo") | {"save_steps": 0}
    finish(command("ppo", values, tmp_path / "whole"))
    process = start(command("ppo", values, tmp_path / "broken"))
    wait_for_line(process, tmp_path / "broken" / "metrics.jsonl", 3)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert "Traceback" not in said
    finish(command("ppo", values, tmp_path / "broken"))
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")
