"""`baro eval reward`: reads a reward model and held-out preferences, and writes its health card."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any, Literal

import numpy as np

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.files import find, rows_of
from baro.data.read import read_preferences, write_jsonl
from baro.data.records import Dialogue, Message, Preference
from baro.data.templates import render_all, render_pairs
from baro.engine import files
from baro.engine.config import ExistingPath, Settings
from baro.evals import health
from baro.evals.verdict import findings
from baro.models.heads import normalisation
from baro.models.load import load_tokenizer
from baro.recipes import reward
from baro.recipes.settings import ModelPath
from baro.rewards.model import model_scores, trained

QUICK = 600.0
PARTS = (8, 4, 2)
"""The learning curve trains on an eighth, a quarter and a half of the pairs; the model itself is the whole."""


class Health(Settings):
    """Settings of `baro eval reward`."""

    model: ModelPath
    """A reward model."""
    data: list[ExistingPath]
    """Preferences the model has not been trained on; those of prompts it was trained on are left out."""
    train: list[ExistingPath] = []
    """The preferences it was trained on; default: those named in its own run.json, where they are still there."""
    curve: Literal["auto", "yes", "no"] = "auto"
    """Learning curve: train it again on an eighth, a quarter and a half of its pairs. auto: if that is quick."""
    max_samples: int | None = None
    """Use the first pairs only."""
    json_out: Path | None = None
    """Write the card as JSON."""
    html_out: Path | None = None
    """Write the card as one self-contained page."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"


class Scorer:
    """The model's scores as logits, which is how it was trained: without the stored normalisation."""

    def __init__(self, path: str, *, dtype: str, device: str) -> None:
        self.model, self.tokenizer = trained(path, dtype=dtype, device=device), load_tokenizer(path)
        self.gain = normalisation(self.model)[0] or 1.0

    def sequences(self, rows: Items[Sequence]) -> np.ndarray:
        """Scores of sequences."""
        return np.array(model_scores(self.model, rows)) / self.gain

    def texts(self, rows: Items[Preference], texts: Items[str]) -> np.ndarray:
        """Scores of another answer to each row's prompt."""
        seen = [
            Dialogue((*row.prompt, *row.chosen[:-1], Message("assistant", text)), row.plain, row.where)
            for row, text in zip(rows, texts, strict=True)
        ]
        return self.sequences(render_all(self.tokenizer, seen))

    def judged(self, rows: list[Preference], max_length: int | None) -> health.Judged:
        """The rows of which both answers have a token within `max_length`, with their scores."""
        pairs = render_pairs(self.tokenizer, rows, max_length)
        kept = [i for i, (a, b) in enumerate(pairs) if a.count and b.count]
        if not kept:
            raise DataError(f"in none of the {len(rows)} pairs a token of both answers is left within {max_length}.")
        sequences = [pairs[i] for i in kept]
        scores = self.sequences([sequence for pair in sequences for sequence in pair])
        return health.Judged([rows[i] for i in kept], sequences, scores[::2], scores[1::2])


def evaluate(config: Health, say=lambda text: None) -> dict[str, Any]:
    """The health card of `config.model`, as plain values.

    Raises:
        BaroError: it is no reward model, or all of the data's prompts were trained on.
    """
    scorer = Scorer(config.model, dtype=config.dtype, device=config.device)
    known = _settings(Path(config.model))
    files_of = list(config.train) or _still_there(known)
    learn = read_preferences(files_of, max_samples=(known or {}).get("max_samples")).rows if files_of else []
    rows = read_preferences(config.data, max_samples=config.max_samples).rows
    seen = {health.prompt_of(row) for row in learn}
    fresh = [row for row in rows if health.prompt_of(row) not in seen]
    if not fresh:
        raise DataError(
            f"all {len(rows)} pairs have prompts that the model was trained on.",
            where=", ".join(map(str, config.data)),
            hint="Give pairs of other prompts: split preferences by prompt, never by pair.",
        )
    judged = scorer.judged(fresh, (known or {}).get("max_length"))
    say(f"scored {len(judged.rows):,} pairs of {len(set(judged.prompts)):,} prompts")
    card = health.card(judged, score=scorer.sequences, rescore=scorer.texts, learn=learn or None, seed=config.seed)
    wanted = known is not None and bool(files_of) and not config.train and Path(known["model_name_or_path"]).exists()
    quick = config.curve == "yes" or (config.curve == "auto" and _seconds(Path(config.model)) < QUICK)
    curve = _curve(config, known or {}, judged, say) if wanted and quick and config.curve != "no" else None
    about = {"model": Path(config.model).name, "data": [Path(file).name for file in config.data]}
    card = about | card | {"left_out": len(rows) - len(fresh), "trained_on": len(learn) or None, "curve": curve}
    return card | {"findings": [one.as_dict() for one in findings(card)]}


