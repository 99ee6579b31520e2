"""Other tools' rows under the names of our formats, and the choice of one format where a row could be several.

Each dialect names the columns it is told by and gives the columns of a format of `formats`; what it did is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from baro.core.errors import ConfigError, DataError
from baro.data.row import Row, kind_of

Columns = dict[str, Any]
Noun = Literal["texts", "conversations", "preferences", "judgements", "prompts"]
Format = Literal[
    "text",
    "alpaca",
    "messages",
    "sharegpt",
    "prompt-completion",
    "preference",
    "implicit-preference",
    "alpaca-preference",
    "sharegpt-preference",
    "messages-preference",
    "orca",
    "hh",
    "ms-swift",
    "nemo",
    "kto",
    "prompt",
]
FORMATS: tuple[str, ...] = get_args(Format)


class Layout(NamedTuple):
    """The columns of a format: those every row has, those a row may have."""

    noun: Noun
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


LAYOUTS: dict[str, Layout] = {
    "text": Layout("texts", ("text",)),
    "alpaca": Layout("conversations", ("instruction", "output"), ("input", "system", "history")),
    "messages": Layout("conversations", ("messages",), ("system",)),
    "sharegpt": Layout("conversations", ("conversations",), ("system",)),
    "prompt-completion": Layout("conversations", ("prompt", "completion"), ("plain",)),
    "preference": Layout("preferences", ("prompt", "chosen", "rejected"), ("system", "margin", "plain")),
    "implicit-preference": Layout("preferences", ("chosen", "rejected"), ("margin", "plain")),
    "alpaca-preference": Layout(
        "preferences", ("instruction", "chosen", "rejected"), ("input", "system", "history", "margin")
    ),
    "sharegpt-preference": Layout("preferences", ("conversations", "chosen", "rejected"), ("system", "margin")),
    "messages-preference": Layout("preferences", ("messages", "chosen", "rejected"), ("system", "margin")),
    "orca": Layout("preferences", ("question", "chosen", "rejected"), ("system", "margin")),
    "hh": Layout("preferences", ("chosen", "rejected"), ("margin",)),
    "ms-swift": Layout("preferences", ("messages",), ("rejected_response", "rejected_messages", "margin")),
    "nemo": Layout("preferences", ("context", "completions")),
    "kto": Layout("judgements", ("prompt", "completion", "label"), ("plain",)),
    "prompt": Layout("prompts", ("prompt",), ("system", "plain")),
}


def layout_of(name: str) -> Layout:
    """A format by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in LAYOUTS:
        raise ConfigError(f"format is {name!r}; expected one of {', '.join(FORMATS)}.", where="format")
    return LAYOUTS[name]


NAMED = frozenset(name for layout in LAYOUTS.values() for name in (*layout.needed, *layout.optional))
"""Columns that mean something to a format; all others only travel along."""

# our names ← the names others use, the first that is there
QUESTIONS = ("question", "query", "Q", "Question", "질문")
ANSWERS = ("response", "answer", "A", "Answer", "답변")
TEXTS = ("document", "content", "body", "paragraph", "passage", "review", "sentence", "문서", "본문")


def renamed(row: Row, columns: Mapping[str, str] | None, where: str) -> Columns:
    """The row's columns under our names, as the user gave them.

    Raises:
        DataError: the row could not be read, or a column named is not there.
    """
    if row.problem:
        raise DataError(row.problem, where=where, hint=row.hint)
    if not columns:
        return row.columns
    found = dict(row.columns)
    for ours, theirs in columns.items():
        if theirs in found:
            found[ours] = found.pop(theirs)
        elif ours not in found:
            raise DataError(
                f"found columns {', '.join(map(str, row.columns))}; expected {theirs!r}, which was named for {ours!r}.",
                where=where,
                hint="Check the names given in columns.",
            )
    return found


def only(row: Columns, name: str, where: str) -> Columns:
    """The row without the columns that other formats are told by.

    Raises:
        DataError: a column of the format is missing.
    """
    layout = LAYOUTS[name]
    missing = [column for column in layout.needed if column not in row]
    if missing:
        raise DataError(
            f"found columns {', '.join(map(str, row)) or 'none'}; the format {name} needs {', '.join(layout.needed)}.",
            where=where,
            hint="Leave format out to have it detected, or name the columns: columns={'…': '…'}.",
        )
    other = NAMED - set(layout.needed) - set(layout.optional)
    kept = {column: value for column, value in row.items() if column not in other}
    return kept | ({"plain": True} if name == "hh" and "plain" not in kept else {})


def translated(row: Columns, noun: Noun, where: str) -> tuple[Columns, str]:
    """The row in the columns of our formats, and what was taken for what ("" where nothing was).

    Raises:
        DataError: it is of a dialect and breaks its rules.
    """
    for told_by, translate in DIALECTS[noun]:
        if told_by <= row.keys():
            return translate(row, where)
    if noun == "texts":
        return _aliased(row, {"text": TEXTS}) if "text" not in row else (row, "")
    if noun == "preferences":
        return _aliased(row, {"instruction": ("query", "Q", "input")}) if _lacks_question(row) else (row, "")
    if noun == "judgements" or row.keys() & {"messages", "conversations", "completion"}:
        return row, ""
    if noun == "prompts":
        return (row, "") if row.keys() & {"prompt", "instruction"} else _aliased(row, {"instruction": QUESTIONS})
    wanted = {} if "instruction" in row else {"instruction": (*QUESTIONS, "prompt", "input")}
    return _aliased(row, wanted if "output" in row else {**wanted, "output": ANSWERS})


