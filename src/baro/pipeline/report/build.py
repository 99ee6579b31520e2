"""Writes report.json and report.html, the page that answers which method won, by how much, and at what price."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from baro.pipeline.report import glossary, markup, parts, verdicts
from baro.pipeline.report.details import Details
from baro.pipeline.report.findings import findings
from baro.pipeline.report.glossary import name
from baro.pipeline.report.marks import marks
from baro.pipeline.report.words import PAGE, fill

__all__ = ["Details", "colours", "page", "render", "write"]


def write(folder: Path, report: Mapping[str, Any], details: Details) -> Path:
    """Writes `report.json` and `report.html` into `folder` and returns the path of the page.

    Each is replaced in one piece. Equal reports give equal bytes: the page holds no date and no path of its own.

    Args:
        folder: existing folder of the run.
        report: the content of report.json; what is not a finite number is written as null.
        details: everything else the page shows.
    """
    plain = _plain(report)
    _replace(folder / "report.json", json.dumps(plain, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    return _replace(folder / "report.html", page(plain, details))


def page(report: Mapping[str, Any], details: Details) -> str:
    """The whole page as HTML, with style, script and charts inside it."""
    found = findings(report["models"], judge_independent=details.judge_independent)
    looks = marks(_everyone(report, details))
    return render(
        "template.html.j2",
        metrics=glossary.METRICS,
        units=glossary.UNITS,
        meanings=glossary.MEANINGS,
        name=name,
        marks=looks,
        found=found,
        **parts.head(report, details),
        **parts.comparison(report, details, found),
        **parts.frontier(report, details, found, looks),
        **parts.samples(report, details, found),
        **parts.shift(details),
        **parts.run(report, details),
        **parts.curves(details),
        health=verdicts.section(details.health),
        again_lead=PAGE["again_lead"],
    )


def render(template: str, **values: Any) -> str:
    """A page of this room: the template with style and script inside it, and what every template calls.

    Args:
        template: file that extends frame.html.j2, which takes title, recipe, contents and version from `values`.
    """
    style, script = colours() + _asset("style.css"), _asset("script.js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_asset),
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template(template).render(
        style=Markup(style),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        page=PAGE,
        t=lambda key, **words: markup.say(fill(PAGE[key], **words)),
        say=markup.say,
        tip=lambda words: markup.attributes("tip", words),
        label=markup.label,
        text=markup.long_text,
        **values,
    )


def _everyone(report: Mapping[str, Any], details: Details) -> list[str]:
    """Every model that is named anywhere, those of the report first."""
    answered = [model for sample in details.samples for model in sample["answers"]]
    return list(dict.fromkeys([*report["models"], *details.paths, *answered, *details.health]))


def colours() -> str:
    """The colours of every page, light and dark, as CSS variables."""
    return _asset("colours.css")


def _asset(file: str) -> str:
    return (resources.files("baro.pipeline.report") / file).read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: NaN and infinities become null, tuples lists, lone surrogates a replacement."""
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _replace(path: Path, text: str) -> Path:
    """Writes beside `path` and renames, so that a reader never sees half a file."""
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)
    return path
