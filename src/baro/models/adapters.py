"""Adapters: low-rank additions to a frozen model, in peft's format. The one module that knows peft.

    h = W x + (α/r) · B A dropout(x)        A (r, d_in) drawn, B (d_out, r) zeros    (Hu et al. 2021, arXiv:2106.09685)

A model with an adapter keeps its own class: its linear layers are wrapped, everything else is what it was. A score head
is trained and saved whole (peft's modules_to_save). A folder holds adapter_model.safetensors and adapter_config.json as
peft writes them, and adapter_base.json: which weights the adapter was trained on, and the scale of a reward's scores.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import logging
import os
from collections.abc import Sequence as Items
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from baro.core.errors import BaroError, ConfigError

CONFIG, WEIGHTS, NOTE = "adapter_config.json", "adapter_model.safetensors", "adapter_base.json"
NAME, PREFIX = "default", "base_model.model."
HEAD = "score"
CARRIED = ("reward_gain", "reward_bias", "pad_token_id")
"""Settings of a model that an adapter brings with it."""
EDGE = 1 << 20
"""Bytes at either end of a weight file that tell it from others."""


@dataclass(frozen=True)
class Lora:
    """What is trained on a frozen model. Defaults are TRL's (1.16).

    Attributes:
        r: rank. alpha: the addition is scaled by alpha / r. dropout: of the addition's input, in train mode.
        targets: names of the linear layers; all-linear for every one; none leaves the choice to peft.
        seed: of A.
        chosen: settings of these that the user gave; an adapter that is continued must agree with them.
        trained: False: nothing is; the model is as its folder says, on the shared base.
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] | None = None
    seed: int = 0
    chosen: frozenset[str] = frozenset()
    trained: bool = True


@dataclass(frozen=True)
class _Attached:
    """The adapter of a model: peft's configuration, and the path of the base."""

    config: Any
    origin: str


_adapters: WeakKeyDictionary = WeakKeyDictionary()


# --- folders ---------------------------------------------------------------------------------------------------------


def is_adapter(path: str | Path) -> bool:
    """Whether the path is a folder with an adapter."""
    return (Path(path).expanduser() / CONFIG).is_file()


def base_of(path: str | Path) -> str:
    """The path or hub name of the model an adapter is for; of anything else, itself.

    A base that was moved together with its adapter is found beside it.

    Errors: BaroError when the base is not there, or its weights are not those the adapter was trained on.
    """
    folder = Path(path).expanduser()
    if not is_adapter(folder):
        return str(path)
    named = str(_read(folder / CONFIG).get("base_model_name_or_path") or "")
    note = _read(folder / NOTE)
    beside = [os.path.normpath(folder / note["path"])] if "path" in note else []
    found = [place for place in (named, *beside) if place and Path(place).expanduser().is_dir()]
    for place in found:
        if note.get("digest") in (None, digest(place)):
            return place
    if found:
        raise BaroError(
            f"this adapter is for another base: the weights in {found[0]} are not those it was trained on.",
            where=str(path),
            hint="Restore that model, or train the adapter anew.",
        )
    if named and not note and not Path(named).is_absolute():
        return named  # a name on the hub, or a folder that whoever loads it will miss
    raise BaroError(
        f"the adapter's base model is missing: {named or 'adapter_config.json names none'}.",
        where=str(path),
        hint="An adapter works only with the model it was trained on; put that folder back.",
    )


def digest(path: str | Path) -> str | None:
    """What tells the weights of a model folder from others: sizes and both ends of its files; None without files."""
    files = sorted(Path(path).expanduser().glob("*.safetensors"))
    seen = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        seen.update(f"{file.name} {size} ".encode())
        with file.open("rb") as stream:
            seen.update(stream.read(EDGE))
            stream.seek(max(0, size - EDGE))
            seen.update(stream.read())
    return seen.hexdigest() if files else None


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BaroError(f"cannot be read: {error}", where=str(file)) from None


# --- on and off ------------------------------------------------------------------------------------------------------


