"""What a run came to: report.json, the page and the table, put together from the stages' own files."""

from __future__ import annotations

import json
import math
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml
from scipy.stats import spearmanr

import baro
from baro.data.doctor.words import words
from baro.pipeline.recipe import Recipe
from baro.pipeline.report.build import write as write_page
from baro.pipeline.report.details import Details
from baro.watch.alarms import alarms

CURVES = {
    "pretrain": ("nats_per_token",),
    "sft": ("nats_per_token",),
    "reward": ("loss", "accuracy"),
    "rejection": ("nats_per_token",),
    "dpo": ("loss", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected"),
    "kto": ("loss", "kl", "rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected"),
    "online_dpo": ("objective/scores", "objective/kl", "rewards/accuracies", "rewards/margins", "val/length"),
    **dict.fromkeys(
        ("ppo", "group", "rloo", "grpo"),
        ("objective/scores", "watch/held_out", "watch/gold", "objective/kl", "val/length", "watch/distinct_2"),
    ),
}
CAPABILITY = {
    "en": "Exact match of greedy answers to held-out tasks of the fine-tuning data.",
    "ko": "미세조정 자료의 남겨 둔 과제에 대한 탐욕적 답의 정확 일치 비율입니다.",
}
Curve = tuple[list[float], list[float]]


def write(
    recipe: Recipe,
    configs: dict[str, Any],
    results: dict[str, dict],
    measured: dict[str, dict],
    cards: dict[str, dict] | None = None,
) -> dict[str, Any]:
    """Write report.json and report.html into the run's folder; returns the report.

    Args:
        configs: stage → validated settings, "evaluate" among them.
        results: stage → its result.json.
        measured: model → figures and shown answers, as `pipeline.evaluation` found them.
        cards: reward stage → its health card.
    """
    reference = configs["evaluate"].reference
    models = {
        name: alarmed(recipe.folder / name, found["figures"], measured[reference]["figures"], reference)
        for name, found in measured.items()
    }
    host = json.loads((recipe.folder / reference / "run.json").read_text(encoding="utf-8"))
    report = {
        "baro": baro.__version__,
        "recipe": recipe.name,
        "seed": recipe.variables.get("seed", 0),
        "device": host["machine"]["device"],
        "threads": host["machine"]["threads"],
        "seconds": sum(r["seconds"] for r in results.values()) + sum(found["seconds"] for found in measured.values()),
        "stages": {
            name: {key: result[key] for key in ("seconds", "tokens", "peak_bytes", "metrics")}
            for name, result in results.items()
        },
        "models": models,
        "health": {name: {"findings": card["findings"], **card["accuracy"]} for name, card in (cards or {}).items()},
        "shift": {
            name: {key: found["shift"][key] for key in ("unshifted", "marginal", "shifted", "tokens")}
            for name, found in measured.items()
            if found.get("shift")
        },
    }
    report = finite(report)
    write_page(recipe.folder, report, _details(recipe, configs, measured, models, cards or {}))
    return report


def alarmed(folder: Path, figures: dict, sft: dict, reference: str) -> dict:
    """A model's figures with the alarms of its end and of its training.

    What came before the reference (the base model) cannot be hacked.
    """
    watched = folder.name not in (reference, "base")
    found = [alarm.as_dict() for alarm in alarms(figures, sft)] if watched else []
    kept = folder / "alarms.json"
    rung = json.loads(kept.read_text(encoding="utf-8"))["alarms"] if watched and kept.is_file() else []
    known = {alarm["code"] for alarm in found}
    return figures | {"alarms": found + [alarm for alarm in rung if alarm["code"] not in known]}


def finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _details(
    recipe: Recipe, configs: dict[str, Any], measured: dict[str, dict], models: dict, cards: dict[str, dict]
) -> Details:
    config = configs["evaluate"]
    logs = {name: _log(recipe.folder / name / "metrics.jsonl") for name in recipe.stages}
    return Details(
        command=shlex.join(["baro", *sys.argv[1:]]),
        graph=[(stage.name, stage.method, list(stage.inputs)) for stage in recipe.stages.values()],
        curves={name: _curves(stage.method, logs[name]) for name, stage in recipe.stages.items() if logs[name]},
        samples=shown(measured),
        paths={name: _path(logs[name]) for name in models if _path(logs[name])},
        configs={
            name: yaml.safe_dump(c.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
            for name, c in configs.items()
        },
        warnings=_warnings(recipe, config, models),
        shifts={name: found["shift"] for name, found in measured.items() if found.get("shift")},
        correlation=_agreement(list(measured.values())),
        correlations={name: _agreement([found]) for name, found in measured.items()},
        capability_measures=CAPABILITY if config.tasks else None,
        judge=config.judge,
        judge_measures=config.judge_about or None,
        judge_independent=bool(config.judge) or None,
        sampling=f"temperature {config.temperature:g}, ≤ {config.max_completion_length} tokens",
        prompts=config.max_prompts,
        health=cards,
    )


def _agreement(found: list[dict]) -> float | None:
    """Spearman's rank correlation of proxy reward and judge over the answers of these models."""
    judged = [score for row in found for score in row["scores"]["judge"] or []]
    rewards = [score for row in found for score in row["scores"]["reward"] or []]
    if not judged or len(judged) != len(rewards) or len(set(judged)) < 2 or len(set(rewards)) < 2:
        return None
    return float(spearmanr(judged, rewards).statistic)


def _log(file: Path) -> list[dict]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _curves(method: str, lines: list[dict]) -> dict[str, Curve]:
    """The series people look at, thinned to a few hundred points, with their held-out twins."""
    found: dict[str, Curve] = {}
    for name in CURVES.get(method, ()):
        for key, label in ((name, name), (f"eval/{name}", f"held_out_{name}")):
            points = [(line["step"], line[key]) for line in lines if isinstance(line.get(key), int | float)]
            points = points[:: max(1, len(points) // 300)]
            if points:
                found[label] = ([x for x, _ in points], [y for _, y in points])
    return found


def _path(lines: list[dict]) -> list[tuple[float, float, float | None]]:
    """(KL, reward) during training, for methods that sample while they train."""
    points: list[tuple[float, float, float | None]] = [
        (line["objective/kl"], line["objective/scores"], None)
        for line in lines
        if "objective/kl" in line and "objective/scores" in line
    ]
    return points[:: max(1, len(points) // 60)]


def shown(measured: dict[str, dict]) -> list[dict]:
    """The shown prompts with every model's answer."""
    first = next(iter(measured.values()))["answers"]
    return [
        {
            "prompt": row["prompt"],
            "answers": {
                name: {key: found["answers"][i][key] for key in ("text", "judge", "reward", "ended")}
                for name, found in measured.items()
            },
        }
        for i, row in enumerate(first)
    ]


def _warnings(recipe: Recipe, config, models: dict) -> list[dict[str, str]]:
    """What a reader must know before trusting the numbers."""
    found = []
    if not config.judge:
        found.append(
            {
                "en": "No judge was given: the reward model itself counts the wins, which cannot show reward hacking.",
                "ko": "심판이 없어 보상 모델의 점수로 승패를 셌습니다. 이 점수로는 보상 해킹을 알아볼 수 없습니다.",
            }
        )
    if config.max_prompts < 200:
        found.append(
            {
                "en": f"Only {config.max_prompts} prompts were judged: the intervals are wide.",
                "ko": f"프롬프트 {config.max_prompts}개로만 판정하여 구간이 넓습니다.",
            }
        )
    skipped = [name for name in recipe.stages if (recipe.folder / name / "skipped_rows.jsonl").is_file()]
    found += [
        {
            "en": f"Stage {name} skipped rows it could not use; see {name}/skipped_rows.jsonl.",
            "ko": f"{name} 단계에서 쓸 수 없는 행을 건너뛰었습니다. {name}/skipped_rows.jsonl 을 보세요.",
        }
        for name in skipped
    ]
    return found + [said for name in recipe.stages for said in _of_data(recipe.folder / name, name)]


def _of_data(folder: Path, stage: str) -> list[dict[str, str]]:
    """What the doctor found in a stage's data."""
    file = folder / "data_check.json"
    if not file.is_file():
        return []
    found = json.loads(file.read_text(encoding="utf-8"))["findings"]
    known = words()
    return [
        {
            "en": f"Data of {stage}: {known[each['check']].en}, {counted}. {each['example']}",
            "ko": f"{stage} 자료: {known[each['check']].ko}, {counted}. {each['example']}",
        }
        for each in found
        for counted in [f"{each['check']} × {each['count']:,}"]
    ]
