"""Data files as records, with the file and row of everything that is wrong with them.

Reads JSONL, JSON arrays, CSV, TSV and Parquet, and for texts `.txt`, all but Parquet also gzipped; one path, several, a
directory or a glob. The format is told by the columns of each row and is named in `Dataset.description`. See `formats`
for what counts as plain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from baro.core.errors import ConfigError, DataError
from baro.data.files import Paths, Row, Separate, find, rows_of, write_jsonl
from baro.data.formats import dialogue_of, preference_of, prompt_of, task_of, text_of
from baro.data.judged import judged_of
from baro.data.records import Dialogue, Judged, Preference, Prompt, Text

__all__ = ["Dataset", "read_dialogues", "read_judged", "read_preferences", "read_prompts", "read_texts", "write_jsonl"]

R = TypeVar("R")
OnBadRow = Literal["error", "skip"]


@dataclass(frozen=True)
class Dataset(Generic[R]):
    """What was read.

    Attributes:
        rows: records in the order of the files.
        description: what was found, for people: "alpaca: instruction, input, output → 11,823 conversations".
        skipped: rows left out because they could not be used.
    """

    rows: list[R]
    description: str
    skipped: int


def read_texts(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    separate: Separate = "blank",
) -> Dataset[Text]:
    """Documents: the column `text` of each row, or a `.txt` file's documents.

    Args:
        paths: files, directories, globs.
        on_bad_row: "error" to stop at the first row that cannot be used, "skip" to leave such rows out and count them.
        skipped_to: JSONL file for the rows left out, each with its place and the reason.
        max_samples: read no more records than this.
        columns: our name of a column → the file's, for example {"text": "document"}.
        separate: where documents of a `.txt` file end: at a "blank" line, at every "line", or "none": one document.

    Raises:
        DataError: a file or row cannot be used.
    """
    return _read(paths, text_of, "texts", on_bad_row, skipped_to, max_samples, columns, separate, text=True)


def read_dialogues(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    plain: bool | None = None,
) -> Dataset[Dialogue]:
    """Conversations: messages, ShareGPT, prompt/completion, alpaca (whose `text`, a rendered prompt, is not used).

    Args:
        plain: True to join contents as they stand, False to use the chat template, None to go by the format and row.

    Other arguments and errors as in `read_texts`.
    """
    return _read(
        paths,
        lambda row, where: dialogue_of(row, where, plain),
        "conversations",
        on_bad_row,
        skipped_to,
        max_samples,
        columns,
    )


def read_preferences(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    plain: bool | None = None,
) -> Dataset[Preference]:
    """Pairs: prompt/chosen/rejected, chosen/rejected with the prompt in both, or alpaca or ShareGPT with both answers.

    Arguments and errors as in `read_dialogues`.
    """
    return _read(
        paths,
        lambda row, where: preference_of(row, where, plain),
        "preferences",
        on_bad_row,
        skipped_to,
        max_samples,
        columns,
    )


def read_prompts(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    plain: bool | None = None,
) -> Dataset[Prompt]:
    """Prompts: prompt, messages that end with the user's turn, or alpaca; a row's other columns stay with it.

    A prompt given as a string is a user's turn, unless the row says "plain": true. Arguments and errors as in
    `read_dialogues`.
    """
    return _read(
        paths,
        lambda row, where: prompt_of(row, where, plain),
        "prompts",
        on_bad_row,
        skipped_to,
        max_samples,
        columns,
    )


def read_tasks(
    paths: Paths, *, max_samples: int | None = None, columns: Mapping[str, str] | None = None
) -> Dataset[Prompt]:
    """Conversations whose last answer is known: prompts with that answer as the column `output`, beside all others.

    Formats and errors as in `read_dialogues`.
    """
    return _read(paths, lambda row, where: task_of(row, where, None), "tasks", "error", None, max_samples, columns)


def read_judged(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    plain: bool | None = None,
) -> Dataset[Judged]:
    """Answers with a label: prompt/completion/label, any conversation with label or kto_tag; pairs count as two.

    Arguments (`max_samples` counts rows of the file) and errors as in `read_dialogues`.
    """
    found = _read(
        paths,
        lambda row, where: judged_of(row, where, plain),
        "judged answers",
        on_bad_row,
        skipped_to,
        max_samples,
        columns,
    )
    return Dataset([answer for answers in found.rows for answer in answers], found.description, found.skipped)


def _read(
    paths: Paths,
    convert: Callable[[dict[str, Any], str], tuple[R, str]],
    noun: str,
    on_bad_row: OnBadRow,
    skipped_to: Path | None,
    max_samples: int | None,
    columns: Mapping[str, str] | None,
    separate: Separate = "blank",
    *,
    text: bool = False,
) -> Dataset[R]:
    if on_bad_row not in ("error", "skip"):
        raise ConfigError(f"on_bad_row is {on_bad_row!r}; expected error or skip.", where="on_bad_row")
    records: list[R] = []
    kinds: Counter[str] = Counter()
    skipped: list[dict[str, Any]] = []
    problem: DataError | None = None
    files = find(paths, text=text)
    for path in files:
        for row in rows_of(path, separate=separate):
            if max_samples is not None and len(records) >= max_samples:
                break
            where = f"{path}:{row.number}"
            try:
                record, kind = convert(_renamed(row, columns, where), where)
            except DataError as error:
                if on_bad_row == "error":
                    raise
                problem = problem or error
                skipped.append({"where": where, "reason": error.message, "row": row.columns})
            else:
                records.append(record)
                kinds[kind] += 1
    if skipped_to is not None and skipped:
        write_jsonl(skipped_to, skipped)
    if problem is not None and not records:
        raise DataError(f"none of {len(skipped):,} rows can be used; the first: {problem}")
    if not records:
        raise DataError("there are no rows.", where=", ".join(map(str, files)), hint="Give a file with rows.")
    description = "; ".join(f"{kind} → {count:,} {noun}" for kind, count in kinds.most_common())
    if skipped:
        kept = f", written to {skipped_to}" if skipped_to else ""
        description += f"; {len(skipped):,} rows skipped{kept} (the first: {problem})"
    return Dataset(records, description, len(skipped))


def _renamed(row: Row, columns: Mapping[str, str] | None, where: str) -> dict[str, Any]:
    """The row's columns under our names."""
    if row.problem:
        raise DataError(row.problem, where=where, hint=row.hint)
    if not columns:
        return row.columns
    renamed = dict(row.columns)
    for ours, theirs in columns.items():
        if theirs not in renamed:
            raise DataError(
                f"found columns {', '.join(row.columns)}; expected {theirs!r}, which was named for {ours!r}.",
                where=where,
                hint="Check the names given in columns.",
            )
        renamed[ours] = renamed.pop(theirs)
    return renamed
