"""What a comparison came to: compare.json, the page and the table."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

import baro
from baro.engine import files
from baro.evals.nested import difference, nested
from baro.evals.statistics import wins
from baro.pipeline import outcome
from baro.pipeline.comparison.entrants import Entrant
from baro.pipeline.comparison.run import Contest, worked
from baro.pipeline.report import compare as report
from baro.pipeline.report.details import Details

MEANS = ("reward", "kl", "kl_per_token", "capability", "text_nats", "eos_rate", "distinct_2", "mean_length")
PER_SEED = ("judge", "win_rate", "reward", "kl", "capability")


def write(
    match: Contest,
    shared: dict[str, float],
    results: dict[str, dict],
    tuning: dict[str, dict],
    reported: dict[str, dict],
    *,
    console: Console,
) -> dict[str, Any]:
    """Write compare.json and compare.html, and print the result; returns what compare.json holds.

    Args:
        shared: method → seconds of what only its way needs. results: run → its result.json.
        tuning, reported: run → what was measured of it.
    """
    reference, options = match.config.reference, match.options
    sft = reported[reference]
    models = {reference: _alone(sft)}
    for one in match.entrants:
        runs = [f"{one.name}-seed-{n + 1}" for n in range(options.seeds)]
        models[one.name] = _together(match, runs, results, reported)
    host = json.loads((match.recipe.folder / reference / "run.json").read_text(encoding="utf-8"))["machine"]
    found = outcome.finite(
        {
            "baro": baro.__version__,
            "recipe": match.recipe.name,
            "reference": reference,
            "device": host["device"],
            "budget": options.budget,
            "trials": options.trials,
            "seeds": options.seeds,
            "prompts": len(_scores(sft)),
            "tuning_prompts": len(_scores(tuning[reference])),
            "scored_by": "judge" if match.config.judge else "reward",
            "models": models,
            "tuning": {one.name: _tuning(match, one, results) for one in match.entrants},
            "compute": {one.name: _compute(match, one, shared[one.name], results) for one in match.entrants},
            "pairs": _pairs(match, reported),
        }
    )
    found["choice"] = report.choice(found["models"], options.budget)
    files.replace_json(match.folder / "compare.json", found)
    files.replace(match.folder / "compare.html", report.page(found, _details(match, reported)))
    report.show(found, match.folder / "compare.html", console=console)
    return found


def _scores(row: dict) -> list[float]:
    """Per prompt, what decides a win: the judge's score, else the reward model's."""
    return row["scores"]["judge"] or row["scores"]["reward"]


def _alone(row: dict) -> dict[str, Any]:
    """The reference, which is one model."""
    return row["figures"] | {"alarms": [], "seeds": []}


def _together(match: Contest, runs: list[str], results: dict[str, dict], reported: dict[str, dict]) -> dict[str, Any]:
    """The figures of one method over its seeds; intervals over seeds and prompts."""
    reference = match.config.reference
    rows, sft = [reported[run] for run in runs], reported[reference]
    judged = nested([row["scores"]["judge"] for row in rows]) if match.config.judge else None
    won = nested([wins(_scores(row), _scores(sft)) for row in rows])
    figures = {
        "judge": judged and judged.mean,
        "judge_low": judged and judged.low,
        "judge_high": judged and judged.high,
        "win_rate": won.mean,
        "win_rate_low": won.low,
        "win_rate_high": won.high,
    }
    for key in MEANS:
        values = [row["figures"][key] for row in rows]
        figures[key] = None if None in values else sum(values) / len(values)
    alarms: dict[str, dict] = {}
    for run, row in zip(runs, rows, strict=True):
        for alarm in outcome.alarmed(match.folder / run, row["figures"], sft["figures"], reference)["alarms"]:
            alarms.setdefault(alarm["code"], alarm)
    return figures | {
        "alarms": list(alarms.values()),
        "seconds": sum(worked(results[run]) for run in runs) / len(runs),
        "peak_bytes": max(results[run]["peak_bytes"] for run in runs),
        "seeds": [{key: row["figures"][key] for key in PER_SEED} for row in rows],
    }


def _tuning(match: Contest, one: Entrant, results: dict[str, dict]) -> dict[str, Any]:
    trials = [
        {
            "settings": trial["settings"],
            "knobs": trial["knobs"],
            "seconds": worked(results[f"{one.name}-trial-{number + 1}"]),
            **{key: trial["figures"][key] for key in ("judge", "reward", "kl", "win_rate")},
        }
        for number, trial in enumerate(match.trials[one.name])
    ]
    return {"trials": trials, "best": match.best[one.name], "lent_by": one.lent_by}


def _compute(match: Contest, one: Entrant, shared: float, results: dict[str, dict]) -> dict[str, Any]:
    def spent(part: str) -> list[dict]:
        return [result for name, result in results.items() if name.startswith(f"{one.name}-{part}-")]

    return {
        "shared": shared,
        "trials": sum(worked(result) for result in spent("trial")),
        "seeds": sum(worked(result) for result in spent("seed")),
        "run": match.given[one.name],
        "tokens": sum(result["tokens"] for result in spent("seed")) / match.options.seeds,
        "peak_bytes": max(result["peak_bytes"] for result in spent("seed")),
    }


def _pairs(match: Contest, reported: dict[str, dict]) -> dict[str, dict[str, dict[str, float]]]:
    """For every two methods: the difference of their scores on the same prompts, with its interval."""
    table = {match.config.reference: [_scores(reported[match.config.reference])]}
    for one in match.entrants:
        table[one.name] = [_scores(reported[f"{one.name}-seed-{n + 1}"]) for n in range(match.options.seeds)]
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in table}
    for a, ours in table.items():
        for b, theirs in table.items():
            if a != b:
                gap = difference(ours, theirs)
                found[a][b] = {"mean": gap.mean, "low": gap.low, "high": gap.high}
    return found


def _details(match: Contest, reported: dict[str, dict]) -> Details:
    config, reference = match.config, match.config.reference
    first = {reference: reported[reference]}
    first |= {one.name: reported[f"{one.name}-seed-1"] for one in match.entrants}
    chosen = {
        one.name: one.settings | match.trials[one.name][match.best[one.name]]["settings"] for one in match.entrants
    }
    return Details(
        command=shlex.join(["baro", *sys.argv[1:]]),
        samples=outcome.shown(first) if config.shown else (),
        configs={
            name: yaml.safe_dump(_plain(settings), sort_keys=False, allow_unicode=True)
            for name, settings in chosen.items()
        },
        judge=config.judge,
        judge_measures=config.judge_about or None,
        judge_independent=bool(config.judge) or None,
        capability_measures=outcome.CAPABILITY if config.tasks else None,
        sampling=f"temperature {config.temperature:g}, ≤ {config.max_completion_length} tokens",
        prompts=len(_scores(reported[reference])),
    )


def _plain(value: Any) -> Any:
    """Settings as YAML can write them."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
