"""Records as rows of a format: the opposite of `formats`, with a word where a format cannot hold a record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from baro.core.errors import DataError
from baro.data.dialects import LAYOUTS, Columns, Noun
from baro.data.records import Dialogue, Judgement, Message, Preference, Prompt, Text

SHAREGPT = {"user": "human", "assistant": "gpt", "system": "system"}
MARKS = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: "}


def refuse(record: Any, name: str, why: str) -> DataError:
    """The error of a format that cannot hold a record."""
    fitting = [known for known, layout in LAYOUTS.items() if layout.noun == LAYOUTS[name].noun and known != name]
    hint = f"Take another format: {', '.join(fitting)}." if fitting else ""
    return DataError(f"the format {name} cannot hold this row: {why}.", where=record.where, hint=hint)


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [message.as_dict() for message in messages]


def _said(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"from": SHAREGPT[message.role], "value": message.content} for message in messages]


def _plain(record: Any, default: bool) -> Columns:
    """The column `plain`, where the format alone would not tell."""
    return {} if record.plain == default else {"plain": record.plain}


def _text(record: Text, name: str) -> Columns:
    return {"text": record.text}


def _messages(record: Dialogue, name: str) -> Columns:
    return {"messages": _turns(record.messages), **_plain(record, False)}


def _sharegpt(record: Dialogue, name: str) -> Columns:
    return {"conversations": _said(record.messages), **_plain(record, False)}


def _asked(record: Any, messages: Sequence[Message], name: str) -> Columns:
    """alpaca's columns of a prompt: system, history, instruction."""
    if record.plain:
        raise refuse(record, name, "its strings are joined as they stand, not turns")
    turns = list(messages)
    system = {"system": turns.pop(0).content} if turns and turns[0].role == "system" else {}
    roles = [turn.role for turn in turns]
    if roles != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        raise refuse(record, name, f"its turns are {', '.join(roles) or 'none'}, and do not take turns")
    pairs = [[turns[at].content, turns[at + 1].content] for at in range(0, len(turns) - 1, 2)]
    history = {"history": pairs} if pairs else {}
    return {"instruction": turns[-1].content, "input": "", **system, **history}


def _alpaca(record: Dialogue, name: str) -> Columns:
    *before, last = record.messages
    if last.role != "assistant":
        raise refuse(record, name, "it does not end with an answer")
    return {**_asked(record, before, name), "output": last.content}


def _prompt_completion(record: Dialogue, name: str) -> Columns:
    *before, last = record.messages
    if last.role != "assistant" or any(turn.role == "assistant" for turn in before):
        raise refuse(record, name, "it has several answers, or none at its end")
    if record.plain and len(before) == 1:
        return {"prompt": before[0].content, "completion": last.content}
    return {"prompt": _turns(before), "completion": _turns([last]), **_plain(record, False)}


def _margin(record: Preference) -> Columns:
    return {} if record.margin is None else {"margin": record.margin}


def _preference(record: Preference, name: str) -> Columns:
    if record.plain and len(record.prompt) <= 1 and len(record.chosen) == len(record.rejected) == 1:
        asked = record.prompt[0].content if record.prompt else ""
        pair = {"chosen": record.chosen[0].content, "rejected": record.rejected[0].content}
        return {"prompt": asked, **pair, **_margin(record)}
    if not record.prompt:
        raise refuse(record, name, "it has no prompt")
    pair_of_turns = {"chosen": _turns(record.chosen), "rejected": _turns(record.rejected)}
    return {"prompt": _turns(record.prompt), **pair_of_turns, **_margin(record), **_plain(record, False)}


def _implicit(record: Preference, name: str) -> Columns:
    if record.plain:
        raise refuse(record, name, "its strings are joined as they stand, not turns")
    sides = {"chosen": record.chosen, "rejected": record.rejected}
    return {side: _turns((*record.prompt, *turns)) for side, turns in sides.items()} | _margin(record)


def _single(record: Preference, name: str) -> tuple[Message, Message]:
    if len(record.chosen) != 1 or len(record.rejected) != 1:
        raise refuse(record, name, "an answer has several turns")
    return record.chosen[0], record.rejected[0]


