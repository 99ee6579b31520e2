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
        assert process.tune_process() == 1
        assert process.choose_threads(0) == 1
    finally:
        torch.set_num_threads(before)
