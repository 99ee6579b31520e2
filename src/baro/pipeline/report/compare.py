"""A comparison of methods for people: one self-contained page, and a screen of the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from baro.pipeline.report import glossary, markup, numbers, parts
from baro.pipeline.report.build import render
from baro.pipeline.report.compare_words import COMPARE
from baro.pipeline.report.details import Details, Words
from baro.pipeline.report.findings import findings, reference_of
from baro.pipeline.report.glossary import alarms_of, name
from baro.pipeline.report.marks import marks
from baro.pipeline.report.markup import visible
from baro.pipeline.report.table import comparison
from baro.pipeline.report.words import PAGE, both, fill, join

ANCHORS = ("result", "frontier", "duels", "tuning", "compute", "samples", "warnings", "settings", "again")
COLUMNS = ("judge", "win_rate", "kl", "reward", "capability", "seconds", "peak_bytes")
LENGTHS = ("max_steps", "total_episodes", "max_samples")
USED = 0.75, 1.25
"""Shares of the budget between which a method counts as having had the same compute as the others."""


def choice(models: Mapping[str, Mapping[str, Any]], budget: float) -> Words:
    """The one sentence: which method to choose, or that the evidence does not say.

    A method is chosen when its interval lies above all others. Among those that overlap with the best, the one nearest
    to the reference is named, for it risks least; the reference itself where it is among them.
    """
    found, reference = findings(models), reference_of(models)
    time = _time(budget)
    if not found.leaders:
        return COMPARE["no_choice"]
    if reference in found.leaders:
        return fill(COMPARE["keep"], name=name(str(reference)), time=time)
    if len(found.leaders) == 1:
        return fill(COMPARE["choose"], name=name(found.leaders[0]), time=time)
    nearest = min(found.leaders, key=lambda model: _or_far(models[model].get("kl")))
    names = join([name(model) for model in found.leaders])
    return fill(COMPARE["choose_one_of"], names=names, name=name(nearest), reference=name(str(reference)))


def _or_far(kl: Any) -> float:
    known = numbers.known(kl)
    return float("inf") if known is None else known


def page(report: Mapping[str, Any], details: Details) -> str:
    """The page as HTML.

    Args:
        report: what compare.json holds.
        details: the answers, the settings and the judge.
    """
    found = findings(report["models"], judge_independent=details.judge_independent)
    looks = marks(report["models"])
    time = _time(report["budget"])
    count = {key: numbers.count(report[key]) for key in ("trials", "seeds", "prompts")}
    count["tuning"] = numbers.count(report["tuning_prompts"])
    shown = [anchor for anchor in ANCHORS if anchor != "samples" or details.samples]
    return render(
        "compare.html.j2",
        metrics=glossary.METRICS,
        units=glossary.UNITS,
        meanings=glossary.MEANINGS,
        name=name,
        marks=looks,
        found=found,
        c=lambda key, **words: markup.say(fill(COMPARE[key], **words)),
        words=COMPARE,
        version=report["baro"],
        recipe=visible(str(report["recipe"])),
        title=fill(COMPARE["title"], recipe=visible(str(report["recipe"]))),
        contents=[(anchor, COMPARE.get(f"nav_{anchor}") or PAGE[f"nav_{anchor}"]) for anchor in shown],
        choice=report["choice"],
        how=fill(COMPARE["how"], methods=str(len(report["tuning"])), time=time, **count),
        intervals=fill(COMPARE["intervals"], seeds=count["seeds"]),
        judge=parts.judge_of(details),
        warnings=_warnings(report, details),
        configs=[(method, visible(text)) for method, text in details.configs.items()],
        command=visible(details.command),
        file="compare.json",
        again_lead=COMPARE["again_lead"],
        time=time,
        tuning_prompts=count["tuning"],
        duels=_duels(report, found.order),
        tuning=_tuning(report),
        compute=_compute(report),
        **parts.comparison(report, details, found, of=COLUMNS, close=True),
        **parts.frontier(report, details, found, looks),
        **parts.samples(report, details, found),
    )


def _duels(report: Mapping[str, Any], order: tuple[str, ...]) -> list[dict[str, Any]]:
    """The table of differences, best first; how strong a colour is follows the largest difference."""
    gaps = report["pairs"]
    largest = max((abs(gap["mean"]) for row in gaps.values() for gap in row.values()), default=0.0) or 1.0
    rows = []
    for model in order:
        cells: list[dict[str, Any] | None] = []
        for other in order:
            gap = gaps[model].get(other)
            if gap is None:
                cells.append(None)
                continue
            side = "up" if gap["low"] > 0 else "down" if gap["high"] < 0 else ""
            ends = numbers.interval(gap["low"], gap["high"], write=lambda v: _gap(v, largest))
            cells.append(
                {
                    "text": _gap(gap["mean"], largest),
                    "interval": ends,
                    "side": side,
                    "strength": round(12 + 38 * abs(gap["mean"]) / largest),
                }
            )
        rows.append({"model": model, "cells": cells})
    return rows


def _gap(value: float, largest: float) -> str:
    """A difference with as many decimals as the largest of the table needs."""
    return numbers.number(round(value, 2) if largest >= 0.05 else value, signed=True)


def _time(seconds: float) -> Words:
    """A budget: 5 min rather than 5 min 0 s."""
    return {
        language: text.removesuffix(" 0 s").removesuffix(" 0초") for language, text in numbers.seconds(seconds).items()
    }


def _tuning(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trials of every method; the scores share one scale."""
    key = report["scored_by"]
    every = [trial[key] for one in report["tuning"].values() for trial in one["trials"]]
    low, high = min(every), max(every)
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low - 0.05 * (high - low), high)
    found = []
    for method, one in report["tuning"].items():
        trials = [
            {
                "settings": join([_knob(knob, value) for knob, value in trial["knobs"].items()], " · "),
                "score": numbers.number(trial[key]),
                "share": round(100 * (trial[key] - low) / ((high - low) or 1.0), 1),
                "kl": numbers.number(trial["kl"]),
                "best": place == one["best"],
            }
            for place, trial in enumerate(one["trials"])
        ]
        lent = fill(COMPARE["lent"], stage=name(one["lent_by"])) if one["lent_by"] else both("")
        found.append({"method": method, "trials": trials, "edge": _at_the_edge(one), "lent": lent})
    return found


