"""A recipe file: variables, stages that name their inputs, and what to evaluate.

    seed: 0
    lang: en
    stages:
      world: {method: prepare, function: "baro.playground:export", args: {lang: "${lang}"}}
      base:  {method: pretrain, dataset: ["${world}/text.jsonl"], size: nano}
    evaluate: {...}

`${name}` stands for a variable or for the folder of an earlier stage. `key=value` on the command line sets a variable,
`stage.key=value` a stage's setting.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from baro.core.errors import BaroError, ConfigError

METHODS = (
    "prepare",
    "pretrain",
    "sft",
    "reward",
    "rejection",
    "dpo",
    "ppo",
    "group",
    "rloo",
    "grpo",
    "kto",
    "online_dpo",
)
REFERENCE = re.compile(r"\$\{([A-Za-z_][\w]*)\}")
RESERVED = {"stages", "evaluate", "about", "run", "num_processes"}


@dataclass(frozen=True)
class Stage:
    """One stage: its method, its settings with every reference filled in, the stages it reads, and how long it takes.

    `minutes` is the author's estimate on two cores; it only serves the display of time left.
    """

    name: str
    method: str
    settings: dict[str, Any]
    inputs: tuple[str, ...]
    minutes: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """A recipe read, overridden and resolved.

    `folder` is where the run is written, `evaluated` the stages whose files the comparison reads, models apart,
    `num_processes` how many processes share the work ("auto": one a core, at most 8; one where there is a GPU).
    """

    name: str
    file: Path
    folder: Path
    variables: dict[str, Any]
    stages: dict[str, Stage]
    evaluate: dict[str, Any] | None
    evaluated: tuple[str, ...] = ()
    about: dict[str, str] = field(default_factory=dict)
    num_processes: int | Literal["auto"] = 1


def load(file: Path, overrides: list[str]) -> Recipe:
    """Read a recipe file.

    Raises:
        ConfigError: everything that is wrong with it, at once.
    """
    raw = _read(file)
    problems: list[BaroError] = []
    run = _override(raw, overrides, problems)
    stages = raw.get("stages") or {}
    if not isinstance(stages, dict) or not stages:
        raise ConfigError("the recipe has no stages.", where=str(file), hint="Add stages: {name: {method: …}}.")
    variables = {key: value for key, value in raw.items() if key not in RESERVED}
    folder = Path(run or raw.get("run") or Path("runs") / file.stem)
    places = dict(variables)
    found: dict[str, Stage] = {}
    for name, settings in stages.items():
        where = f"{file}: stages.{name}"
        if not isinstance(settings, dict) or settings.get("method") not in METHODS:
            got = settings.get("method") if isinstance(settings, dict) else settings
            problems.append(ConfigError(f"method is {got!r}, expected one of {', '.join(METHODS)}.", where=where))
            places[name] = str(folder / name)
            continue
        resolved, used = _resolve(settings, places, where, problems)
        inputs = tuple(sorted(used & set(stages)))
        method, minutes = resolved.pop("method"), float(resolved.pop("minutes", 1.0))
        found[name] = Stage(name, method, resolved, inputs, minutes)
        places[name] = str(folder / name)
    evaluate, used = _resolve(raw.get("evaluate") or {}, places, f"{file}: evaluate", problems)
    processes = raw.get("num_processes", 1)
    if processes != "auto" and not (type(processes) is int and processes > 0):
        given = f"num_processes is {processes!r}, expected auto or a number from 1."
        problems.append(ConfigError(given, where=str(file)))
    if problems:
        raise ConfigError.gather(problems)
    about = raw.get("about") or {}
    reads = tuple(sorted(used & set(stages)))
    return Recipe(file.stem, file, folder, variables, found, evaluate or None, reads, about, processes)


def _read(file: Path) -> dict:
    if not file.is_file():
        near = sorted(Path(file.parent if file.parent.is_dir() else ".").glob("*.yaml"))
        hint = f"There are: {', '.join(map(str, near))}." if near else "Give the path of a YAML file."
        raise ConfigError(f"no recipe {file}.", hint=hint)
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {error}", where=str(file)) from error
    if not isinstance(raw, dict):
        raise ConfigError(f"found {type(raw).__name__}, expected keys and values.", where=str(file))
    return raw


def _override(raw: dict, overrides: list[str], problems: list[BaroError]) -> str | None:
    """Apply `key=value` and `stage.key=value` to the raw recipe; returns the value of `run=`."""
    run = None
    stages = raw.get("stages") or {}
    for item in overrides:
        key, equals, text = item.partition("=")
        key = key.lstrip("-").replace("-", "_")
        if not equals:
            problems.append(ConfigError(f"found '{item}', expected key=value."))
            continue
        value = yaml.safe_load(text) if text else None
        place, _, inner = key.partition(".")
        if key == "run":
            run = text
        elif key == "num_processes":
            raw[key] = value
        elif inner and place in stages:
            stages[place][inner] = value
        elif inner and place == "evaluate":
            raw.setdefault("evaluate", {})[inner] = value
        elif not inner and key in raw and key not in RESERVED:
            raw[key] = value
        else:
            problems.append(
                _unknown(
                    key, [*(k for k in raw if k not in RESERVED), "run", "num_processes", *(f"{s}." for s in stages)]
                )
            )
    return run


def _unknown(key: str, known: list[str]) -> ConfigError:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(known)}."
    return ConfigError(f"the recipe has no variable or stage '{key}'.", hint=hint)


def _resolve(value: Any, places: dict, where: str, problems: list[BaroError]) -> tuple[Any, set[str]]:
    """`value` with every ${name} replaced, and the names used."""
    used: set[str] = set()

    def name_of(match: re.Match) -> str:
        used.add(match[1])
        if match[1] not in places:
            near = difflib.get_close_matches(match[1], list(places), n=1)
            hint = f"Did you mean ${{{near[0]}}}?" if near else "A stage can only read stages above it."
            problems.append(
                ConfigError(f"${{{match[1]}}} is neither a variable nor an earlier stage.", where=where, hint=hint)
            )
            return ""
        return str(places[match[1]])

    def walk(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: walk(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [walk(inner) for inner in item]
        if not isinstance(item, str):
            return item
        whole = REFERENCE.fullmatch(item)
        if whole and whole[1] in places:
            used.add(whole[1])
            return places[whole[1]]
        return REFERENCE.sub(name_of, item)

    return walk(value), used
