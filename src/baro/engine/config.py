"""Settings: a YAML file, then `key=value` on the command line, checked once, every problem named with its line.

Nothing here imports torch, so `--help` and a misspelt key answer at once.
"""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator

from baro.core.errors import BaroError, ConfigError
from baro.engine.fields import (
    ExistingPath,
    Option,
    Settings,
    accepts,
    coerce,
    describe,
    field_at,
    is_list,
    leaves,
    names,
    type_name,
)

__all__ = ["ExistingPath", "Option", "Settings", "Training", "describe", "load", "type_name"]

TRUE_WORDS, FALSE_WORDS = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}

Key = tuple[str, ...]
"""Where a setting is: its name, preceded by the names of the settings it is nested in."""
S = TypeVar("S", bound=Settings)


class Training(Settings):
    """What every training recipe shares. Names are TRL's; recipes narrow the defaults to their papers'."""

    output_dir: Path
    """Folder of the run: metrics.jsonl, checkpoints and the trained model. One run per folder."""
    seed: int = Field(default=0, ge=0)
    """Seed of the data order, fresh weights, dropout and sampling."""
    learning_rate: float = Field(default=2e-5, ge=0)
    """Peak learning rate of AdamW (TRL SFT: 2e-5)."""
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    """Shape of the learning rate after warm-up (TRL: linear)."""
    warmup_ratio: float = Field(default=0.0, ge=0, le=1)
    """Part of the optimiser steps spent on linear warm-up (TRL: 0). Ignored when warmup_steps is given."""
    warmup_steps: int = Field(default=0, ge=0)
    """Optimiser steps of linear warm-up; 0 leaves it to warmup_ratio."""
    min_lr_ratio: float = Field(default=0.0, ge=0, le=1)
    """Learning rate at the end of the schedule, as a part of the peak (TRL: 0)."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay per step, on matrices and embeddings only (TRL: 0)."""
    adam_beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of AdamW's mean of gradients per step (Loshchilov & Hutter 2019: 0.9)."""
    adam_beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of AdamW's mean of squared gradients per step (Loshchilov & Hutter 2019: 0.999)."""
    adam_epsilon: float = Field(default=1e-8, gt=0)
    """AdamW's guard against division by zero (Loshchilov & Hutter 2019: 1e-8; the PPO papers: 1e-5)."""
    max_grad_norm: float = Field(default=1.0, ge=0)
    """Global gradient norm above which gradients are scaled down (TRL: 1.0); 0 turns clipping off."""
    num_train_epochs: float = Field(default=3.0, gt=0)
    """Passes over the data (TRL SFT: 3). Ignored when max_steps is given."""
    max_steps: int = Field(default=-1, ge=-1)
    """Optimiser steps; -1 leaves it to num_train_epochs (TRL: -1)."""
    per_device_train_batch_size: int = Field(default=8, ge=1)
    """Sequences per micro-batch (TRL: 8); times gradient_accumulation_steps, those of an update over ALL processes."""
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    """Micro-batches per update (TRL: 1). The update is the same however its product with the batch size is split."""
    max_length: int = Field(default=1024, ge=2)
    """Tokens kept of one sequence (TRL: 1024)."""
    logging_steps: int = Field(default=1, ge=1)
    """Updates averaged into one line of metrics.jsonl (TRL: 10; a line costs microseconds, so 1)."""
    eval_steps: int = Field(default=0, ge=0)
    """Updates between evaluations; 0 evaluates at the end only."""
    save_steps: int = Field(default=500, ge=0)
    """Updates between checkpoints (transformers: 500); one more is written at the end. 0: only when interrupted."""
    save_total_limit: int | None = Field(default=2, ge=1)
    """Checkpoints kept; the last valid one is never removed. none keeps all."""
    resume_from_checkpoint: bool | ExistingPath = True
    """true: continue from the newest valid checkpoint of output_dir if there is one; false: start anew; or a path."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["auto", "float32", "bfloat16", "float16", "float64"] = "auto"
    """Number format of the weights; auto is float32 on a CPU, bfloat16 on a GPU that computes in it."""
    gradient_checkpointing: bool = False
    """True: keep each layer's input only and run it again in the backward pass: less memory, a third more time."""
    optim: Literal["adamw_torch", "adamw_8bit"] = "adamw_torch"
    """adamw_8bit: AdamW's two means in 8 bits a number (needs bitsandbytes: pip install 'baro[8bit]')."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    report_to: list[Literal["tensorboard", "wandb"]] = Field(default_factory=list)
    """Further places for the metrics: none, tensorboard, wandb. Nothing leaves the machine unless asked."""

    @field_validator("report_to", mode="before")
    @classmethod
    def _none_reports_nowhere(cls, value: Any) -> Any:
        if value is None or value == "none":
            return []
        return [name for name in value if name != "none"] if isinstance(value, list) else value

    @field_validator("optim")
    @classmethod
    def _is_installed(cls, value: str) -> str:
        if value == "adamw_8bit" and find_spec("bitsandbytes") is None:
            raise ValueError("adamw_8bit needs bitsandbytes: pip install 'baro[8bit]'")
        return value

    @property
    def sequences_per_update(self) -> int:
        """Sequences in one optimiser step, over all processes."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    def warmup(self, steps: int) -> int:
        """Optimiser steps of warm-up in a run of `steps`."""
        return self.warmup_steps or math.ceil(self.warmup_ratio * steps)


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass
class _Given:
    """One value as the user wrote it, and where: `file.yaml:3`, or the words of the command line."""

    value: Any
    where: str


