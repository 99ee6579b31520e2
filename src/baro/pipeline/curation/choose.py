"""`baro data curate`: score every row, choose some, say why, and keep the controls beside them."""

from __future__ import annotations

import operator
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from rich.console import Console
from rich.table import Table as Printed

from baro.core.errors import ConfigError
from baro.data.curate import select
from baro.data.read import write_jsonl
from baro.engine import files
from baro.engine.config import ExistingPath, Settings
from baro.pipeline.curation import page, scores
from baro.pipeline.curation.scores import FROM_MODEL, SMALL_IS_GOOD, Table
from baro.recipes.settings import ModelPath

_CONDITION = re.compile(r"\s*([^\s<>=]+)\s*(>=|<=|>|<)\s*(-?[\d.]+(?:e-?\d+)?)\s*")
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


class Curate(Settings):
    """Settings of `baro data curate`."""

    dataset: list[ExistingPath]
    """Instruction data."""
    out: Path
    """Folder: selection.jsonl, random.jsonl, longest.jsonl, scores.jsonl, curation.json, curation.html."""
    keep: int | None = Field(default=1000, ge=1)
    """Rows of the selection; none keeps every row that meets `where`."""
    by: list[str] = ["quality"]
    """Scores, the product of whose ranks decides: quality, perplexity (little is good), ifd, ifd_ppl, learnt, reward,
    length, or a column of numbers of the rows."""
    where: list[str] = []
    """Conditions on scores that a row must meet: quality>=0.5, ifd<=1."""
    select: Literal["top", "diverse"] = "top"
    """top: the best by score. diverse: score × distance to the nearest row already kept."""
    nearest: float = Field(default=0.9, gt=0, le=1)
    """diverse: rows of a cosine similarity above this to a kept row come last (Deita: 0.9)."""
    quota_by: str | None = None
    """A column of the rows (their kind of task), each value of which gets its quota."""
    quotas: Literal["proportional", "equal"] = "proportional"
    """Quotas in proportion to the kinds' sizes, or the same for all."""
    model: ModelPath | None = None
    """A causal language model for perplexity, IFD and embeddings."""
    reward_model: ModelPath | None = None
    """A reward model for `reward`."""
    labels: list[ExistingPath] = []
    """A few hundred rows with a column `label` (good or bad, 1 or 0) for `learnt`."""
    features: Literal["text", "embeddings"] = "text"
    """What `learnt` learns from: words and characters, or the model's hidden states (phi's way)."""
    embedder: str | None = None
    """A sentence-transformers model for the embeddings of diversity and the map, instead of the model's own."""
    columns: dict[str, str] = {}
    """Our names of columns → the files' names."""
    max_length: int = 1024
    """Tokens of a row that are scored."""
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if not self.by:
            raise ValueError("by names no score")
        named = [*self.by, *(condition(text)[0] for text in self.where)]
        if not self.model and (wanting := [name for name in named if name in FROM_MODEL]):
            raise ValueError(f"{', '.join(wanting)} needs model=…, a causal language model")
        if "reward" in named and not self.reward_model:
            raise ValueError("reward needs reward_model=…")
        if "learnt" in named and not self.labels:
            raise ValueError("learnt needs labels=…, rows with a column `label`")
        if self.features == "embeddings" and not self.model:
            raise ValueError("features=embeddings needs model=…, a causal language model")
        return self


def condition(text: str) -> tuple[str, str, float]:
    """quality>=0.5 as ("quality", ">=", 0.5). ValueError for anything else."""
    found = _CONDITION.fullmatch(text)
    if not found:
        raise ValueError(f"where has {text!r}; expected score>=number, with >=, <=, > or <")
    return found[1], found[2], float(found[3])


def curate(config: Curate) -> dict[str, Any]:
    """Write the selection with its controls, scores, summary and page; returns the summary."""
    console = Console()
    table = scores.read(config)
    console.print(f"read {table.description}")
    scores.fill(table, config, console.print)
    found = select.combined(table.columns, config.by, SMALL_IS_GOOD)
    sensible = [f"{name}<=1" for name in ("ifd", "ifd_ppl") if name in config.by]  # above, instructions do not help
    able = candidates(table, [*sensible, *config.where])
    if config.quota_by and not any(config.quota_by in row for row in table.rows):
        raise ConfigError(f"quota_by names {config.quota_by!r}, which is no column of the rows.", where="quota_by")
    kept = chosen(table, found, able, config)
    summary = _write(table, found, able, kept, config)
    page.write(config.out / "curation.html", table, found, kept, summary, config)
    _print(console, summary, config.out)
    return summary


