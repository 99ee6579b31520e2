"""The sections of the page as plain values for the template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from baro.pipeline.report import charts, graph, numbers
from baro.pipeline.report.details import Details, Words
from baro.pipeline.report.findings import Findings, reference_of
from baro.pipeline.report.glossary import alarms_of, figure_name, is_share, name
from baro.pipeline.report.marks import Mark
from baro.pipeline.report.markup import visible
from baro.pipeline.report.words import PAGE, both, fill, join

# What of the samples goes into the page; all of them stay in the run's own files.
MOST_SAMPLES, MOST_ANSWERS, UNFOLDED_SAMPLES = 24, 180, 4

HELD_OUT = re.compile(r"^(held_?out|eval)[_/]|[_/]held_?out$")
COLUMNS = ("judge", "win_rate", "reward", "kl", "capability", "text_nats", "eos_rate", "distinct_2", "mean_length")


def head(report: Mapping[str, Any], details: Details) -> dict[str, Any]:
    """What run this is, and the way around the page."""
    words = {"seed": report["seed"], "device": report["device"], "threads": report["threads"]}
    anchors = ("result", "frontier", "health", "samples", "run", "curves", "warnings", "settings", "again")
    return {
        "version": report["baro"],
        "recipe": visible(str(report["recipe"])),
        "title": {lang: visible(text) for lang, text in fill(PAGE["title"], recipe=report["recipe"]).items()},
        "contents": [(a, PAGE[f"nav_{a}"]) for a in anchors if _there(a, report, details)],
        "made_with": fill(PAGE["made_with"], **words, time=numbers.seconds(report["seconds"])),
        "judge": judge_of(details),
        "warnings": [both(warning) for warning in details.warnings],
        "configs": [(stage, visible(text)) for stage, text in details.configs.items()],
        "command": visible(details.command),
    }


def _there(anchor: str, report: Mapping[str, Any], details: Details) -> bool:
    """Whether the page has this section."""
    return bool({"frontier": report["models"], "health": details.health}.get(anchor, True))


def comparison(
    report: Mapping[str, Any],
    details: Details,
    found: Findings,
    *,
    of: Sequence[str] = COLUMNS,
    close: bool = False,
) -> dict[str, Any]:
    """The table of all models with those columns of `of` that were measured, its alarms and its notes.

    Args:
        close: the bars of the judge reach from the lowest score to the highest, instead of from 0 to 1.
    """
    models = report["models"]
    columns = [key for key in of if any(numbers.known(values.get(key)) is not None for values in models.values())]
    scale = _scale(models.values(), close=close)
    rows = [
        {
            "model": model,
            "leader": _leader(model, found),
            "cells": [_cell(models, model, key, scale) for key in columns],
            "alarms": alarms_of(models[model]),
        }
        for model in found.order
    ]
    prompts = fill(PAGE["over_prompts"], count=numbers.count(details.prompts)) if details.prompts else both("")
    judged = "judge" in columns
    return {
        "columns": columns,
        "rows": rows,
        "alarms": [(model, alarm) for model in found.order for alarm in alarms_of(models[model])],
        "notes": _notes(details),
        "judged": judged,
        "comparison_lead": fill(
            PAGE["comparison_lead" if judged else "comparison_lead_no_judge"],
            level=numbers.percent(details.confidence),
            prompts=prompts,
            reference=name(reference_of(models) or ""),
        ),
    }


def _leader(model: str, found: Findings) -> str:
    if model not in found.leaders:
        return ""
    return "best" if len(found.leaders) == 1 else "tied_badge"


def judge_of(details: Details) -> Words:
    """Who judged, what the score means, and whether the reward model knew it."""
    if not details.judge:
        return both("")
    sentences = [fill(PAGE["judge_is"], name=details.judge)]
    sentences += [both(details.judge_measures)] if details.judge_measures else []
    sentences += [PAGE["judge_independent"]] if details.judge_independent else []
    return join(sentences, " ")


def _notes(details: Details) -> list[Words]:
    notes = []
    if details.capability_measures:
        notes.append(fill(PAGE["capability_is"], text=both(details.capability_measures)))
    if details.sampling:
        notes.append(fill(PAGE["sampling_is"], text=both(details.sampling)))
    return notes


def _scale(models: Any, *, close: bool) -> tuple[float, float]:
    """Ends of the bars of the judge: 0 and 1 when all scores lie between them, else a little beyond the scores."""
    every = [row for values in models for row in (values, *values.get("seeds", ()))]
    ends = [numbers.known(row.get(key)) for row in every for key in ("judge", "judge_low", "judge_high")]
    seen = [value for value in ends if value is not None]
    if not seen or (min(seen) >= 0 and max(seen) <= 1 and not close):
        return 0.0, 1.0
    margin = 0.05 * ((max(seen) - min(seen)) or 1.0)
    return min(seen) - margin, max(seen) + margin


def _cell(models: Mapping[str, Mapping[str, Any]], model: str, key: str, scale: tuple[float, float]) -> dict[str, Any]:
    values, reference = models[model], reference_of(models)
    value = values.get(key)
    if key == "judge":
        ends = numbers.interval(values.get("judge_low"), values.get("judge_high"))
        base = models[reference].get("judge") if reference else None
        return {"text": numbers.number(value), "interval": ends, "bar": _bar(values, base, scale)}
    if key == "win_rate":
        return {
            "text": numbers.percent(value),
            "small": both(numbers.share_interval(values.get("win_rate_low"), values.get("win_rate_high"))),
        }
    if key == "kl":
        per_token = numbers.known(values.get("kl_per_token"))
        return {"text": numbers.number(value), "small": both("" if per_token is None else numbers.number(per_token))}
    if key in ("capability", "text_nats"):
        shares = key == "capability" and all((numbers.known(v.get(key)) or 0) <= 1 for v in models.values())
        other = numbers.known(models[reference].get(key)) if reference else None
        here = numbers.known(value)
        moved = None if other is None or here is None or model == reference else here - other
        small: str | Words = "" if moved is None else numbers.number(moved, signed=True)
        if shares and moved is not None:
            small = fill(PAGE["points"], value=numbers.points(moved))
        return {"text": numbers.percent(value) if shares else numbers.number(value), "small": both(small)}
    if key == "seconds":
        return {"text": numbers.number(value), "small": both("")}
    writers: dict[str, Any] = {"eos_rate": numbers.percent, "distinct_2": numbers.percent, "peak_bytes": numbers.size}
    return {"text": writers.get(key, numbers.number)(value), "small": both("")}


def _bar(values: Mapping[str, Any], reference: Any, scale: tuple[float, float]) -> dict[str, Any] | None:
    """Places of the score, its interval, its seeds and the reference on the bar, in per cent of its width."""
    score = numbers.known(values.get("judge"))
    if score is None:
        return None

    def at(value: Any, otherwise: float) -> float:
        known = numbers.known(value)
        known = otherwise if known is None else known
        return round(100 * min(1.0, max(0.0, (known - scale[0]) / (scale[1] - scale[0]))), 1)

    low, high = at(values.get("judge_low"), score), at(values.get("judge_high"), score)
    place = {"at": at(score, score), "low": low, "width": round(high - low, 1), "reference": at(reference, score)}
    return place | {"seeds": [at(seed.get("judge"), score) for seed in values.get("seeds", ())]}


def frontier(report: Mapping[str, Any], details: Details, found: Findings, marks: Mapping[str, Mark]) -> dict[str, Any]:
    """The scatters of judge and proxy reward against KL, and how far the two agree."""
    drawn, plotted = [], set()
    for place, key in enumerate(("judge", "reward")):
        points = []
        for model in found.order:
            point = _point(report["models"], details, model, key, marks[model], model in found.hacked)
            if point is not None:
                points.append(point)
                plotted.add(model)
        if points:
            values = join([point.tip for point in points], "; ")
            label = fill(PAGE[f"chart_frontier_{key}"], values=values)
            drawn.append({"axis": f"axis_{key}", "label": label, "svg": charts.frontier(points, name=f"f{place}")})
    notes = []
    if numbers.known(details.correlation) is not None:
        notes.append(fill(PAGE["correlation"], value=numbers.number(details.correlation)))
    each = {model: value for model, value in details.correlations.items() if numbers.known(value) is not None}
    if each:
        values = join([join([name(model), both(numbers.number(value))], " ") for model, value in each.items()])
        notes.append(fill(PAGE["correlation_each"], values=values))
    return {
        "frontiers": drawn,
        "plotted": [model for model in found.order if model in plotted],
        "paths": any(len(details.paths.get(model, ())) > 1 for model in plotted),
        "correlations": notes,
    }


def _point(
    models: Mapping[str, Mapping[str, Any]], details: Details, model: str, key: str, mark: Mark, flagged: bool
) -> charts.Point | None:
    """One model in the scatter of `key`; None without both numbers. The reference's own KL is 0, measured or not."""
    values = models[model]
    kl, value = numbers.known(values.get("kl")), numbers.known(values.get(key))
    kl = 0.0 if kl is None and model == reference_of(models) else kl
    if kl is None or value is None:
        return None
    ends = (values.get("judge_low"), values.get("judge_high")) if key == "judge" else (None, None)
    written = f"{numbers.number(value)} {numbers.interval(*ends)}".strip()
    path = []
    for at, reward, judge in details.paths.get(model, ()):
        x, y = numbers.known(at), numbers.known(judge if key == "judge" else reward)
        if x is not None and y is not None:
            path.append((x, y))
    return charts.Point(
        model=model,
        label=name(model, short=True),
        tip=fill(PAGE["chart_point"], name=name(model), value=written, kl=numbers.number(kl)),
        mark=mark,
        kl=kl,
        value=value,
        low=numbers.known(ends[0]),
        high=numbers.known(ends[1]),
        path=tuple(path),
        cloud=tuple(
            (seed["kl"], seed[key])
            for seed in values.get("seeds", ())
            if numbers.known(seed.get("kl")) is not None and numbers.known(seed.get(key)) is not None
        ),
        flagged=flagged,
    )