def load(
    cls: type[S],
    file: Path | str | None = None,
    overrides: Sequence[str] = (),
    *,
    pending: Sequence[Path] = (),
    **base: Any,
) -> S:
    """Settings of class `cls` from `base` values, then the YAML `file`, then `overrides`; later ones win.

    Args:
        file: a YAML mapping of keys to values.
        overrides: words of a command line: `key=value`, `--key value`, `--key=value`, and for booleans `--key` and
            `--no_key`; hyphens may stand for underscores, `outer.inner=value` reaches into nested settings, lists are
            `a,b`. `none` and `null` mean None wherever a setting may be None.
        pending: folders that will be made before the settings are used: files below them may be missing.
        base: values a program passes; they win over the defaults only.

    Raises:
        ConfigError: every problem in one error, each with its file:line or the words it was written with.
    """
    problems: list[BaroError] = []
    given: dict[Key, _Given] = {(name,): _Given(value, "") for name, value in base.items()}
    if file is not None:
        _merge(given, _read_yaml(Path(file), problems))
    _merge(given, _read_words(cls, overrides, problems))
    tree: dict[str, Any] = {}
    rejected = set()
    for path, item in given.items():
        field = field_at(cls, path)
        if field is None:
            problems.append(_unknown(cls, path, item))
        elif isinstance(item.value, bool) and not accepts(field, bool):
            problems.append(_mismatch(".".join(path), item, type_name(field)))
            rejected.add(path)
        else:
            _plant(tree, path, coerce(item.value, field))
    try:
        settings = cls.model_validate(tree, context={"pending": tuple(pending)})
    except ValidationError as error:
        problems += _translate(error, given, rejected)
    if problems:
        raise ConfigError.gather(problems)
    return settings


def _merge(given: dict[Key, _Given], newer: Mapping[Key, _Given]) -> None:
    for path, item in newer.items():
        for old in [old for old in given if old[: len(path)] == path or path[: len(old)] == old]:
            del given[old]
        given[path] = item


def _plant(tree: dict[str, Any], path: Key, value: Any) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def _read_yaml(file: Path, problems: list[BaroError]) -> dict[Key, _Given]:
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"cannot read the settings: {error.strerror}.", where=str(file)) from None
    except UnicodeDecodeError:
        raise ConfigError("found bytes that are not UTF-8, expected a YAML text.", where=str(file)) from None
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        line = f":{mark.line + 1}" if mark else ""
        reason = error.problem if isinstance(error, yaml.MarkedYAMLError) else error
        raise ConfigError(f"not YAML: {reason}.", where=f"{file}{line}") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError("found a list or a word, expected lines of the form key: value.", where=f"{file}:1")
    given: dict[Key, _Given] = {}
    for path, node, number in _walk(root, ()):
        where = f"{file}:{number}"
        if path in given:
            problems.append(BaroError(f"{'.'.join(path)} is given twice.", where=where))
        given[path] = _Given(yaml.constructor.SafeConstructor().construct_document(node), where)
    return given


def _walk(node: yaml.MappingNode, path: Key) -> Iterator[tuple[Key, yaml.Node, int]]:
    """(path, value node, line of the key) of every leaf of a YAML mapping, in file order."""
    for key, value in node.value:
        here = (*path, str(key.value))
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _walk(value, here)
        else:
            yield here, value, key.start_mark.line + 1


