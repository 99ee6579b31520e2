"""The health card of a reward model for people: one self-contained page, and a screen of the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import baro
from baro.pipeline.report import markup, numbers
from baro.pipeline.report.build import render
from baro.pipeline.report.details import Words
from baro.pipeline.report.health_words import CARD
from baro.pipeline.report.markup import visible
from baro.pipeline.report.plots import Series, xy
from baro.pipeline.report.verdicts import headline, sentence
from baro.pipeline.report.words import both, fill, join

ANCHORS = ("result", "compared", "calibration", "where", "taste", "tricks", "labels")


def page(card: Mapping[str, Any]) -> str:
    """The page as HTML."""
    found = card["calibration"]
    temperature = found["temperature"]
    named = {k: CARD[k] for k in ("much_shorter", "shorter", "equal", "longer", "much_longer")}
    kinds = [(CARD[key], _ranges(card[key], named)) for key in ("by_length", "by_source", "by_margin") if card[key]]
    words = {"pairs": numbers.count(card["pairs"]), "prompts": numbers.count(card["prompts"])}
    return render(
        "health.html.j2",
        h=lambda key: markup.say(CARD[key]),
        words=CARD,
        version=baro.__version__,
        recipe=visible(f"{card['model']} · {', '.join(card['data'])}"),
        title=fill(CARD["title"], model=visible(card["model"])),
        contents=[(anchor, CARD[f"nav_{anchor}"]) for anchor in ANCHORS],
        headline=headline(card),
        findings=[{"level": one["level"], "text": sentence(one)} for one in card["findings"]],
        made_with=fill(CARD["made_with"], left_out=numbers.count(card["left_out"]), **words),
        **_compared(card),
        calibration_lead=fill(
            CARD["calibration_lead"], error=numbers.number(found["error"]), loss=f"{found['log_loss']:.3f}"
        ),
        mended=fill(
            CARD["mended"],
            temperature=numbers.number(temperature),
            error=numbers.number(found["error_mended"]),
            loss=f"{found['log_loss_mended']:.3f}",
        )
        if temperature
        else both(""),
        by_confidence=_ranges(card["by_confidence"], {}),
        parts=kinds,
        traits=_traits(card),
        spoiled=_spoiled(card),
        stability=_stability(card),
        **_charts(card),
    )


def _ranges(rows: list[Mapping[str, Any]], names: Mapping[str, Words]) -> list[dict[str, Any]]:
    """Rows of a table of accuracies with their bars."""
    return [
        {
            "name": names.get(row["name"], both(visible(row["name"]))),
            "text": numbers.percent(row["mean"]),
            "interval": numbers.share_interval(row["low"], row["high"]),
            "low": round(100 * row["low"], 1),
            "width": round(100 * (row["high"] - row["low"]), 1),
            "at": round(100 * row["mean"], 1),
            "pairs": numbers.count(row["pairs"]) if row.get("pairs") else "",
            "colour": row.get("colour", 1),
        }
        for row in rows
    ]


def _compared(card: Mapping[str, Any]) -> dict[str, Any]:
    """The model beside the baselines and the noise ceiling."""
    rows: list[Mapping[str, Any]] = [{"name": "this_model", **card["accuracy"]}]
    rows += [
        {"name": name, **card["baselines"][name], "colour": 0}
        for name in ("words", "length")
        if name in card["baselines"]
    ]
    best, ceiling = card["ceiling"], CARD["no_ceiling"]
    if best:
        rows.append({"name": "ceiling", "mean": best["high"], "low": best["low"], "high": best["high"], "colour": 2})
        shares = {key: numbers.percent(best[key]) for key in ("agreement", "low", "high")}
        ceiling = fill(CARD["ceiling_known"], pairs=numbers.count(best["pairs"]), **shares)
    source = card["baselines"]["learnt_from"]
    learnt = fill(CARD["learnt_training"], pairs=numbers.count(source)) if source else CARD["learnt_crossed"]
    return {
        "compared": _ranges(rows, CARD),
        "ceiling": ceiling,
        "compared_lead": fill(CARD["compared_lead"], learnt=learnt),
    }


def _traits(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": CARD[f"trait_{name}"],
            "model": numbers.percent(row["model"]),
            "people": numbers.percent(row["people"]),
            "correlation": numbers.number(row["correlation"], signed=True),
            "pairs": numbers.count(row["pairs"]),
        }
        for name, row in card["traits"].items()
    ]


def _spoiled(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": CARD[row["name"]],
            "below": numbers.percent(row["below"]),
            "share": round(100 * row["below"], 1),
            "change": numbers.number(row["change"], signed=True),
            "pairs": numbers.count(row["pairs"]),
        }
        for row in card["spoiled"]
    ]


def _stability(card: Mapping[str, Any]) -> Words:
    found = card["stability"]
    return fill(
        CARD["stability"],
        pairs=numbers.count(found["pairs"]),
        order=numbers.percent(found["order_agreement"]),
        order_moved=numbers.number(found["order_moved"]),
        rephrased=numbers.percent(found["rephrased_agreement"]),
        rephrased_moved=numbers.number(found["rephrased_moved"]),
    )


def _charts(card: Mapping[str, Any]) -> dict[str, Any]:
    """The reliability diagram and the learning curve."""
    bins = card["calibration"]["bins"]
    ends = [_binomial(one["accuracy"], one["count"]) for one in bins]
    points = [(b["confidence"], b["accuracy"], *e) for b, e in zip(bins, ends, strict=True)]
    listed = join([both(f"{x:.2f} → {y:.2f}") for x, y, *_ in points])
    drawn: dict[str, Any] = {
        "reliability": xy([Series(points)], name="rel", diagonal=True),
        "reliability_label": fill(CARD["chart_reliability"], values=listed),
        "curve": None,
    }
    if card["curve"]:
        rows = card["curve"]["points"]
        way = [(row["pairs"], row["mean"], row["low"], row["high"]) for row in rows]
        best = card["ceiling"]
        drawn["curve"] = xy([Series(way)], name="lab", log=True, lines=[(best["high"], 2)] if best else [])
        drawn["curve_label"] = fill(
            CARD["chart_curve"], values=join([both(f"{n:,} → {numbers.percent(y)}") for n, y, *_ in way])
        )
        codes = ("more_labels_help", "labels_enough", "labels_unclear")
        drawn["curve_verdict"] = next((sentence(one) for one in card["findings"] if one["code"] in codes), both(""))
    return drawn


def _binomial(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count` pairs."""
    z = 1.959964
    centre, wide = share + z * z / (2 * count), z * (share * (1 - share) / count + (z / (2 * count)) ** 2) ** 0.5
    scale = 1 + z * z / count
    return (centre - wide) / scale, (centre + wide) / scale


def show(card: Mapping[str, Any], console: Console, *, language: str = "en") -> None:
    """Print the verdict, the findings, and the comparison with the baselines."""
    colours = {"good": "green", "warn": "yellow", "bad": "red"}
    signs = {"good": "✓", "warn": "!", "bad": "✗"}
    console.print(Text(f"{card['model']}: {headline(card)[language]}", style="bold"))
    for one in card["findings"]:
        line = Text(f" {signs[one['level']]} ", style=colours[one["level"]])
        console.print(line + Text(sentence(one)[language], style="default"))
    tables = [(CARD["judged"], _compared(card)["compared"])]
    names = {key: CARD[key] for key in ("much_shorter", "shorter", "equal", "longer", "much_longer")}
    tables += [(CARD[key], _ranges(card[key], names)) for key in ("by_length", "by_source", "by_margin") if card[key]]
    table = Table("", CARD["accuracy"][language], "", CARD["pairs"][language], box=None, padding=(0, 2, 0, 1))
    for title, rows in tables:
        table.add_row(Text(title[language], style="bold"))
        for row in rows:
            table.add_row(f"  {row['name'][language]}", row["text"], row["interval"], row["pairs"])
    console.print(table)
