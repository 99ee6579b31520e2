"""Charts as inline SVG: no dates, fonts or addresses, and every colour a CSS variable, so one serves light and dark.

matplotlib draws with placeholder colours and placeholder names; `inline` puts CSS variables and both languages in
their place. Equal data give equal bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from baro.pipeline.report import numbers
from baro.pipeline.report.details import Words
from baro.pipeline.report.marks import COLOURS, Mark

WIDTH, HEIGHT = 420.0, 310.0
SMALL_WIDTH, SMALL_HEIGHT = 320.0, 170.0
MOST_POINTS = 300

MODEL = [f"#fe0{place:03x}" for place in range(COLOURS)]
_INK, FAINT, _ALARM, _TRAINING, _HELD_OUT, _PAPER = (f"#fd0{place:03x}" for place in range(6))
_VARIABLES = {
    **{colour: f"var(--m-{place})" for place, colour in enumerate(MODEL)},
    _INK: "var(--muted)",
    FAINT: "var(--line)",
    _ALARM: "var(--alarm)",
    _TRAINING: "var(--m-1)",
    _HELD_OUT: "var(--m-6)",
    _PAPER: "var(--paper)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 11.0,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 1.0,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Point:
    """One model in the frontier: where it ended, how it is drawn, and the way it took there.

    Attributes:
        model: name in report.json.
        label: its short name in both languages.
        tip: what is shown when the pointer rests on it.
        mark: colour and marker.
        kl: KL to SFT in nats per answer.
        value: judge or proxy reward.
        low, high: ends of the interval, None where unknown.
        path: (KL, value) during training.
        cloud: (KL, value) of the single seeds that the point is the mean of.
        flagged: True draws the ring of reward hacking.
    """

    model: str
    label: Words
    tip: Words
    mark: Mark
    kl: float
    value: float
    low: float | None = None
    high: float | None = None
    path: tuple[tuple[float, float], ...] = ()
    cloud: tuple[tuple[float, float], ...] = ()
    flagged: bool = False


def frontier(points: Sequence[Point], *, name: str) -> Markup:
    """Scatter of a score against the KL to SFT, on a square-root axis as in Gao et al. (2022), with training paths.

    Args:
        points: the models; a KL estimate below 0 is drawn at 0.
        name: prefix of all ids of the SVG, unique on the page.
    """
    with drawing(name):
        figure, axes = canvas(WIDTH, HEIGHT, left=44, right=14, bottom=26, top=12)
        axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        values = [
            y for p in points for y in (p.value, p.low, p.high, *(v for _, v in p.path + p.cloud)) if y is not None
        ]
        furthest = max([1.0, *(x for p in points for x in (p.kl, *(kl for kl, _ in p.path + p.cloud)))])
        spread = (max(values) - min(values)) or 1.0
        axes.set_xlim(0, furthest * 1.25)
        axes.set_ylim(min(values) - 0.1 * spread, max(values) + 0.14 * spread)
        axes.xaxis.set_major_locator(FixedLocator(_root_ticks(furthest * 1.25)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(step_label))
        for point in points:
            _draw_point(axes, point)
        _draw_labels(axes, points)
        return inline(figure, name, points)


def curve(series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, name: str) -> Markup:
    """Small line chart of one quantity over optimiser steps: `training` solid, `held_out` dashed with dots."""
    with drawing(name):
        figure, axes = canvas(SMALL_WIDTH, SMALL_HEIGHT, left=44, right=12, bottom=22, top=8)
        for kind, (steps, values) in series.items():
            x, y = thin(steps, values)
            if kind == "held_out":
                axes.plot(x, y, color=_HELD_OUT, linewidth=1.6, linestyle=(0, (4, 2)), marker="o", markersize=3.2)
            else:
                lonely: dict[str, Any] = {"marker": "o", "markersize": 3.2} if np.isfinite(y).sum() == 1 else {}
                axes.plot(x, y, color=_TRAINING, linewidth=1.4, **lonely)
        axes.margins(x=0.02, y=0.1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(step_label))
        return inline(figure, name, [])


def thin(steps: Sequence[float], values: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """At most MOST_POINTS points: means of neighbouring steps. What is not finite becomes NaN, which leaves a gap."""
    x = np.asarray(steps, dtype=float)
    y = np.asarray([np.nan if (value := numbers.known(v)) is None else value for v in values], dtype=float)
    if len(x) <= MOST_POINTS:
        return x, y
    pieces = np.array_split(np.arange(len(x)), MOST_POINTS)
    kept = [piece[np.isfinite(y[piece])] for piece in pieces]
    means = [y[piece].mean() if len(piece) else np.nan for piece in kept]
    return np.array([x[piece].mean() for piece in pieces]), np.array(means)


Canvas = tuple[Figure, Axes]


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """matplotlib as it comes, whatever the user's own settings, and with ids that depend on `name` alone."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        yield


