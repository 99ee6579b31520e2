"""A chart of points and lines with intervals, for the pages beside the report: see `charts` for how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from baro.pipeline.report import charts


@dataclass(frozen=True)
class Series:
    """One thing drawn: (x, y) with an interval where known, in the colour `--m-<colour>`.

    Attributes:
        points: (x, y, low or None, high or None).
        colour: place of the colour among those of style.css.
        marker: matplotlib's marker; empty for none.
        line: style of the line between the points; empty for none.
    """

    points: Sequence[tuple[float, float, float | None, float | None]]
    colour: int = 1
    marker: str = "o"
    line: str = "-"


def xy(
    series: Sequence[Series],
    *,
    name: str,
    diagonal: bool = False,
    log: bool = False,
    y_limits: tuple[float, float] | None = None,
    lines: Sequence[tuple[float, int]] = (),
    width: float = charts.WIDTH,
    height: float = 250.0,
) -> Markup:
    """The chart as SVG.

    Args:
        name: prefix of all ids, unique on the page.
        diagonal: draw y = x. log: logarithmic x axis, with a tick at every point.
        y_limits: ends of the y axis. lines: (y, colour) of horizontal lines.
    """
    with charts.drawing(name):
        figure, axes = charts.canvas(width, height, left=44, right=14, bottom=26, top=12)
        if log:
            axes.set_xscale("log")
        for y, colour in lines:
            axes.axhline(y, color=charts.MODEL[colour], linewidth=1.2, linestyle=(0, (5, 3)))
        for one in series:
            _draw(axes, one)
        if diagonal:
            low, high = min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1])
            axes.plot([low, high], [low, high], color=charts.FAINT, linewidth=1.4, linestyle=(0, (4, 3)), zorder=1)
            axes.set_xlim(low, high)
            axes.set_ylim(low, high)
        axes.margins(x=0.04, y=0.1)
        if y_limits:
            axes.set_ylim(*y_limits)
        if log:
            places = sorted({x for one in series for x, *_ in one.points})
            axes.set_xticks(places[:: max(1, len(places) // 8)])
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(charts.step_label))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        return charts.inline(figure, name, [])


def _draw(axes, one: Series) -> None:
    colour = charts.MODEL[one.colour]
    x, y = [p[0] for p in one.points], [p[1] for p in one.points]
    for at, _, low, high in one.points:
        if low is not None and high is not None:
            axes.plot([at, at], [low, high], color=colour, linewidth=1.8, alpha=0.55, zorder=3)
    style: dict[str, Any] = {"marker": one.marker, "markersize": 6} if one.marker else {}
    line = {"-": "-", "--": (0, (5, 3)), ":": (0, (1, 2))}.get(one.line, "none")
    axes.plot(np.array(x), np.array(y), color=colour, linewidth=1.7, linestyle=line, zorder=4, **style)
