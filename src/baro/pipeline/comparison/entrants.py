"""The methods that compete, as stages of a recipe of their own."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from baro.core.errors import BaroError, ConfigError
from baro.engine import config as reader
from baro.pipeline.comparison.plan import KNOBS, LENGTH
from baro.pipeline.recipe import Recipe, Stage

LENDERS = {
    "rejection": ("ppo", "online_dpo", "group", "rloo", "grpo"),
    "dpo": ("kto",),
    "kto": ("dpo",),
    "ppo": ("group", "rloo", "grpo", "online_dpo", "rejection"),
    "online_dpo": ("ppo", "group", "rloo", "grpo", "rejection"),
    **{
        name: ("ppo", *(other for other in ("group", "rloo", "grpo") if other != name), "online_dpo", "rejection")
        for name in ("group", "rloo", "grpo")
    },
}
"""Whose settings a method takes over where the recipe has no stage of it: the same data, rates and sampling."""
ITS_OWN = {"loss_type", "beta", "kl_coef", "num_generations", "rounds", "select", "max_steps", "num_train_epochs"}
"""Settings that mean something else in another method."""


@dataclass(frozen=True)
class Entrant:
    """One method of the comparison.

    Attributes:
        name: as it was asked for.
        method: the recipe of baro that trains it.
        settings: all that its Config says, but where it is written and the seed.
        inputs: stages of the recipe that it reads.
        lent_by: the stage whose settings it took over, where the recipe has none of it; empty otherwise.
    """

    name: str
    method: str
    settings: dict[str, Any]
    inputs: tuple[str, ...]
    lent_by: str = ""


def entrants(recipe: Recipe, names: Iterable[str], reference: str) -> list[Entrant]:
    """The methods asked for, but the reference itself.

    Raises:
        ConfigError: every name that is no method, or of whose data the recipe knows nothing, at once.
    """
    found, problems = [], list[BaroError]()
    for name in dict.fromkeys(names):
        if name != reference:
            try:
                found.append(_entrant(recipe, name))
            except ConfigError as error:
                problems.append(error)
    if not found and not problems:
        problems.append(ConfigError("--methods names nothing to train.", hint=f"There are: {', '.join(KNOBS)}."))
    if problems:
        raise ConfigError.gather(problems)
    return found


def _entrant(recipe: Recipe, name: str) -> Entrant:
    stage = recipe.stages.get(name) or next((s for s in recipe.stages.values() if s.method == name), None)
    method = stage.method if stage else name
    if method not in KNOBS:
        known = [*KNOBS, *(s for s, one in recipe.stages.items() if one.method in KNOBS)]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(dict.fromkeys(known))}."
        raise ConfigError(f"--methods names '{name}', which is no method that is compared.", hint=hint)
    lent = ""
    if stage is None:
        stage = next((s for kind in LENDERS[method] for s in recipe.stages.values() if s.method == kind), None)
        if stage is None:
            raise ConfigError(
                f"the recipe has no stage of {method}, nor one whose data and settings it could take over.",
                where=str(recipe.file),
                hint=f"Add a stage with method: {method}.",
            )
        lent = stage.name
    fields = importlib.import_module(f"baro.recipes.{method}").Config.model_fields
    given = {key: value for key, value in stage.settings.items() if not lent or (key in fields and key not in ITS_OWN)}
    if lent and "kl_coef" in stage.settings and method in ("group", "rloo", "grpo"):
        given["beta"] = stage.settings["kl_coef"]  # the same price of a nat, under another name
    return Entrant(name, method, _complete(recipe, method, given), stage.inputs, lent)


def _complete(recipe: Recipe, method: str, given: dict[str, Any]) -> dict[str, Any]:
    """The settings with the defaults of those that are tuned, and one cache of the reference for all runs of DPO."""
    kind = importlib.import_module(f"baro.recipes.{method}").Config
    checked = reader.load(kind, None, (), pending=(recipe.folder,), **given, output_dir=str(recipe.folder / "compare"))
    needed = {LENGTH[method], *KNOBS[method], "rollout_batch_size"} & set(kind.model_fields)
    kept = {"cache_dir": str(recipe.folder / "compare" / "cache")} if method == "dpo" else {}
    return given | {name: getattr(checked, name) for name in needed} | {"save_steps": 0} | kept


def needed(recipe: Recipe, found: Iterable[Entrant], reference: str) -> list[str]:
    """Stages of the recipe that must be there first, in its order: all that the methods and the evaluation read."""
    return [name for name in recipe.stages if name in _closure(recipe, [reference, *recipe.evaluated, *_reads(found)])]


def charged(recipe: Recipe, entrant: Entrant, reference: str) -> list[str]:
    """Stages that only this method's way needs (the reward model): their time is part of its budget."""
    free = _closure(recipe, [reference])
    own = _closure(recipe, entrant.inputs)
    return [s for s in recipe.stages if s in own and s not in free and recipe.stages[s].method != "prepare"]


def _reads(found: Iterable[Entrant]) -> list[str]:
    return [name for entrant in found for name in entrant.inputs]


def _closure(recipe: Recipe, names: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += recipe.stages[name].inputs
    return seen


def part(recipe: Recipe, names: Iterable[str]) -> Recipe:
    """The recipe with these stages only, and nothing to evaluate."""
    return replace(recipe, stages={name: recipe.stages[name] for name in names}, evaluate=None, evaluated=())


def contest(recipe: Recipe, folder: Path, runs: dict[str, tuple[str, dict[str, Any]]], minutes: float) -> Recipe:
    """A recipe of runs: name → (method, settings), each on its own, reading the stages of `recipe` as files."""
    stages = {name: Stage(name, method, settings, (), minutes) for name, (method, settings) in runs.items()}
    return Recipe(recipe.name, recipe.file, folder, {}, stages, None, num_processes=recipe.num_processes)