def _lacks_question(row: Columns) -> bool:
    turns = {"messages", "conversations"}
    return (
        {"chosen", "rejected"} <= row.keys()
        and not row.keys() & turns
        and not row.keys() & {"instruction", "question", "prompt"}
    )


def _aliased(row: Columns, wanted: Mapping[str, tuple[str, ...]]) -> tuple[Columns, str]:
    """Renames where every name wanted has one candidate in the row."""
    found = {ours: next((name for name in names if name in row), None) for ours, names in wanted.items()}
    pairs = {ours: theirs for ours, theirs in found.items() if theirs is not None}
    if not pairs or len(pairs) < len(found):
        return row, ""
    names = {theirs: ours for ours, theirs in pairs.items()}
    remark = ", ".join(f"{theirs} read as {ours}" for theirs, ours in names.items())
    return {names.get(column, column): value for column, value in row.items()}, remark


def _ms_swift(row: Columns, where: str) -> tuple[Columns, str]:
    """messages with the good answer last, beside the bad one."""
    turns = row["messages"]
    if not isinstance(turns, list) or len(turns) < 2:
        raise DataError(f"messages is {kind_of(turns)}; expected a prompt and an answer.", where=where)
    rest = {name: value for name, value in row.items() if name not in ("messages", *SWIFT)}
    rejected = row.get("rejected_messages") or row.get("rejected_response")
    if isinstance(rejected, list) and rejected[: len(turns) - 1] == turns[:-1]:
        rejected = rejected[len(turns) - 1 :]
    return {"prompt": turns[:-1], "chosen": [turns[-1]], "rejected": rejected, **rest}, "ms-swift: messages, rejected"


def _nemo(row: Columns, where: str) -> tuple[Columns, str]:
    """context and completions with ranks, 0 the best."""
    ranked = row["completions"]
    good = isinstance(ranked, list) and len(ranked) == 2 and all(isinstance(each, dict) for each in ranked)
    if not good or sorted(str(each.get("rank")) for each in ranked) != ["0", "1"]:
        raise DataError(
            "completions does not hold two answers of rank 0 and 1.", where=where, hint="Keep two answers per row."
        )
    first, second = sorted(ranked, key=lambda each: int(each["rank"]))
    rest = {name: value for name, value in row.items() if name not in ("context", "completions")}
    pair = {"chosen": first.get("completion"), "rejected": second.get("completion")}
    return {"prompt": row["context"], **pair, **rest}, "NeMo: context, completions by rank"


def _tagged(row: Columns, where: str) -> tuple[Columns, str]:
    """LLaMA-Factory's unpaired rows: alpaca or ShareGPT turns with kto_tag."""
    rest = {name: value for name, value in row.items() if name != "kto_tag"}
    return {**rest, "label": row["kto_tag"]}, "kto_tag read as label"


def _instances(row: Columns, where: str) -> tuple[Columns, str]:
    """Self-instruct's seed tasks: an instruction with examples of input and output."""
    found = row["instances"]
    if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], dict):
        size = f"{len(found)} instances" if isinstance(found, list) else kind_of(found)
        raise DataError(f"found {size}; expected one.", where=where, hint="Write one row per instance.")
    rest = {name: value for name, value in row.items() if name != "instances"}
    return {**rest, **found[0]}, "self-instruct: instruction, instances[0]"


def _questions(row: Columns, where: str) -> tuple[Columns, str]:
    """MT-bench: a list of questions, of which the later ones depend on an answer."""
    turns = row["turns"]
    if not isinstance(turns, list) or not turns:
        raise DataError(f"turns is {kind_of(turns)}; expected a list of questions.", where=where)
    rest = {name: value for name, value in row.items() if name != "turns"}
    return {"prompt": turns[0], **rest, "later_turns": turns[1:]}, "turns[0] read as prompt"


SWIFT = ("rejected_response", "rejected_messages")
Dialect = tuple[set[str], Callable[[Columns, str], tuple[Columns, str]]]
DIALECTS: dict[Noun, list[Dialect]] = {
    "texts": [],
    "conversations": [({"instruction", "instances"}, _instances)],
    "preferences": [*(({"messages", name}, _ms_swift) for name in SWIFT), ({"context", "completions"}, _nemo)],
    "judgements": [({"kto_tag"}, _tagged)],
    "prompts": [({"turns", "question_id"}, _questions), ({"instruction", "instances"}, _instances)],
}


def noun_of(row: Columns) -> Noun | None:
    """What a row is by its columns alone; None if they are of no format."""
    has = row.keys()
    if {"chosen", "rejected"} <= has or {"context", "completions"} <= has or ("messages" in has and has & set(SWIFT)):
        return "preferences"
    if "kto_tag" in has or {"prompt", "completion", "label"} <= has:
        return "judgements"
    asked, answered = has & {"instruction", "input", "prompt", *QUESTIONS}, has & {"output", *ANSWERS}
    if {"instruction", "instances"} <= has or {"prompt", "completion"} <= has or (asked and answered):
        return "conversations"
    for name in ("messages", "conversations"):
        if name in has:
            return "conversations" if _is_answered(row[name]) else "prompts"
    if has & {"prompt", "instruction"} or {"turns", "question_id"} <= has:
        return "prompts"
    if "text" in has:
        return "texts"
    if has & set(QUESTIONS):
        return "prompts"
    return "texts" if has & set(TEXTS) else None


def _is_answered(turns: Any) -> bool:
    """False for turns that are all someone else's than the assistant's."""
    if not isinstance(turns, list):
        return True
    roles = [turn.get("role", turn.get("from")) for turn in turns if isinstance(turn, dict)]
    return not roles or any(role not in ("user", "human", "system") for role in roles)
