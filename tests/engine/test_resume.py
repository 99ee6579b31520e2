"""A run that was interrupted anywhere is the uninterrupted run, bit for bit; a signal ends it in good order."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from toy import Dial, Letters, Toy, stepper, train

from baro.core.errors import CheckpointError, ConfigError
from baro.core.signals import Stopped
from baro.engine import checkpoint, optim
from baro.engine.fit import fit
from baro.engine.run import Run

UPDATES = 7  # of 4 rows; an epoch of 10 rows is 4 + 4 + 2, so edges lie after 3 and 6


class CrashError(Exception):
    pass


def crash_at(step: int):
    def crash(now: int) -> None:
        if now == step:
            raise CrashError

    return crash


def same(one, other) -> None:
    """Weights, moments and step counts of two (model, optimiser, result), to the bit."""
    for a, b in zip(one[0].state_dict().items(), other[0].state_dict().items(), strict=True):
        assert a[0] == b[0]
        assert torch.equal(a[1], b[1]), a[0]
    for a, b in zip(one[0].parameters(), other[0].parameters(), strict=True):
        mine, theirs = one[1].state[a], other[1].state[b]
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def logs(folder: Path) -> bytes:
    return (folder / "metrics.jsonl").read_bytes()


@pytest.fixture
def one_thread():
    """As many threads as the processes these tests start: another number may round differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(folder)


@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
@pytest.mark.parametrize("step", range(1, UPDATES + 1))
def test_resumed_after_a_crash_at_any_step(tmp_path, whole, step):
    """Logging every 2 and evaluating every 3 updates, so that crashes fall inside windows as well; dropout is on."""
    with pytest.raises(CrashError):
        train(tmp_path, crash=crash_at(step))
    random.seed(999)
    torch.manual_seed(999)  # a resume must not depend on what the new process drew before it
    again = train(tmp_path)
    assert again[2].resumed_at == step - 1
    same(again, whole[1])
    assert logs(tmp_path) == logs(whole[0])


@pytest.mark.invariant("I61")
@pytest.mark.parametrize("every", [2, 3, 5])
def test_updates_since_the_last_checkpoint_are_made_again(tmp_path, whole, every):
    with pytest.raises(CrashError):
        train(tmp_path, crash=crash_at(6), save_steps=every)
    again = train(tmp_path, save_steps=every)
    assert again[2].resumed_at == {2: 4, 3: 3, 5: 5}[every]
    same(again, whole[1])
    assert logs(tmp_path) == logs(whole[0])


@pytest.mark.invariant("I61")
def test_resumed_again_and_again(tmp_path, whole):
    for step in (2, 2, 3, 4, 7, 7):
        with pytest.raises(CrashError):
            train(tmp_path, crash=crash_at(step))
    again = train(tmp_path)
    same(again, whole[1])
    assert logs(tmp_path) == logs(whole[0])


@pytest.mark.invariant("I61")
def test_a_finished_run_makes_no_update_and_has_its_weights(tmp_path, whole):
    train(tmp_path)
    again = train(tmp_path, crash=crash_at(7))
    assert again[2].resumed_at == again[2].step == 7
    same(again, whole[1])
    assert logs(tmp_path) == logs(whole[0])


def test_a_finished_run_is_recognised_and_an_unfinished_one_is_not(tmp_path):
    with pytest.raises(CrashError):
        train(tmp_path, crash=crash_at(3))
    with Run(tmp_path) as run:
        assert run.finished is None
    train(tmp_path)
    with Run(tmp_path) as run:
        assert run.finished == {"step": 7}
    with pytest.raises(CrashError):
        train(tmp_path, updates=9, crash=crash_at(9))
    with Run(tmp_path) as run:
        assert run.finished is None


@pytest.mark.invariant("I61")
@pytest.mark.incident("T44")
def test_a_damaged_checkpoint_is_passed_over_and_the_result_is_the_same(tmp_path, whole):
    with pytest.raises(CrashError):
        train(tmp_path, crash=crash_at(6), save_steps=2)
    file = tmp_path / "checkpoints" / "step-00000004" / "tensors.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"step-00000004.*passed over"):
        again = train(tmp_path, save_steps=2)
    assert again[2].resumed_at == 2
    same(again, whole[1])
    assert logs(tmp_path) == logs(whole[0])


