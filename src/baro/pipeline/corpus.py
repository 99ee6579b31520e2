"""`baro data prepare`: raw files to clean shards for pre-training, with an account of everything that was left out."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from rich.console import Console
from rich.progress import track
from rich.table import Table

from baro.core.errors import DataError
from baro.data.corpus import build
from baro.data.corpus.rules import Limits
from baro.data.corpus.sources import sources
from baro.data.corpus.steps import Account, Steps, held_out_runs
from baro.data.curate.learnt import Learnt, from_texts, label_of
from baro.data.files import find, rows_of
from baro.engine import files
from baro.engine.config import ExistingPath, Settings
from baro.pipeline.report import numbers
from baro.pipeline.sheet import Section, sheet, table
from baro.pipeline.sheet.page import words


class Prepare(Settings):
    """Settings of `baro data prepare`."""

    dataset: list[ExistingPath]
    """Files and folders (with all below them): text, HTML, JSONL, CSV, Parquet, WARC, also packed (.gz, .zst)."""
    out: Path
    """Folder: train/ and validation/ with shards that `baro pretrain` reads, prepare.json, prepare.html."""
    column: str = "text"
    """The column of rows that holds the text."""
    separate: Literal["none", "blank", "line"] = "none"
    """Where documents of a .txt file end: nowhere, at a blank line, at every line."""
    languages: list[str] = []
    """Languages that stay (en, ko, de, …; und where none can be told); none given: all."""
    rules: list[Literal["c4", "gopher", "repetition"]] = ["c4", "gopher", "repetition"]
    """Rules of quality."""
    min_words: int = Field(default=50, ge=0)
    """Words of the shortest document (Gopher: 50)."""
    max_words: int = 100_000
    """Words of the longest (Gopher: 100,000)."""
    min_sentences: int = Field(default=3, ge=0)
    """Sentences of the shortest document (C4: 3)."""
    line_words: int = Field(default=5, ge=0)
    """Words of the shortest line (C4: 5)."""
    labels: list[ExistingPath] = []
    """A few hundred documents with a column `label` (1 or 0, good or bad): the learnt educational value (phi)."""
    min_value: float = Field(default=0.5, ge=0, le=1)
    """Value, the probability of "good", that a document must reach."""
    evaluation: list[ExistingPath] = []
    """Files of the evaluation: documents that hold a run of 13 words of theirs are left out."""
    personal: Literal["mask", "keep"] = "mask"
    """E-mail addresses, phone, card and Korean resident numbers: replaced by [email] … or kept."""
    near: float | None = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of near duplicates; none looks for exact ones only."""
    validation: float = Field(default=0.01, ge=0, lt=1)
    """Share of the documents that is held out."""
    shard_size: int = Field(default=50_000, ge=1)
    """Documents of a shard."""
    seed: int = 0
    """Of the split."""
    workers: int = Field(default=1, ge=1)
    """Processes that share the folder, on one machine or many."""
    worker: int = Field(default=0, ge=0)
    """Which of them this is; each takes every workers-th file."""

    @model_validator(mode="after")
    def _is_one_of_the_workers(self) -> Self:
        if self.worker >= self.workers:
            raise ValueError(f"worker is {self.worker} of {self.workers}; they are counted from 0")
        return self


SHARED = {"out", "dataset", "workers", "worker", "near", "validation", "shard_size", "seed"}
"""Settings that parts do not depend on."""


def prepare(config: Prepare) -> dict[str, Any]:
    """Do what is not done yet; writes and returns the summary ({} while other workers still have parts to make)."""
    console = Console()
    found = sources(list(config.dataset))
    steps, learnt = _steps(config)
    key = _key(config)
    console.print(f"{len(found):,} files", highlight=False)
    mine = [
        (number, name, file) for number, (name, file) in enumerate(found) if number % config.workers == config.worker
    ]
    done = 0
    for number, name, file in track(mine, description="reading", console=console, transient=True):
        how = build.Reading(key, config.column, config.separate)
        done += build.part(file, name, number, config.out, steps, how)
    if done < len(mine):
        console.print(f"{len(mine) - done:,} of {len(mine):,} files were done before", highlight=False)
    if left := build.missing(config.out, len(found)):
        console.print(f"{len(left):,} files are left to other workers; the last one writes the shards", highlight=False)
        return {}
    account, sizes = build.shards(
        config.out,
        len(found),
        near=config.near,
        validation=config.validation,
        seed=config.seed,
        shard_size=config.shard_size,
    )
    if not sizes["train"]:
        worst = max(account.left_out, key=lambda reason: account.left_out[reason][0])
        raise DataError(
            f"no document is left of {account.documents:,}; most were left out for “{worst}”.",
            where=str(config.dataset[0]),
            hint="Loosen the rule: min_words, min_sentences, rules=…, languages=….",
        )
    summary = _summary(account, sizes, learnt)
    files.replace_json(config.out / "prepare.json", summary)
    files.replace(config.out / "prepare.html", _page(summary))
    _print(console, summary, config.out)
    return summary


