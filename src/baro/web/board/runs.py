"""What the folders of runs say: stages, progress, alarms, settings, samples."""

from __future__ import annotations

import itertools
import json
import platform
import time
from pathlib import Path
from typing import Any

from baro.core.errors import ConfigError
from baro.pipeline.journal import NAME, born
from baro.web.board.lines import Figures, tail
from baro.web.board.samples import Samples
from baro.web.paths import inside

SILENT = 120.0
"""Seconds without news after which a run on another machine is taken to be gone."""
SAMPLES = ("rollouts.jsonl", "samples.jsonl")
MOST_RUNS = 200


def find(roots: list[Path]) -> dict[str, Path]:
    """Name → folder of every run: each root that is one, else the runs up to two folders below it.

    Raises:
        ConfigError: a root is missing.
    """
    found: dict[str, Path] = {}
    for root in roots:
        if not root.is_dir():
            raise ConfigError("no such folder.", where=str(root), hint="Give the folder of a run, or one of runs.")
        base = root.resolve()
        for folder in [base] if _is_run(base) else _below(base, 2):
            name = base.name if folder == base else f"{base.name}/{folder.relative_to(base)}"
            while name in found and found[name] != folder:
                name += "′"
            found[name] = folder
    return dict(list(found.items())[:MOST_RUNS])


def _is_run(folder: Path) -> bool:
    if (folder / NAME).is_file() or (folder / "run.json").is_file():
        return True
    return any((child / "stage.json").is_file() for child in _folders(folder))


def _below(folder: Path, depth: int) -> list[Path]:
    found = []
    for child in _folders(folder):
        if _is_run(child):
            found.append(child)
        elif depth > 1:
            found += _below(child, depth - 1)
    return found


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError:
        return []


class Run:
    """One run folder. Everything is read when asked for; figures only where they grew."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.figures: dict[str, Figures] = {}
        self.answers: dict[tuple[str, str], Samples] = {}

    def record(self) -> dict[str, Any]:
        """progress.json; empty where there is none."""
        return _json(self.folder / NAME)

    def stages(self) -> dict[str, Path]:
        """Name → folder of every stage there is."""
        if (self.folder / "run.json").is_file():  # a single method
            return {self.folder.name: self.folder}
        made = [child for child in _folders(self.folder) if (child / "stage.json").is_file()]
        return {child.name: child for child in sorted(made, key=lambda child: (child / "stage.json").stat().st_mtime)}

    def figures_of(self, stage: str) -> Figures | None:
        """The figures of a stage as far as they were read; None where there is no such stage."""
        folder = self.stages().get(stage)
        return None if folder is None else self.figures.setdefault(stage, Figures(folder / "metrics.jsonl"))

    def alive(self, record: dict[str, Any]) -> bool:
        """Whether the process that wrote the record is still there; of another machine: whether it wrote lately."""
        if record.get("state") != "running":
            return False
        if record.get("host") != platform.node():
            return time.time() - float(record.get("time", 0)) < SILENT
        return bool(record.get("born")) and born(int(record.get("pid", 0))) == record["born"]

    def summary(self) -> dict[str, Any]:
        """What the page shows of the run at a glance."""
        record, folders = self.record(), self.stages()
        alive = self.alive(record)
        rows = {row["name"]: dict(row) for row in record.get("stages", [])}
        for name in folders:
            rows.setdefault(name, {"name": name, "method": "", "inputs": self._inputs(name, folders)})
        stages = [self._stage(row, folders.get(name), alive) for name, row in rows.items()]
        finished = all(row["state"] in ("done", "skipped") for row in stages)
        state = record.get("state") or ("done" if stages and finished else "unknown")
        here = record.get("host") == platform.node()
        return {
            "name": self.name,
            "state": "gone" if state == "running" and not alive else state,
            "error": record.get("error", ""),
            "left": record.get("left") if alive else None,
            "started": record.get("started"),
            "host": record.get("host", ""),
            "stages": stages,
            "report": (self.folder / "report.html").is_file(),
            "can_stop": alive and here,
            "can_resume": here and not alive and bool(record.get("words")) and state != "done",
        }

    def _stage(self, row: dict[str, Any], folder: Path | None, alive: bool) -> dict[str, Any]:
        result = _json(folder / "result.json") if folder else {}
        last = tail(folder / "metrics.jsonl", 1) if folder else []
        speed = tail(folder / "speed.jsonl", 1) if folder else []
        state = row.get("state") or ("done" if result else "waiting")
        if state == "running" and not alive:
            state = "waiting"
        checkpoints = [child.name for child in _folders(folder / "checkpoints")] if folder else []
        return row | {
            "state": "done" if state == "waiting" and result else state,
            "method": row.get("method") or result.get("method", ""),
            "seconds": row.get("seconds") or result.get("seconds"),
            "step": last[0].get("step") if last and isinstance(last[0], dict) else None,
            "speed": speed[0] if speed else None,
            "metrics": result.get("metrics", {}),
            "checkpoints": checkpoints,
            "curves": bool(last),
            "samples": any((folder / name).is_file() for name in SAMPLES) if folder else False,
        }

    def _inputs(self, name: str, folders: dict[str, Path]) -> list[str]:
        """The stages whose folders this one's settings name."""
        told = json.dumps(_json(folders[name] / "run.json").get("settings", {}) | {"output_dir": ""})
        return [other for other in folders if other != name and f"{self.folder.name}/{other}" in _parts(told)]

    def settings(self, stage: str) -> dict[str, Any]:
        """Settings and machine of a stage."""
        folder = self.stages().get(stage)
        found = _json(folder / "run.json") if folder else {}
        return {"settings": found.get("settings", {}), "machine": found.get("machine", {})}

    def samples(self, stage: str, step: int | None = None) -> dict[str, Any]:
        """Sampled answers, see `Samples.at`; of rollouts where the stage has them."""
        folder = self.stages().get(stage)
        names = [name for name in SAMPLES if folder and (folder / name).is_file()]
        if folder is None or not names:
            return {"steps": [], "counted": True, "step": None, "rows": []}
        found = self.answers.setdefault((stage, names[0]), Samples(folder / names[0]))
        return found.at(step)

    def alarms(self) -> list[dict[str, Any]]:
        """What alarms.jsonl of a stage or report.json has raised."""
        found = []
        for name, folder in self.stages().items():
            found += [row | {"stage": name} for row in tail(folder / "alarms.jsonl", 50) if isinstance(row, dict)]
        models = _json(self.folder / "report.json").get("models", {})
        for name, figures in models.items() if isinstance(models, dict) else ():
            raised = figures.get("alarms", []) if isinstance(figures, dict) else []
            found += [row | {"stage": name} for row in raised if isinstance(row, dict)]
        return found

    def report(self) -> Path:
        """The report's file. Errors: DataError where there is none."""
        return inside(self.folder, "report.html")


def _parts(text: str) -> set[str]:
    """Every two neighbouring parts of the paths in a JSON text."""
    found = set()
    for word in text.replace('"', " ").replace(",", " ").split():
        parts = word.split("/")
        found |= {f"{one}/{two}" for one, two in itertools.pairwise(parts)}
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
