"""The page of a measurement of over-optimisation: what was gained by how far one went, and where it bent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence as Items
from typing import Any

import numpy as np
from markupsafe import Markup

from baro.evals.overoptimisation import Form, Law
from baro.pipeline.report import numbers
from baro.pipeline.report.details import Words
from baro.pipeline.report.markup import label, say
from baro.pipeline.report.plots import Series, xy
from baro.pipeline.sheet import Section, charts, sheet, table
from baro.pipeline.sheet.page import words

COLOURS = (6, 4, 5, 2, 1, 3, 7, 0)
"""Of the proxies, fewest labels first."""
FORMS: tuple[Form, ...] = ("best_of_n", "rl")
NAMES = {
    "best_of_n": words("Best of n", "n개 중 최고"),
    "rl": words("PPO without a price of KL", "KL 값 없는 PPO"),
}
DISTANCE = words("distance from SFT, √(KL in nats)", "SFT와의 거리, √(KL, nat)")


def page(found: Mapping[str, Any]) -> str:
    """The page as HTML.

    Args:
        found: what overoptimisation.json holds.
    """
    return sheet(
        _title(found),
        [*_facts(found), _setting(found)],
        [_gains(found, form) for form in FORMS] + [_law_table(found), _divergence(found)],
        what="overoptimisation",
    )


def highest(row: Mapping[str, Any]) -> Mapping[str, float]:
    """The measured point with the highest true gain."""
    return max(row["points"], key=lambda point: point["gold"])


def _title(found: Mapping[str, Any]) -> Words:
    bent = sum(_lost(row) > 0.1 for form in FORMS for row in found[form])
    total = sum(len(found[form]) for form in FORMS)
    return words(
        f"Pushed far enough, {bent} of {total} lost what they had gained",
        f"충분히 밀어붙이자 {total}가지 가운데 {bent}가지가 얻은 것을 잃었습니다",
    )


def _lost(row: Mapping[str, Any]) -> float:
    """What was lost between the highest point and the last, in standard deviations."""
    return highest(row)["gold"] - row["points"][-1]["gold"]


def _facts(found: Mapping[str, Any]) -> list[Words]:
    facts = []
    for form in FORMS:
        few, many = found[form][0], found[form][-1]
        tops = [numbers.number(highest(row)["gold"], signed=True) for row in (few, many)]
        ends = [numbers.number(row["points"][-1]["gold"], signed=True) for row in (few, many)]
        sizes = [numbers.count(row["labels"]) for row in (few, many)]
        facts.append(
            words(
                f"{NAMES[form]['en']}: a proxy of {sizes[0]} labels gains {tops[0]} at its best and ends at"
                f" {ends[0]}; "
                f"one of {sizes[1]} labels gains {tops[1]} and ends at {ends[1]}.",
                f"{NAMES[form]['ko']}: 레이블 {sizes[0]}개로 배운 대리 보상은 최고 {tops[0]}, 끝에는 {ends[0]}. "
                f"{sizes[1]}개로 배우면 최고 {tops[1]}, 끝에는 {ends[1]}.",
            )
        )
    return facts


def _setting(found: Mapping[str, Any]) -> Words:
    prompts, samples = numbers.count(found["prompts"]), numbers.count(found["samples"])
    sd = numbers.number(found["gold_sft"]["sd"])
    return words(
        f"Gains are in standard deviations of the gold score over the SFT model’s answers ({sd}), 0 being its mean."
        f" Best of "
        f"n from {samples} answers to each of {prompts} prompts.",
        f"이득은 SFT 모델 답변의 심판 점수 표준편차({sd})를 단위로 하며 0은 그 평균입니다. n개 중 최고는 프롬프트"
        f" {prompts}개에 "
        f"{samples}개씩 쓴 답변으로 쟀습니다.",
    )


def _colour(found: Mapping[str, Any], labels: int) -> int:
    """The same for a proxy wherever it is drawn."""
    sizes = sorted({row["labels"] for form in FORMS for row in found[form]})
    return COLOURS[sizes.index(labels) % len(COLOURS)]


def _key(found: Mapping[str, Any], form: Form) -> Markup:
    named = [
        (f"m-{_colour(found, row['labels'])}", words(f"{row['labels']:,} labels", f"레이블 {row['labels']:,}개"))
        for row in found[form]
    ]
    return charts.key(*named)


def _gains(found: Mapping[str, Any], form: Form) -> Section:
    """True and proxy reward by distance."""
    true, proxy = [], []
    for row in found[form]:
        colour = _colour(found, row["labels"])
        far = row["fit"]["furthest_d"]
        way = np.linspace(0, far, 80)
        law = Law(form, row["fit"]["alpha"], row["fit"]["beta"])
        fitted = [(float(d), float(y), None, None) for d, y in zip(way, law.at(way), strict=True)]
        true += [Series(fitted, colour, marker=""), Series(_measured(row, "gold"), colour, line="")]
        proxy.append(Series(_measured(row, "proxy"), colour, line="-" if form == "rl" else "--"))
    both = [
        _figure(
            words("True gain (gold judge), sd", "참 이득(심판), sd"), xy(true, name=f"{form}-gold", lines=[(0, 0)])
        ),
        _figure(words("Proxy’s gain, sd", "대리 보상의 이득, sd"), xy(proxy, name=f"{form}-proxy")),
    ]
    lead = {
        "best_of_n": words(
            "Of n answers the one is kept that the proxy likes best. Dots are measured, lines are R = d(α − βd).",
            "답변 n개 가운데 대리 보상이 가장 높은 것을 고릅니다. 점은 잰 값, 선은 R = d(α − βd)입니다.",
        ),
        "rl": words(
            "One dot a rollout. Lines are R = d(α − β ln d). The proxy rises for as long as one pushes.",
            "점 하나가 롤아웃 하나입니다. 선은 R = d(α − β ln d)입니다. 대리 보상은 미는 만큼 계속 오릅니다.",
        ),
    }[form]
    body = _key(found, form) + Markup('<div class="charts">') + Markup("").join(both) + Markup("</div>")
    return Section(NAMES[form], lead, body)


def _measured(row: Mapping[str, Any], key: str) -> list[tuple[float, float, None, None]]:
    return [(math.sqrt(max(point["kl"], 0.0)), point[key], None, None) for point in row["points"]]


def _figure(top: Words, drawing: Markup, under: Words = DISTANCE) -> Markup:
    parts = (say(top), label(top), drawing, say(under))
    return Markup(
        '<figure class="card"><figcaption class="top">{}</figcaption><div role="img" {}>{}</div>'
        '<figcaption class="under">{}</figcaption></figure>'
    ).format(*parts)


def _law_table(found: Mapping[str, Any]) -> Section:
    head: list[Words | str] = [
        words("method", "방법"),
        words("labels", "레이블"),
        words("accuracy of the proxy", "대리 보상 정확도"),
        "α",
        "β",
        "R²",
        words("peak of the law: √KL", "법칙의 최고점: √KL"),
        words("gain there", "거기서의 이득"),
        words("highest measured", "잰 최고"),
    ]
    accuracy = {row["labels"]: row.get("accuracy") for row in found["best_of_n"]}
    rows = []
    for form in FORMS:
        for row in found[form]:
            fit, top = row["fit"], highest(row)
            inside = fit["peak_d"] is not None and fit["peak_d"] <= 2 * fit["furthest_d"]
            rows.append(
                [
                    Markup('<span style="white-space:nowrap">{}</span>').format(say(NAMES[form])),
                    numbers.count(row["labels"]),
                    numbers.percent(accuracy.get(row["labels"])),
                    *(numbers.number(fit[key], signed=key != "r2") for key in ("alpha", "beta", "r2")),
                    numbers.number(fit["peak_d"]) if inside else say(words("none in reach", "닿는 곳에 없음")),
                    numbers.number(fit["peak_gain"], signed=True) if inside else "–",
                    f"{numbers.number(top['gold'], signed=True)} @ {math.sqrt(max(top['kl'], 0.0)):.2f}",
                ]
            )
    return Section(
        words("The law", "법칙"),
        words(
            "Coefficients by least squares, R² of the fit, and where the law has its peak. A peak more than twice"
            " as far as "
            "was measured is not told.",
            "최소제곱으로 구한 계수와 R², 법칙의 최고점입니다. 잰 거리의 두 배보다 먼 최고점은 적지 않습니다.",
        ),
        table(head, rows, numbers=8),
    )


def _divergence(found: Mapping[str, Any]) -> Section:
    """The exact divergence of best-of-n beside its bound."""
    drawn = [
        Series([(p["n"], p["kl"], None, None) for p in row["points"]], _colour(found, row["labels"]))
        for row in found["best_of_n"]
    ]
    bound = Series([(p["n"], p["kl_bound"], None, None) for p in found["best_of_n"][0]["points"]], 0, "", "--")
    kinds = numbers.number(found["distinct_answers"])
    lines = [
        [f"{points[0]['n']:,}", numbers.number(points[0]["kl_bound"]), *(numbers.number(p["kl"]) for p in points)]
        for points in zip(*(row["points"] for row in found["best_of_n"]), strict=True)
    ]
    heads: Items[Words | str] = [
        "n",
        words("bound", "상한"),
        *(words(f"{row['labels']:,} labels", f"레이블 {row['labels']:,}개") for row in found["best_of_n"]),
    ]
    key = charts.key(("m-0", words("bound ln n − (n−1)/n", "상한 ln n − (n−1)/n")))
    drawing = xy([bound, *drawn], name="divergence", log=True)
    body = Markup('<div class="charts">') + _figure(words("KL, nats", "KL, nat"), drawing, words("n", "n"))
    body += Markup('</div><div style="margin-top:16px">{}</div>').format(table(heads, lines, numbers=len(heads)))
    return Section(
        words("How far best of n really goes", "n개 중 최고는 실제로 얼마나 멀리 가나"),
        words(
            f"ln n − (n − 1)/n is an upper bound, reached only where no two answers are alike. Here a prompt has"
            f" {kinds} "
            f"different answers on average, so the exact divergence stays below it; the charts above use the exact"
            f" one.",
            f"ln n − (n − 1)/n은 같은 답이 하나도 없을 때만 닿는 상한입니다. 여기서는 프롬프트마다 서로 다른 답이"
            f" 평균 {kinds}개라서 "
            f"정확한 KL이 그보다 작습니다. 위 그림에는 정확한 값을 썼습니다.",
        ),
        key + body,
    )
