"""Models and tokenizers in and out of folders, as plain transformers checkpoints."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from baro.core.errors import BaroError
from baro.models import adapters, heads
from baro.models.adapters import Lora
from baro.models.recompute import recompute_layers
from baro.models.shared import frozen, view
from baro.models.support import support


def language_model(
    path: str | Path, *, dtype: str = "auto", device: str = "auto", lora: Lora | None = None, recompute: bool = False
):
    """A causal language model with our attention, ready for `forward` and `sample`.

    Args:
        path: a folder, or a name on the Hugging Face hub; a folder with an adapter stands for its base with it.
        dtype: auto (see `pick_dtype`), float32, bfloat16, float16 or float64.
        device: auto (see `pick_device`) or what torch calls it.
        lora: none: weights of its own, an adapter folded into them. Given: the frozen base, whose weights all such
            models in the process share, with the folder's adapter or, where one is to be trained, a fresh one.
        recompute: keep less and compute more in the backward pass, see `recompute`.

    Errors: BaroError when there is no such model, or it is not one this class of transformers can load.
    """
    place = _place(path, dtype, device)
    if adapters.is_adapter(path) and adapters.has_head(path):
        raise BaroError("expected a causal language model; this adapter is a reward model's.", where=str(path))
    from transformers import AutoModelForCausalLM

    what = "a causal language model"
    if lora is not None:
        base = _base(path, place)
        if not base.can_generate():
            raise BaroError(f"expected {what}; found {type(base).__name__}.", where=str(path))
        model = _adapted(view(base, score=False), path, lora)
    else:
        model = _merged(_load(AutoModelForCausalLM, adapters.base_of(path), what, place["dtype"])[0], path)
    return _ready(model, place["device"], recompute, own=lora is None)


def reward_model(
    path: str | Path,
    *,
    dtype: str = "auto",
    device: str = "auto",
    seed: int = 0,
    lora: Lora | None = None,
    recompute: bool = False,
):
    """A sequence-classification model with one label.

    From a saved reward model: as saved. From a language model: its trunk with a fresh head, N(0, 1/√(D+1)) drawn from
    `seed` (Stiennon et al. 2020). Arguments and errors as for `language_model`; a head is always trained whole.
    """
    place = _place(path, dtype, device)
    from transformers import AutoModelForSequenceClassification

    trained = adapters.is_adapter(path) and adapters.has_head(path)
    what = "a sequence-classification model"
    if lora is not None:
        base = _base(path, place)
        model, fresh = view(base, score=True), base.can_generate()
    else:
        auto, origin = AutoModelForSequenceClassification, adapters.base_of(path)
        model, fresh = _load(auto, origin, what, place["dtype"], num_labels=1)
    if fresh:
        heads.initialise_head(model, seed=seed)
    model = _merged(model, path) if lora is None else _adapted(model, path, lora)
    if trained:
        model.config.architectures = [type(model).__name__]
    _set_padding(model, path)
    return _ready(model, place["device"], recompute, own=lora is None)


def value_model(
    source,
    *,
    dtype: str = "auto",
    device: str = "auto",
    seed: int = 0,
    zero: bool = False,
    lora: Lora | None = None,
    recompute: bool = False,
):
    """A critic: the class of `reward_model`, one number at every position.

    Args:
        source: a folder or hub name of a reward or language model, or a model in memory, whose trunk (and head, if it
            has one) is copied.
        zero: start with a head of zeros, so that every value is exactly 0.
    """
    if isinstance(source, str | Path):
        model = reward_model(source, dtype=dtype, device=device, seed=seed, lora=lora, recompute=recompute)
    else:
        model = _from_memory(source, seed)
    if zero:
        heads.zero_head(model)
    return model


def merge(path: str | Path, out: str | Path) -> None:
    """Fold the adapter in `path` into its base and write the whole model, in the base's number format, to `out`.

    Errors: BaroError when `path` holds no adapter, or `out` has files in it.
    """
    check(path)
    if not adapters.is_adapter(path):
        raise BaroError("this folder holds no adapter: there is nothing to merge.", where=str(path))
    target = Path(out).expanduser()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BaroError("the merged model would be written over what is here.", where=str(out), hint="Name a new one.")
    kept = configuration(path).dtype or torch.float32
    build = reward_model if adapters.has_head(path) else language_model
    save(build(path, dtype=str(kept).removeprefix("torch."), device="cpu"), load_tokenizer(path), target)


def configuration(path: str | Path):
    """The configuration of a model, of an adapter that of its base; no weight is read.

    Errors: BaroError when there is none.
    """
    from transformers import AutoConfig

    origin = adapters.base_of(path)
    folder = Path(origin).expanduser()
    try:
        return AutoConfig.from_pretrained(folder if folder.is_dir() else origin)
    except (OSError, ValueError, KeyError) as problem:
        raise _absent(origin, "a model", problem) from problem


def _absent(path: str | Path, what: str, problem: Exception) -> BaroError:
    there = Path(path).expanduser().is_dir()
    found = "it cannot be loaded" if there else "no such folder here, and the hub gave nothing"
    return BaroError(
        f"expected {what}; {found}: {_first_line(problem)}",
        where=str(path),
        hint="Models are folders with config.json and *.safetensors; check the path or the name.",
    )


def _base(path: str | Path, place: dict[str, Any]):
    """The frozen base of `path`, in the class it was saved as; once in memory, whoever asks."""
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    origin = adapters.base_of(path)
    folder = Path(origin).expanduser()

    def load():
        kinds = configuration(origin).architectures or [""]
        scoring = "SequenceClassification" in kinds[0]
        auto = AutoModelForSequenceClassification if scoring else AutoModelForCausalLM
        model = _load(auto, origin, "a language or reward model", place["dtype"])[0].to(place["device"])
        return _owned(model.eval())

    name = str(folder.resolve()) if folder.is_dir() else origin
    return frozen((name, adapters.digest(origin), place["dtype"], place["device"]), load)


def _adapted(model, path: str | Path, lora: Lora):
    adapters.attach(model, path, lora, origin=adapters.base_of(path))
    return model


def _merged(model, path: str | Path):
    return adapters.merge(model, path) if adapters.is_adapter(path) else model


def weight_files(path: str | Path) -> list[Path]:
    """The weight files of a folder, an adapter's base included; none for a name on the hub."""
    folders = dict.fromkeys(Path(place).expanduser() for place in (path, adapters.base_of(path)))
    return [file for folder in folders for file in sorted(folder.glob("*.safetensors"))]


