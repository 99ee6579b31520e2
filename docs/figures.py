"""Fill the tables of README.md and README.ko.md from finished runs.

    python docs/figures.py runs/quickstart runs/nsmc

The text between `<!-- figures: NAME -->` and `<!-- /figures: NAME -->` is replaced by the table of the run NAME.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

HEADS = {
    "README.md": "| model | judge (95 %) | wins | reward | KL, nats per answer | capability | ended | minutes |",
    "README.ko.md": "| 모델 | 심판 점수 (95 %) | SFT 상대 승률 | 보상 | KL, 답마다 nats | 능력 | 끝맺음 | 분 |",
}
STAGES = {
    "README.md": "Stages: {stages}. {minutes:.1f} minutes in all, {threads} CPU thread(s), peak {peak:.1f} GiB.",
    "README.ko.md": "단계: {stages}. 모두 {minutes:.1f}분, CPU 스레드 {threads}개, 최대 메모리 {peak:.1f} GiB.",
}
SHOWN = {"nats_per_char": "nats/char", "exact_match": "exact match", "format": "format", "accuracy": "accuracy"}


def row(name: str, model: dict, stage: dict) -> str:
    """One model as a line of the table."""

    def shown(key: str, form: str) -> str:
        return "–" if model.get(key) is None else form.format(model[key])

    judge = shown("judge", "{:.2f}")
    if model.get("judge") is not None:
        judge += f" [{model['judge_low']:.2f}, {model['judge_high']:.2f}]"
    cells = [name, judge, shown("win_rate", "{:.0%}"), shown("reward", "{:+.2f}"), shown("kl", "{:.1f}")]
    cells += [shown("capability", "{:.0%}"), shown("eos_rate", "{:.0%}"), f"{stage['seconds'] / 60:.1f}"]
    if model["alarms"]:
        cells[0] += " ⚠"
    return f"| {' | '.join(cells)} |"


def table(report: dict, page: str) -> str:
    """The table of a run, in the language of `page`, and what its stages measured."""
    head = HEADS[page]
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    lines += [row(name, model, report["stages"][name]) for name, model in report["models"].items()]
    stages = [
        f"{name} {label} {stage['metrics'][key]:.3g}"
        for name, stage in report["stages"].items()
        for key, label in SHOWN.items()
        if key in stage["metrics"] and name != "dpo"
    ]
    peak = max(stage["peak_bytes"] for stage in report["stages"].values()) / 2**30
    minutes, threads = report["seconds"] / 60, report["threads"]
    return "\n".join(
        [*lines, "", STAGES[page].format(stages=", ".join(stages), minutes=minutes, threads=threads, peak=peak)]
    )


def main() -> None:
    """Rewrite both pages."""
    for page in HEADS:
        path = Path(__file__).parent.parent / page
        text = path.read_text(encoding="utf-8")
        for folder in map(Path, sys.argv[1:]):
            report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
            start, end = f"<!-- figures: {report['recipe']} -->", f"<!-- /figures: {report['recipe']} -->"
            fresh = f"{start}\n{table(report, page)}\n{end}"
            text = re.sub(re.escape(start) + ".*?" + re.escape(end), lambda _, fresh=fresh: fresh, text, flags=re.S)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
