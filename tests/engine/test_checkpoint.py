"""Checkpoints: every bit back, every flipped bit found, whole or absent however the writer dies."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import time
import warnings
from pathlib import Path

import pytest
import safetensors.torch
import torch

from baro.core.errors import CheckpointError
from baro.engine import checkpoint

DTYPES = list(checkpoint.NAMES)


def tree(step: int = 1, size: int = 5) -> dict:
    return {"step": step, "weights": {"w": torch.full((size,), float(step))}, "note": ["a", None, True, 0.1]}


def saved(parent: Path, *steps: int) -> list[Path]:
    folders = [checkpoint.folder_of(parent, step) for step in steps]
    for step, folder in zip(steps, folders, strict=True):
        checkpoint.save(folder, tree(step))
    return folders


def damage(folder: Path) -> None:
    file = folder / checkpoint.TENSORS
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.invariant("I68")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_bit_comes_back(tmp_path, dtype):
    """NaN payloads, infinities and negative zero included: the bytes are compared, not the values."""
    raw = torch.randint(0, 256, (3, 4, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    tensor = (raw % 2).bool() if dtype == torch.bool else raw.view(dtype)
    folder = checkpoint.folder_of(tmp_path, 3)
    checkpoint.save(
        folder, {"a": tensor, "view": tensor.transpose(0, 1), "scalar": tensor[0, 0, 0], "none": tensor[:0]}
    )
    back = checkpoint.load(folder)
    for name, expected in (("a", tensor), ("view", tensor.transpose(0, 1)), ("scalar", tensor[0, 0, 0])):
        assert back[name].dtype == dtype
        assert back[name].shape == expected.shape
        assert back[name].contiguous().reshape(-1).view(torch.uint8).tolist() == (
            expected.contiguous().reshape(-1).view(torch.uint8).tolist()
        )
    assert back["none"].shape == (0, *tensor.shape[1:])


def test_numbers_text_and_structure_come_back(tmp_path):
    value = {
        "f": 0.1,
        "tiny": 5e-324,
        "inf": float("-inf"),
        "big": 2**200,
        "t": "한글 \u0000",
        "n": None,
        "b": [True, []],
    }
    checkpoint.save(folder := checkpoint.folder_of(tmp_path, 1), {"x": value, "y": {}, "z": (1, {"t": torch.ones(1)})})
    back = checkpoint.load(folder)
    assert back["x"] == value
    assert back["y"] == {}
    assert back["z"][0] == 1
    assert back["z"][1]["t"].tolist() == [1.0]


def test_an_empty_tree_is_a_checkpoint(tmp_path):
    checkpoint.save(folder := checkpoint.folder_of(tmp_path, 1), {})
    assert checkpoint.load(folder) == {}


def test_what_cannot_be_kept_is_our_mistake(tmp_path):
    for wrong in ({"x": {1, 2}}, {"x": b"bytes"}, {1: 2}, {"$tensor": 3}):
        with pytest.raises(AssertionError):
            checkpoint.save(checkpoint.folder_of(tmp_path, 1), wrong)
    assert checkpoint.newest(tmp_path) is None


def test_the_tensors_are_a_plain_safetensors_file(tmp_path):
    (folder,) = saved(tmp_path, 7)
    theirs = safetensors.torch.load_file(folder / "tensors.safetensors")
    assert {name: value.tolist() for name, value in theirs.items()} == {"/weights/w": [7.0] * 5}


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I63")
@pytest.mark.parametrize("name", [checkpoint.TENSORS, checkpoint.STATE, checkpoint.MANIFEST])
def test_any_flipped_byte_is_found(tmp_path, name):
    (folder,) = saved(tmp_path, 1)
    file = folder / name
    good = file.read_bytes()
    places = random.Random(3)
    for position in range(len(good)):
        data = bytearray(good)
        data[position] ^= 1 << places.randrange(8)
        file.write_bytes(data)
        assert checkpoint.problem(folder) is not None, f"byte {position} of {name}"
    file.write_bytes(good)
    assert checkpoint.problem(folder) is None


@pytest.mark.invariant("I63")
@pytest.mark.parametrize("name", [checkpoint.TENSORS, checkpoint.STATE, checkpoint.MANIFEST])
def test_a_missing_byte_or_file_is_found_before_a_tensor_is_used(tmp_path, name, monkeypatch):
    monkeypatch.setattr(safetensors.torch, "load_file", lambda *_: pytest.fail("a tensor was read"))
    (folder,) = saved(tmp_path, 1)
    good = (folder / name).read_bytes()
    for data in (good[:-1], good[1:], good + b" ", b""):
        (folder / name).write_bytes(data)
        with pytest.raises(CheckpointError, match=r"step-00000001: not a valid checkpoint"):
            checkpoint.load(folder)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match="not a valid checkpoint"):
        checkpoint.load(folder)


@pytest.mark.invariant("I63")
def test_a_manifest_of_another_kind_is_damage_not_a_crash(tmp_path):
    (folder,) = saved(tmp_path, 1)
    for text in ("[]", "{}", "null", '{"files": 3, "sha256": ""}', '{"files": {"../x": {}}}', "\udcff"):
        (folder / checkpoint.MANIFEST).write_bytes(text.encode(errors="surrogateescape"))
        assert checkpoint.problem(folder) is not None


@pytest.mark.incident("T44")
def test_the_newest_valid_one_is_chosen(tmp_path):
    folders = saved(tmp_path, 5, 9, 10)
    (tmp_path / "step-99999999").mkdir()  # half of one, under a good name
    (tmp_path / ".unfinished-step-00000011").mkdir()
    damage(folders[2])
    with pytest.warns(UserWarning, match="passed over") as told:
        assert checkpoint.newest(tmp_path) == folders[1]
    assert len(told) == 2
    assert checkpoint.newest(tmp_path / "nowhere") is None


# --- retention -------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I64")
def test_pruning_keeps_the_newest(tmp_path):
    folders = saved(tmp_path, 1, 2, 3, 4)
    checkpoint.prune(tmp_path, None)
    assert checkpoint.listing(tmp_path) == folders
    checkpoint.prune(tmp_path, 3)
    assert checkpoint.listing(tmp_path) == folders[1:]
    checkpoint.prune(tmp_path, 1)
    assert checkpoint.listing(tmp_path) == folders[3:]


@pytest.mark.invariant("I64")
@pytest.mark.parametrize("keep", [1, 2])
def test_pruning_never_removes_the_last_valid_one(tmp_path, keep):
    folders = saved(tmp_path, 1, 2, 3, 4)
    damage(folders[2])
    damage(folders[3])
    checkpoint.prune(tmp_path, keep)
    assert folders[1] in checkpoint.listing(tmp_path)
    assert checkpoint.load(folders[1])["step"] == 2


@pytest.mark.invariant("I64")
def test_a_folder_that_cannot_be_removed_does_not_end_the_run(tmp_path, monkeypatch):
    folders = saved(tmp_path, 1, 2)

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.warns(UserWarning, match="could not be removed"):
        checkpoint.prune(tmp_path, 1)
    assert checkpoint.listing(tmp_path) == folders


@pytest.mark.incident("T45")
def test_a_valid_checkpoint_is_not_written_over_and_a_damaged_one_is(tmp_path):
    (folder,) = saved(tmp_path, 1)
    with pytest.raises(CheckpointError, match="already"):
        checkpoint.save(folder, tree(8))
    assert checkpoint.load(folder)["step"] == 1
    damage(folder)
    checkpoint.save(folder, tree(8))
    assert checkpoint.load(folder)["step"] == 8


# --- the disk refuses, the process dies ------------------------------------------------------------------------------

CALLS = ("open", "write", "fsync", "mkdir", "rename")


class Failing:
    """os.<name>, raising at its n-th call."""

    def __init__(self, name: str, at: int, number: int, *, short: bool = False) -> None:
        self.real, self.at, self.number, self.short, self.calls = getattr(os, name), at, number, short, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        if self.calls == self.at:
            if self.short and len(args[1]) > 1:  # a part of it is written, then the disk is full
                self.real(args[0], args[1][: len(args[1]) // 2])
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*args, **kwargs)


@pytest.mark.invariant("I62")
@pytest.mark.incident("T45")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=["ENOSPC", "EIO", "EROFS"])
@pytest.mark.parametrize("name", CALLS)
def test_a_disk_that_refuses_at_any_call_costs_nothing_saved_before(tmp_path, monkeypatch, name, number):
    (first,) = saved(tmp_path, 1)
    at = 0
    while True:
        at += 1
        second = checkpoint.folder_of(tmp_path, 2)
        with monkeypatch.context() as patch:
            failing = Failing(name, at, number, short=name == "write")
            patch.setattr(os, name, failing)
            message = _refusal(second)
        if failing.calls < at:
            break
        assert message is None or os.strerror(number) in message  # None: making a folder that is there is no harm
        found = checkpoint.newest(tmp_path)
        assert found is not None
        assert checkpoint.load(found)["step"] == checkpoint.step_of(found)
        assert checkpoint.problem(first) is None
        if second.exists():  # only the last sync of the parent failed: it is whole
            assert found == second
            shutil.rmtree(second)
    assert at > 1
    assert message is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]


def _refusal(folder: Path) -> str | None:
    try:
        checkpoint.save(folder, tree(2))
    except CheckpointError as error:
        return str(error)
    return None


def test_a_write_that_takes_only_a_part_is_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
    (folder,) = saved(tmp_path, 1)
    assert checkpoint.load(folder)["weights"]["w"].tolist() == [1.0] * 5


def test_everything_is_synced_before_the_name_is_given(tmp_path, monkeypatch):
    """Order: both files, then the manifest, then the folder, then the rename, then the parent."""
    done, names = [], {}
    opened, synced, renamed = os.open, os.fsync, os.rename

    def note_open(path, *args, **kwargs):
        handle = opened(path, *args, **kwargs)
        names[handle] = Path(path).name
        return handle

    monkeypatch.setattr(os, "open", note_open)
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append(names[handle]), synced(handle)))
    monkeypatch.setattr(os, "rename", lambda a, b: (done.append("rename"), renamed(a, b)))
    saved(tmp_path / "checkpoints", 1)
    draft = ".unfinished-step-00000001"
    assert done == ["tensors.safetensors", "state.json", "manifest.json", draft, "rename", "checkpoints"]


def kill_while_saving(parent: Path, wait: float) -> None:
    """A child saves checkpoint after checkpoint, keeping one; `wait` seconds after its first it is killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            first = max((checkpoint.step_of(path) for path in checkpoint.listing(parent)), default=0) + 1
            for step in range(first, first + 10_000):
                checkpoint.save(checkpoint.folder_of(parent, step), tree(step, size=2_000))
                checkpoint.prune(parent, 1)
                os.write(write, b".")
        finally:
            os._exit(1)
    os.close(write)
    os.read(read, 1)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)


