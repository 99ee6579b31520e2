"""Draw the figure of docs/methods/overoptimisation.md and print its tables.

    baro run recipes/overoptimisation.yaml
    python docs/overoptimisation.py runs/overoptimisation/overoptimisation

Equal measurements give equal bytes.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import numpy as np
from curves import STYLE
from matplotlib import pyplot

from baro.evals.overoptimisation import Law

TARGET = Path(__file__).parent / "figures" / "overoptimisation.svg"
COLOURS = ("#d55e00", "#e69f00", "#cc79a7", "#009e73", "#0072b2")
TITLES = {"best_of_n": "best of n", "rl": "PPO without a price of KL"}


def draw(found: dict) -> None:
    """True gain (dots, with the law through them) and the proxy's (dashed) against the distance, one panel a method."""
    sizes = [row["labels"] for row in found["best_of_n"]]
    colour = dict(zip(sizes, COLOURS, strict=False))
    with matplotlib.rc_context(STYLE):
        figure, panels = pyplot.subplots(1, 3, figsize=(9.6, 3.0), width_ratios=(1, 1, 0.8))
        for axes, (form, title) in zip(panels, TITLES.items(), strict=False):
            for row in found[form]:
                d = [math.sqrt(max(point["kl"], 0.0)) for point in row["points"]]
                own, fit = colour[row["labels"]], row["fit"]
                axes.plot(d, [p["proxy"] for p in row["points"]], "--", color=own, linewidth=0.9, alpha=0.7)
                axes.plot(
                    d, [p["gold"] for p in row["points"]], "o", color=own, markersize=3, label=f"{row['labels']:,}"
                )
                way = np.linspace(0, max(d), 100)
                axes.plot(way, Law(form, fit["alpha"], fit["beta"]).at(way), color=own, linewidth=1.3)
            axes.axhline(0, color="#888888", linewidth=0.7)
            axes.set_title(title, fontsize=9, loc="left")
            axes.set_xlabel("√KL to SFT (nats)", fontsize=8)
        panels[0].set_ylabel("gain, sd: gold —, proxy - -", fontsize=8)
        panels[0].legend(title="labels", fontsize=7, title_fontsize=7, frameon=False)
        points = found["best_of_n"][0]["points"]
        panels[2].plot([p["n"] for p in points], [p["kl_bound"] for p in points], "--", color="#888888", label="bound")
        for row in found["best_of_n"]:
            exact = [p["kl"] for p in row["points"]]
            panels[2].plot(
                [p["n"] for p in points], exact, "o-", color=colour[row["labels"]], markersize=2.5, linewidth=1
            )
        panels[2].set_xscale("log", base=2)
        panels[2].set_title("KL of best of n, nats", fontsize=9, loc="left")
        panels[2].set_xlabel("n", fontsize=8)
        panels[2].legend(fontsize=7, frameon=False)
        for axes in panels:
            axes.tick_params(length=2, width=0.5, labelsize=8)
        figure.tight_layout()
        figure.savefig(TARGET, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", TARGET.read_text(encoding="utf-8"))
    TARGET.write_text(text, encoding="utf-8")


def tables(found: dict) -> str:
    """The two tables of the page, as Markdown."""
    lines = ["| method | labels | proxy right | α | β | R² | peak √KL | gain there | highest measured | at the end |"]
    lines.append("|" + "---|" * 10)
    accuracy = {row["labels"]: row["accuracy"] for row in found["best_of_n"]}
    for form, title in TITLES.items():
        for row in found[form]:
            fit, best = row["fit"], max(row["points"], key=lambda point: point["gold"])
            inside = fit["peak_d"] is not None and fit["peak_d"] <= 2 * fit["furthest_d"]
            peak = (f"{fit['peak_d']:.2f}", f"{fit['peak_gain']:+.2f}") if inside else ("none in reach", "–")
            top = f"{best['gold']:+.2f} at {math.sqrt(max(best['kl'], 0.0)):.2f}"
            cells = [title, f"{row['labels']:,}", f"{accuracy[row['labels']]:.0%}", f"{fit['alpha']:+.2f}"]
            cells += [f"{fit['beta']:+.2f}", f"{fit['r2']:.2f}", *peak, top, f"{row['points'][-1]['gold']:+.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| n | bound | " + " | ".join(f"{row['labels']:,} labels" for row in found["best_of_n"]) + " |"]
    lines.append("|" + "---|" * (2 + len(found["best_of_n"])))
    for points in zip(*(row["points"] for row in found["best_of_n"]), strict=True):
        exact = " | ".join(f"{point['kl']:.2f}" for point in points)
        lines.append(f"| {points[0]['n']:,} | {points[0]['kl_bound']:.2f} | {exact} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python docs/overoptimisation.py runs/overoptimisation/overoptimisation")
    measured = json.loads((Path(sys.argv[1]) / "overoptimisation.json").read_text(encoding="utf-8"))
    draw(measured)
    print(tables(measured))
