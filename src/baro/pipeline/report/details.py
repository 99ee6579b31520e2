"""What the page shows beside the numbers of report.json. The pipeline fills it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Words = dict[str, str]
"""One text in both languages: {"en": ..., "ko": ...}."""


@dataclass(frozen=True)
class Details:
    """Everything beside report.json that a reader of the page needs. Every field but `command` may stay empty.

    Attributes:
        command: the shell command that made the run, as it can be typed again.
        graph: (stage, method, stages it takes something from), in an order in which inputs come first.
        curves: stage -> series -> (steps, values). A series `held_out_x` or `eval_x` is drawn together with `x`.
        samples: {"prompt": str, "answers": {model: {"text": str, "judge": float|None, "reward": float|None,
            "ended": bool}}}; `ended` False where the length limit cut the answer.
        paths: model -> points of its training, (KL to SFT in nats per answer, proxy reward, judge or None).
        configs: stage -> its complete settings as YAML.
        warnings: what a reader must know before trusting the numbers, in both languages.
        datasets: name or file -> what was read from it, e.g. "alpaca: instruction, input, output → 11,823 rows".
        judge: name of the judge; None when the user gave none.
        judge_measures: what the judge's score means, in one sentence; its range where it has one.
        judge_independent: False when the judge and the reward model learnt from the same source, so that it cannot
            show reward hacking; None when unknown.
        capability_measures: what `capability` is, in one sentence.
        sampling: how answers were drawn, e.g. "temperature 0.7, at most 64 tokens".
        prompts: held-out prompts every model answered.
        confidence: level of all intervals, a share.
        shifts: model -> its token shift from the base model, as `evals.shift` found it.
        correlation: Spearman's rank correlation of proxy reward and judge over the answers of all models.
        correlations: the same within the answers of each model.
        health: reward stage -> its health card, whose page is health/<stage>.html.
    """

    command: str
    graph: Sequence[tuple[str, str, Sequence[str]]] = ()
    curves: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]] = field(default_factory=dict)
    samples: Sequence[Mapping[str, Any]] = ()
    paths: Mapping[str, Sequence[tuple[float, float, float | None]]] = field(default_factory=dict)
    configs: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str | Words] = ()
    datasets: Mapping[str, str | Words] = field(default_factory=dict)
    judge: str | None = None
    judge_measures: str | Words | None = None
    judge_independent: bool | None = None
    capability_measures: str | Words | None = None
    sampling: str | Words | None = None
    prompts: int | None = None
    confidence: float = 0.95
    shifts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    correlation: float | None = None
    correlations: Mapping[str, float | None] = field(default_factory=dict)
    health: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