@pytest.mark.invariant("I61")
def test_resumed_from_an_earlier_checkpoint_of_its_own(tmp_path, whole):
    train(tmp_path, save_total_limit=None)
    model, adamw = Toy(dropout=0.2), None
    adamw = optim.optimiser({"toy": model}, learning_rate=0.05, weight_decay=0.1)
    start = tmp_path / "checkpoints" / "step-00000003"
    with Run(tmp_path, resume=start, say=lambda text: None) as run:
        result = fit(
            stepper(model, dial := Dial()),
            Letters(updates=UPDATES),
            run,
            modules={"toy": model},
            optimiser=adamw,
            schedule=lambda taken: optim.schedule("cosine", taken, steps=UPDATES, warmup=2),
            extra={"dial": dial},
            max_grad_norm=0.5,
        )
        assert [path.name for path in checkpoint.listing(run.checkpoints)][-1] == "step-00000003"
    assert result.resumed_at == 3
    same((model, adamw, result), whole[1])


@pytest.mark.incident("T45")
def test_a_run_that_does_not_continue_a_folder_does_not_touch_it(tmp_path):
    train(tmp_path / "a")
    train(tmp_path / "b")
    for resume in (False, tmp_path / "a", tmp_path / "a" / "checkpoints" / "step-00000007"):
        with pytest.raises(ConfigError, match="checkpoints of its own"), Run(tmp_path / "b", resume=resume):
            pass
    assert len(list((tmp_path / "b" / "checkpoints").iterdir())) == 2
    with Run(tmp_path / "c", resume=tmp_path / "a") as run:
        assert run.resume_point() == tmp_path / "a" / "checkpoints" / "step-00000007"
    with Run(tmp_path / "d", resume=tmp_path / "nothing") as run, pytest.raises(CheckpointError, match="nothing"):
        run.resume_point()


@pytest.mark.incident("T46")
def test_a_checkpoint_is_called_after_the_updates_that_were_made(tmp_path):
    train(tmp_path, save_steps=3, save_total_limit=None)
    found = checkpoint.listing(tmp_path / "checkpoints")
    assert [path.name for path in found] == ["step-00000003", "step-00000006", "step-00000007"]
    assert [checkpoint.load(path)["updates"]["done"] for path in found] == [3, 6, 7]
    assert [checkpoint.load(path)["position"]["taken"] for path in found] == [3, 6, 7]


def test_another_model_is_refused_with_the_names(tmp_path):
    train(tmp_path)
    model = Toy(tied=True)
    adamw = optim.optimiser({"toy": model}, learning_rate=0.05)
    same_model = Toy()
    other = optim.optimiser({"toy": same_model}, learning_rate=0.05)
    with Run(tmp_path) as run, pytest.raises(CheckpointError, match=r"another model.*toy\.out\.bias"):
        fit(stepper(model), Letters(updates=9), run, modules={"toy": model}, optimiser=adamw, schedule=float)
    with Run(tmp_path) as run, pytest.raises(CheckpointError, match=r"extra.*dial"):
        fit(stepper(same_model), Letters(updates=9), run, modules={"toy": same_model}, optimiser=other, schedule=float)


@pytest.mark.invariant("I68")
@pytest.mark.incident("T47")
def test_tied_weights_are_kept_once_and_stay_tied(tmp_path):
    def go(updates: int):
        model = Toy(tied=True)
        adamw = optim.optimiser({"toy": model}, learning_rate=0.05)
        with Run(tmp_path, say=lambda text: None) as run:
            fit(
                stepper(model),
                Letters(updates=updates),
                run,
                modules={"toy": model},
                optimiser=adamw,
                schedule=lambda taken: 1.0,
                save_steps=1,
            )
        return model

    go(3)
    tree = checkpoint.load(tmp_path / "checkpoints" / "step-00000003")
    assert sorted(tree["weights"]) == ["toy.embed.weight", "toy.norm.bias", "toy.norm.weight"]
    assert list(tree["buffers"]) == ["toy.scale"]
    model = go(4)
    assert model.out.weight is model.embed.weight
    saved = checkpoint.load(tmp_path / "checkpoints" / "step-00000004")["weights"]["toy.embed.weight"]
    assert torch.equal(model.out.weight, saved)


