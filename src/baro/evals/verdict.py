"""What a health card comes to: findings, each with a level and the figures a sentence about it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["good", "warn", "bad"]


@dataclass(frozen=True)
class Finding:
    """One thing to know. `code` names the sentence, `values` fill it."""

    code: str
    level: Level
    values: dict[str, float]

    def as_dict(self) -> dict:
        """For JSON."""
        return {"code": self.code, "level": self.level, "values": self.values}


def findings(card: Mapping[str, Any]) -> list[Finding]:
    """The findings of a card, what matters most first.

    Limits: an interval decides where there is one. Otherwise: a calibration error of 0.05, a length preference 0.1
    beyond people's, 0.9 of the spoiled answers scored lower (0.75 for the bad ones), 0.95 of the rephrased pairs kept.
    """
    return [
        *_against_chance(card),
        *_against_baselines(card["baselines"]),
        *_against_ceiling(card),
        *_length(card["traits"]["length"]),
        *_calibrated(card["calibration"]),
        *_spoiled(card["spoiled"]),
        *_stable(card["stability"]),
        *_labels(card.get("curve")),
    ]


def _against_chance(card: Mapping[str, Any]) -> list[Finding]:
    found = card["accuracy"]
    values = {key: found[key] for key in ("mean", "low", "high")}
    if found["high"] < 0.5:
        return [Finding("backwards", "bad", values)]
    return [Finding("accuracy", "good", values) if found["low"] > 0.5 else Finding("chance", "bad", values)]


def _against_baselines(found: Mapping[str, Any]) -> list[Finding]:
    listed = []
    for name in ("length", "words"):
        if name in found:
            gain = found[name]["gain"]
            values = {"baseline": found[name]["mean"], "gain": gain["mean"], "low": gain["low"], "high": gain["high"]}
            good = gain["low"] > 0
            level: Level = "good" if good else "bad" if gain["mean"] <= 0 else "warn"
            listed.append(Finding(f"{'beats' if good else 'not_beyond'}_{name}", level, values))
    return listed


def _against_ceiling(card: Mapping[str, Any]) -> list[Finding]:
    found = card["ceiling"]
    if not found:
        return []
    values = {key: found[key] for key in ("agreement", "low", "high")}
    reached = card["accuracy"]["high"] >= found["low"]
    return [Finding("near_ceiling" if reached else "below_ceiling", "good" if reached else "warn", values)]


def _length(found: Mapping[str, Any]) -> list[Finding]:
    if found["model"] is None:
        return []
    values = {"model": found["model"], "people": found["people"]}
    excess = found["model"] - found["people"]
    if abs(excess) <= 0.1:
        return [Finding("length_as_people", "good", values)]
    code = "likes_length" if excess > 0 else "likes_brevity"
    return [Finding(code, "bad" if abs(excess) > 0.25 else "warn", values)]


def _calibrated(found: Mapping[str, Any]) -> list[Finding]:
    values = {"error": found["error"], "temperature": found["temperature"]}
    if found["error"] <= 0.05:
        return [Finding("calibrated", "good", values)]
    if found["temperature"] is None:
        return [Finding("uncalibrated", "warn", values)]
    return [Finding("too_sure" if found["temperature"] > 1 else "too_shy", "warn", values)]


def _spoiled(found: list[Mapping[str, Any]]) -> list[Finding]:
    limits = {"twice": 0.75, "cut": 0.9, "other_prompt": 0.9, "shuffled": 0.9, "scrambled": 0.9}
    missed = [row for row in found if row["below"] < limits[row["name"]]]
    if not missed:
        return [Finding("sees_harm", "good", {})] if found else []
    return [
        Finding(f"blind_to_{row['name']}", "bad" if row["below"] < 0.6 else "warn", {"below": row["below"]})
        for row in missed
    ]


def _stable(found: Mapping[str, Any]) -> list[Finding]:
    listed = []
    if found["order_agreement"] < 1:
        listed.append(Finding("order_matters", "bad", {"agreement": found["order_agreement"]}))
    kept = found["rephrased_agreement"]
    level: Level = "good" if kept >= 0.95 else "warn" if kept >= 0.85 else "bad"
    return [*listed, Finding("steady" if level == "good" else "jumpy", level, {"agreement": kept})]


def _labels(curve: Mapping[str, Any] | None) -> list[Finding]:
    if not curve:
        return []
    gain = curve["last_doubling"]
    values = {"gain": gain["mean"], "low": gain["low"], "high": gain["high"], "pairs": curve["points"][-1]["pairs"]}
    if gain["low"] > 0:
        return [Finding("more_labels_help", "warn", values)]
    return [Finding("labels_enough" if gain["high"] < 0.02 else "labels_unclear", "good", values)]