def _steps(config: Prepare) -> tuple[Steps, Learnt | None]:
    learnt = None
    if config.labels:
        rows = [row for file in find(config.labels, text=False) for row in rows_of(file)]
        where = [f"row {row.number} of the labelled file" for row in rows]
        good = [label_of(row.columns.get("label"), place) for row, place in zip(rows, where, strict=True)]
        learnt = from_texts([str(row.columns.get(config.column, "")) for row in rows], good)
    asked = (
        (text for file in find(config.evaluation) for row in rows_of(file) for text in _strings(row.columns))
        if config.evaluation
        else ()
    )
    limits = Limits(config.min_words, config.max_words, config.min_sentences, config.line_words)
    return Steps(
        languages=frozenset(config.languages),
        use=frozenset(config.rules),
        limits=limits,
        held_out=held_out_runs(asked),
        persons=config.personal == "mask",
        value=learnt,
        least_value=config.min_value,
    ), learnt


def _strings(value: Any) -> list[str]:
    """Every string of a row, wherever it stands."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _strings(each)]


def _key(config: Prepare) -> str:
    """What parts depend on: the settings, the files they name, and the version of what extracts text."""
    given = config.model_dump(mode="json", exclude=SHARED)
    named = (
        [files.fingerprint(file)["sha256"] for file in find([*config.labels, *config.evaluation])]
        if (config.labels or config.evaluation)
        else []
    )
    versions = [importlib.metadata.version(name) for name in ("trafilatura", "scikit-learn", "datasketch")]
    return hashlib.sha256(json.dumps([given, named, versions], sort_keys=True).encode()).hexdigest()


def _summary(account: Account, sizes: dict[str, int], learnt: Learnt | None) -> dict[str, Any]:
    ordered = dict(sorted(account.left_out.items(), key=lambda item: -item[1][0]))
    return asdict(account) | {
        "left_out": {reason: {"documents": count, "characters": size} for reason, (count, size) in ordered.items()},
        "train": sizes["train"],
        "validation": sizes["validation"],
        "learnt": learnt
        and {"auc": learnt.auc, "auc_low": learnt.low, "auc_high": learnt.high, "labelled": learnt.labelled},
    }


def _print(console: Console, summary: dict[str, Any], out: Path) -> None:
    shown = Table("left out", "documents", "share", "for example")
    for reason, row in summary["left_out"].items():
        example = summary["examples"][reason][0]["text"].replace("\n", " ⏎ ")[:60]
        shown.add_row(reason, f"{row['documents']:,}", f"{row['documents'] / summary['documents']:.1%}", example)
    console.print(shown, markup=False)
    masked = ", ".join(f"{kind} {count:,}" for kind, count in summary["masked"].items())
    console.print(f"lines removed: {summary['lines']:,}; masked: {masked or 'nothing'}", highlight=False)
    languages = sorted(summary["languages"].items(), key=lambda item: -item[1])
    console.print("languages: " + ", ".join(f"{name} {count:,}" for name, count in languages[:8]), highlight=False)
    if told := summary["learnt"]:
        ends = f"[{told['auc_low']:.3f}, {told['auc_high']:.3f}]"
        console.print(f"educational value: cross-validated AUC {told['auc']:.3f} {ends}", markup=False)
    console.print(
        f"kept {summary['train'] + summary['validation']:,} of {summary['documents']:,} documents → "
        f"{out}/train ({summary['train']:,}), {out}/validation ({summary['validation']:,}); look at {out}/prepare.html",
        soft_wrap=True,
        highlight=False,
    )


def _page(summary: dict[str, Any]) -> str:
    gone = numbers.count(summary["lines"])
    kept, total = summary["train"] + summary["validation"], summary["documents"]
    rows = [
        [reason, numbers.count(row["documents"]), f"{row['documents'] / total:.1%}", numbers.count(row["characters"])]
        for reason, row in summary["left_out"].items()
    ]
    masked = [[f"[{kind}]", numbers.count(count)] for kind, count in summary["masked"].items()]
    sections = [
        Section(
            words("Left out", "뺀 문서"),
            words(
                "In the order of the steps, each document for the first reason.",
                "문서마다 처음 걸린 까닭으로 셌습니다.",
            ),
            table(
                [
                    words("reason", "까닭"),
                    words("documents", "문서"),
                    words("share", "비율"),
                    words("characters", "글자"),
                ],
                rows,
                numbers=3,
            ),
        )
    ]
    if masked:
        lead = words("Replaced in the documents that stay.", "남은 문서에서 바꿔 넣었습니다.")
        head = [words("what", "무엇"), words("how many", "개수")]
        sections.append(Section(words("Personal data", "개인정보"), lead, table(head, masked, numbers=1)))
    for reason, found in summary["examples"].items():
        shown = [[each["where"], each["text"]] for each in found]
        head = [words("where", "위치"), words("text", "글")]
        sections.append(Section(words(reason, reason), words("", ""), table(head, shown)))
    title = words(f"{kept:,} of {total:,} documents kept", f"문서 {total:,}개에서 {kept:,}개")
    facts = [
        words(
            f"{summary['train']:,} to train on, {summary['validation']:,} held out; {gone} lines removed.",
            f"학습용 {summary['train']:,}개, 검증용 {summary['validation']:,}개. 줄 {gone}개를 지웠습니다.",
        )
    ]
    return sheet(title, facts, sections, what="prepare")
