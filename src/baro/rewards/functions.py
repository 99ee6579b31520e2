"""Rewards written in Python: `module:function` or `path/file.py:function`, in TRL's form.

A reward function is called as `f(prompts, completions, **columns) -> list[float]` with lists of equal length; `prompts`
are message lists, `completions` are strings, and every other column of the prompts' file arrives under its name. A
function that needs settings is written as a factory and given `args`: `f(**args)` returns the reward function.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from numbers import Real
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from baro.core.errors import BaroError, ConfigError
from baro.rewards.guard import GOES_ON, Case, guarded

RewardFunction = Callable[..., list[float]]


def load_function(name: str, args: Mapping | None = None) -> Callable:
    """The function that `name` points to, or what it returns for `args` when these are given.

    Raises:
        ConfigError: no such module, file or function, with what was looked for.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise ConfigError(
            f"'{name}' names no function.",
            hint="Write module:function or path/file.py:function, e.g. rewards.py:score.",
        )
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place, name)
    function = getattr(module, attribute, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"{place} has no function '{attribute}'; it has: {', '.join(sorted(known)[:12]) or 'none'}.")
    return function(**args) if args is not None else function


def _there(name: str, info: ValidationInfo) -> str:
    pending = (info.context or {}).get("pending", ())
    if not any(Path(name).is_relative_to(folder) for folder in pending):
        try:
            load_function(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
    return name


FunctionName = Annotated[str, AfterValidator(_there)]
"""A setting that names a function, which is looked for when the settings are read (unless its folder is pending)."""


def _load_module(place: str, name: str):
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"no module '{error.name}' (looked for '{name}').",
            hint="Check the spelling, or give a file: path/file.py:function.",
        ) from error


def _load_file(path: Path):
    if not path.is_file():
        raise ConfigError(f"no file {path}.", hint="Paths are taken from the folder the command runs in.")
    spec = importlib.util.spec_from_file_location(f"baro_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file does wrong
        raise ConfigError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def function_scores(
    function: RewardFunction,
    prompts: Items[list[dict]],
    completions: Items[str],
    columns: Items[Mapping],
    *,
    wheres: Items[str] = (),
    seconds: float | None = None,
) -> list[float]:
    """One finite number per completion.

    Args:
        function: the reward function.
        prompts: message lists, `{"role", "content"}` each.
        completions: the answers' texts.
        columns: the other columns of each prompt's row.
        wheres: `file:row` of each prompt, for errors.
        seconds: how long the function may take for all of them.

    Raises:
        BaroError: the function raised, took too long, or returned the wrong number of scores or one that is not a
            finite number; the prompt is named.
    """
    names = sorted(set().union(*columns) - {"prompts", "completions"}) if columns else []

    def call(rows: list) -> list[float]:
        asked, said, others = (list(part) for part in zip(*rows, strict=True)) if rows else ([], [], [])
        return function(asked, said, **{name: [row.get(name) for row in others] for name in names})

    rows = list(zip(prompts, completions, columns, strict=True))
    places = list(wheres) or [""] * len(rows)
    cases = [Case(place, row[0][-1]["content"]) for place, row in zip(places, rows, strict=True)]
    what = f"the reward function {getattr(function, '__name__', '')}".rstrip()
    values = guarded(what, call, rows, cases, seconds=seconds)
    for number, (value, case) in enumerate(zip(values, cases, strict=True)):
        if not isinstance(value, Real) or not math.isfinite(value):
            raise BaroError(
                f"{what} returned {value!r} for completion {number}: {completions[number][:80]!r}; "
                f"the prompt: {case.text[:120]!r}.",
                where=case.where,
                hint=f"Return one finite number per completion. {GOES_ON}",
            )
    return [float(value) for value in values]
