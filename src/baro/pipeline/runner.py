"""`baro run`: the stages of a recipe in order, each skipped when finished, resumed when not; then the comparison."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baro.core.errors import BaroError, ConfigError
from baro.engine import config as settings
from baro.engine import dist, files, team
from baro.pipeline import recipe as recipes
from baro.pipeline.display import Display
from baro.pipeline.fingerprint import content, fingerprint
from baro.pipeline.journal import Journal
from baro.pipeline.recipe import Recipe, Stage

HEADLINE = ("nats_per_char", "exact_match", "accuracy", "objective/kl", "objective/scores", "reward_kept_round_1")


def run(file: Path, overrides: list[str], *, again: Sequence[str] | None = None) -> dict[str, Any]:
    """Run a recipe; returns what report.json holds.

    Args:
        again: the command that starts this run anew, for the recipe's further processes; none: there are none.

    Raises:
        ConfigError: everything wrong with the recipe or a stage's settings, before anything starts.
    """
    recipe = recipes.load(file, overrides)
    configs = check(recipe)
    keys = fingerprints(recipe)
    if again:
        team.gather(recipe.num_processes, again)
    dist.start()
    expected = {name: stage.minutes * 60 for name, stage in recipe.stages.items()}
    if recipe.evaluate:
        expected["evaluate"] = float(recipe.evaluate.get("minutes", 1.0)) * 60
    stages = [(stage.name, stage.method, stage.inputs) for stage in recipe.stages.values()]
    if recipe.evaluate:
        stages.append(("evaluate", "evaluate", recipe.evaluate.get("models", recipe.evaluated)))
    with Display(expected, quiet=not dist.main_rank(), journal=Journal(recipe.folder, stages)) as display:
        results = {}
        for name, stage in recipe.stages.items():
            results[name] = perform(recipe, stage, configs[name], keys[name], display)
        if not recipe.evaluate:
            return {"stages": results}
        measured = _evaluate(recipe, configs["evaluate"], keys, display)
        cards = _health(recipe, configs, keys, display)
    if not dist.main_rank():
        return {}
    from baro.pipeline.outcome import write  # matplotlib and jinja2 only now
    from baro.pipeline.report.table import show

    report = write(recipe, configs, results, measured, cards)
    show(report, recipe.folder / "report.html", console=display.console)
    return report


def check(recipe: Recipe) -> dict[str, Any]:
    """Every stage's settings, validated before anything starts; files that earlier stages will make may be missing."""
    problems: list[BaroError] = []
    found: dict[str, Any] = {}
    blocks = {name: (_module(stage.method).Config, stage.settings) for name, stage in recipe.stages.items()}
    if recipe.evaluate:
        from baro.pipeline.evaluation import Evaluation

        blocks["evaluate"] = (Evaluation, {k: v for k, v in recipe.evaluate.items() if k != "minutes"})
    for name, (kind, given) in blocks.items():
        values = dict(given) if name == "evaluate" else given | {"output_dir": str(recipe.folder / name)}
        if name != "evaluate" and "seed" in recipe.variables and "seed" in kind.model_fields:
            values.setdefault("seed", recipe.variables["seed"])
        try:
            found[name] = settings.load(kind, None, (), pending=(recipe.folder,), **values)
        except ConfigError as error:
            place = f"{recipe.file}: {'' if name == 'evaluate' else 'stages.'}{name}"
            problems.append(ConfigError(error.message, where=place))
    unknown = [name for name in (recipe.evaluate or {}).get("models", []) if name not in recipe.stages]
    problems += [
        ConfigError(f"evaluate.models names '{name}', which is no stage.", where=str(recipe.file)) for name in unknown
    ]
    if problems:
        raise ConfigError.gather(problems)
    return found


def _module(method: str):
    return importlib.import_module("baro.pipeline.prepare" if method == "prepare" else f"baro.recipes.{method}")


def fingerprints(recipe: Recipe) -> dict[str, str]:
    """Stage → the hash of all it depends on; `evaluate` likewise."""
    content.cache_clear()
    keys: dict[str, str] = {}
    for name, stage in recipe.stages.items():
        given = stage.settings | {"seed": stage.settings.get("seed", recipe.variables.get("seed", 0))}
        inputs = {source: keys[source] for source in stage.inputs}
        keys[name] = fingerprint(stage.method, given, inputs, run=recipe.folder)
    return keys


def perform(recipe: Recipe, stage: Stage, config, key: str, display: Display) -> dict:
    """Skip, resume or start one stage."""
    folder = recipe.folder / stage.name
    stamp, result = folder / "stage.json", folder / "result.json"
    before = json.loads(stamp.read_text(encoding="utf-8")) if stamp.is_file() else None
    if before == {"key": key} and result.is_file():
        display.skip(stage.name)
        return json.loads(result.read_text(encoding="utf-8"))
    dist.barrier()
    if dist.main_rank():
        if before and before != {"key": key}:
            _set_aside(recipe.folder, stage.name)
        folder.mkdir(parents=True, exist_ok=True)
        files.replace_json(stamp, {"key": key})
    dist.barrier()
    display.begin(stage.name)
    found = _module(stage.method).main(config, display)
    display.end(stage.name, _headline(found["metrics"]))
    if (folder / "page.html").is_file():
        display.say(f"{stage.name}: look at {folder / 'page.html'}")
    return found


def _set_aside(folder: Path, name: str) -> None:
    """Move what an earlier version of the stage made to `.earlier/`; the one set aside before that goes."""
    old = folder / ".earlier" / name
    if old.exists():
        shutil.rmtree(old)
    old.parent.mkdir(exist_ok=True)
    (folder / name).rename(old)


def _headline(metrics: dict) -> str:
    shown = [name for name in HEADLINE if isinstance(metrics.get(name), int | float)]
    return ", ".join(f"{name.rsplit('/', 1)[-1].replace('_', ' ')} {metrics[name]:.3g}" for name in shown)


def _evaluate(recipe: Recipe, config, keys: dict[str, str], display: Display) -> dict[str, dict]:
    from baro.engine.run import Progress
    from baro.pipeline.evaluation import evaluate

    display.begin("evaluate")
    given = {key: value for key, value in (recipe.evaluate or {}).items() if key not in ("models", "minutes")}
    inputs = {name: keys[name] for name in (*recipe.evaluated, config.reference)}
    own = fingerprint("evaluate", given, inputs, run=recipe.folder)
    found = evaluate(
        config,
        lambda name: recipe.folder / name,
        {name: f"{keys[name]}/{own}" for name in config.models},
        recipe.folder / "evaluation",
        lambda done, total: display(Progress(done, total, "models", "")),
    )
    display.end("evaluate", f"{len(found)} models")
    return found


def _health(recipe: Recipe, configs: dict[str, Any], keys: dict[str, str], display: Display) -> dict[str, dict]:
    """The health cards of the reward models that have held-out pairs."""
    stages = {
        name: configs[name]
        for name, stage in recipe.stages.items()
        if stage.method == "reward" and configs[name].eval_dataset
    }
    if not stages or not dist.main_rank():
        return {}
    from baro.pipeline.health import of_run

    display.say("health of the reward model …")
    return of_run(stages, keys, recipe.folder / "health", display.say)
