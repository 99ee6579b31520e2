"""Data files as records, with the file and row of everything that is wrong with them.

Reads what `find` and `files` read. The format is told by the columns of each row, or given, and is named in
`Dataset.description`. See `formats` for what counts as plain, `dialects` for the columns of other tools.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from baro.core.errors import ConfigError, DataError
from baro.data.dialects import Columns, Noun, layout_of, only, renamed, translated
from baro.data.files import Paths, Row, Separate, find, rows_of, write_jsonl
from baro.data.formats import dialogue_of, preference_of, prompt_of, task_of, text_of
from baro.data.judgements import judgement_of, judgements
from baro.data.records import Dialogue, Judgement, Preference, Prompt, Text
from baro.data.sniff import kind_of_file

__all__ = [
    "Dataset",
    "Rows",
    "read_dialogues",
    "read_judgements",
    "read_preferences",
    "read_prompts",
    "read_tasks",
    "read_texts",
    "records",
    "streamed",
    "write_jsonl",
]

R = TypeVar("R")
S = TypeVar("S", bound="Rows[Any]")
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
    format: str | None = None,
    separate: Separate = "blank",
) -> Dataset[Text]:
    """Documents: the column `text` of each row, or a `.txt` file's documents.

    Args:
        paths: files, directories, globs.
        on_bad_row: "error" to stop at the first row that cannot be used, "skip" to leave such rows out and count them.
        skipped_to: JSONL file for the rows left out, each with its place and the reason.
        max_samples: read no more records than this.
        columns: our name of a column → the file's, for example {"text": "document"}.
        format: the name of a format of `dialects`; None to go by the columns of each row.
        separate: where documents of a `.txt` file end: at a "blank" line, at every "line", or "none": one document.

    Raises:
        DataError: a file or row cannot be used.
    """
    return _read(Way("texts", columns, format, separate=separate), paths, on_bad_row, skipped_to, max_samples)


def read_dialogues(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    plain: bool | None = None,
) -> Dataset[Dialogue]:
    """Conversations: messages, ShareGPT, prompt/completion, alpaca (whose `text`, a rendered prompt, is not used).

    Args:
        plain: True to join contents as they stand, False to use the chat template, None to go by the format and row.

    Other arguments and errors as in `read_texts`.
    """
    return _read(Way("conversations", columns, format, plain), paths, on_bad_row, skipped_to, max_samples)


def read_preferences(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    plain: bool | None = None,
) -> Dataset[Preference]:
    """Pairs: prompt/chosen/rejected, chosen/rejected with the prompt in both, or alpaca or ShareGPT with both answers.

    Arguments and errors as in `read_dialogues`.
    """
    return _read(Way("preferences", columns, format, plain), paths, on_bad_row, skipped_to, max_samples)


def read_prompts(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    plain: bool | None = None,
) -> Dataset[Prompt]:
    """Prompts: prompt, messages that end with the user's turn, or alpaca; a row's other columns stay with it.

    A prompt given as a string is a user's turn, unless the row says "plain": true. Arguments and errors as in
    `read_dialogues`.
    """
    return _read(Way("prompts", columns, format, plain), paths, on_bad_row, skipped_to, max_samples)


def read_judgements(
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
    plain: bool | None = None,
) -> Dataset[Judgement]:
    """Single answers with a label, good or bad (KTO); of a pair, both (`max_samples` counts rows of the file).

    Arguments and errors as in `read_dialogues`.
    """
    found = _read(Way("judgements", columns, format, plain), paths, on_bad_row, skipped_to, max_samples)
    return Dataset([answer for row in found.rows for answer in judgements(row)], found.description, found.skipped)


def read_tasks(
    paths: Paths,
    *,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
) -> Dataset[Prompt]:
    """Conversations whose last answer is known: prompts with that answer as the column `output`, beside all others.

    Formats and errors as in `read_dialogues`.
    """
    return _read(Way("conversations", columns, format, tasks=True), paths, "error", None, max_samples)


# --- one way through -------------------------------------------------------------------------------------------------

CONVERT: dict[Noun, Callable[[Columns, str, bool | None], tuple[Any, str]]] = {
    "texts": lambda row, where, _: text_of(row, where),
    "conversations": dialogue_of,
    "preferences": preference_of,
    "judgements": judgement_of,
    "prompts": prompt_of,
}


@dataclass(frozen=True)
class Way:
    """How rows are read.

    Attributes:
        noun: what they are read as.
        columns: our name of a column → the file's.
        format: one of `dialects.FORMATS`; None to go by the columns of each row.
        plain: as in `read_dialogues`.
        separate: as in `read_texts`.
        tasks: conversations become prompts whose answer is known.
    """

    noun: Noun
    columns: Mapping[str, str] | None = None
    format: str | None = None
    plain: bool | None = None
    separate: Separate = "blank"
    tasks: bool = False

    def __post_init__(self) -> None:
        if self.format is None:
            return
        noun = layout_of(self.format).noun
        if noun != self.noun and not (self.noun == "prompts" and noun in ("conversations", "prompts")):
            raise ConfigError(f"the format {self.format} holds {noun}; here {self.noun} are read.", where="format")

    def translate(self, columns: Columns, where: str) -> tuple[Columns, str]:
        """The columns as the formats name them, and what was taken for what.

        Raises:
            DataError: they are not of the format asked for.
        """
        if self.format in ("ms-swift", "nemo") or self.format is None:
            return translated(columns, self.noun, where)
        return (only(columns, self.format, where) if self.noun != "prompts" else columns), ""

    def convert(self, columns: Columns, where: str) -> tuple[Any, str]:
        """The record of a row under our names, and what it was taken for.

        Raises:
            DataError: the row cannot be used.
        """
        columns, remark = self.translate(columns, where)
        record, kind = (
            task_of(columns, where, self.plain) if self.tasks else CONVERT[self.noun](columns, where, self.plain)
        )
        return record, f"{kind} ({remark})" if remark else kind


class Found(NamedTuple):
    """One row as it was read: its place in its file, counted from 0, and its record or what is wrong with it."""

    path: Path
    place: int
    row: Row
    record: Any = None
    kind: str = ""
    problem: DataError | None = None

    @property
    def where(self) -> str:
        """`file:row`."""
        return f"{self.path}:{self.row.number}"


def records(way: Way, files: list[Path]) -> Iterator[Found]:
    """Every row of the files, in order, one at a time: files larger than memory are read like any other."""
    for path in files:
        for place, row in enumerate(rows_of(path, separate=way.separate)):
            where = f"{path}:{row.number}"
            try:
                record, kind = way.convert(renamed(row, way.columns, where), where)
            except DataError as error:
                yield Found(path, place, row, problem=error)
            else:
                yield Found(path, place, row, record, kind)


@dataclass
class Account:
    """What was read and what was not, for people."""

    noun: str
    kinds: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    first: DataError | None = None

    def words(self, kept: Path | None = None) -> str:
        """ "alpaca: instruction, input, output → 11,823 conversations; 2 rows skipped …" """
        text = "; ".join(f"{kind} → {count:,} {self.noun}" for kind, count in self.kinds.most_common())
        if self.skipped:
            place = f", written to {kept}" if kept else ""
            text += f"; {self.skipped:,} rows skipped{place} (the first: {self.first})"
        return text


def remarks(files: list[Path]) -> list[str]:
    """What is said of files that are not what their names promise."""
    kinds = [kind_of_file(path) for path in files if path.stat().st_size]
    return [kind.remark for kind in kinds if kind is not None and kind.remark]


class Rows(Generic[R]):
    """The records of files, read anew each time they are gone through: memory holds one at a time.

    Args:
        way, files: how rows are read, and where from.
        on_bad_row, skipped_to, max_samples: as in `read_texts`.

    Raises:
        DataError: a file or row cannot be used; all of them are gone through once at the beginning.
    """

    def __init__(
        self, way: Way, files: list[Path], on_bad_row: OnBadRow, skipped_to: Path | None, max_samples: int | None
    ) -> None:
        self.way, self.files, self.on_bad_row, self.max_samples = way, files, on_bad_row, max_samples
        self.account = Account("tasks" if way.tasks else way.noun)
        rest = self._counted()
        if skipped_to is None:
            deque(rest, maxlen=0)
        elif not write_jsonl(skipped_to, rest):
            skipped_to.unlink()
        if self.account.first is not None and not len(self):
            raise DataError(f"none of {self.account.skipped:,} rows can be used; the first: {self.account.first}")
        if not len(self):
            raise DataError("there are no rows.", where=", ".join(map(str, files)), hint="Give a file with rows.")
        self.description = self.account.words(skipped_to) + "".join(f"; {remark}" for remark in remarks(files))

    def __len__(self) -> int:
        return self.account.kinds.total()

    def __contains__(self, record: object) -> bool:
        return any(record == each for each in self)

    def __iter__(self) -> Iterator[R]:
        return (each.record for each in self._all() if each.problem is None)

    def _counted(self) -> Iterator[dict[str, Any]]:
        """Takes account of all rows; gives those that cannot be used."""
        account = self.account
        for each in self._all():
            if each.problem is None:
                self._take(each)
                continue
            account.first = account.first or each.problem
            account.skipped += 1
            yield {"where": each.where, "reason": each.problem.message, "row": each.row.columns}

    def _take(self, found: Found) -> None:
        self.account.kinds[found.kind] += 1

    def _all(self) -> Iterator[Found]:
        taken = 0
        for each in records(self.way, self.files):
            if taken == self.max_samples:
                return
            if each.problem is not None and self.on_bad_row == "error":
                raise each.problem
            taken += each.problem is None
            yield each


class _Held(Rows[R]):
    """Rows that fit into memory."""

    def __init__(self, *args: Any) -> None:
        self.held: list[R] = []
        super().__init__(*args)

    def _take(self, found: Found) -> None:
        super()._take(found)
        self.held.append(found.record)


def streamed(
    noun: Noun,
    paths: Paths,
    *,
    on_bad_row: OnBadRow = "error",
    skipped_to: Path | None = None,
    max_samples: int | None = None,
    columns: Mapping[str, str] | None = None,
    format: str | None = None,
) -> Rows[Any]:
    """Rows of files larger than memory, as the reader of this noun reads them; its `description` as a `Dataset`'s."""
    return _rows(Rows, Way(noun, columns, format), paths, on_bad_row, skipped_to, max_samples)


def _rows(kind: type[S], way: Way, paths: Paths, on_bad_row: OnBadRow, *limits: Any) -> S:
    if on_bad_row not in ("error", "skip"):
        raise ConfigError(f"on_bad_row is {on_bad_row!r}; expected error or skip.", where="on_bad_row")
    return kind(way, find(paths, text=way.noun == "texts"), on_bad_row, *limits)


def _read(way: Way, *options: Any) -> Dataset[Any]:
    found = _rows(_Held, way, *options)
    return Dataset(found.held, found.description, found.account.skipped)