def shift(details: Details) -> dict[str, Any]:
    """How the tokens of each model's greedy answers rank under the base model."""
    return {
        "shifts": [
            {
                "model": model,
                "shares": [
                    (found[kind], numbers.percent(found[kind])) for kind in ("unshifted", "marginal", "shifted")
                ],
                "tokens": ", ".join(repr(each["token"]) for each in found["most_shifted"][:8]),
            }
            for model, found in details.shifts.items()
        ]
    }


def samples(report: Mapping[str, Any], details: Details, found: Findings) -> dict[str, Any]:
    """Answers of all models to the same prompts, in the order of the table."""
    answered = list(dict.fromkeys(model for sample in details.samples for model in sample["answers"]))
    order = [m for m in found.order if m in answered] + [m for m in answered if m not in found.order]
    shown = []
    for sample in details.samples[: min(MOST_SAMPLES, max(1, MOST_ANSWERS // max(1, len(order))))]:
        answers = []
        for model in order:
            answer = sample["answers"].get(model) or {}
            judge, reward = numbers.known(answer.get("judge")), numbers.known(answer.get("reward"))
            answers.append(
                {
                    "model": model,
                    "text": answer.get("text"),
                    "judge": "" if judge is None else numbers.number(judge),
                    "reward": "" if reward is None else numbers.number(reward),
                    "cut": answer.get("ended") is False,
                }
            )
        shown.append({"prompt": sample["prompt"], "answers": answers})
    return {"samples": shown, "samples_count": len(details.samples), "sampled": order, "unfolded": UNFOLDED_SAMPLES}


def run(report: Mapping[str, Any], details: Details) -> dict[str, Any]:
    """The stages: what they take, how long they took, how much memory and how many tokens, and what came out."""
    stages, method = report["stages"], {stage: how for stage, how, _ in details.graph}
    inputs = {stage: sources for stage, _, sources in details.graph}
    order = [stage for stage, _, _ in details.graph if stage in stages]
    order += [stage for stage in stages if stage not in order]
    longest = max([numbers.known(s.get("seconds")) or 0.0 for s in stages.values()], default=0.0)
    highest = max([numbers.known(s.get("peak_bytes")) or 0.0 for s in stages.values()], default=0.0)
    rows = []
    for stage in order:
        values = stages[stage]
        seconds, peak, tokens = (numbers.known(values.get(key)) for key in ("seconds", "peak_bytes", "tokens"))
        rows.append(
            {
                "stage": stage,
                "method": _method(stage, method.get(stage, "")),
                "inputs": inputs.get(stage, ()),
                "time": numbers.seconds(seconds),
                "time_share": round(100 * (seconds or 0.0) / longest, 1) if longest else 0,
                "peak": numbers.size(peak),
                "peak_share": round(100 * (peak or 0.0) / highest, 1) if highest else 0,
                "tokens": numbers.count(tokens) if tokens else numbers.MISSING,
                "rate": numbers.count(tokens / seconds) if tokens and seconds else "",
                "figures": _figures(values.get("metrics") or {}),
            }
        )
    takes = [
        fill(PAGE["chart_stage"], stage=name(stage), inputs=join([name(s) for s in sources or ["nothing"]]))
        for stage, _, sources in details.graph
    ]
    return {
        "graph": graph.draw(details.graph),
        "graph_label": fill(PAGE["chart_graph"], values=join(takes, "; ")),
        "stages": rows,
        "datasets": [(visible(title), both(text)) for title, text in details.datasets.items()],
    }


def _method(stage: str, method: str) -> Words:
    """What a stage does, where its name does not say so already."""
    return both("") if method in ("", stage) else name(method)


def _figures(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What came out of a stage: names, values with their intervals."""
    figures = []
    for key, value in metrics.items():
        ends = re.fullmatch(r"(.+)_(low|high)", key)
        if numbers.known(value) is None or (ends and ends[1] in metrics):
            continue
        low, high = metrics.get(f"{key}_low"), metrics.get(f"{key}_high")
        share = is_share(key)
        write = numbers.percent if share else numbers.number
        ends_text = numbers.share_interval(low, high) if share else numbers.interval(low, high)
        figures.append({"name": figure_name(key), "value": write(value), "interval": ends_text})
    return figures


def curves(details: Details) -> dict[str, Any]:
    """Small charts of every stage; a series and its held-out twin share one."""
    drawn, held_out = [], False
    for place, (stage, series) in enumerate(details.curves.items()):
        groups: dict[str, dict[str, tuple[Sequence[float], Sequence[float]]]] = {}
        for title, (steps, values) in series.items():
            if any(numbers.known(value) is not None for value in values):
                kind = "held_out" if HELD_OUT.search(title) else "training"
                held_out = held_out or kind == "held_out"
                groups.setdefault(HELD_OUT.sub("", title), {})[kind] = (steps, values)
        plots = []
        for row, (title, group) in enumerate(groups.items()):
            values = next(iter(group.values()))[1]
            first, last = (next(v for v in way if numbers.known(v) is not None) for way in (values, reversed(values)))
            ends = {"first": numbers.number(first), "last": numbers.number(last)}
            label = fill(PAGE["chart_curve"], stage=name(stage), series=figure_name(title), **ends)
            svg = charts.curve(group, name=f"c{place}-{row}")
            plots.append({"name": figure_name(title), "label": label, "svg": svg})
        if plots:
            drawn.append((stage, plots))
    return {"curves": drawn, "held_out": held_out}