def _at_the_edge(one: Mapping[str, Any]) -> bool:
    """Whether the best trial has the highest or lowest value of a setting of which several were tried."""
    best = one["trials"][one["best"]]["knobs"]
    for knob, value in best.items():
        tried = {trial["knobs"][knob] for trial in one["trials"]}
        if len(tried) > 1 and value in (min(tried), max(tried)):
            return True
    return False


def _knob(knob: str, value: float) -> Words:
    written = f"{value:g}" if isinstance(value, int) else f"{value:.2g}"
    return fill(COMPARE[knob], value=written.replace("e-0", "e−"))


def _compute(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What every method spent, beside its budget; and how long a run of it was."""
    rows, budget = [], report["budget"]
    spent = {method: _spent(one) for method, one in report["compute"].items()}
    widest = max([budget, *spent.values()])
    for method, one in report["compute"].items():
        best = report["tuning"][method]["trials"][report["tuning"][method]["best"]]["settings"]
        kind = next(key for key in LENGTHS if key in best)
        words = {"count": numbers.count(best[kind] * best.get("rounds", 1)), "answers": best.get("num_generations", "")}
        rows.append(
            {
                "method": method,
                "total": numbers.seconds(spent[method]),
                "bars": [(key, round(100 * one[key] / widest, 2)) for key in ("shared", "trials", "seeds")],
                "budget_at": round(100 * budget / widest, 2),
                "run": numbers.seconds(report["models"][method]["seconds"]),
                "length": fill(COMPARE[kind], **words),
                "peak": numbers.size(one["peak_bytes"]),
            }
        )
    return rows


def _spent(one: Mapping[str, Any]) -> float:
    return one["shared"] + one["trials"] + one["seeds"]


def _warnings(report: Mapping[str, Any], details: Details) -> list[Words]:
    found = []
    if report["scored_by"] != "judge":
        found.append(COMPARE["no_judge_warning"])
    if report["prompts"] < 200:
        found.append(fill(COMPARE["few_prompts"], count=numbers.count(report["prompts"])))
    if report["seeds"] < 3:
        found.append(fill(COMPARE["few_seeds"], count=numbers.count(report["seeds"])))
    for method, one in report["compute"].items():
        share = _spent(one) / report["budget"]
        if not USED[0] <= share <= USED[1]:
            found.append(fill(COMPARE["under_budget"], name=name(method), share=numbers.percent(share)))
    return [*found, *(both(warning) for warning in details.warnings)]


def show(report: Mapping[str, Any], where: Path, *, console: Console, language: str = "en") -> None:
    """Prints the choice, the table of all methods, what speaks against it, and where the page is."""
    models = report["models"]
    found = findings(models)
    console.print(Text(report["choice"][language], style="bold"))
    for sentence in found.sentences[:1]:
        console.print(Text(sentence[language]))
    console.print(comparison(models, found, language=language, of=COLUMNS))
    for caution in found.cautions:
        console.print(Text(caution[language], style="red"))
    for model in found.order:
        for alarm in alarms_of(models[model]):
            line = Text("! ", style="red").append(name(model)[language], style="bold")
            console.print(line.append(f" · {alarm.label[language]}", style="default"))
    console.print(Text(fill(PAGE["where"], path=str(where))[language]), soft_wrap=True)
