"""`baro compare`: what is there is used, the speed of every method is measured, settings are tried, seeds are run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baro.core.errors import BaroError, ConfigError
from baro.data.files import find, rows_of
from baro.data.read import write_jsonl
from baro.engine import dist, team
from baro.engine.run import Progress
from baro.pipeline import recipe as recipes
from baro.pipeline import runner
from baro.pipeline.comparison import plan
from baro.pipeline.comparison.entrants import Entrant, charged, contest, entrants, needed, part
from baro.pipeline.display import Display
from baro.pipeline.evaluation import Evaluation, evaluate
from baro.pipeline.fingerprint import content, fingerprint
from baro.pipeline.journal import Journal
from baro.pipeline.recipe import Recipe

TUNING_SHARE = 3
"""One prompt in so many is for tuning only."""


@dataclass(frozen=True)
class Options:
    """What `baro compare` is asked for.

    Attributes:
        methods: names of methods, or of stages of the recipe.
        seeds: runs of every method with its best settings, each with another seed.
        budget: seconds of work of one method's training: all its trials and seeds, and what only it needs (the reward
            model). What is waited for other programs does not count, so that a busy machine changes nothing.
        trials: settings tried by every method.
    """

    methods: tuple[str, ...]
    seeds: int = 3
    budget: float = 600.0
    trials: int = 5


@dataclass
class Contest:
    """A comparison under way.

    Attributes:
        folder: of the comparison, inside the run's.
        given: seconds of one run, by method.
        prices: what a run of a method takes.
        trials: by method, the settings of its trials, with `score` once they are measured.
        best: by method, the number of its best trial.
    """

    recipe: Recipe
    options: Options
    config: Evaluation
    entrants: list[Entrant]
    folder: Path
    reference_key: str
    display: Display
    given: dict[str, float] = field(default_factory=dict)
    prices: dict[str, plan.Cost] = field(default_factory=dict)
    trials: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    best: dict[str, int] = field(default_factory=dict)

    def runs(self, named: dict[str, tuple[Entrant, dict[str, Any]]]) -> dict[str, dict]:
        """Perform runs: name → (method, settings beside its own); those finished before are skipped."""
        wanted = {name: (one.method, one.settings | extra) for name, (one, extra) in named.items()}
        made = contest(self.recipe, self.folder, wanted, 1.0)
        configs, keys = runner.check(made), runner.fingerprints(made)
        found = {}
        for name, stage in made.stages.items():
            found[name] = runner.perform(made, stage, configs[name], keys[name], self.display) | {"key": keys[name]}
        return found

    def measured(self, what: str, results: dict[str, dict], **changes: Any) -> dict[str, dict]:
        """Evaluate runs beside the reference on the prompts of `what`, tuning or reported."""
        reference = self.config.reference
        prompts = self.folder / f"prompts_{what}.jsonl"
        changes |= {"models": [reference, *results], "prompts": [prompts], "base": None}
        config = self.config.model_copy(update=changes)
        given = config.model_dump(mode="json", exclude={"models"})
        own = fingerprint("evaluate", given, {reference: self.reference_key, "": content(prompts)}, run=self.folder)
        keys = {name: f"{result['key']}/{own}" for name, result in results.items()}
        place = {reference: self.recipe.folder / reference}
        self.display.begin(what)
        found = evaluate(
            config,
            lambda name: place.get(name, self.folder / name),
            keys | {reference: own},
            self.folder / what,
            lambda done, total: self.display(Progress(done, total, "models", "")),
        )
        self.display.end(what, f"{len(found)} models")
        return found


def compare(file: Path, options: Options, overrides: list[str], *, again: Sequence[str] | None = None) -> dict:
    """Compare methods; returns what compare.json holds.

    Raises:
        ConfigError: everything wrong with what was asked or the recipe, before anything starts; or a budget in which a
            method cannot make one update.
    """
    recipe = recipes.load(file, overrides)
    asked = _checked(recipe, options)
    config = runner.check(recipe)["evaluate"]
    first = part(recipe, needed(recipe, asked, config.reference))
    configs, keys = runner.check(first), runner.fingerprints(first)
    folder = recipe.folder / "compare"
    if again:
        team.gather(recipe.num_processes, again)
    dist.start()
    expected = _expected(first, asked, options)
    journal = Journal(folder, [(name, "", ()) for name in expected])
    with Display(expected, quiet=not dist.main_rank(), journal=journal) as display:
        results = {
            name: runner.perform(first, stage, configs[name], keys[name], display)
            for name, stage in first.stages.items()
        }
        match = Contest(recipe, options, config, asked, folder, keys[config.reference], display)
        if dist.main_rank():
            _split(config, folder)
        dist.barrier()
        shared = {one.name: sum(worked(results[s]) for s in charged(recipe, one, config.reference)) for one in asked}
        _speeds(match, shared)
        tried, tuning = _tune(match)
        seeds = {f"{one.name}-seed-{n + 1}": (one, n) for one in asked for n in range(options.seeds)}
        final = match.runs(
            {
                name: (one, match.trials[one.name][match.best[one.name]]["settings"] | {"seed": n + 1})
                for name, (one, n) in seeds.items()
            }
        )
        reported = match.measured("reported", final)
    if not dist.main_rank():
        return {}
    from baro.pipeline.comparison.outcome import write  # matplotlib and jinja2 only now

    return write(match, shared, tried | final, tuning, reported, console=display.console)


def worked(result: dict) -> float:
    """Seconds a stage was at work; all its seconds where an older version did not note the difference."""
    return float(result.get("busy_seconds", result["seconds"]))


def _checked(recipe: Recipe, options: Options) -> list[Entrant]:
    """The methods, with all that can be wrong about them found before anything is trained."""
    problems: list[BaroError] = []
    for name, least in (("seeds", 1), ("trials", 1)):
        if getattr(options, name) < least:
            problems.append(ConfigError(f"--{name} is {getattr(options, name)}, expected at least {least}."))
    if not recipe.evaluate:
        problems.append(
            ConfigError("nothing says how to evaluate.", where=str(recipe.file), hint="Add an evaluate block.")
        )
    elif not (recipe.evaluate.get("judge") or recipe.evaluate.get("reward_model_name_or_path")):
        problems.append(
            ConfigError(
                "nothing scores the answers.",
                where=f"{recipe.file}: evaluate",
                hint="Give evaluate a judge, or a reward_model_name_or_path.",
            )
        )
    if problems:
        raise ConfigError.gather(problems)
    reference = (recipe.evaluate or {}).get("reference", "sft")
    found = entrants(recipe, options.methods, reference)
    pending = contest(recipe, recipe.folder, {one.name: (one.method, one.settings) for one in found}, 1.0)
    runner.check(pending)
    return found


def _expected(first: Recipe, asked: list[Entrant], options: Options) -> dict[str, float]:
    """Seconds that every part is expected to take, in the order of the work."""
    found = {name: stage.minutes * 60 for name, stage in first.stages.items()}
    each = options.budget / (options.trials + options.seeds)
    found |= {f"{one.name}-reference": 10.0 for one in asked if _caches(one)}
    found |= {f"{one.name}-pilot": 5.0 for one in asked}
    for one in asked:
        count = len(plan.trials(one.method, one.settings, options.trials))
        found |= {f"{one.name}-trial-{n + 1}": each for n in range(count)}
    found |= {"tuning": 3.0 * len(asked) * options.trials}
    found |= {f"{one.name}-seed-{n + 1}": each for one in asked for n in range(options.seeds)}
    return found | {"reported": 5.0 * len(asked) * options.seeds}


def _split(config: Evaluation, folder: Path) -> None:
    """The evaluation's prompts in two files, one to tune on and one to report; equal prompts lie in the same."""
    rows = [row.columns for file in find(config.prompts) for row in rows_of(file) if not row.problem]
    parts: dict[str, list[dict]] = {"tuning": [], "reported": []}
    for row in rows:
        asked = json.dumps(row.get("prompt", row), sort_keys=True, ensure_ascii=False)
        place = int(hashlib.sha256(asked.encode()).hexdigest(), 16) % TUNING_SHARE
        parts["reported" if place else "tuning"].append(row)
    if not all(parts.values()):
        raise ConfigError(
            f"{len(rows)} prompts are too few to tune on some and report others.",
            where=", ".join(map(str, config.prompts)),
            hint="Give evaluate.prompts more rows.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, kept in parts.items():
        write_jsonl(folder / f"prompts_{name}.jsonl", kept[: config.max_prompts])


def _speeds(match: Contest, shared: dict[str, float]) -> None:
    """Run every method for a few updates, and share out its budget.

    DPO's reference works out the log-probabilities of all pairs once; that is added to `shared`.
    """
    first = {f"{one.name}-reference": (one, {"max_steps": 1, "seed": 0}) for one in match.entrants if _caches(one)}
    for name, result in match.runs(first).items():
        shared[first[name][0].name] += worked(result)
    pilots = {}
    for one in match.entrants:
        size = plan.PILOT[plan.LENGTH[one.method]] * one.settings.get("rollout_batch_size", 1)
        size = min(size, _rows(one)) if one.method == "rejection" else size
        pilots[f"{one.name}-pilot"] = (one, {plan.LENGTH[one.method]: size, "seed": 0})
    results = match.runs(pilots)
    for name, (one, extra) in pilots.items():
        lines = (match.folder / name / "speed.jsonl").read_text(encoding="utf-8").splitlines()
        updates = [json.loads(line)["busy_seconds"] for line in lines]
        settings = one.settings | extra
        match.prices[one.name] = plan.cost(one.method, settings, worked(results[name]), updates)
        count = len(plan.trials(one.method, one.settings, match.options.trials))
        match.given[one.name] = (match.options.budget - shared[one.name]) / (count + match.options.seeds)


def _caches(one: Entrant) -> bool:
    return "cache_dir" in one.settings


def _tune(match: Contest) -> tuple[dict[str, dict], dict[str, dict]]:
    """Run every trial and keep each method's best; returns their results and what was measured of them."""
    wanted: dict[str, tuple[Entrant, dict[str, Any]]] = {}
    problems: list[BaroError] = []
    for one in match.entrants:
        match.trials[one.name] = []
        for number, knobs in enumerate(plan.trials(one.method, one.settings, match.options.trials)):
            settings = one.settings | knobs
            try:
                far = plan.length(one.method, settings, match.prices[one.name], match.given[one.name], rows=_rows(one))
            except ConfigError as error:
                problems.append(error)
                break
            match.trials[one.name].append({"knobs": knobs, "settings": knobs | far})
            wanted[f"{one.name}-trial-{number + 1}"] = (one, knobs | far | {"seed": 0})
    if problems:
        raise ConfigError.gather(problems)
    results = match.runs(wanted)
    nothing: dict[str, Any] = {"tasks": [], "text": [], "shown": 0}
    found = match.measured("tuning", results, **nothing)
    key = "judge" if match.config.judge else "reward"
    for one in match.entrants:
        for number, trial in enumerate(match.trials[one.name]):
            trial["figures"] = found[f"{one.name}-trial-{number + 1}"]["figures"]
        scores = [trial["figures"][key] for trial in match.trials[one.name]]
        match.best[one.name] = scores.index(max(scores))
    return results, found


def _rows(one: Entrant) -> int:
    """Rows of data that a method may learn from."""
    named = [Path(file) for file in one.settings["dataset"]]
    rows = sum(1 for file in find(named) for row in rows_of(file) if not row.problem)
    return min(rows, one.settings.get("max_samples") or rows) if one.method != "rejection" else rows
