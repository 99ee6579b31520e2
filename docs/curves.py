"""Draw the curves that the method pages show: `python docs/curves.py runs/quickstart` writes docs/curves/METHOD.svg.

One file per method; stages of the same method are drawn over each other, in the order of the run's report. Equal runs
give equal bytes: no date, no random ids.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes

TARGET = Path(__file__).parent / "curves"
MOST_POINTS = 200  # of one line
COLOURS = ("#1f6feb", "#d9822b", "#2a9d62", "#8250df")
# method → panels: (title, training series, held-out series or "")
PANELS = {
    "pretrain": (
        ("loss, nats per token", "nats_per_token", "eval/nats_per_token"),
        ("gradient norm", "grad_norm", ""),
        ("learning rate", "learning_rate", ""),
    ),
    "sft": (
        ("loss, nats per token", "nats_per_token", "eval/nats_per_token"),
        ("gradient norm", "grad_norm", ""),
        ("learning rate", "learning_rate", ""),
    ),
    "reward": (
        ("loss, nats per pair", "loss", ""),
        ("accuracy", "accuracy", "eval/accuracy"),
        ("margin", "margin", ""),
    ),
    "rejection": (("loss on kept answers, nats per token", "nats_per_token", ""), ("gradient norm", "grad_norm", "")),
    "dpo": (
        ("loss, nats per pair", "loss", ""),
        ("accuracy", "rewards/accuracies", "eval/accuracy"),
        ("log-probability of chosen, nats", "logps/chosen", ""),
        ("log-probability of rejected, nats", "logps/rejected", ""),
    ),
    "group": (
        ("score", "objective/scores", ""),
        ("KL to the reference, nats per answer", "objective/kl", ""),
        ("entropy, nats per token", "objective/entropy", ""),
        ("spread of scores in a group", "reward_std", ""),
        ("share of groups that score alike", "frac_reward_zero_std", ""),
        ("length, tokens", "val/length", ""),
    ),
    "kto": (
        ("loss", "loss", "eval/loss"),
        ("reference point, nats", "kl", ""),
        ("reward of desirable answers", "rewards/chosen", ""),
        ("reward of undesirable answers", "rewards/rejected", ""),
    ),
    "online_dpo": (
        ("score", "objective/scores", ""),
        ("KL to the reference, nats per answer", "objective/kl", ""),
        ("accuracy", "rewards/accuracies", ""),
        ("margin", "rewards/margins", ""),
    ),
    "ppo": (
        ("score", "objective/scores", ""),
        ("KL to the reference, nats per answer", "objective/kl", ""),
        ("entropy, nats per token", "objective/entropy", ""),
        ("clipped share of tokens", "policy/clipfrac_avg", ""),
        ("variance explained by the critic", "val/explained_variance", ""),
        ("length, tokens", "val/length", ""),
    ),
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


def stages(run: Path) -> dict[str, dict[str, list[dict]]]:
    """Method → stage → the lines of its metrics.jsonl, for every stage of the run that has both files."""
    report = run / "report.json"
    named = list(json.loads(report.read_text(encoding="utf-8"))["stages"]) if report.is_file() else []
    order = [*named, *sorted(path.parent.name for path in run.glob("*/result.json") if path.parent.name not in named)]
    found: dict[str, dict[str, list[dict]]] = {}
    for name in order:
        log, result = run / name / "metrics.jsonl", run / name / "result.json"
        if log.is_file() and result.is_file():
            method = json.loads(result.read_text(encoding="utf-8"))["method"]
            lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            found.setdefault(method, {})[name] = lines
    return found


def series(lines: list[dict], name: str) -> tuple[list[float], list[float]]:
    """Steps and values of one figure, thinned evenly to what can be seen."""
    points = [(line["step"], line[name]) for line in lines if isinstance(line.get(name), int | float)]
    points = points[:: max(1, -(-len(points) // MOST_POINTS))]
    return [float(step) for step, _ in points], [float(value) for _, value in points]


def smooth(values: list[float], width: int) -> list[float]:
    """Mean over up to `width` values around each."""
    half = width // 2
    windows = [values[max(0, place - half) : place + half + 1] for place in range(len(values))]
    return [sum(window) / len(window) for window in windows]


def draw(method: str, logs: dict[str, list[dict]], gains: dict[str, dict[int, float]]) -> Path:
    """Write the SVG of one method; `gains`: stage → k → mean reward of the best of k answers."""
    panels = PANELS[method]
    count = len(panels) + bool(gains)
    columns = min(count, 3)
    rows = -(-count // columns)
    with matplotlib.rc_context(STYLE):
        figure, grid = pyplot.subplots(rows, columns, figsize=(3.1 * columns, 2.1 * rows), squeeze=False)
        places = list(grid.flat)
        for axes, (title, training, held_out) in zip(places, panels, strict=False):
            axes.set_title(title, fontsize=9, loc="left")
            for colour, (stage, lines) in zip(COLOURS, logs.items(), strict=False):
                _line(axes, lines, training, colour, stage)
                steps, values = series(lines, held_out) if held_out else ([], [])
                if steps:
                    axes.plot(steps, values, "o", color=colour, markersize=3.5, label=f"{stage}, held out")
        if gains:
            axes = places[len(panels)]
            axes.set_title("reward of the best of k", fontsize=9, loc="left")
            for colour, (stage, curve) in zip(COLOURS, gains.items(), strict=False):
                axes.plot(list(curve), list(curve.values()), "o-", color=colour, markersize=3.5, label=stage)
            every = sorted({k for curve in gains.values() for k in curve})
            axes.set_xscale("log", base=2)
            axes.set_xticks(every, [str(k) for k in every])
        for axes in places[count:]:
            axes.set_visible(False)
        for axes in places[:count]:
            axes.tick_params(length=2, width=0.5, labelsize=8)
        if sum(len(axes.get_legend_handles_labels()[1]) for axes in places[:1]) > 1:
            places[0].legend(fontsize=7, frameon=False)
        figure.tight_layout()
        TARGET.mkdir(exist_ok=True)
        file = TARGET / f"{method}.svg"
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    text = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    return file


def _line(axes: Axes, lines: list[dict], name: str, colour: str, stage: str) -> None:
    """One figure of one stage: as it was logged, and where there are many points their running mean."""
    steps, values = series(lines, name)
    width = max(1, len(values) // 40)
    if width > 1:
        axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.3)
    axes.plot(steps, smooth(values, width), color=colour, linewidth=1.3, label=stage)


def best_of(run: Path, stage: str) -> dict[int, float]:
    """k → mean reward of the best of k, from the stage's result.json."""
    metrics = json.loads((run / stage / "result.json").read_text(encoding="utf-8"))["metrics"]
    prefix = "reward_best_of_"
    return {int(name.removeprefix(prefix)): value for name, value in metrics.items() if name.startswith(prefix)}


def main(run: Path) -> None:
    """Draw every method of the run."""
    found = stages(run)
    if not found:
        raise SystemExit(f"{run}: no finished stage with a metrics.jsonl. Run a recipe first: make quickstart.")
    for method, logs in found.items():
        if method not in PANELS:
            continue
        first = next(iter(logs))
        gains = {first: best_of(run, first)} if method == "rejection" else {}
        print(draw(method, logs, {stage: curve for stage, curve in gains.items() if curve}))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python docs/curves.py runs/quickstart")
    main(Path(sys.argv[1]))