def attach(model, path: str | Path, lora: Lora, *, origin: str) -> None:
    """Put the adapter of `path`, or a fresh one, on `model`; then exactly what is to be trained requires gradients.

    Args:
        model: the base; its weights are not touched. A score head is trained with the adapter.
        path: the adapter's folder; anything else starts a fresh adapter, which changes no output.
        origin: path of the base.

    Errors: ConfigError for layers that are not there or a rank that the adapter has not; BaroError for an adapter that
        does not fit the model.
    """
    model.requires_grad_(False)
    start = Path(path).expanduser() if is_adapter(path) else None
    if start is None and not lora.trained:
        return
    config = _config(model, lora, start, origin)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lora.seed)
        _tuner(model, config)
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.requires_grad and lora.trained)
    if start is not None:
        _fill(model, start)
    model.eval()  # as transformers hands a model over
    _adapters[model] = _Attached(config, origin)


def merge(model, path: str | Path):
    """The base `model`, which must share its weights with no other, with the adapter of `path` folded into them."""
    config = _config(model, Lora(), Path(path).expanduser(), "")
    tuner = _tuner(model, config)
    _fill(model, Path(path).expanduser())
    return tuner.merge_and_unload().requires_grad_(True)


def has_head(path: str | Path) -> bool:
    """Whether an adapter's folder holds a trained score head."""
    from safetensors import safe_open

    with safe_open(_weights(Path(path).expanduser()), "pt") as file:
        return any(key.startswith(f"{PREFIX}{HEAD}.") for key in file.keys())  # noqa: SIM118 (it is no mapping)


def attached(model) -> bool:
    """Whether `model` has an adapter."""
    return model in _adapters


def save(model, folder: Path) -> None:
    """Write the adapter of `model` as peft does, and the note beside it."""
    found = _adapters[model]
    config = copy.copy(found.config)
    config.inference_mode = True
    local = Path(found.origin).expanduser()
    config.base_model_name_or_path = str(local.resolve()) if local.is_dir() else found.origin
    config.save_pretrained(str(folder))
    written = _read(folder / CONFIG)
    written = {key: sorted(value) if isinstance(value, list) else value for key, value in sorted(written.items())}
    (folder / CONFIG).write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    from safetensors.torch import save_file

    tensors = {f"{PREFIX}{name}": tensor.detach().cpu().contiguous() for name, tensor in sorted(_state(model).items())}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    note = {key: getattr(model.config, key, None) for key in CARRIED}
    if local.is_dir():
        note |= {"path": os.path.relpath(local.resolve(), folder.resolve()), "digest": digest(local)}
    (folder / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def _peft():
    """peft, without what its import of bitsandbytes has to say about kernels that nothing here uses."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    import peft

    return peft


def _tuner(model, config):
    """Wrap the layers that the configuration names; peft's object for them.

    What is added is float32 at least: small steps on small numbers need more than bfloat16's three digits.
    """
    tuner = _peft().LoraModel(model, {NAME: config}, NAME)
    tuner.set_adapter(NAME)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.to(torch.promote_types(parameter.dtype, torch.float32))
    return tuner


def _state(model) -> dict[str, Tensor]:
    """The adapter's tensors (not copies) by the names peft saves them under, without its prefix."""
    return _peft().get_peft_model_state_dict(model, adapter_name=NAME, save_embedding_layers=False)


def _weights(folder: Path) -> Path:
    if not (folder / WEIGHTS).is_file():
        raise BaroError(f"{WEIGHTS} is missing.", where=str(folder), hint="Only safetensors files are read.")
    return folder / WEIGHTS


@torch.no_grad()
def _fill(model, folder: Path) -> None:
    """Copy the folder's tensors and settings into the model's adapter. A head may be wanting: then it stays fresh."""
    from safetensors.torch import load_file

    saved = {name.removeprefix(PREFIX): tensor for name, tensor in load_file(_weights(folder)).items()}
    own = _state(model)
    foreign = sorted(set(saved) - set(own))
    foreign = [name for name in foreign if HEAD not in name.split(".")]  # an adapter read without its head
    missing = sorted(name for name in set(own) - set(saved) if HEAD not in name.split("."))
    shapes = [name for name in sorted(set(own) & set(saved)) if own[name].shape != saved[name].shape]
    if foreign or missing or shapes:
        name = (shapes or foreign or missing)[0]
        sizes = [list(place[name].shape) if name in place else "nothing" for place in (saved, own)]
        raise BaroError(
            f"this adapter is for another base: {name} is {sizes[0]} in its file, {sizes[1]} in the model.",
            where=str(folder),
            hint="Give the model it was trained on as base_model_name_or_path of adapter_config.json.",
        )
    for name in set(own) & set(saved):
        own[name].copy_(saved[name])
    note = _read(folder / NOTE)
    for key in CARRIED:
        if note.get(key) is not None:
            setattr(model.config, key, note[key])


# --- what is adapted -------------------------------------------------------------------------------------------------


def _config(model, lora: Lora, start: Path | None, origin: str):
    """peft's configuration of a fresh adapter, or of the one in `start`."""
    head = isinstance(getattr(model, HEAD, None), nn.Module)
    if start is None:
        targets = target_names(model, lora.targets)
        config = _peft().LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            target_modules=list(targets),
            fan_in_fan_out=any(type(model.get_submodule(name)).__name__ == "Conv1D" for name in _hit(model, targets)),
        )
    else:
        written = _read(start / CONFIG)
        if written.get("peft_type") != "LORA":
            raise BaroError(
                f"found an adapter of kind {written.get('peft_type')}, expected LORA.", where=str(start / CONFIG)
            )
        config = _peft().LoraConfig.from_pretrained(str(start))
        _agree(lora, config, start)
    config.lora_dropout, config.inference_mode = lora.dropout, not lora.trained
    config.base_model_name_or_path = origin
    config.task_type = "SEQ_CLS" if head else "CAUSAL_LM"
    config.modules_to_save = [HEAD] if head else None
    return config


