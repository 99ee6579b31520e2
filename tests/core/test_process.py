from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from baro.core import process

COUNT = """
import resource, sys, torch
from baro.core.process import tune_allocator
if sys.argv[1] == "tuned": tune_allocator()
for _ in range(20): torch.ones(9_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): torch.ones(9_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_large_tensors_reuse_their_pages():
    faults = {
        name: int(
            subprocess.run([sys.executable, "-c", COUNT, name], capture_output=True, text=True, check=True).stdout
        )
        for name in ("plain", "tuned")
    }
    assert faults["plain"] > 1000, "36 MB mapped anew five times"
    assert faults["tuned"] < 100


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not process.tune_allocator()


def test_threads_are_set_or_left(monkeypatch):
    before = torch.get_num_threads()
    try:
        assert process.choose_threads(1) == 1
        assert torch.get_num_threads() == 1
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert process.tune_process().startswith("threads: OMP_NUM_THREADS; ")
        assert torch.get_num_threads() == 1
        assert process.choose_threads(0) == 1
    finally:
        torch.set_num_threads(before)


def test_a_busy_machine_gets_fewer_threads(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(process.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(process.os, "cpu_count", lambda: 4)
    torch.set_num_threads(4)
    try:
        for load, wanted in ((0.2, 4), (1.1, 3), (2.8, 1), (40.0, 1)):
            monkeypatch.setattr(process.os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
            assert process.idle_cores() == wanted
        assert "load 40.0" in process.tune_process()
        assert torch.get_num_threads() == 1
        assert process.tune_process(2).startswith("threads: as set; ")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_run_taken_up_again_keeps_its_threads_unless_they_are_set(monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(process.os, "getloadavg", lambda: (99.0, 0.0, 0.0))
    try:
        process.choose_threads()
        process.go_on_with(2)
        assert torch.get_num_threads() == 2
        process.choose_threads(1)
        process.go_on_with(2)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