def test_changed_settings_are_told(tmp_path):
    said = []
    with Run(tmp_path, {"learning_rate": 1e-3, "save_steps": 1}) as run:
        run.start(0, more=True)
    with Run(tmp_path, {"learning_rate": 2e-3, "save_steps": 2}, say=said.append) as run:
        run.start(4, more=True)
    assert said == ["continuing with learning_rate 0.002; it was 0.001 before.", "continuing after update 4."]


# --- signals ---------------------------------------------------------------------------------------------------------


def toy_process(folder: Path, pause: float = 0.02, updates: int = 40) -> subprocess.Popen:
    script = Path(__file__).parent / "toy.py"
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), str(pause), str(updates)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def wait_for(process: subprocess.Popen, step: int) -> None:
    assert process.stdout is not None
    while (line := process.stdout.readline()) != f"{step}\n":
        assert line, "the run ended early"


@pytest.mark.slow
@pytest.mark.invariant("I66", "I61")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_finishes_the_step_saves_and_the_run_goes_on_from_there(tmp_path, one_thread, number, code):
    process = toy_process(tmp_path / "a")
    wait_for(process, 9)
    sent = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=20) == code
    assert time.monotonic() - sent < 5
    (saved,) = checkpoint.listing(tmp_path / "a" / "checkpoints")
    assert 9 <= checkpoint.step_of(saved) < 40
    assert checkpoint.problem(saved) is None
    assert json.loads((tmp_path / "a" / "run.json").read_text())["finished"] is None
    again = train(tmp_path / "a", updates=40, save_steps=0)
    assert again[2].resumed_at == checkpoint.step_of(saved)
    same(again, train(tmp_path / "b", updates=40, save_steps=0))
    assert logs(tmp_path / "a") == logs(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.invariant("I66")
def test_a_second_signal_ends_the_process_at_once(tmp_path):
    """Updates that take a minute: the first signal would wait for one, the second does not."""
    process = toy_process(tmp_path, pause=60)
    wait_for(process, 1)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143
    assert time.monotonic() - sent < 2
    result = train(tmp_path, updates=3)[2]
    assert (result.resumed_at, result.step) == (0, 3)


@pytest.mark.invariant("I66")
def test_a_signal_within_the_process(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped:
        train(tmp_path, crash=lambda step: os.kill(os.getpid(), signal.SIGTERM) if step == 3 else None, save_steps=0)
    assert stopped.value.code == 143
    assert [path.name for path in checkpoint.listing(tmp_path / "checkpoints")] == ["step-00000003"]
    assert signal.getsignal(signal.SIGTERM) is before
    assert train(tmp_path)[2].resumed_at == 3


def test_a_signal_after_the_last_update_stops_what_would_follow(tmp_path):
    with pytest.raises(Stopped), Run(tmp_path, say=lambda text: None):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
@pytest.mark.invariant("I61", "I62")
def test_killed_at_random_instants_the_run_still_ends_the_same(tmp_path, one_thread):
    """SIGKILL with a checkpoint at every update, ten times; then the bytes of the log are the undisturbed run's."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path; from toy import train\n"
        "print('on', flush=True); train(Path(sys.argv[1]), updates=60)"
    )
    places = random.Random(7)
    command = [sys.executable, "-c", script, str(tmp_path / "a"), str(Path(__file__).parent)]
    for _ in range(10):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(places.uniform(0.02, 0.2))
        process.kill()
        process.wait()
    again, undisturbed = train(tmp_path / "a", updates=60), train(tmp_path / "b", updates=60)
    same(again, undisturbed)
    assert logs(tmp_path / "a") == logs(tmp_path / "b")
