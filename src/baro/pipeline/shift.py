"""`baro eval shift`: the token shift of an aligned model from its base, in the terminal, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baro.data.read import read_prompts
from baro.engine import files
from baro.engine.config import ExistingPath, Settings
from baro.evals.shift import NAMES, kind_of, token_shift
from baro.models.load import language_model, load_tokenizer
from baro.pipeline.report import numbers
from baro.pipeline.report.markup import visible
from baro.pipeline.sheet import Section, charts, sheet, table
from baro.pipeline.sheet.page import words
from baro.recipes.settings import ModelPath

COLOURS = ("green", "yellow", "bold red")
PLACES = 24
"""Places in the answer that are drawn."""
KEY = charts.key(
    ("m-2", words("unshifted: the base's first choice", "그대로: 기본 모델의 첫째 선택")),
    ("m-4", words("marginal: its 2nd or 3rd", "조금: 둘째·셋째")),
    ("m-6", words("shifted: beyond", "바뀜: 그 밖")),
)


class ShiftSettings(Settings):
    """Settings of `baro eval shift`."""

    base: ModelPath
    """The model before alignment."""
    aligned: ModelPath
    """The model after it."""
    prompts: list[ExistingPath]
    """Prompts the aligned model answers, greedily."""
    max_samples: int | None = 512
    """Prompts that are answered; the first ones (URIAL: 1,000)."""
    max_completion_length: int = 64
    """Tokens of an answer."""
    out: Path | None = None
    """Also write the figures as JSON, and beside it a page of the same name (.html)."""
    device: str = "auto"
    dtype: str = "auto"


def shift(config: ShiftSettings) -> dict[str, Any]:
    """Measure, print and write the shift; returns the figures."""
    prompts = read_prompts(config.prompts, max_samples=config.max_samples).rows
    place: dict[str, Any] = {"dtype": config.dtype, "device": config.device}
    base, aligned = (language_model(path, **place).eval() for path in (config.base, config.aligned))
    tokenizer = load_tokenizer(config.aligned)
    found = token_shift(base, aligned, tokenizer, prompts, max_new_tokens=config.max_completion_length).as_dict()
    _print(Console(), found)
    if config.out:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        files.replace_json(config.out, found)
        files.replace(config.out.with_suffix(".html"), page({Path(config.aligned).name: found}))
        Console().print(f"written to {config.out} and {config.out.with_suffix('.html')}", soft_wrap=True)
    return found


def page(found: Mapping[str, dict[str, Any]]) -> str:
    """The page of one or several aligned models against one base."""
    title = words("What alignment changed", "정렬이 바꾼 것")
    facts = [
        words(
            f"{name}: {shares(row)} of {row['tokens']:,} tokens in {row['answers']:,} greedy answers.",
            f"{name}: 탐욕적 답변 {row['answers']:,}개의 토큰 {row['tokens']:,}개 가운데 {shares(row)}.",
        )
        for name, row in found.items()
    ]
    return sheet(title, facts, [part for name, row in found.items() for part in sections(name, row)], what="eval shift")


def shares(row: Mapping[str, Any]) -> str:
    """77.7 / 14.5 / 7.8 %, unshifted, marginal and shifted."""
    return " / ".join(f"{100 * row[name]:.1f}" for name in NAMES) + " %"


def sections(name: str, row: Mapping[str, Any]) -> list[Section]:
    """What a page shows of one model: shares by position, shifted tokens, answers in colour."""
    places = [(str(at), [place[kind] for kind in NAMES]) for at, place in enumerate(row["by_position"][:PLACES])]
    shifted = [
        [repr(each["token"]), numbers.count(each["shifted"]), f"{each['shifted'] / each['count']:.0%}"]
        for each in row["most_shifted"]
    ]
    answers = Markup("").join(
        Markup('<article class="card" style="padding:10px 16px;margin:0 0 10px"><p class="small">')
        + escape(visible(each["prompt"]))
        + Markup('</p><p style="margin:0">')
        + Markup("").join(
            Markup('<mark class="c{}" title="{}" style="{}">').format(
                kind_of(rank), rank, "" if kind_of(rank) else "background:none;color:inherit"
            )
            + escape(visible(text))
            + Markup("</mark>")
            for text, rank in each["tokens"]
        )
        + Markup("</p></article>")
        for each in row["shown"]
    )
    return [
        Section(
            words(f"{name}: by position", f"{name}: 위치별"),
            words(
                "Shares at each place of the answer, from its first token.",
                "답변의 첫 토큰부터 위치마다 본 비율입니다.",
            ),
            KEY + charts.figure(words("Place in the answer", "답변에서의 위치"), charts.stacked(places), wide=True),
        ),
        Section(
            words(f"{name}: most shifted tokens", f"{name}: 가장 많이 바뀐 토큰"),
            words(
                "How often, and at what share of their occurrences.", "바뀐 횟수와, 나온 횟수 가운데 바뀐 비율입니다."
            ),
            table([words("token", "토큰"), words("shifted", "바뀜"), words("of its uses", "비율")], shifted, numbers=2),
        ),
        Section(
            words(f"{name}: answers", f"{name}: 답변"),
            words("Rest the pointer on a token for its rank.", "토큰 위에 포인터를 올리면 순위가 보입니다."),
            answers,
        ),
    ]


def _print(console: Console, found: Mapping[str, Any]) -> None:
    console.print(
        f"{found['tokens']:,} tokens of {found['answers']:,} greedy answers, by their rank under the base model"
    )
    shown = Table("place in the answer", *NAMES, "tokens")
    shown.add_row("all", *(f"{found[name]:.1%}" for name in NAMES), f"{found['tokens']:,}")
    for at, place in enumerate(found["by_position"][:8]):
        shown.add_row(str(at), *(f"{place[name]:.1%}" for name in NAMES), f"{place['tokens']:,}")
    console.print(shown)
    often = ", ".join(f"{each['token']!r} {each['shifted']}/{each['count']}" for each in found["most_shifted"][:12])
    console.print(f"shifted most often: {often or 'none'}", markup=False, highlight=False)
    for answer in found["shown"][:3]:
        line = Text(f"{answer['prompt']} → ", "dim")
        for text, rank in answer["tokens"]:
            line.append(text, COLOURS[kind_of(rank)])
        console.print(line)