def run(config: Health) -> None:
    """Print the card, and write it as JSON and as a page where asked."""
    from rich.console import Console

    from baro.pipeline.report import health as report

    console = Console(highlight=False)
    card = evaluate(config, lambda text: console.print(text, style="dim"))
    report.show(card, console)
    if config.json_out:
        config.json_out.parent.mkdir(parents=True, exist_ok=True)
        files.replace(config.json_out, json.dumps(card, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
        console.print(f"→ {config.json_out}", soft_wrap=True)
    if config.html_out:
        config.html_out.parent.mkdir(parents=True, exist_ok=True)
        files.replace(config.html_out, report.page(card))
        console.print(f"→ {config.html_out}", soft_wrap=True)


def of_run(stages: Mapping[str, Any], keys: Mapping[str, str], folder: Path, say=print) -> dict[str, dict]:
    """The cards of a run's reward models, without learning curves; kept in `folder` with their pages.

    Args:
        stages: name → settings of every reward stage that has held-out pairs.
        keys: name → fingerprint; a card with the same key is not made again.
        say: told of a model that has no card because all its held-out prompts were trained on.
    """
    from baro.pipeline.report import health as report

    cards = {}
    for name, config in stages.items():
        kept = folder / f"{name}.json"
        card = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
        if card.get("key") != keys[name]:
            place = {"device": config.device, "dtype": config.dtype, "seed": config.seed}
            try:
                card = evaluate(Health(model=str(config.output_dir), data=config.eval_dataset, curve="no", **place))
            except DataError as error:
                say(f"{name} has no health card: {error}")
                continue
            card["key"] = keys[name]
            folder.mkdir(parents=True, exist_ok=True)
            files.replace_json(kept, card)
            files.replace(folder / f"{name}.html", report.page(card))
        cards[name] = card
    return cards


def _settings(model: Path) -> dict[str, Any] | None:
    """The settings that `baro reward` trained the model with; None where it came from elsewhere."""
    try:
        found = json.loads((model / "run.json").read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError):
        return None
    return found if "center_rewards_coefficient" in found else None


def _still_there(known: dict[str, Any] | None) -> list[Path]:
    named = [Path(file) for file in (known or {}).get("dataset", [])]
    return named if all(file.exists() for file in named) else []


def _seconds(model: Path) -> float:
    try:
        return float(json.loads((model / "result.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        return float("inf")


def _curve(config: Health, known: dict[str, Any], judged: health.Judged, say) -> dict[str, Any] | None:
    """Accuracy on the same held-out pairs after training on parts of the pairs, each part within the next."""
    rows = [row.columns for file in find(known["dataset"]) for row in rows_of(file) if not row.problem]
    rows = rows[: known["max_samples"] or len(rows)]
    rows = _by_prompt(rows, config.seed)
    points, before = [], judged.right
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            size = len(rows) // part
            if size < 16:
                continue
            say(f"learning curve: training on {size:,} of {len(rows):,} pairs")
            data = Path(folder) / f"{part}.jsonl"
            write_jsonl(data, rows[:size])
            again: dict[str, Any] = {
                "output_dir": str(Path(folder) / str(part)),
                "dataset": [str(data)],
                "eval_dataset": [],
                "save_steps": 0,
                "report_to": [],
                "device": config.device,
                "max_samples": None,
            }
            reward.main(reward.Config(**known | again), _Silent())
            scorer = Scorer(again["output_dir"], dtype=config.dtype, device=config.device)
            sequences = [sequence for pair in judged.sequences for sequence in pair]
            scores = scorer.sequences(sequences)
            before = (np.sign(scores[::2] - scores[1::2]) + 1) / 2
            points.append({"pairs": size, **health.interval(before, judged.prompts)})
    if not points:
        return None
    points.append({"pairs": len(rows), **health.interval(judged.right, judged.prompts)})
    return {"points": points, "last_doubling": health.interval(judged.right - before, judged.prompts)}


def _by_prompt(rows: list[dict], seed: int) -> list[dict]:
    """The rows with whole prompts in random order."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        prompt = row.get("prompt") or row.get("instruction") or row.get("question") or row.get("messages") or row
        groups.setdefault(json.dumps(prompt, sort_keys=True, ensure_ascii=False), []).append(row)
    keys = list(groups)
    order = np.random.default_rng(seed).permutation(len(keys))
    return [row for place in order for row in groups[keys[place]]]


class _Silent:
    """A display that shows nothing: the curve's own lines are enough."""

    def say(self, text: str) -> None:
        """Not said."""

    def __call__(self, progress) -> None:
        """Not shown."""