def kill_trials(parent: Path, trials: int) -> None:
    begun = time.perf_counter()
    for step in range(1, 6):
        checkpoint.save(checkpoint.folder_of(parent, step), tree(step, size=2_000))
    one = (time.perf_counter() - begun) / 5
    places, last, inside = random.Random(11), 5, 0
    for _ in range(trials):
        kill_while_saving(parent, places.uniform(0.0, 3 * one))
        inside += any(parent.glob(".unfinished-*"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing half-made may bear a checkpoint's name
            found = checkpoint.newest(parent)
        assert found is not None, "the last valid checkpoint is gone"
        back = checkpoint.load(found)
        assert back["step"] == checkpoint.step_of(found) > last
        assert back["weights"]["w"].tolist() == [float(back["step"])] * 2_000
        last = back["step"]
    assert inside > trials // 4, "the kills missed the saves"


@pytest.mark.invariant("I62")
def test_killed_while_saving(tmp_path):
    kill_trials(tmp_path, 15)


@pytest.mark.slow
@pytest.mark.invariant("I62")
def test_killed_while_saving_a_thousand_times(tmp_path):
    kill_trials(tmp_path, 1_000)


def test_what_an_interrupted_save_left_is_swept(tmp_path):
    (tmp_path / ".unfinished-step-00000004").mkdir()
    (tmp_path / ".unfinished-step-00000004" / "tensors.safetensors").write_bytes(b"half")
    saved(tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]


def test_only_names_of_checkpoints_are_listed(tmp_path):
    saved(tmp_path, 2)
    (tmp_path / "step-best").mkdir()
    (tmp_path / "step-00000009").write_text("a file")
    assert [path.name for path in checkpoint.listing(tmp_path)] == ["step-00000002"]
    assert json.loads((tmp_path / "step-00000002" / "manifest.json").read_text())["files"].keys() == {
        "state.json",
        "tensors.safetensors",
    }