def load_tokenizer(path: str | Path):
    """The tokenizer of a folder or hub name; with a padding token (in want of one, the unknown or the end token).

    Errors: BaroError when there is none.
    """
    check(path)
    if adapters.is_adapter(path) and not (Path(path).expanduser() / "tokenizer_config.json").is_file():
        path = adapters.base_of(path)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, KeyError) as problem:
        raise BaroError(
            f"no tokenizer could be loaded: {_first_line(problem)}",
            where=str(path),
            hint="A model folder needs tokenizer.json and tokenizer_config.json.",
        ) from problem
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return tokenizer


def save(model, tokenizer, folder: str | Path) -> None:
    """Write a folder plain transformers loads: safetensors (tied weights once, dtype kept), configurations, tokenizer.

    The generation configuration holds the end token; nothing in the folder refers to this package.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    if model.can_generate():
        _set_ends(model, tokenizer)
    with _without_bars():
        adapters.save(model, folder) if adapters.attached(model) else model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@contextmanager
def _without_bars() -> Iterator[None]:
    """transformers' progress bars off: they would write across the display of the run."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


def pick_device() -> torch.device:
    """The GPU if there is one, else the CPU. (Apple's GPU has no float64, which drawing tokens needs.)"""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU that computes in it, else float32.

    On a CPU always float32: emulated bfloat16 is 8 to 100 times slower; with AMX units a training step of a small
    model still takes 1.5 times as long (the conversions cost more than the products save), and weights kept in
    bfloat16 lose small updates.
    """
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32


def _place(path: str | Path, dtype: str, device: str) -> dict[str, Any]:
    check(path)
    chosen = pick_device() if device == "auto" else torch.device(device)
    return {"device": chosen, "dtype": as_dtype(dtype, chosen)}


def as_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype a setting names; auto: see `pick_dtype`."""
    names = {
        "float32": torch.float32,
        "bfloat16": torch.bfloat16,
        "float16": torch.float16,
        "float64": torch.float64,
    }
    if name == "auto":
        return pick_dtype(device)
    if name not in names:
        raise BaroError(f"dtype is {name!r}; it can be auto, {', '.join(names)}.", where="dtype")
    return names[name]