def _alpaca_preference(record: Preference, name: str) -> Columns:
    chosen, rejected = _single(record, name)
    pair = {"chosen": chosen.content, "rejected": rejected.content}
    return {**_asked(record, record.prompt, name), **pair, **_margin(record)}


def _orca(record: Preference, name: str) -> Columns:
    row = _alpaca_preference(record, name)
    if "history" in row:
        raise refuse(record, name, "its prompt has several turns")
    question, system = row.pop("instruction"), row.pop("system", "")
    row.pop("input")
    return {"system": system, "question": question, **row}


def _turn_preference(record: Preference, name: str) -> Columns:
    if record.plain:
        raise refuse(record, name, "its strings are joined as they stand, not turns")
    sides = _single(record, name)
    if name == "sharegpt-preference":
        pair = dict(zip(("chosen", "rejected"), _said(sides), strict=True))
        return {"conversations": _said(record.prompt), **pair, **_margin(record)}
    pair = dict(zip(("chosen", "rejected"), _turns(sides), strict=True))
    return {"messages": _turns(record.prompt), **pair, **_margin(record)}


def _hh(record: Preference, name: str) -> Columns:
    """Anthropic's strings; a plain prompt is one already, turns are written out."""
    if record.plain:
        head = "".join(turn.content for turn in record.prompt)
        if not head.endswith("\n\nAssistant:"):
            raise refuse(record, name, "its prompt does not end with '\\n\\nAssistant:'")
        chosen, rejected = ("".join(turn.content for turn in side) for side in (record.chosen, record.rejected))
        return {"chosen": head + chosen, "rejected": head + rejected, **_margin(record)}
    raise refuse(record, name, "its turns would become one string without a template")


def _ms_swift(record: Preference, name: str) -> Columns:
    if record.plain or len(record.chosen) != 1:
        raise refuse(record, name, "its chosen answer is not one turn")
    good = {"messages": _turns((*record.prompt, *record.chosen))}
    if len(record.rejected) == 1:
        return {**good, "rejected_response": record.rejected[0].content, **_margin(record)}
    return {**good, "rejected_messages": _turns((*record.prompt, *record.rejected)), **_margin(record)}


def _nemo(record: Preference, name: str) -> Columns:
    if record.plain:
        raise refuse(record, name, "its strings are joined as they stand, not turns")
    ranked = [{"rank": rank, "completion": _turns(side)} for rank, side in enumerate((record.chosen, record.rejected))]
    return {"context": _turns(record.prompt), "completions": ranked, **_margin(record)}


def _kto(record: Judgement, name: str) -> Columns:
    if record.plain and len(record.prompt) == len(record.completion) == 1:
        return {"prompt": record.prompt[0].content, "completion": record.completion[0].content, "label": record.label}
    sides = {"prompt": _turns(record.prompt), "completion": _turns(record.completion)}
    return {**sides, "label": record.label, **_plain(record, False)}


def _prompt(record: Prompt, name: str) -> Columns:
    if record.plain and len(record.messages) == 1:
        return {"prompt": record.messages[0].content, "plain": True}
    return {"prompt": _turns(record.messages), **_plain(record, False)}


LAY_OUT: dict[str, Callable[[Any, str], Columns]] = {
    "text": _text,
    "alpaca": _alpaca,
    "messages": _messages,
    "sharegpt": _sharegpt,
    "prompt-completion": _prompt_completion,
    "preference": _preference,
    "implicit-preference": _implicit,
    "alpaca-preference": _alpaca_preference,
    "sharegpt-preference": _turn_preference,
    "messages-preference": _turn_preference,
    "orca": _orca,
    "hh": _hh,
    "ms-swift": _ms_swift,
    "nemo": _nemo,
    "kto": _kto,
    "prompt": _prompt,
}


def laid_out(record: Any, name: str) -> Columns:
    """The row of a format that reads as `record` again.

    Raises:
        DataError: the format cannot hold it.
    """
    return LAY_OUT[name](record, name)


def bridge(source: Noun | None, target: Noun) -> bool:
    """Whether records of one kind can be written as another at all."""
    return source == target or (source == "preferences" and target == "judgements")