def step_label(value: float, _: object = None) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


def canvas(width: float, height: float, *, left: float, right: float, bottom: float, top: float) -> Canvas:
    """A figure of width × height points with one axes; margins in points."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)
    axes = figure.add_axes(box)
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=5)
    return figure, axes


def _root_ticks(furthest: float) -> list[float]:
    """Round KL values about evenly spread on a square-root axis that ends at `furthest`."""
    ticks = [0.0]
    round_values = [m * 10.0**e for e in range(-2, 6) for m in (1, 2, 3, 5, 7)]
    for value in round_values:
        if value <= furthest and np.sqrt(value) - np.sqrt(ticks[-1]) >= 0.13 * np.sqrt(furthest):
            ticks.append(value)
    return ticks


def _draw_point(axes: Axes, point: Point) -> None:
    colour, kl = MODEL[point.mark.colour], max(point.kl, 0.0)
    if len(point.path) > 1:
        x, y = zip(*point.path, strict=True)
        axes.plot(np.maximum(x, 0), y, color=colour, linewidth=1.2, alpha=0.45, zorder=2)
    for at, value in point.cloud:
        small: dict[str, Any] = {"marker": "o", "markersize": 4.5, "markeredgewidth": 0}
        axes.plot([max(at, 0.0)], [value], color=colour, alpha=0.5, linestyle="none", zorder=3, **small)
    if point.low is not None and point.high is not None:
        axes.plot([kl, kl], [point.low, point.high], color=colour, linewidth=1.6, alpha=0.8, zorder=3)
    if point.flagged:
        ring: dict[str, Any] = {"marker": "o", "markersize": 20, "markerfacecolor": "none", "markeredgewidth": 1.8}
        axes.plot([kl], [point.value], linestyle="none", markeredgecolor=_ALARM, zorder=4, clip_on=False, **ring)
    marker: dict[str, Any] = {"marker": point.mark.marker, "markersize": 9, "markeredgewidth": 1.0}
    axes.plot(
        [kl],
        [point.value],
        linestyle="none",
        color=colour,
        markeredgecolor=_PAPER,
        zorder=5,
        clip_on=False,
        gid=f"point-{_slot(point.model)}",
        **marker,
    )


def _draw_labels(axes: Axes, points: Sequence[Point]) -> None:
    """Puts each name beside its point, where it covers least of the points, bars, paths and names already there."""
    place = axes.transData.transform
    frame = axes.get_window_extent()
    taken = []
    for point in points:
        x, y = place((max(point.kl, 0.0), point.value))
        reach = 12.0 if point.flagged else 7.0
        taken.append((x - reach, y - reach, x + reach, y + reach))
        if point.low is not None and point.high is not None:
            low, high = place((0, point.low))[1], place((0, point.high))[1]
            taken.append((x - 2, low, x + 2, high))
        for at, value in point.cloud:
            cx, cy = place((max(at, 0.0), value))
            taken.append((cx - 3, cy - 3, cx + 3, cy + 3))
        way = [place((max(at, 0.0), value)) for at, value in point.path]
        for (ax, ay), (bx, by) in pairwise(way):
            for part in np.linspace(0, 1, 2 + int(np.hypot(bx - ax, by - ay) / 6)):
                px, py = ax + part * (bx - ax), ay + part * (by - ay)
                taken.append((px - 2, py - 2, px + 2, py + 2))
    for point in sorted(points, key=lambda p: (-p.value, p.model)):
        x, y = place((max(point.kl, 0.0), point.value))
        width, away = _width(point.label), 16.0 if point.flagged else 9.0
        best = min(_candidates(x, y, width, away), key=lambda c: _cost(c[0], taken, frame.extents) + c[3])
        box, anchor, (tx, ty), _ = best
        taken.append(box)
        axes.annotate(
            _slot(point.model),
            xy=(tx, ty),
            xycoords="figure pixels",
            ha=anchor,
            va="center_baseline",
            color=_ALARM if point.flagged else _INK,
            annotation_clip=False,
            zorder=6,
        )


Box = tuple[float, float, float, float]
# Where a label may stand around its point, what we like best first: (anchor, right, up).
_SIDES = [
    *(("left", 1, 0), ("right", -1, 0), ("center", 0, 1), ("center", 0, -1)),
    *(("left", 0.8, 1), ("left", 0.8, -1), ("right", -0.8, 1), ("right", -0.8, -1)),
    *(("center", 0, 2), ("center", 0, -2), ("left", 1, 2), ("left", 1, -2), ("right", -1, 2), ("right", -1, -2)),
]


def _candidates(x: float, y: float, width: float, away: float) -> Iterable[tuple[Box, str, tuple[float, float], float]]:
    """Places for a label around a point: (box, horizontal anchor, position, how much we would rather not)."""
    for rank, (side, dx, dy) in enumerate(_SIDES):
        tx, ty = x + dx * away, y + dy * (away + 4)
        start = {"left": tx, "right": tx - width, "center": tx - width / 2}[side]
        yield (start, ty - 6, start + width, ty + 6), side, (tx, ty), float(rank)


def _cost(box: Box, taken: Sequence[Box], frame: Sequence[float]) -> float:
    """Area of `box` that is already covered, in square points, and far more for what leaves the frame."""
    left, low, right, high = box
    cost = sum(max(0.0, min(right, r) - max(left, x)) * max(0.0, min(high, h) - max(low, y)) for x, y, r, h in taken)
    sideways = max(0.0, frame[0] - left) + max(0.0, right - frame[2] - 10)
    return cost + 50.0 * (sideways + max(0.0, frame[1] - low) + max(0.0, high - frame[3] - 10))


def _width(label: Words) -> float:
    """About how wide the longer of the two texts is, in points."""
    return max(sum(12.0 if ord(letter) > 0x1100 else 6.8 for letter in text) for text in label.values())


def _slot(model: str) -> str:
    """A stand-in for a model's name that survives matplotlib and never means anything in HTML."""
    return "slot" + model.encode().hex() + "end"


def inline(figure: Figure, name: str, points: Sequence[Point]) -> Markup:
    """The figure as an SVG element to stand in a page: unique ids, CSS variables, both languages."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<svg [^>]*(viewBox=\"[^\"]*\")[^>]*>", r'<svg class="chart" \1 aria-hidden="true">', svg, count=1)
    svg = re.sub(r'<g id="point-(\w+)">', r'<g class="point" data-point="\1">', svg)
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    svg = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    svg = re.sub(r"font(-size|-family|-weight)?: [^;\"]*; ?", "", svg)
    svg = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", svg)
    svg = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><").replace("<g/>", "").replace("<defs></defs>", "").strip()
    for point in points:  # last, so that nothing above can touch a name
        slot = _slot(point.model)
        tips = "".join(f' data-tip-{language}="{escape(text)}"' for language, text in point.tip.items())
        svg = svg.replace(f' data-point="{slot}"', tips)
        spans = "".join(f'<tspan class="{language}">{escape(text)}</tspan>' for language, text in point.label.items())
        svg = svg.replace(f">{slot}<", f">{spans}<")
    return Markup(svg)
