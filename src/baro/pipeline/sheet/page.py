"""The page: one self-contained HTML file, English and Korean, light and dark, without a request to anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup, escape

from baro.pipeline.report.build import colours
from baro.pipeline.report.details import Words
from baro.pipeline.report.markup import label, say, visible
from baro.pipeline.report.words import PAGE, both, join

LIMIT = 400
"""Letters of a text that a table shows."""


@dataclass(frozen=True)
class Section:
    """One heading with a sentence under it and what it shows, already escaped."""

    heading: Words
    lead: Words
    body: Markup


def sheet(title: Words, facts: Items[Words], sections: Items[Section], *, what: str) -> str:
    """The whole page.

    Args:
        title: the heading. facts: sentences under it. sections: the rest. what: the name in the bar at the top.
    """
    style, script = colours() + _asset("style.css"), _asset("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    body = [
        f'<!DOCTYPE html>\n<html lang="en" data-language="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title data-en="{escape(title["en"])}" data-ko="{escape(title["ko"])}">{escape(title["en"])}</title>\n'
        f"<style>{style}\n{_asset_here('sheet.css')}</style>\n<script>{script}</script>\n</head>\n<body>\n"
        f'<div class="page">\n{_bar(what)}<main>\n<section class="hero" style="margin-top:0"><h1>{say(title)}</h1><ul>'
    ]
    body += [f"<li>{say(fact)}</li>" for fact in facts]
    body.append("</ul></section>\n")
    for section in sections:
        body.append(f'<section><h2>{say(section.heading)}</h2>\n<p class="lead">{say(section.lead)}</p>\n')
        body.append(f"{section.body}</section>\n")
    body.append('</main></div>\n<div id="tip" role="tooltip" hidden></div>\n</body>\n</html>\n')
    return "".join(body)


def table(head: Items[Words | str], rows: Iterable[Items[str | Markup]], *, numbers: int = 0) -> Markup:
    """A table; the last `numbers` columns are numbers. Text is escaped and cut where it is long."""
    wide = len(head) - numbers
    lines = ['<div class="card scroll"><table class="sheet"><thead><tr>']
    lines += [f"<th{_kind(place, wide)}>{say(both(cell))}</th>" for place, cell in enumerate(head)]
    lines.append("</tr></thead><tbody>")
    for row in rows:
        cells = (f"<td{_kind(place, wide)}>{_cell(cell)}</td>" for place, cell in enumerate(row))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return Markup("".join([*lines, "</tbody></table></div>\n"]))


def words(english: str, korean: str) -> Words:
    """One text in both languages."""
    return {"en": english, "ko": korean}


def listed(items: Iterable[str]) -> Words:
    """Names with commas."""
    return join([both(item) for item in items])


def _kind(place: int, wide: int) -> str:
    return ' class="n"' if place >= wide else ""


def _cell(cell: str | Markup) -> str | Markup:
    if isinstance(cell, Markup):
        return cell
    shown = visible(cell)
    return escape(shown if len(shown) <= LIMIT else shown[:LIMIT] + " …")


def _bar(what: str) -> str:
    switch = "".join(
        f'<button type="button" data-set-language="{code}" aria-pressed="{str(code == "en").lower()}" lang="{code}">'
        f"{name}</button>"
        for code, name in (("en", "English"), ("ko", "한국어"))
    )
    return (
        f'<header><div class="bar"><span class="brand">baro</span><span class="recipe">{escape(what)}</span>'
        f'<div class="tools"><div class="switch" role="group" {label(PAGE["language"])}>{switch}</div>'
        f'<div class="switch theme"><button type="button" data-theme-switch {label(PAGE["theme"])}>◐</button></div>'
        f"</div></div></header>\n"
    )


def _asset(file: str) -> str:
    return (resources.files("baro.pipeline.report") / file).read_text(encoding="utf-8")


def _asset_here(file: str) -> str:
    return (resources.files("baro.pipeline.sheet") / file).read_text(encoding="utf-8")
