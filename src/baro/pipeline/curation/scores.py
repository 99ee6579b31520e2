"""Every score of every row, as columns: from rules, from models, from labels, and the numbers the rows bring along."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baro.core.errors import BaroError, ConfigError
from baro.data.curate.learnt import Learnt, from_embeddings, from_texts, label_of
from baro.data.curate.quality import faults, quality
from baro.data.curate.texts import text_embeddings
from baro.data.files import find, rows_of
from baro.data.read import read_tasks
from baro.data.records import Dialogue, Message, Prompt
from baro.data.templates import render_all, render_prompts
from baro.data.traits import traits_of
from baro.evals.difficulty import difficulty, embeddings
from baro.models.load import language_model, load_tokenizer
from baro.rewards.model import model_scores, trained

KNOWN = ("quality", "perplexity", "ifd", "ifd_ppl", "learnt", "reward", "length")
FROM_MODEL = ("perplexity", "ifd", "ifd_ppl")
SMALL_IS_GOOD = ("perplexity",)
"""Scores of which little is good: an answer the model finds likely. Of all others much is."""


@dataclass
class Table:
    """What is known of every row.

    Attributes:
        rows: the rows as they stand in the files. where: their `file:row`. tasks: what is asked, and the answer.
        columns: score → (n,) values, NaN where it cannot be told.
        faults: rule → fault, a row each.
        points: (n, D) embeddings of the instructions. points_from: where they come from, in words.
        learnt: how good the learnt classifier is; None without labels.
        description: what the files were read as.
    """

    rows: list[dict[str, Any]]
    where: list[str]
    tasks: list[Prompt]
    description: str
    columns: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    faults: list[dict[str, float]] = field(default_factory=list)
    points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 1), dtype=np.float32))
    points_from: str = ""
    learnt: Learnt | None = None

    @property
    def instructions(self) -> list[str]:
        """The last user's turn of every row."""
        return [task.messages[-1].content if task.messages else "" for task in self.tasks]

    @property
    def answers(self) -> list[str]:
        """The last answer of every row."""
        return [str(task.columns["output"]) for task in self.tasks]


def read(config) -> Table:
    """The rows of config.dataset, each as it stands in its file and as what is asked and answered."""
    found = read_tasks(config.dataset, columns=config.columns or None)
    raw = {f"{file}:{row.number}": row.columns for file in find(config.dataset) for row in rows_of(file)}
    return Table([raw[task.where] for task in found.rows], [t.where for t in found.rows], found.rows, found.description)


def fill(table: Table, config, say: Callable[[str], None]) -> None:
    """All columns of `table`: the rules and lengths always, the others where a model, labels or the rows give them."""
    pairs = list(zip(table.instructions, table.answers, strict=True))
    table.faults = [faults(*pair) for pair in pairs]
    table.columns["quality"] = np.array([quality(found) for found in table.faults])
    table.columns["length"] = np.array([float(len(answer)) for answer in table.answers])
    for name in config.by:
        if name not in KNOWN:
            table.columns[name] = _own(table, name)
    labelled = read_tasks(config.labels, columns=config.columns or None).rows if config.labels else []
    good = [label_of(row.columns.get("label"), row.where) for row in labelled]
    if config.model:
        say(f"perplexity, IFD and hidden states of {len(table.rows):,} rows under {config.model}")
        _by_model(table, config, labelled, good)
    if labelled and table.learnt is None:
        seen = [f"{row.messages[-1].content}\n{row.columns['output']}" for row in labelled]
        table.learnt = from_texts(seen, good, seed=config.seed)
        table.columns["learnt"] = table.learnt.scores(["\n".join(pair) for pair in pairs])
    if config.reward_model:
        say(f"reward of {len(table.rows):,} rows by {config.reward_model}")
        table.columns["reward"] = np.array(_rewards(table.tasks, config))
    if config.embedder:
        table.points, table.points_from = _sentences(config.embedder, table.instructions), config.embedder
    elif not table.points_from:
        table.points, table.points_from = text_embeddings(table.instructions, seed=config.seed), "character n-grams"


def dialogues(tasks: list[Prompt]) -> list[Dialogue]:
    """The conversations with their answers."""
    return [
        Dialogue((*task.messages, Message("assistant", str(task.columns["output"]))), task.plain, task.where)
        for task in tasks
    ]


def _own(table: Table, name: str) -> NDArray[np.float64]:
    """A column of numbers that the rows bring along."""
    values = []
    for row, where in zip(table.rows, table.where, strict=True):
        try:
            values.append(float(row[name]) if row.get(name) not in (None, "") else math.nan)
        except (TypeError, ValueError):
            raise ConfigError(
                f"by names {name!r}, and the row has {row[name]!r} there; expected a number.", where=where
            ) from None
    if not np.isfinite(values).any():
        raise ConfigError(
            f"by names {name!r}, which is no column of the rows; known scores: {', '.join(KNOWN)}.", where="by"
        )
    return np.array(values)


def _by_model(table: Table, config, labelled: list[Prompt], good: list[bool]) -> None:
    """Perplexity, IFD and hidden states; the classifier too where it is to learn from hidden states."""
    tokenizer = load_tokenizer(config.model)
    model = language_model(config.model, dtype=config.dtype, device=config.device).eval()
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None) or config.max_length
    limit = min(config.max_length, context)
    sequences = render_all(tokenizer, dialogues(table.tasks), max_length=limit)
    traits = traits_of(tokenizer)
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else traits.eos
    found = difficulty(model, sequences, begin=begin)
    for name in FROM_MODEL:
        table.columns[name] = np.array([getattr(row, name) if row.tokens else math.nan for row in found])
    prompts = [ids[:limit] for ids in render_prompts(tokenizer, table.tasks)]
    table.points, table.points_from = embeddings(model, prompts), f"mean hidden states of {config.model}"
    if labelled and config.features == "embeddings":
        own = [row.tokens for row in render_all(tokenizer, dialogues(labelled), max_length=limit)]
        table.learnt = from_embeddings(embeddings(model, own), good, seed=config.seed)
        table.columns["learnt"] = table.learnt.scores(embeddings(model, [row.tokens for row in sequences]))


def _rewards(tasks: list[Prompt], config) -> list[float]:
    model = trained(config.reward_model, dtype=config.dtype, device=config.device)
    context = model.config.get_text_config().max_position_embeddings
    seen = render_all(load_tokenizer(config.reward_model), dialogues(tasks), max_length=context)
    return model_scores(model, seen, max_tokens=max(8192, context))


def _sentences(name: str, texts: list[str]) -> NDArray[np.float32]:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise BaroError(
            "embedder needs sentence-transformers, which is not installed.",
            where="embedder",
            hint="pip install sentence-transformers, or leave embedder out: the model's own hidden states serve.",
        ) from None
    return np.asarray(SentenceTransformer(name).encode(texts), dtype=np.float32)
