"""The comparison on the terminal: one screen, 100 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from baro.pipeline.report import numbers
from baro.pipeline.report.findings import HACKING_ALARMS, Findings, findings
from baro.pipeline.report.glossary import METRICS, alarms_of, name
from baro.pipeline.report.words import PAGE, fill

COLUMNS = (
    "judge",
    "win_rate",
    "reward",
    "kl",
    "capability",
    "eos_rate",
    "distinct_2",
    "mean_length",
    "seconds",
    "peak_bytes",
)
_SHARES = frozenset({"win_rate", "eos_rate", "distinct_2"})


def show(
    report: Mapping[str, Any],
    where: Path | None = None,
    *,
    console: Console,
    language: str = "en",
    judge_independent: bool | None = None,
) -> None:
    """Prints which method won, the table of all models, a line for every alarm, and where the page is.

    Args:
        report: the content of report.json.
        where: path of report.html, printed last.
        console: where to print; 100 columns are enough.
        language: "en" or "ko".
        judge_independent: as in Details.
    """
    models = report["models"]
    found = findings(models, judge_independent=judge_independent)
    console.print(Text(found.headline[language], style="bold"))
    for sentence in found.sentences[:1]:
        console.print(Text(sentence[language]))
    if models:
        console.print(comparison(models, found, language=language))
    for caution in found.cautions:
        console.print(Text(caution[language], style="red"))
    for model in found.order:
        for alarm in alarms_of(models[model]):
            if alarm.code in HACKING_ALARMS:  # said above, with the numbers
                continue
            line = Text("! ", style="red").append(name(model)[language], style="bold")
            line.append(f" · {alarm.label[language]}: {alarm.meaning[language]}", style="default")
            console.print(line)
    if where is not None:
        console.print(Text(fill(PAGE["where"], path=str(where))[language]), soft_wrap=True)


def comparison(
    models: Mapping[str, Mapping[str, Any]], found: Findings, *, language: str, of: Sequence[str] = COLUMNS
) -> Table:
    """The models as a table, best first; the leaders bold, those columns of `of` left out that nobody measured."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim", collapse_padding=True)
    table.add_column(METRICS["model"][language], max_width=24)
    keys = [key for key in of if any(numbers.known(values.get(key)) is not None for values in models.values())]
    for key in keys:
        table.add_column(PAGE["terminal_" + key][language], justify="right", no_wrap=key not in ("judge", "win_rate"))
    shares = all((numbers.known(values.get("capability")) or 0.0) <= 1 for values in models.values())
    for model in found.order:
        values, alarms = models[model], alarms_of(models[model])
        title = name(model)[language] + (" !" if alarms else "")
        style = "bold" if model in found.leaders else "red" if model in found.hacked else ""
        table.add_row(Text(title), *(Text(_cell(values, key, shares)) for key in keys), style=style)
    return table


def _cell(values: Mapping[str, Any], key: str, capability_is_share: bool) -> str:
    if key == "judge":
        ends = numbers.interval(values.get("judge_low"), values.get("judge_high"))
        return f"{numbers.number(values.get(key))} {ends}".strip()
    if key == "win_rate":
        ends = numbers.share_interval(values.get("win_rate_low"), values.get("win_rate_high"))
        return f"{numbers.percent(values.get(key))} {ends}".strip()
    if key in _SHARES or (key == "capability" and capability_is_share):
        return numbers.percent(values.get(key))
    return numbers.size(values.get(key)) if key == "peak_bytes" else numbers.number(values.get(key))