def check(path: str | Path) -> None:
    """Refuse what is neither a model folder nor could be a hub name, before anything heavy is imported.

    Errors: BaroError naming the path.
    """
    folder, name = Path(path).expanduser(), str(path)
    if folder.is_dir():
        if adapters.is_adapter(folder):
            check(adapters.base_of(folder))
        elif not (folder / "config.json").is_file() and not (folder / "tokenizer_config.json").is_file():
            raise BaroError(
                "this folder holds no model: config.json is missing.",
                where=name,
                hint="Give the output directory of a finished stage, or a transformers checkpoint.",
            )
        return
    if folder.exists():
        raise BaroError("expected a model folder, found a file.", where=name)
    parts = name.split("/")
    looks_local = len(parts) > 2 or name.startswith((".", "~", "/")) or (len(parts) == 2 and Path(parts[0]).is_dir())
    if looks_local or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise BaroError("no such model folder.", where=name, hint="Check the path, or run the stage that writes it.")


def _load(auto, path: str | Path, what: str, dtype: torch.dtype, **options) -> tuple[Any, bool]:
    """The model, and whether its head had to be made afresh."""
    from transformers.utils import logging

    folder = Path(path).expanduser()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # fresh heads are announced as a fault; here they are what was asked for
    logging.disable_progress_bar()
    try:
        model, info = auto.from_pretrained(
            folder if folder.is_dir() else str(path),
            dtype=dtype,
            local_files_only=folder.is_dir(),
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as problem:
        raise _absent(path, what, problem) from problem
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    missing = set(info["missing_keys"])
    headless = {name for name in missing if name.startswith("score.")}
    if missing - headless:
        raise BaroError(
            f"{len(missing - headless)} weights are missing, first {min(missing - headless)}.",
            where=str(path),
            hint="The checkpoint is incomplete or belongs to another kind of model.",
        )
    return model, bool(headless)


def _ready(model, device: torch.device, recompute: bool = False, *, own: bool = True):
    """The model on its device with our attention, its weights its own unless it is a view of a base."""
    model.to(device)
    if own:
        _owned(model)
    support(model)
    if recompute:
        recompute_layers(model)
    return model


def _owned(model):
    """The model in memory of its own.

    transformers leaves weights where the file is mapped: writing that file again would change or crash the model, and
    tensors at odd addresses are multiplied in another order than aligned ones.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    return model


def _from_memory(source, seed: int):
    from transformers import AutoModelForSequenceClassification

    config = type(source.config).from_dict(source.config.to_dict())
    config.num_labels = 1
    model = AutoModelForSequenceClassification.from_config(config).to(source.dtype)
    model.base_model.load_state_dict(source.base_model.state_dict())
    if isinstance(getattr(source, "score", None), torch.nn.Module):
        heads.score_layer(model).load_state_dict(source.score.state_dict())
    else:
        heads.initialise_head(model, seed=seed)
    return _ready(model, source.device)


def _set_padding(model, path: str | Path) -> None:
    """transformers pools at the last token that is not padding, so it must know the padding token."""
    config = model.config.get_text_config()
    if config.pad_token_id is None:
        tokenizer = load_tokenizer(path)
        config.pad_token_id = tokenizer.pad_token_id
        if tokenizer.pad_token_id == tokenizer.eos_token_id:
            warnings.warn(
                f"{path}: the padding token is the end token. Scores here are read at the end token; transformers, "
                "which takes it for padding, reads them one token earlier.",
                stacklevel=3,
            )


def _set_ends(model, tokenizer) -> None:
    known = model.generation_config.eos_token_id
    ends = [known] if isinstance(known, int) else list(known or [])
    if tokenizer.eos_token_id is not None and tokenizer.eos_token_id not in ends:
        ends.append(tokenizer.eos_token_id)
    model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else (ends or None)
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__
