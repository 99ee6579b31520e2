"""The page of a selection: distributions of every score, a map of the instructions, and rows to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from baro.data.curate.texts import plane
from baro.engine import files
from baro.pipeline.curation.scores import Table
from baro.pipeline.report import numbers
from baro.pipeline.sheet import Section, charts, sheet, table
from baro.pipeline.sheet.page import words

MEANING = {
    "quality": words("Quality by rules, 0 to 1", "규칙으로 본 품질 (0~1)"),
    "length": words("Length of the answer, characters", "답변 길이 (글자)"),
    "perplexity": words("Perplexity of the answer after its instruction", "지시 뒤 답변의 퍼플렉시티"),
    "ifd": words("IFD: ratio of mean losses (Cherry LLM)", "IFD: 평균 손실의 비 (Cherry LLM)"),
    "ifd_ppl": words("IFD: ratio of perplexities (Superfiltering)", "IFD: 퍼플렉시티의 비 (Superfiltering)"),
    "learnt": words("Probability of “good”, learnt from labelled rows", "레이블 행에서 배운 ‘좋음’ 확률"),
    "reward": words("Score of the reward model", "보상 모델의 점수"),
}
SHOWN = 12


def write(file: Path, found: Table, score: NDArray[np.float64], kept: list[int], summary: dict, config) -> None:
    """Write the page of a selection."""
    chosen = np.zeros(len(found.rows), dtype=bool)
    chosen[kept] = True
    order = np.argsort(-score, kind="stable")
    dropped = [int(row) for row in order if not chosen[row]]
    key = charts.key(("m-1", words("kept", "고른 행")), ("m-0", words("left out", "뺀 행")))
    distributions = Markup("").join(
        charts.figure(MEANING.get(name, words(name, name)), charts.histogram(values, chosen))
        for name, values in found.columns.items()
    )
    scatter = charts.figure(
        words("Instructions; rest the pointer on one to read it", "지시문. 점 위에 포인터를 올리면 글이 보입니다"),
        charts.scatter(plane(found.points), chosen, found.instructions),
        wide=True,
    )
    sections = [
        Section(
            words("Scores", "점수"),
            words("Shares of the kept and of the other rows.", "고른 행과 뺀 행의 분포입니다."),
            key + Markup('<div class="grid">') + distributions + Markup("</div>"),
        ),
        Section(
            words("Map", "지도"),
            words(
                f"The two main directions of the embeddings ({summary['embeddings']}).",
                f"임베딩({summary['embeddings']})의 두 주된 방향입니다.",
            ),
            key + scatter,
        ),
        _means(summary),
        _rows(found, words("Kept: the best", "고른 행: 가장 좋은 것"), kept[:SHOWN], score, config),
        _rows(found, words("Kept: the last", "고른 행: 마지막 것"), kept[-SHOWN:], score, config),
        _rows(found, words("Left out: the worst", "뺀 행: 가장 나쁜 것"), dropped[::-1][:SHOWN], score, config),
        _rows(found, words("Left out: the best", "뺀 행: 가장 좋은 것"), dropped[:SHOWN], score, config),
    ]
    title = words(
        f"{summary['kept']:,} of {summary['rows']:,} rows kept", f"{summary['rows']:,}행에서 {summary['kept']:,}행"
    )
    files.replace(file, sheet(title, _facts(summary), [part for part in sections if part.body], what="curate"))


def _facts(summary: dict[str, Any]) -> list[dict[str, str]]:
    by = " × ".join(summary["by"])
    facts = [words(f"By {by} ({summary['select']}).", f"기준: {by} ({summary['select']})")]
    if told := summary["learnt"]:
        area = f"{told['auc']:.3f} [{told['auc_low']:.3f}, {told['auc_high']:.3f}]"
        facts.append(
            words(
                f"The classifier learnt from {told['labelled']:,} labelled rows; cross-validated AUC {area}.",
                f"분류기는 레이블 {told['labelled']:,}행에서 배웠습니다. 교차 검증 AUC {area}.",
            )
        )
    return [*facts, words(summary["read_as"], summary["read_as"])]


def _means(summary: dict[str, Any]) -> Section:
    groups = list(summary["means"])
    rows = [
        [column, *(numbers.number(summary["means"][group][column]) for group in groups)]
        for column in summary["means"]["all"]
    ]
    return Section(
        words("Beside the controls", "대조군과 나란히"),
        words(
            "Means of every score in the selection, in as many random rows, in the longest, and in all.",
            "고른 행, 같은 수의 무작위 행, 가장 긴 행, 전체의 점수 평균입니다.",
        ),
        table([words("mean of", "평균"), *groups], rows, numbers=len(groups)),
    )


def _rows(found: Table, heading, rows: list[int], score, config) -> Section:
    if not rows:
        return Section(heading, words("", ""), Markup(""))
    shown = [
        [
            found.where[row].rsplit("/", 1)[-1],
            found.instructions[row],
            found.answers[row],
            f"{score[row]:.3f}",
            ", ".join(f"{name} {found.columns[name][row]:.3g}" for name in config.by),
            ", ".join(rule for rule, value in found.faults[row].items() if value > 0),
        ]
        for row in rows
    ]
    head = [
        words("row", "행"),
        words("instruction", "지시"),
        words("answer", "답변"),
        words("score", "점수"),
        words("by", "기준"),
        words("faults by the rules", "규칙 위반"),
    ]
    return Section(heading, words("", ""), table(head, shown))