def _agree(lora: Lora, config, start: Path) -> None:
    """A continued adapter keeps its shape; the user may not have asked for another."""
    theirs = {"lora_r": config.r, "lora_alpha": config.lora_alpha}
    ours = {"lora_r": lora.r, "lora_alpha": lora.alpha, "lora_target_modules": sorted(lora.targets or ())}
    theirs["lora_target_modules"] = sorted(config.target_modules)
    for key in sorted(lora.chosen):
        if ours[key] != theirs[key]:
            raise ConfigError(
                f"{key} is {ours[key]}, but the adapter that is continued has {theirs[key]}.",
                where=str(start),
                hint=f"Leave {key} out, or fold the adapter in first: baro merge {start} OUT.",
            )


def target_names(model, wanted: Items[str] | None) -> tuple[str, ...]:
    """Names of the layers to adapt, checked against the model, which may be on the meta device.

    Args:
        wanted: names, or all-linear alone; None: what peft adapts by default in this architecture.

    Errors: ConfigError for a name that no layer has, one that is no linear layer, and the tables of tokens.
    """
    from transformers.pytorch_utils import Conv1D

    ends = {id(model.get_input_embeddings()), id(model.get_output_embeddings()), id(getattr(model, HEAD, None))}
    inner = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear | Conv1D) and id(m) not in ends}
    known = sorted({name.rpartition(".")[2] for name in inner})
    if wanted is None:
        chosen = _peft().utils.constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
        wanted = chosen.get(model.config.get_text_config().model_type, [])
        wanted = [name for name in wanted if name in known] or ["all-linear"]
    if list(wanted) == ["all-linear"]:  # a name that other modules have too ("0") would take them along
        plain = [name for name in known if set(_hit(model, [name])) <= set(inner)]
        return (*plain, *sorted(full for full in inner if full.rpartition(".")[2] not in plain))
    for name in wanted:
        hit = _hit(model, [name])
        if not hit or not set(hit) <= set(inner):
            what = "is not a linear layer inside the model" if hit else "matches no layer of the model"
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"lora_target_modules: {name} {what}.",
                hint=f"{f'Did you mean {near[0]}? ' if near else ''}It has {', '.join(known)}; all-linear takes all.",
            )
    return tuple(sorted(set(wanted)))


def _hit(model, names: Items[str]) -> list[str]:
    """Full names of the modules that peft finds by these names."""
    return [full for full, _ in model.named_modules() if any(full == n or full.endswith(f".{n}") for n in names)]


def preflight(path: str | Path, lora: Lora) -> None:
    """Refuse what `attach` would refuse, from configurations alone, before any weight is read.

    Errors: as for `attach` and `base_of`.
    """
    origin = base_of(path)
    if is_adapter(path):
        config = _peft().LoraConfig.from_pretrained(str(Path(path).expanduser()))
        return _agree(lora, config, Path(path))
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(origin)
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, KeyError):
        return None  # loading it says what is wrong
    target_names(model, lora.targets)
    return None
