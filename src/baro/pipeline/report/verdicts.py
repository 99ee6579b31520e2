"""The verdict on a reward model in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baro.pipeline.report import numbers
from baro.pipeline.report.details import Words
from baro.pipeline.report.health_words import FINDINGS, HEADLINES
from baro.pipeline.report.words import fill

SHARES = {"mean", "low", "high", "baseline", "agreement", "model", "people", "below"}


def headline(card: Mapping[str, Any]) -> Words:
    """The verdict in a few words: as bad as the worst finding."""
    levels = {finding["level"] for finding in card["findings"]}
    return HEADLINES["bad" if "bad" in levels else "warn" if "warn" in levels else "good"]


def sentence(finding: Mapping[str, Any]) -> Words:
    """A finding in words."""
    gain = finding["code"].split("_")[0] in ("beats", "not", "more", "labels")
    written = {key: _written(key, value, gain=gain) for key, value in finding["values"].items()}
    return fill(FINDINGS[finding["code"]], **written)


def _written(key: str, value: float | None, *, gain: bool) -> str | Words:
    if key == "pairs":
        return numbers.count(value)
    if key == "gain":
        return fill({"en": "{value} pp", "ko": "{value}%p"}, value=numbers.points(value))
    if key in ("low", "high") and gain:
        return numbers.points(value)
    return numbers.percent(value) if key in SHARES else numbers.number(value)


def section(cards: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the report of a run says about its reward models."""
    return [
        {
            "stage": stage,
            "headline": headline(card),
            "findings": [{"level": one["level"], "text": sentence(one)} for one in card["findings"]],
            "page": f"health/{stage}.html",
        }
        for stage, card in cards.items()
    ]
