"""Draws what `growth.py` measured: `docs/figures/growth.svg`. Equal figures give equal bytes."""

from __future__ import annotations

import re
from pathlib import Path

from bench.results import known

FILE = Path(__file__).parents[1] / "docs" / "figures" / "growth.svg"
COLOURS = {"baro": "#1f6feb", "trl": "#d9822b"}
NAMES = {
    "length": "tokens of a sequence",
    "batch": "sequences of an update",
    "size": "parameters",
    "samples": "answers to a prompt",
}
STYLE = {
    "svg.hashsalt": "baro",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
}


def draw(threads: int) -> Path:
    """One column an axis: tokens a second above, memory below."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    found = {axis: known()[f"growth {axis} {threads} threads"]["sides"] for axis in NAMES}
    with matplotlib.rc_context(STYLE):
        figure, grid = pyplot.subplots(2, len(NAMES), figsize=(3.0 * len(NAMES), 4.4), squeeze=False)
        for column, (axis, sides) in enumerate(found.items()):
            values = sorted(sides["baro"], key=lambda value: int(value.rstrip("m")))
            for row, (key, scale) in enumerate((("rate", 1.0), ("peak_bytes", 2.0**-20))):
                axes = grid[row][column]
                for side, points in sides.items():
                    places = sorted(values.index(value) for value in points)
                    heights = [points[values[place]][key] * scale for place in places]
                    axes.plot(places, heights, "o-", color=COLOURS[side], markersize=3.5, linewidth=1.3, label=side)
                axes.set_xticks(range(len(values)), values)
                axes.set_ylim(bottom=0)
                axes.tick_params(length=2, width=0.5, labelsize=8)
            grid[0][column].set_title(f"tokens/s by {NAMES[axis]}", fontsize=9, loc="left")
            grid[1][column].set_title("peak memory, MiB", fontsize=9, loc="left")
        grid[0][0].legend(fontsize=8, frameon=False)
        figure.tight_layout()
        figure.savefig(FILE, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    text = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", FILE.read_text(encoding="utf-8"))
    FILE.write_text(text, encoding="utf-8")
    return FILE
