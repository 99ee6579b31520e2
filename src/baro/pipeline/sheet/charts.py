"""Charts of a page as inline SVG, coloured by its style sheet, so that one serves light and dark."""

from __future__ import annotations

from collections.abc import Sequence as Items

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike

from baro.pipeline.report import numbers
from baro.pipeline.report.details import Words
from baro.pipeline.report.markup import say, visible

WIDTH, HEIGHT = 320, 150
BINS = 32
MOST_POINTS = 3000


def key(*entries: tuple[str, Words]) -> Markup:
    """The legend: (colour variable, words) each."""
    parts = (f'<span><i style="background:var(--{colour})"></i>{say(words)}</span>' for colour, words in entries)
    return Markup(f'<p class="key">{"".join(parts)}</p>')


def figure(caption: Words, drawing: Markup, *, wide: bool = False) -> Markup:
    """A chart with its caption."""
    kind = "card wide" if wide else "card"
    return Markup(f'<figure class="{kind}"><figcaption>{say(caption)}</figcaption>{drawing}</figure>')


def histogram(values: ArrayLike, kept: ArrayLike) -> Markup:
    """Shares of the kept (coloured) and of the other rows (grey) in equal bins; the outer 1 % goes to the last bins.

    Values over more than two powers of ten lie on a logarithmic axis.

    Args:
        values: (n,), NaN left out. kept: (n,) bool.
    """
    array, chosen = np.asarray(values, dtype=np.float64), np.asarray(kept, dtype=bool)
    known = np.isfinite(array)
    if not known.any():
        return Markup("")
    low, high = np.percentile(array[known], [0.5, 99.5])
    logarithmic = low > 0 and high / low > 100
    if logarithmic:
        array, low, high = np.log(np.maximum(array, low)), np.log(low), np.log(high)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    bars = {
        kind: _shares(np.clip(array[known & rows], low, high), edges)
        for kind, rows in (("off soft", ~chosen), ("on soft", chosen))
    }
    top = max(float(share.max()) for share in bars.values()) or 1.0
    step, floor = WIDTH / BINS, HEIGHT - 18
    for kind, shares in bars.items():
        for place, share in enumerate(shares):
            if share:
                tall = share / top * (floor - 6)
                parts.append(
                    f'<rect class="{kind}" x="{place * step + 0.5:.1f}" y="{floor - tall:.1f}" '
                    f'width="{step - 1:.1f}" height="{tall:.1f}"/>'
                )
    parts.append(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{floor}" y2="{floor}"/>')
    for value, x, anchor in _marks(low, high, logarithmic):
        parts.append(f'<text x="{x}" y="{HEIGHT - 4}" text-anchor="{anchor}">{numbers.number(value)}</text>')
    return Markup("".join([*parts, "</svg>"]))


def scatter(points: ArrayLike, kept: ArrayLike, tips: Items[str]) -> Markup:
    """A map of (n, 2) points; the kept ones coloured and on top. At most 3,000 of each are drawn, evenly taken."""
    flat, chosen = np.asarray(points, dtype=np.float64), np.asarray(kept, dtype=bool)
    low, high = np.percentile(flat, [0.5, 99.5], axis=0)
    span = np.where(high > low, high - low, 1.0)
    places = np.clip((flat - low) / span, 0, 1) * (840, 440) + (10, 10)
    parts = ['<svg viewBox="0 0 860 460" role="img">']
    for kind, rows in (("off soft", np.flatnonzero(~chosen)), ("on soft", np.flatnonzero(chosen))):
        for row in rows[:: max(1, -(-len(rows) // MOST_POINTS))]:
            parts.append(
                f'<circle class="{kind}" cx="{places[row, 0]:.0f}" cy="{450 - places[row, 1] + 10:.0f}" r="3">'
                f"<title>{escape(visible(tips[row][:90]))}</title></circle>"
            )
    return Markup("".join([*parts, "</svg>"]))


def ranges(rows: Items[tuple[str, float, float, float, bool]], *, zero: bool = False) -> Markup:
    """Dots with intervals: (name, value, low, high, whether it is the one that matters). zero: a line at 0."""
    low, high = min(row[2] for row in rows), max(row[3] for row in rows)
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    span, tall = (high - low) or 1.0, 30 * len(rows) + 24

    def at(value: float) -> float:
        return 150 + 540 * (value - low) / span

    parts = [f'<svg viewBox="0 0 860 {tall}" role="img">']
    if zero:
        parts.append(f'<line class="axis" x1="{at(0):.1f}" x2="{at(0):.1f}" y1="4" y2="{tall - 12}"/>')
    for place, (name, value, left, right, main) in enumerate(rows):
        y, kind = 20 + 30 * place, "" if main else " off"
        parts.append(
            f'<text x="140" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
            f'<line class="line{kind}" x1="{at(left):.1f}" x2="{at(right):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="{"on" if main else "off"}" cx="{at(value):.1f}" cy="{y}" r="5"/>'
            f'<text x="710" y="{y + 4}">{numbers.number(value)} {numbers.interval(left, right)}</text>'
        )
    return Markup("".join([*parts, "</svg>"]))


def stacked(rows: Items[tuple[str, Items[float]]]) -> Markup:
    """Bars of shares that sum to 1: (name, shares) each, coloured c0, c1, …"""
    tall = 24 * len(rows) + 8
    parts = [f'<svg viewBox="0 0 860 {tall}" role="img">']
    for place, (name, shares) in enumerate(rows):
        y, x = 4 + 24 * place, 120.0
        parts.append(f'<text x="112" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        for colour, share in enumerate(shares):
            width = 720 * share
            parts.append(
                f'<rect class="c{colour}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="18">'
                f"<title>{share:.1%}</title></rect>"
            )
            x += width
    return Markup("".join([*parts, "</svg>"]))


def _marks(low: float, high: float, logarithmic: bool) -> list[tuple[float, float, str]]:
    """The values written under a histogram: (value, x, text anchor)."""
    places = ((low, 0.0, "start"), ((low + high) / 2, WIDTH / 2, "middle"), (high, WIDTH, "end"))
    return [(float(np.exp(value) if logarithmic else value), x, anchor) for value, x, anchor in places]


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    counts = np.histogram(values, edges)[0]
    return counts / max(counts.sum(), 1)