def candidates(table: Table, where: list[str]) -> NDArray[np.int64]:
    """Indices of the rows that meet every condition; an unknown score meets none."""
    able = np.ones(len(table.rows), dtype=bool)
    for text in where:
        name, sign, limit = condition(text)
        if name not in table.columns:
            raise ConfigError(f"where names {name!r}; known here: {', '.join(table.columns)}.", where="where")
        able &= _COMPARE[sign](table.columns[name], limit)
    if not able.any():
        raise ConfigError(f"no row meets {', '.join(where)}.", where="where", hint="Loosen a condition.")
    return np.flatnonzero(able)


def chosen(table: Table, found: NDArray[np.float64], able: NDArray[np.int64], config: Curate) -> list[int]:
    """Indices of the kept rows, best first."""
    keep = len(able) if config.keep is None else min(config.keep, len(able))
    pick: select.Choose = partial(select.top, found)
    if config.select == "diverse":
        pick = partial(select.diverse, found, table.points, nearest=config.nearest)
    if config.quota_by is None:
        return pick(able, keep)
    kinds = [str(row.get(config.quota_by)) for row in table.rows]
    return select.by_kind(kinds, able, keep, pick, equal=config.quotas == "equal")


def _write(table: Table, found, able, kept: list[int], config: Curate) -> dict[str, Any]:
    place = np.empty(len(found), dtype=np.int64)
    place[np.argsort(-found, kind="stable")] = np.arange(1, len(found) + 1)
    shares = {name: select.ranks(values, descending=name in SMALL_IS_GOOD) for name, values in table.columns.items()}

    def why(row: int) -> str:
        told = (f"{n} {table.columns[n][row]:.4g} (better than {shares[n][row]:.0%})" for n in config.by)
        kind = f"; of {config.quota_by} {table.rows[row].get(config.quota_by)}" if config.quota_by else ""
        far = "; far from what was kept before" if config.select == "diverse" else ""
        return f"{place[row]:,} of {len(found):,} by {' × '.join(config.by)}: {', '.join(told)}{far}{kind}"

    def columns(row: int) -> dict[str, float | None]:
        return {n: round(float(v[row]), 6) if np.isfinite(v[row]) else None for n, v in table.columns.items()}

    everyone = np.arange(len(found))
    controls = {
        "random": select.random_rows(everyone, len(kept), seed=config.seed),
        "longest": select.longest([len(answer) for answer in table.answers], len(kept)),
    }
    write_jsonl(
        config.out / "selection.jsonl",
        (table.rows[row] | {"curated": {"rank": n, "why": why(row), **columns(row)}} for n, row in enumerate(kept, 1)),
    )
    for name, rows in controls.items():
        write_jsonl(config.out / f"{name}.jsonl", (table.rows[row] for row in rows))
    write_jsonl(config.out / "all.jsonl", table.rows)
    taken, allowed = set(kept), set(able.tolist())
    write_jsonl(
        config.out / "scores.jsonl",
        (
            {"where": table.where[row], "kept": row in taken, "meets_where": row in allowed, "score": float(found[row])}
            | columns(row)
            | {"faults": {rule: round(v, 3) for rule, v in table.faults[row].items() if v}}
            for row in everyone.tolist()
        ),
    )
    summary = _summary(table, kept, controls, config) | {"meets_where": len(able)}
    files.replace_json(config.out / "curation.json", summary)
    return summary


def _summary(table: Table, kept: list[int], controls: dict[str, list[int]], config: Curate) -> dict[str, Any]:
    groups = {"selection": kept, **controls, "all": list(range(len(table.rows)))}
    learnt = table.learnt
    return {
        "rows": len(table.rows),
        "read_as": table.description,
        "kept": len(kept),
        "by": config.by,
        "where": config.where,
        "select": config.select,
        "means": {
            name: {column: _mean(values[rows]) for column, values in table.columns.items()}
            for name, rows in groups.items()
        },
        "faulty": dict(Counter(rule for found in table.faults for rule, value in found.items() if value > 0)),
        "learnt": learnt
        and {"auc": learnt.auc, "auc_low": learnt.low, "auc_high": learnt.high, "labelled": learnt.labelled},
        "embeddings": table.points_from,
    }


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _print(console: Console, summary: dict[str, Any], out: Path) -> None:
    groups = list(summary["means"])
    shown = Printed("mean of", *groups)
    for column in summary["means"]["all"]:
        values = (summary["means"][group][column] for group in groups)
        shown.add_row(column, *("–" if value is None else f"{value:.4g}" for value in values))
    console.print(shown)
    if summary["learnt"]:
        told = summary["learnt"]
        console.print(
            f"learnt from {told['labelled']:,} labelled rows: cross-validated AUC {told['auc']:.3f} "
            f"[{told['auc_low']:.3f}, {told['auc_high']:.3f}]"
        )
    told = f"kept {summary['kept']:,} of {summary['rows']:,} rows → {out}/selection.jsonl; look at {out}/curation.html"
    console.print(told, soft_wrap=True)