def _read_words(cls: type[Settings], words: Sequence[str], problems: list[BaroError]) -> dict[Key, _Given]:
    given: dict[Key, _Given] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        key, equals, text = word.partition("=")
        path = _path(key)
        field = field_at(cls, path)
        if equals:
            given[path] = _Given(text, word)
        elif not word.startswith("--"):
            problems.append(BaroError("expected key=value or --key value.", where=word))
        elif field is None and _is_switch(cls, _without_no(path)):
            given[_without_no(path)] = _Given(False, word)
        elif field is not None and accepts(field, bool) and not (queue and _could_be(queue[0], field)):
            given[path] = _Given(True, word)
        elif not queue or queue[0].startswith("--"):
            problems.append(
                _unknown(cls, path, _Given("", word))
                if field is None
                else BaroError(f"found no value, expected {type_name(field)}.", where=word)
            )
        else:
            values = [queue.pop(0)]
            while field is not None and is_list(field) and queue and not _starts_option(cls, queue[0]):
                values.append(queue.pop(0))
            given[path] = _Given(values if len(values) > 1 else values[0], " ".join([word, *values]))
    return given


def _path(key: str) -> Key:
    return tuple(key.removeprefix("--").replace("-", "_").split("."))


def _without_no(path: Key) -> Key:
    return (*path[:-1], path[-1].removeprefix("no_"))


def _is_switch(cls: type[Settings], path: Key) -> bool:
    field = field_at(cls, path)
    return field is not None and accepts(field, bool)


def _could_be(word: str, field: Any) -> bool:
    """Whether the word after `--switch` is its value: true or false, or anything where the switch may be a path."""
    if word.startswith("--") or "=" in word:
        return False
    return word.lower() in TRUE_WORDS | FALSE_WORDS or len(leaves(field) - {bool, types.NoneType}) > 0


def _starts_option(cls: type[Settings], word: str) -> bool:
    return word.startswith("--") or ("=" in word and field_at(cls, _path(word.partition("=")[0])) is not None)


# --- problems --------------------------------------------------------------------------------------------------------


def _unknown(cls: type[Settings], path: Key, item: _Given) -> BaroError:
    name = ".".join(path)
    close = difflib.get_close_matches(name.lower().replace("-", "_"), names(cls), n=1, cutoff=0.6)
    hint = f"Did you mean {close[0]}?" if close else "--help lists every setting."
    return BaroError(f"unknown setting {name}.", where=item.where, hint=hint)


def _mismatch(name: str, item: _Given, expected: str, hint: str = "") -> BaroError:
    found = "none" if item.value is None else repr(item.value)
    return BaroError(f"{name}: found {found}, expected {expected}.", where=item.where, hint=hint)


def _translate(error: ValidationError, given: Mapping[Key, _Given], rejected: set[Key]) -> list[BaroError]:
    """pydantic's errors in our words, one per setting; none for the settings `rejected` before it saw them."""
    grouped: dict[Key, list[Any]] = {}
    for detail in error.errors():
        location = tuple(str(part) for part in detail["loc"])
        path = next((location[:size] for size in range(len(location), 0, -1) if location[:size] in given), location)
        grouped.setdefault(path, []).append(detail)
    problems = []
    for path, details in grouped.items():
        if path in rejected:
            continue
        name, item, first = ".".join(path), given.get(path, _Given(details[0]["input"], "")), details[0]
        # Of the alternatives of a union, one that understood the value but refused it says more than the others.
        refused = next((d for d in details if d["type"] == "value_error"), None)
        if first["type"] == "missing":
            problems.append(BaroError(f"{name} is needed and was not given.", hint=f"Give {name}=..."))
        elif refused is not None:
            reason = str(refused["ctx"]["error"]).rstrip(".")
            problems.append(BaroError(f"{name + ': ' if name else ''}{reason}.", where=item.where))
        else:
            expected = " or ".join(dict.fromkeys(_expected(detail) for detail in details))
            problems.append(_mismatch(name, item, expected, _closest(item.value, details)))
    return problems


def _expected(detail: Any) -> str:
    words = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "path": "a path",
        "list": "a list",
        "string": "text",
        "none": "none",
        "dict": "a mapping",
    }
    kind, _, what = detail["type"].partition("_")
    if what in ("type", "parsing", "from_float", "required") and kind in words:
        return words[kind]
    message = detail["msg"].removeprefix("Input should be ")
    bound = detail["type"].startswith(("greater_than", "less_than"))
    return "a number " + message if bound else message[:1].lower() + message[1:]


def _closest(value: Any, details: list[Any]) -> str:
    for detail in details:
        if detail["type"] == "literal_error" and isinstance(value, str):
            choices = [part.strip("'") for part in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            close = difflib.get_close_matches(value.lower(), choices, n=1, cutoff=0.6)
            return f"Did you mean {close[0]}?" if close else ""
    return ""
