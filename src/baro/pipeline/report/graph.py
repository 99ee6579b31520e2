"""The stages of a run as a graph, drawn from left to right: every stage stands right of what it takes from.

Lines that pass a column run through a gap between its boxes, one gap for all lines of a stage (the layered drawing of
Sugiyama, Tagawa & Toda, 1981, with shared bends).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from baro.pipeline.report.details import Words
from baro.pipeline.report.glossary import name
from baro.pipeline.report.markup import visible

Stages = Sequence[tuple[str, str, Sequence[str]]]
# A box of a stage, or the gap through which the lines of that stage pass a column.
Item = tuple[str, int]

BOX_WIDTH, BOX_HEIGHT, BEND_HEIGHT, GAP_X, GAP_Y, MARGIN = 138, 46, 4, 54, 16, 6
SWEEPS = 4
_COLOURS = ("var(--m-1)", "var(--m-6)", "var(--m-2)", "var(--m-5)")


def columns(graph: Stages) -> dict[str, int]:
    """The column of every stage: the longest way to it from a stage without inputs. Unknown inputs do not count."""
    depth: dict[str, int] = {}
    for stage, _, inputs in graph:
        depth[stage] = 1 + max((depth[source] for source in inputs if source in depth), default=-1)
    return depth


def draw(graph: Stages) -> Markup:
    """The graph as an SVG element; empty without stages."""
    depth = columns(graph)
    if not depth:
        return Markup("")
    links = [(source, stage) for stage, _, inputs in graph for source in inputs if depth.get(source, 99) < depth[stage]]
    levels = _order(_levels(depth, links), depth, links)
    heights = [sum(_height(item, depth) + GAP_Y for item in level) - GAP_Y for level in levels]
    height, width = 2 * MARGIN + max(heights), 2 * MARGIN + len(levels) * (BOX_WIDTH + GAP_X) - GAP_X
    middle: dict[Item, float] = {}
    for level, own in zip(levels, heights, strict=True):
        y = (height - own) / 2
        for item in level:
            middle[item] = y + _height(item, depth) / 2
            y += _height(item, depth) + GAP_Y
    hues = _hues(links, depth)
    lines = dict.fromkeys(line for link in links for line in _way(*link, depth, middle, hues[link[0]]))
    boxes = [_box(_left(depth[stage]), middle[stage, depth[stage]], stage, method) for stage, method, _ in graph]
    head = '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    head += '<path class="arrowhead" d="M0 0.8L7.2 4L0 7.2z"/></marker>'
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px;min-width:{0.7 * width:.0f}px"'
    start = f'<svg class="graph" {size} aria-hidden="true"><defs>{head}</defs>'
    return Markup(f"{start}{''.join(lines)}{''.join(boxes)}</svg>")


def _levels(depth: dict[str, int], links: list[tuple[str, str]]) -> list[list[Item]]:
    """What stands in each column: boxes, and one bend per stage whose lines pass."""
    levels: list[list[Item]] = [[] for _ in range(max(depth.values()) + 1)]
    for stage, level in depth.items():
        levels[level].append((stage, level))
    for source, stage in links:
        for level in range(depth[source] + 1, depth[stage]):
            if (source, level) not in levels[level]:
                levels[level].append((source, level))
    return levels


def _order(levels: list[list[Item]], depth: dict[str, int], links: list[tuple[str, str]]) -> list[list[Item]]:
    """Sorts every column by where its neighbours stand, to and fro, so that few lines cross."""
    joined: dict[Item, set[Item]] = {item: set() for level in levels for item in level}
    for source, stage in links:
        way = [(source, level) for level in range(depth[source], depth[stage])] + [(stage, depth[stage])]
        for before, after in pairwise(way):
            joined[before].add(after)
            joined[after].add(before)
    for sweep in range(SWEEPS):
        onward = range(1, len(levels)) if sweep % 2 == 0 else range(len(levels) - 2, -1, -1)
        for column in onward:
            beside = levels[column - 1 if sweep % 2 == 0 else column + 1]
            place = {item: (row + 0.5) / len(beside) for row, item in enumerate(beside)}
            near = {item: [place[other] for other in joined[item] if other in place] for item in levels[column]}
            levels[column].sort(key=lambda item: sum(near[item]) / len(near[item]) if near[item] else 0.5)
    return levels


def _height(item: Item, depth: dict[str, int]) -> float:
    return BOX_HEIGHT if depth[item[0]] == item[1] else BEND_HEIGHT


def _left(level: int) -> float:
    return MARGIN + level * (BOX_WIDTH + GAP_X)


def _hues(links: list[tuple[str, str]], depth: dict[str, int]) -> dict[str, str]:
    """A colour for the lines of each stage, so that they can be told apart where they cross; data stays faint."""
    turn, hues = iter(_COLOURS * len(links)), {}
    for source in dict.fromkeys(source for source, _ in links):
        several = sum(link[0] == source for link in links) > 1
        hues[source] = "var(--line)" if depth[source] == 0 else next(turn) if several else "var(--muted)"
    return hues


def _way(source: str, stage: str, depth: dict[str, int], middle: dict[Item, float], hue: str) -> list[str]:
    """The pieces of one line; pieces it shares with other lines of the same stage come out equal."""
    pieces, start = [], (_left(depth[source]) + BOX_WIDTH, middle[source, depth[source]])
    for level in range(depth[source] + 1, depth[stage] + 1):
        last = level == depth[stage]
        end = (_left(level) - (2 if last else 0), middle[stage if last else source, level])
        bend = GAP_X / 2
        curve = f"C{start[0] + bend:g} {start[1]:g} {end[0] - bend:g} {end[1]:g} {end[0]:g} {end[1]:g}"
        tail = ' marker-end="url(#arrow)"' if last else ""
        level_line = "" if last else f"H{_left(level) + BOX_WIDTH:g}"
        pieces.append(
            f'<path class="arrow" style="stroke:{hue}" d="M{start[0]:g} {start[1]:g}{curve}{level_line}"{tail}/>'
        )
        start = (_left(level) + BOX_WIDTH, end[1])
    return pieces


def _box(left: float, middle: float, stage: str, method: str) -> str:
    title: Words = name(stage, short=True)
    centre = left + BOX_WIDTH / 2
    spans = "".join(f'<tspan class="{lang}">{_fit(text, 17)}</tspan>' for lang, text in title.items())
    lines = f'<text class="stage" x="{centre:g}" y="{middle + (5 if method in ("", stage) else -3):g}">{spans}</text>'
    if method not in ("", stage):
        words = name(method, short=True)
        spans = "".join(f'<tspan class="{lang}">{_fit(text, 22)}</tspan>' for lang, text in words.items())
        lines += f'<text class="method" x="{centre:g}" y="{middle + 13:g}">{spans}</text>'
    place = f'x="{left:g}" y="{middle - BOX_HEIGHT / 2:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}"'
    return f'<rect class="box" {place} rx="8"/>{lines}'


def _fit(text: str, letters: int) -> Markup:
    text = visible(text)
    return escape(text if len(text) <= letters else text[: letters - 1] + "…")
