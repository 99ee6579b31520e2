"""Checkpoints that survive a kill at any instant, a full disk and a flipped bit.

A checkpoint is a folder: `tensors.safetensors`, `state.json`, and `manifest.json` with the size and SHA-256 of both,
written last. It is built under a hidden name, every file and the folder are synced, and only then renamed; so a folder
called `step-...` is whole, or its manifest says that it is not. Nothing is pickled, nothing is unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from baro.core.errors import CheckpointError
from baro.engine import files

TENSORS, STATE, MANIFEST = "tensors.safetensors", "state.json", "manifest.json"
PREFIX = "step-"
HIDDEN = ".unfinished-"
MARK = "$tensor"
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip


def folder_of(parent: Path, step: int) -> Path:
    """Where the checkpoint taken after update `step` lives: parent/step-00000042."""
    return parent / f"{PREFIX}{step:08d}"


def step_of(folder: Path) -> int:
    """The update after which the checkpoint was taken."""
    return int(folder.name.removeprefix(PREFIX))


def listing(parent: Path) -> list[Path]:
    """Checkpoint folders, oldest first, whole or not."""
    found = [path for path in parent.glob(PREFIX + "*") if path.name.removeprefix(PREFIX).isdigit() and path.is_dir()]
    return sorted(found, key=step_of)


# --- writing ---------------------------------------------------------------------------------------------------------


def save(folder: Path, tree: Any) -> None:
    """Write `tree` as the checkpoint `folder`, all of it or nothing.

    Args:
        folder: a name from `folder_of`; the parent is made. A damaged checkpoint of that name is replaced.
        tree: nested dicts (text keys) and lists of tensors, numbers, text, booleans and None; tuples come back as
            lists. Tensors come back on the CPU with their dtype, bit for bit.

    Raises:
        CheckpointError: the disk is full or refuses; earlier checkpoints are untouched. Or a valid checkpoint of that
            name is there already.
    """
    draft = folder.with_name(f"{HIDDEN}{folder.name}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder.parent)
        if folder.exists():
            if problem(folder) is None:
                raise CheckpointError("a valid checkpoint of this step is here already.", where=str(folder))
            _remove(folder)
        _fill(draft, tree)
        os.rename(draft, folder)
        files.sync_folder(folder.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(draft)
        raise CheckpointError(
            f"the checkpoint was not written: {error.strerror or error}. Earlier ones are untouched.",
            where=str(folder),
            hint="Free some space or choose another output_dir, then run the same command: it resumes.",
        ) from error


def _fill(draft: Path, tree: Any) -> None:
    tensors: dict[str, Tensor] = {}
    rest = _take_tensors(tree, "", tensors)
    os.mkdir(draft)
    entries = {
        TENSORS: files.write(draft / TENSORS, _safetensors(tensors)),
        STATE: files.write(draft / STATE, [json.dumps(rest).encode()]),
    }
    files.write(draft / MANIFEST, [_manifest(entries)])
    files.sync_folder(draft)


def _manifest(entries: dict[str, Any]) -> bytes:
    """The manifest's exact bytes: it holds a digest of itself, so that a flipped byte in it is found as well."""
    body = json.dumps(entries, sort_keys=True)
    return json.dumps({"files": entries, "sha256": hashlib.sha256(body.encode()).hexdigest()}, sort_keys=True).encode()


def _take_tensors(tree: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The tree with each tensor replaced by its name; the tensors are collected under their paths."""
    if isinstance(tree, Tensor):
        assert path not in tensors, f"two tensors are called {path}"
        tensors[path] = tree.detach()
        return {MARK: path}
    if isinstance(tree, dict):
        assert all(isinstance(key, str) and key != MARK for key in tree), f"{path}: keys are text"
        return {key: _take_tensors(value, f"{path}/{key}", tensors) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_take_tensors(value, f"{path}/{index}", tensors) for index, value in enumerate(tree)]
    assert tree is None or isinstance(tree, (bool, int, float, str)), f"{path}: cannot keep a {type(tree).__name__}"
    return tree


def _safetensors(tensors: dict[str, Tensor]) -> Iterator[files.Bytes]:
    """The bytes of a safetensors file, one tensor at a time so that no second copy of the model is made."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        end = offset + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    for tensor in tensors.values():
        if tensor.numel():
            flat = tensor.cpu().contiguous().reshape(-1)
            yield flat.view(torch.uint8).numpy().data


# --- reading ---------------------------------------------------------------------------------------------------------


def problem(folder: Path) -> str | None:
    """What is wrong with a checkpoint, None when every byte is the one that was written."""
    try:
        text = (folder / MANIFEST).read_bytes()
        entries = json.loads(text)["files"]
        if text != _manifest(entries):
            return f"{MANIFEST} was changed"
        for name, entry in entries.items():
            if files.fingerprint(folder / name) != entry:
                return f"{name} was changed"
    except OSError as error:
        return f"{Path(error.filename or folder).name} cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} was changed"
    return None


def load(folder: Path) -> Any:
    """The tree `save` was given, tensors on the CPU, after every byte was checked against the manifest.

    Raises:
        CheckpointError: a file is missing or has changed since it was written.
    """
    wrong = problem(folder)
    if wrong:
        raise CheckpointError(f"not a valid checkpoint: {wrong}.", where=str(folder), hint="Choose an earlier one.")
    tensors = safetensors.torch.load_file(folder / TENSORS)
    return _put_tensors(json.loads((folder / STATE).read_text()), tensors)


def _put_tensors(tree: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, dict):
        if MARK in tree:
            return tensors[tree[MARK]]
        return {key: _put_tensors(value, tensors) for key, value in tree.items()}
    return [_put_tensors(value, tensors) for value in tree] if isinstance(tree, list) else tree


def newest(parent: Path) -> Path | None:
    """The newest valid checkpoint in `parent`, None when there is none; damaged ones are passed over with a warning."""
    for folder in reversed(listing(parent)):
        wrong = problem(folder)
        if wrong is None:
            return folder
        warnings.warn(f"{folder}: passed over, {wrong}.", stacklevel=2)
    return None


# --- removing --------------------------------------------------------------------------------------------------------


def prune(parent: Path, keep: int | None) -> None:
    """Remove all but the newest `keep` checkpoints (None: keep all), but never the last valid one.

    A folder that cannot be removed is left with a warning: a run does not end because of an old checkpoint.
    """
    assert keep is None or keep >= 1
    found = listing(parent)
    kept, rest = (found, []) if keep is None else (found[-keep:], found[:-keep])
    if rest and not any(problem(folder) is None for folder in reversed(kept)):
        spared = next((folder for folder in reversed(rest) if problem(folder) is None), None)
        rest = [folder for folder in rest if folder != spared]
    for folder in rest:
        try:
            _remove(folder)
        except OSError as error:
            warnings.warn(f"{folder}: could not be removed ({error.strerror}).", stacklevel=2)


def sweep(parent: Path) -> None:
    """Remove what an interrupted save or removal left behind."""
    for leftover in parent.glob(HIDDEN + "*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Take the name away first, so that a kill half-way leaves no half checkpoint under a good name."""
    hidden = folder.with_name(f"{HIDDEN}removed-{folder.name}")
    os.rename(folder, hidden)
    shutil.rmtree(hidden)


def discard_after(parent: Path, step: int) -> None:
    """Remove checkpoints taken after update `step`: a run that continues from there makes that future anew."""
    for folder in listing(parent):
        if step_of(folder) > step:
            _remove(folder)
