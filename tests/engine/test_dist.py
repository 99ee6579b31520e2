"""Several processes make the update that one makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from toy import train

from baro.engine import checkpoint, dist

HERE = Path(__file__).parent


def test_one_process_changes_nothing(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    dist.start()
    assert (dist.rank(), dist.world(), dist.main_rank()) == (0, 1, True)
    assert dist.share({"x": 1}) == [{"x": 1}]
    assert dist.from_main(3) == 3
    assert dist.mine([1, 2, 3]) == [1, 2, 3]
    assert dist.part(7) == (0, 7)
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    dist.sum_gradients([parameter])
    assert parameter.grad.tolist() == [3.0, 4.0]
    assert dist.gradient_norm([parameter, nn.Parameter(torch.zeros(1))]).item() == 5.0
    dist.barrier()
    dist.stop()


@pytest.mark.invariant("I65")
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [0, 1, 7, 12])
def test_the_parts_are_the_whole(monkeypatch, processes, rows):
    monkeypatch.setattr(dist, "world", lambda: processes)
    consecutive, interleaved, items = [], [], list(range(rows))
    for rank in range(processes):
        monkeypatch.setattr(dist, "rank", lambda rank=rank: rank)
        first, last = dist.part(rows)
        assert last - first in (rows // processes, rows // processes + 1)
        consecutive += items[first:last]
        interleaved += dist.mine(items)
    assert consecutive == items
    assert sorted(interleaved) == items


def test_more_processes_than_gpus_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(dist.ConfigError, match="found 1 GPUs for process 2"):
        dist.start()


SUMS = """
import torch
from torch import nn
from baro.engine import dist
dist.start()
rank = dist.rank()
both, one, none, half = (nn.Parameter(torch.zeros(3, dtype=t)) for t in (torch.float64,) * 3 + (torch.bfloat16,))
both.grad = torch.tensor([1.0, 2.0, float(rank)], dtype=torch.float64)
one.grad = torch.full((3,), 5.0, dtype=torch.float64) if rank else None
half.grad = torch.full((3,), 1.0, dtype=torch.bfloat16)
dist.sum_gradients([both, one, none, half])
assert both.grad.tolist() == [2.0, 4.0, 1.0], both.grad
assert one.grad.tolist() == [5.0, 5.0, 5.0], one.grad
assert none.grad is None
assert half.grad.tolist() == [2.0] * 3 and half.grad.dtype == torch.bfloat16
assert dist.share(rank * 10) == [0, 10]
assert dist.from_main(rank) == 0
assert dist.main_rank() == (rank == 0)
dist.stop()
"""

TRAIN = """
import sys
sys.path.insert(0, sys.argv[2])
import torch
torch.set_num_threads(1)
from pathlib import Path
from toy import train
from baro.engine import dist
dist.start()
def crash(step):
    if step == int(sys.argv[3]):
        raise SystemExit(7)
train(Path(sys.argv[1]), dropout=0.0, crash=crash)
dist.stop()
"""

STOP = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import torch
torch.set_num_threads(1)
from pathlib import Path
from toy import train
from baro.core.signals import Stopped
from baro.engine import dist
dist.start()
def told(step):
    if step == 3 and dist.rank() == 1:
        os.kill(os.getpid(), signal.SIGTERM)
try:
    train(Path(sys.argv[1]), dropout=0.0, crash=told, save_steps=0)
except Stopped as stopped:
    sys.exit(stopped.code)
"""

LEAVE = """
from pathlib import Path
import torch
from torch import nn
from baro.engine import dist
dist.start()
parameter = nn.Parameter(torch.zeros(3))
parameter.grad = torch.ones(3)
dist.sum_gradients([parameter])
torch.optim.AdamW([parameter]).step()
threads = lambda: [file.read_text() for file in Path("/proc/self/task").glob("*/comm") if "gloo" in file.read_text()]
assert threads()
dist.stop()
assert not threads(), threads()
"""

FINISH = """
import sys, time
from baro.engine import dist
from baro.engine.run import Run
append = Run._append
Run._append = lambda *words: time.sleep(0.5) or append(*words)  # a slow disk
dist.start()
with Run(sys.argv[1]) as run:
    run.start(0, more=True)
    run.log(1, {"loss": 1.0})
    run.finish(1)
    assert (run.folder / "metrics.jsonl").read_text().splitlines() == ['{"step": 1, "loss": 1.0}']
dist.stop()
"""


def together(code: str, *arguments: str, processes: int = 2) -> list[int]:
    """Exit codes of `processes` that run `code` as torchrun would start them."""
    port = str(20_000 + os.getpid() % 20_000)
    running = []
    for rank in range(processes):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
        env = os.environ | place | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        running.append(subprocess.Popen([sys.executable, "-c", code, *arguments], env=env))
    return [process.wait(timeout=240) for process in running]


@pytest.mark.slow
def test_sums_over_two_processes():
    assert together(SUMS) == [0, 0]


@pytest.mark.slow
@pytest.mark.invariant("I61", "I66")
def test_a_signal_to_one_process_stops_both_after_the_same_update(tmp_path):
    """It comes after the sums of update 3, so that both hear of it with those of update 4."""
    assert together(STOP, str(tmp_path / "a"), str(HERE)) == [143, 143]
    (saved,) = checkpoint.listing(tmp_path / "a" / "checkpoints")
    assert checkpoint.step_of(saved) == 4
    for name in ("a", "b"):
        assert together(TRAIN, str(tmp_path / name), str(HERE), "0") == [0, 0]
    assert (tmp_path / "a" / "metrics.jsonl").read_bytes() == (tmp_path / "b" / "metrics.jsonl").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="threads are listed in /proc")
def test_no_thread_of_the_group_outlives_it():
    """One that frees a tensor while the interpreter goes aborts the process: now and then, at the end of a long run."""
    assert together(LEAVE) == [0, 0]


@pytest.mark.slow
def test_every_process_finds_all_figures_of_a_finished_run(tmp_path):
    assert together(FINISH, str(tmp_path)) == [0, 0]


@pytest.mark.slow
@pytest.mark.invariant("I4", "I65")
@pytest.mark.incident("T7", "T9")
def test_two_processes_make_the_update_of_one(tmp_path):
    """Unequal rows on the two, a last window with one micro-batch (so that one process has none), clipping."""
    assert together(TRAIN, str(tmp_path / "two"), str(HERE), "0") == [0, 0]
    model, _, _ = train(tmp_path / "one", dropout=0.0)
    weights = checkpoint.load(tmp_path / "two" / "checkpoints" / "step-00000007")["weights"]
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(weights[f"toy.{name}"], parameter.detach(), rtol=1e-10, atol=1e-12)
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    names = ("loss", "grad_norm", "learning_rate", "nats", "count", "eval/weight")
    for mine, theirs in zip(one, two, strict=True):
        for name in set(names) & set(mine):
            assert mine[name] == pytest.approx(theirs[name], rel=1e-10), (mine["step"], name)


@pytest.mark.slow
@pytest.mark.invariant("I61")
def test_two_processes_resume_as_one_run(tmp_path):
    assert together(TRAIN, str(tmp_path / "a"), str(HERE), "4") == [7, 7]
    assert together(TRAIN, str(tmp_path / "a"), str(HERE), "0") == [0, 0]
    assert together(TRAIN, str(tmp_path / "b"), str(HERE), "0") == [0, 0]
    assert (tmp_path / "a" / "metrics.jsonl").read_bytes() == (tmp_path / "b" / "metrics.jsonl").read_bytes()
