"""`baro explain`: what happened in a run, in words, and what to change. Reads files only; loads no model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from baro.core.errors import BaroError

Level = Literal["fact", "good", "warn", "bad"]
Lines = list[dict[str, Any]]


@dataclass(frozen=True)
class Note:
    """One thing about a run, in both languages."""

    level: Level
    en: str
    ko: str


@dataclass(frozen=True)
class Stage:
    """What a stage's folder holds: its record, its figures, its result (None while unfinished) and its alarms."""

    name: str
    record: dict[str, Any]
    lines: Lines
    result: dict[str, Any] | None
    alarms: list[dict[str, Any]]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings it ran with."""
        return self.record.get("settings", {})

    @property
    def method(self) -> str:
        """What kind of training it was; told from its figures where it is not finished."""
        if self.result:
            return str(self.result["method"])
        known = {"objective/scores": "ppo", "rewards/margins": "dpo", "margin": "reward"}
        return next((kind for name, kind in known.items() if any(name in line for line in self.lines)), "")

    def series(self, name: str) -> list[tuple[int, float]]:
        """(update, value) of a figure."""
        return [(line["step"], line[name]) for line in self.lines if isinstance(line.get(name), int | float)]

    def ends(self, name: str) -> tuple[float, float] | None:
        """Means of the first and of the last tenth of a figure; None with fewer than two values."""
        values = [value for _, value in self.series(name)]
        part = max(1, len(values) // 10)
        return (fmean(values[:part]), fmean(values[-part:])) if len(values) > 1 else None


def read(folder: Path) -> list[Stage]:
    """The stages of a run: the folder itself, or every folder in it that a stage was trained in, oldest first.

    Raises:
        BaroError: there is no run here.
    """
    places = [folder] if (folder / "run.json").is_file() else [file.parent for file in folder.glob("*/run.json")]
    if not places:
        hint = "Give the folder of baro run, or of one of its stages."
        raise BaroError("found no run.json here or one level below.", where=str(folder), hint=hint)
    return sorted((_stage(place) for place in places), key=lambda stage: stage.record["machine"]["started"])


def _stage(folder: Path) -> Stage:
    def load(name: str) -> Any:
        file = folder / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    log = folder / "metrics.jsonl"
    text = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    alarms = (load("alarms.json") or {}).get("alarms", [])
    return Stage(folder.name, load("run.json"), [json.loads(line) for line in text], load("result.json"), alarms)


def explain(folder: Path) -> list[tuple[str, list[Note]]]:
    """(stage, what there is to say about it), and last, where a report is there, what it found."""
    found = [(stage.name, notes(stage)) for stage in read(folder)]
    report = folder / "report.json"
    if report.is_file():
        from baro.pipeline.report.findings import findings

        told = findings(json.loads(report.read_text(encoding="utf-8"))["models"])
        listed = [Note("fact", one["en"], one["ko"]) for one in (told.headline, *told.sentences)]
        found.append(("report", listed + [Note("bad", one["en"], one["ko"]) for one in told.cautions]))
    return found


def notes(stage: Stage) -> list[Note]:
    """Everything there is to say about one stage, what went wrong first."""
    checks: list[Callable[[Stage], list[Note]]] = [_alarms, _ended, _skipped, _clipped, _overfitted, _moved]
    checks += {"dpo": [_pairs], "reward": [_accuracy], "rejection": [_choice]}.get(stage.method, [])
    if stage.series("objective/scores") and stage.method != "rejection":
        checks.append(_reinforced)
    order = {"bad": 0, "warn": 1, "good": 2, "fact": 3}
    return sorted((note for check in checks for note in check(stage)), key=lambda note: order[note.level])


def _alarms(stage: Stage) -> list[Note]:
    found = []
    for alarm in stage.alarms:
        remedy: Mapping[str, str] = alarm.get("remedy", {})
        at_en, at_ko = f"rollout {alarm['rollout']}", f"{alarm['rollout']}번째 표본"
        found.append(
            Note(
                "bad",
                f"Alarm {alarm['code']} ({at_en}): {alarm['en']} {remedy.get('en', '')}".strip(),
                f"경보 {alarm['code']}({at_ko}): {alarm['ko']} {remedy.get('ko', '')}".strip(),
            )
        )
    return found


def _ended(stage: Stage) -> list[Note]:
    done = stage.record.get("finished")
    last = stage.lines[-1]["step"] if stage.lines else 0
    if not done:
        en = f"It is not finished: the last update logged is {last}. The same command goes on from the last checkpoint."
        return [
            Note("warn", en, f"끝나지 않았습니다. 마지막 기록은 {last}번째 갱신입니다. 같은 명령을 주면 이어집니다.")
        ]
    if done.get("reason"):
        en, ko = f"It ended early, after update {done['step']}: {done['reason']}.", f"{done['step']}번째 갱신에서 일찍"
        return [Note("warn", en, f"{ko} 끝났습니다: {done['reason']}.")]
    return []


def _skipped(stage: Stage) -> list[Note]:
    skipped = [line for line in stage.lines if "skipped" in line]
    if not skipped:
        return []
    rows = ", ".join(str(row) for row in skipped[0].get("rows", [])[:3])
    return [
        Note(
            "bad",
            f"{len(skipped)} updates were skipped because they were not finite ({skipped[0]['skipped']}; rows: {rows})."
            " Lower learning_rate or max_grad_norm, look at these rows, or use dtype=float32.",
            f"유한하지 않아 건너뛴 갱신이 {len(skipped)}번 있습니다({skipped[0]['skipped']}; 행: {rows})."
            " learning_rate나 max_grad_norm을 낮추거나, 그 행을 살펴보거나, dtype=float32를 쓰십시오.",
        )
    ]


def _clipped(stage: Stage) -> list[Note]:
    limit, norms = stage.settings.get("max_grad_norm"), [value for _, value in stage.series("grad_norm")]
    if not limit or len(norms) < 10:
        return []
    share = sum(norm > limit for norm in norms) / len(norms)
    if share < 0.9 or fmean(norms) < 3 * limit:
        return []
    mean = fmean(norms)
    return [
        Note(
            "warn",
            f"{share:.0%} of the gradients were clipped to {limit:g} (their mean norm is {mean:.1f}): the step length"
            " hardly depends on the data. Lower learning_rate, or raise max_grad_norm.",
            f"기울기의 {share:.0%}가 {limit:g}(으)로 잘렸습니다(평균 크기 {mean:.1f}). 걸음의 길이가 자료에 거의"
            " 좌우되지 않습니다. learning_rate를 낮추거나 max_grad_norm을 올리십시오.",
        )
    ]


def _overfitted(stage: Stage) -> list[Note]:
    """Held-out loss that was better before the end."""
    for name in ("eval/nats_per_token", "eval/loss"):
        way = stage.series(name)
        if len(way) > 2:
            step, best = min(way, key=lambda point: point[1])
            last = way[-1][1]
            if last > 1.01 * best:
                return [
                    Note(
                        "warn",
                        f"Held-out loss was best at update {step} ({best:.3f}) and ended at {last:.3f}: it learnt by"
                        " heart from there. Train for fewer epochs, or on more data.",
                        f"따로 둔 자료의 손실은 {step}번째 갱신에서 가장 낮았고({best:.3f}) 끝에는 {last:.3f}입니다. 그"
                        " 뒤로는 외우기만 했습니다. num_train_epochs를 줄이거나 자료를 늘리십시오.",
                    )
                ]
    return []


def _moved(stage: Stage) -> list[Note]:
    found = stage.ends("loss")
    if found is None or stage.method in ("ppo", "group", "rloo", "grpo"):
        return []
    before, after = found
    level: Level = "fact" if after < before else "warn"
    en = f"The loss went from {before:.3f} to {after:.3f}."
    ko = f"손실: {before:.3f} → {after:.3f}."
    if level == "warn":
        en += " Nothing was learnt: raise learning_rate, or look at the data with baro data show."
        ko += " 배운 것이 없습니다. learning_rate를 올리거나 baro data show로 자료를 보십시오."
    return [Note(level, en, ko)]


def _accuracy(stage: Stage) -> list[Note]:
    metrics = (stage.result or {}).get("metrics", {})
    if "accuracy" not in metrics:
        return [
            Note(
                "warn",
                "Nobody knows whether this reward model is any good: give eval_dataset, or run baro eval reward.",
                "이 보상 모델이 쓸 만한지 알 수 없습니다. eval_dataset을 주거나 baro eval reward를 돌리십시오.",
            )
        ]
    low, high, mean = metrics.get("accuracy_low", 0.0), metrics.get("accuracy_high", 1.0), metrics["accuracy"]
    chance = low <= 0.5
    en = f"It orders {mean:.0%} [{low:.0%}, {high:.0%}] of the held-out pairs as people did."
    ko = f"따로 둔 쌍의 {mean:.0%} [{low:.0%}, {high:.0%}]를 사람과 같은 순서로 놓습니다."
    if chance:
        en += " That is no better than a coin: more pairs, another learning_rate, or a larger base are needed."
        ko += " 동전과 다르지 않습니다. 더 많은 쌍, 다른 learning_rate, 더 큰 기반 모델이 필요합니다."
    return [Note("bad" if chance else "fact", en, ko)]


def _pairs(stage: Stage) -> list[Note]:
    """DPO: what became of the two likelihoods."""
    chosen, rejected, margin = (stage.ends(n) for n in ("logps/chosen", "logps/rejected", "rewards/margins"))
    if chosen is None or rejected is None or margin is None:
        return []
    fell = chosen[1] < chosen[0]
    en = f"Chosen answers went from {chosen[0]:.1f} to {chosen[1]:.1f} nats, rejected from {rejected[0]:.1f} to"
    en += f" {rejected[1]:.1f}; the margin is {margin[1]:.2f}."
    ko = f"선택된 답 {chosen[0]:.1f} → {chosen[1]:.1f} nat, 거부된 답 {rejected[0]:.1f} → {rejected[1]:.1f} nat,"
    ko += f" 차이 {margin[1]:.2f}."
    if fell:
        en += " Both falling is usual in DPO, which only looks at the difference; far down, answers get worse."
        ko += " 둘 다 떨어지는 것은 차이만 보는 DPO에서 흔하지만, 많이 떨어지면 답이 나빠집니다."
    return [Note("fact", en, ko)]


def _choice(stage: Stage) -> list[Note]:
    """Rejection sampling: what choosing bought."""
    metrics = (stage.result or {}).get("metrics", {})
    one, kept = metrics.get("reward_best_of_1"), metrics.get("reward_kept_round_1")
    if one is None or kept is None:
        return []
    return [
        Note(
            "fact",
            f"The answers kept score {kept:.2f} where one answer scores {one:.2f}, at a KL of at most"
            f" {metrics.get('kl_bound', 0.0):.2f} nats.",
            f"고른 답의 점수는 {kept:.2f}, 답 하나의 점수는 {one:.2f}이며 KL은 많아야"
            f" {metrics.get('kl_bound', 0.0):.2f} nat입니다.",
        )
    ]


def _reinforced(stage: Stage) -> list[Note]:
    """Reward bought, KL spent, and what became of the answers."""
    scores, drift = stage.ends("objective/scores"), stage.ends("objective/kl")
    if scores is None or drift is None:
        return []
    gain = scores[1] - scores[0]
    en = f"The reward went from {scores[0]:.2f} to {scores[1]:.2f} for {drift[1]:.1f} nats of KL per answer."
    ko = f"보상은 {scores[0]:.2f}에서 {scores[1]:.2f}로, 답마다 KL {drift[1]:.1f} nat을 쓰고 바뀌었습니다."
    found = [Note("fact", en, ko)]
    if gain <= 0:
        found.append(
            Note(
                "warn",
                "The reward did not rise: raise learning_rate, lower kl_coef, or check that answers differ in reward.",
                "보상이 오르지 않았습니다. learning_rate를 올리거나 kl_coef를 낮추거나, 답마다 보상이 다른지 보십시오.",
            )
        )
    if drift[1] < -0.05:
        found.append(
            Note(
                "bad",
                f"KL is negative ({drift[1]:.2f}): the answers do not come from the policy that is measured. Check"
                " temperature and dtype of sampling and training.",
                f"KL이 음수입니다({drift[1]:.2f}). 재고 있는 정책에서 나온 답이 아닙니다. 표본 추출과 학습의"
                " temperature와 dtype을 확인하십시오.",
            )
        )
    for name, referee_en, referee_ko in (
        ("watch/gold", "the gold judge", "심판"),
        ("watch/held_out", "the held-out reward model", "따로 둔 보상 모델"),
    ):
        told = stage.ends(name)
        if told:
            level: Level = "bad" if gain > 0 and told[1] < told[0] else "good"
            en = f"In the eyes of {referee_en} the answers went from {told[0]:.2f} to {told[1]:.2f}."
            found.append(Note(level, en, f"{referee_ko}의 점수: {told[0]:.2f} → {told[1]:.2f}."))
    return found


def show(folder: Path, *, lang: str = "en") -> None:
    """Print it."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    signs = {"good": ("✓", "green"), "fact": ("·", "default"), "warn": ("!", "yellow"), "bad": ("✗", "red")}
    for name, told in explain(folder):
        console.print(Text(name, style="bold"))
        for note in told:
            sign, colour = signs[note.level]
            console.print(Text(f"  {sign} ", style=colour) + Text(note.en if lang == "en" else note.ko))
