"""Rows as records: which format a row is in is told by its columns.

One rule for strings: where the format itself is strings of prompt and answer (prompt/completion,
prompt/chosen/rejected) they are plain, joined as they stand, as TRL reads them. Everything that names turns, alpaca's
instruction too, goes through the chat template, and so does the prompt of a prompts file, which is a user's turn. A
row's own column `plain` (true or false) beats that, and the reader's option `plain` beats both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from baro.core.errors import DataError
from baro.data.records import Dialogue, Message, Preference, Prompt, Text
from baro.data.row import kind_of

Columns = dict[str, Any]
ROLE_NAMES = {"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
MEND = "Mend or remove the row."
ANSWER_MARK = "\n\nAssistant:"  # of dialogues written as one string, as in hh-rlhf
TURN_MARK = re.compile(r"\n\n(Human|Assistant): ?")
ALPACA = ("system", "history", "instruction", "input")
PAIR = (*ALPACA, "prompt", "chosen", "rejected", "question", "messages", "conversations", "margin", "plain")


# --- the readers of a row ---------------------------------------------------------------------------------------


def text_of(row: Columns, where: str) -> tuple[Text, str]:
    """A document, and the format in words."""
    if "text" not in row:
        raise unknown(row, where, "`text`", "Name the column that holds the text: columns={'text': '…'}.")
    return Text(_filled(row["text"], "text", where), where), "text"


def dialogue_of(row: Columns, where: str, plain: bool | None) -> tuple[Dialogue, str]:
    """A conversation, and the format in words."""
    default = False
    if row.get("label") is False and "completion" in row:
        raise DataError(
            "label is false: this answer was judged bad; expected answers to learn.",
            where=where,
            hint="Leave the row out, or pair it with a good answer: baro data convert FILE OUT --format preference.",
        )
    if (turns := _turns_column(row)) is not None:
        messages, kind = _with_system(row, _messages(row[turns], turns, where), where), _turns_kind(turns, row)
    elif "prompt" in row and "completion" in row:
        default = isinstance(row["prompt"], str) and isinstance(row["completion"], str)
        loose = _plainness(row, plain, default, where)
        messages = (
            *_prompt(row["prompt"], where, may_be_empty=loose),
            *_answer(row["completion"], "completion", where),
        )
        kind = f"prompt, completion ({'plain strings' if loose else 'turns'})"
    elif "instruction" in row and "output" in row:
        messages = (*_alpaca(row, where), Message("assistant", _filled(row["output"], "output", where)))
        kind = _alpaca_kind(row, "output")
    else:
        raise unknown(
            row,
            where,
            "`messages`, `conversations`, `prompt` with `completion`, or `instruction` with `output`",
            "Name the columns, for example columns={'instruction': 'Q', 'output': 'A'}."
            + (" Rows of `text` alone are for pre-training." if "text" in row else ""),
        )
    loose = _plainness(row, plain, default, where)
    if not any(message.role == "assistant" for message in messages):
        raise DataError("no turn of the assistant; expected at least one to learn.", where=where)
    if not loose:
        _check_order(messages, where)
    return Dialogue(tuple(messages), loose, where), kind


def preference_of(row: Columns, where: str, plain: bool | None) -> tuple[Preference, str]:
    """Two answers to one prompt, and the format in words."""
    if row.get("chosen") is None or row.get("rejected") is None:
        raise unknown(
            row, where, "`chosen` and `rejected`", "Name the columns: columns={'chosen': '…', 'rejected': '…'}."
        )
    strings = isinstance(row["chosen"], str) and isinstance(row["rejected"], str)
    turns = _turns_column(row)
    question = "instruction" if "instruction" in row else "question" if "question" in row else None
    if row.get("prompt") is not None:
        default = strings and isinstance(row["prompt"], str)
        loose = _plainness(row, plain, default, where)
        prompt = _with_system(row, _prompt(row["prompt"], where, may_be_empty=loose), where)
        kind = f"prompt, chosen, rejected ({'plain strings' if loose else 'turns'})"
    elif turns is not None or question is not None:
        loose = _plainness(row, plain, False, where)
        if turns is not None:
            prompt = _with_system(row, _messages(row[turns], turns, where), where)
            kind = f"{_turns_kind(turns, row)}, chosen, rejected"
        else:
            prompt, kind = _alpaca(row, where), _alpaca_kind(row, "chosen, rejected")
    else:
        loose = _plainness(row, plain, strings, where)
        prompt, chosen, rejected = _implicit(row, where, loose)
        kind = f"chosen, rejected ({'plain strings' if loose else 'turns'}, prompt taken from what they share)"
        return _preference(row, prompt, chosen, rejected, loose, where), kind
    chosen = _after(_answer(row["chosen"], "chosen", where, prompt), prompt)
    rejected = _after(_answer(row["rejected"], "rejected", where, prompt, may_be_empty=True), prompt)
    return _preference(row, prompt, chosen, rejected, loose, where), kind


def prompt_of(row: Columns, where: str, plain: bool | None) -> tuple[Prompt, str]:
    """Something to answer, with the row's other columns, and the format in words."""
    if row.get("prompt") is not None:
        used: Iterable[str] = ("prompt", "system")
        messages, kind = _with_system(row, _prompt(row["prompt"], where), where), "prompt"
    elif (turns := _turns_column(row)) is not None:
        used = (turns, "system")
        messages, kind = _with_system(row, _messages(row[turns], turns, where), where), _turns_kind(turns, row)
    elif "instruction" in row:
        used = ALPACA
        messages, kind = _alpaca(row, where), _alpaca_kind(row, "")
    else:
        raise unknown(row, where, "`prompt`, `messages` or `instruction`", "Name the column: columns={'prompt': '…'}.")
    loose = _plainness(row, plain, False, where)
    if messages[-1].role != "user":
        raise DataError(
            f"the last turn is the {messages[-1].role}'s; expected the user's, which is to be answered.", where=where
        )
    if not loose:
        _check_order(messages, where)
    others = {name: value for name, value in row.items() if name not in used and name != "plain"}
    return Prompt(tuple(messages), others, loose, where), f"{kind} ({'plain' if loose else 'turns'})"


def task_of(row: Columns, where: str, plain: bool | None) -> tuple[Prompt, str]:
    """A conversation as its prompt, the last answer as the column `output` beside the row's other columns."""
    dialogue, kind = dialogue_of(row, where, plain)
    *turns, last = dialogue.messages
    if last.role != "assistant":
        raise DataError(f"the last turn is the {last.role}'s; expected the assistant's answer.", where=where)
    return Prompt(tuple(turns), {**row, "output": last.content}, dialogue.plain, where), kind


# --- their pieces ----------------------------------------------------------------------------------------------------


def unknown(row: Columns, where: str, expected: str, hint: str) -> DataError:
    found = ", ".join(map(str, row)) or "no columns"
    return DataError(f"found columns {found}; expected {expected}.", where=where, hint=hint)


def _string(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"{name} is {kind_of(value)}; expected a string.", where=where, hint=MEND)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"{name} holds, at character {error.start + 1}, a byte that is not UTF-8 or half a character.",
                where=where,
                hint="Convert the file to UTF-8, or mend the row.",
            ) from None
    return value


def _filled(value: Any, name: str, where: str) -> str:
    if not _string(value, name, where).strip():
        raise DataError(f"{name} is empty; expected text.", where=where, hint=MEND)
    return value


def _plainness(row: Columns, option: bool | None, default: bool, where: str) -> bool:
    if option is not None:
        return option
    value = row.get("plain")
    if value is None or value == "":
        return default
    known = {"true": True, "false": False, "1": True, "0": False}
    if str(value).lower() not in known:
        raise DataError(f"plain is {value!r}; expected true or false.", where=where)
    return known[str(value).lower()]


def _turns_column(row: Columns) -> str | None:
    return next((name for name in ("messages", "conversations") if row.get(name) is not None), None)


def _turns_kind(name: str, row: Columns) -> str:
    return f"{'ShareGPT: ' if name == 'conversations' else ''}{name}" + (", system" if row.get("system") else "")


def _messages(value: Any, name: str, where: str, *, empty_answers: bool = False) -> tuple[Message, ...]:
    """Turns as {"role", "content"} or, in ShareGPT's words, {"from", "value"}."""
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else kind_of(value)
        raise DataError(f"{name} is {found}; expected a list of turns.", where=where)
    return tuple(_message(turn, f"{name}[{place}]", where, empty_answers) for place, turn in enumerate(value))


def _message(turn: Any, name: str, where: str, empty_answers: bool) -> Message:
    if not isinstance(turn, dict):
        raise DataError(f"{name} is {kind_of(turn)}; expected an object with role and content.", where=where)
    role, content = ("from", "value") if "from" in turn else ("role", "content")
    if role not in turn or content not in turn:
        raise DataError(
            f"{name} has {', '.join(turn) or 'nothing'}; expected role and content, or from and value.", where=where
        )
    if not isinstance(turn[role], str) or turn[role] not in ROLE_NAMES:
        raise DataError(f"{name}.{role} is {turn[role]!r}; expected one of {', '.join(ROLE_NAMES)}.", where=where)
    text, speaker = turn[content], ROLE_NAMES[turn[role]]
    if isinstance(text, list) and text and all(isinstance(p, dict) and p.get("type") == "text" for p in text):
        text = "".join(_string(part.get("text"), f"{name}.{content}", where) for part in text)
    may_be_empty = speaker == "system" or (speaker == "assistant" and empty_answers)
    return Message(speaker, (_string if may_be_empty else _filled)(text, f"{name}.{content}", where))


def _check_order(messages: Iterable[Message], where: str) -> None:
    first = next((message.role for message in messages if message.role != "system"), "nobody")
    if first != "user":
        raise DataError(
            f"the first turn is the {first}'s; expected the user's.",
            where=where,
            hint="Remove the turns before the user's first, or the row.",
        )


def _with_system(row: Columns, messages: tuple[Message, ...], where: str) -> tuple[Message, ...]:
    """The turns behind the column `system`, where the row has one and they bring none."""
    if not row.get("system") or messages[0].role == "system":
        return messages
    return (Message("system", _string(row["system"], "system", where)), *messages)


def _alpaca(row: Columns, where: str) -> tuple[Message, ...]:
    """system, history and "instruction\\n\\ninput" as turns."""
    name = "instruction" if "instruction" in row else "question"
    asked = [_string(row[part], part, where) for part in (name, "input") if row.get(part) not in (None, "")]
    turns = []
    for place, pair in enumerate(row.get("history") or []):
        if not isinstance(pair, list) or len(pair) != 2:
            raise DataError(f"history[{place}] is {kind_of(pair)}; expected [question, answer].", where=where)
        turns.append(Message("user", _filled(pair[0], f"history[{place}][0]", where)))
        turns.append(Message("assistant", _filled(pair[1], f"history[{place}][1]", where)))
    turns.append(Message("user", _filled("\n\n".join(asked), name, where)))
    return _with_system(row, tuple(turns), where)


def _alpaca_kind(row: Columns, answers: str) -> str:
    names: list[str] = [name for name in ("instruction", "question", "input") if name in row]
    names += [answers] if answers else []
    names += [name for name in ("system", "history") if row.get(name)]
    return f"alpaca: {', '.join(names)}" + (" (text: a rendered prompt, not used)" if answers and "text" in row else "")


def _prompt(value: Any, where: str, *, may_be_empty: bool = False) -> tuple[Message, ...]:
    if isinstance(value, list):
        return _messages(value, "prompt", where)
    return (Message("user", (_string if may_be_empty else _filled)(value, "prompt", where)),)


def _answer(
    value: Any, name: str, where: str, prompt: tuple[Message, ...] = (), *, may_be_empty: bool = False
) -> tuple[Message, ...]:
    """An answer given as a string, as one turn or as turns; turns may repeat the prompt before it."""
    if isinstance(value, str):
        return (Message("assistant", (_string if may_be_empty else _filled)(value, name, where)),)
    turns = _messages([value] if isinstance(value, dict) else value, name, where, empty_answers=may_be_empty)
    own = _after(turns, prompt)
    if not own or own[0].role != "assistant" or own[-1].role != "assistant":
        raise DataError(
            f"{name} has turns of {', '.join(turn.role for turn in own) or 'nobody'}; "
            "expected the assistant's turn first and last.",
            where=where,
        )
    return own


def _after(turns: tuple[Message, ...], prompt: tuple[Message, ...]) -> tuple[Message, ...]:
    """`turns` without the prompt they begin with, if they do."""
    for shared in (prompt, tuple(turn for turn in prompt if turn.role != "system")):
        if shared and turns[: len(shared)] == shared:
            return turns[len(shared) :]
    return turns


def _preference(
    row: Columns,
    prompt: tuple[Message, ...],
    chosen: tuple[Message, ...],
    rejected: tuple[Message, ...],
    plain: bool,
    where: str,
) -> Preference:
    if not plain:
        _check_order(prompt, where)
        if prompt[-1].role != "user":
            raise DataError(f"the prompt ends with the {prompt[-1].role}'s turn; expected the user's.", where=where)
    columns = {name: value for name, value in row.items() if name not in PAIR}
    margin = row.get("margin")
    if margin in (None, ""):
        return Preference(prompt, chosen, rejected, None, plain, where, columns)
    try:
        number = math.nan if isinstance(margin, bool) else float(margin)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"margin is {margin!r}; expected a finite number.", where=where)
    return Preference(prompt, chosen, rejected, number, plain, where, columns)


def _implicit(
    row: Columns, where: str, plain: bool
) -> tuple[tuple[Message, ...], tuple[Message, ...], tuple[Message, ...]]:
    """Prompt, chosen and rejected where both answers bring the prompt.

    Answers may begin alike, so the prompt does not reach as far as they agree: it ends where the last answer begins
    that both share the start of (in turns before an assistant's turn, in strings behind "\\n\\nAssistant:"). Strings
    without that mark have no prompt: what they share is then learnt on both sides, and no token of an answer is lost.
    """
    chosen, rejected = row["chosen"], row["rejected"]
    if isinstance(chosen, str) and isinstance(rejected, str):
        _filled(chosen, "chosen", where)
        _string(rejected, "rejected", where)
        if plain:
            cut = _shared_mark(chosen, rejected)
            prompt = (Message("user", chosen[:cut]),) if cut else ()
            answers = [_filled(chosen[cut:], "chosen", where), rejected[cut:]]
            return prompt, (Message("assistant", answers[0]),), (Message("assistant", answers[1]),)
        turns = [_written_turns(text, name, where) for text, name in ((chosen, "chosen"), (rejected, "rejected"))]
    else:
        turns = [
            _messages(chosen, "chosen", where),
            _messages(rejected, "rejected", where, empty_answers=True),
        ]
    return _divide(turns[0], turns[1], where)


def _shared_mark(chosen: str, rejected: str) -> int:
    """Where the last answer mark ends up to which both strings agree; 0 without one."""
    cut = 0
    for mark in re.finditer(re.escape(ANSWER_MARK), chosen):
        if chosen[cut : mark.end()] != rejected[cut : mark.end()]:
            break
        cut = mark.end()
    return cut


def _divide(
    chosen: tuple[Message, ...], rejected: tuple[Message, ...], where: str
) -> tuple[tuple[Message, ...], tuple[Message, ...], tuple[Message, ...]]:
    shared = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other:
            break
        shared += 1
    shared = min(shared, len(chosen) - 1, len(rejected) - 1)
    while shared > 0 and not (chosen[shared].role == rejected[shared].role == "assistant"):
        shared -= 1
    if shared <= 0:
        raise DataError(
            "chosen and rejected do not begin with the same prompt; expected the same turns before their answers.",
            where=where,
            hint="Remove the row, or give the prompt in a column of its own.",
        )
    for name, turns in (("chosen", chosen), ("rejected", rejected)):
        if turns[-1].role != "assistant":
            raise DataError(f"{name} ends with the {turns[-1].role}'s turn; expected the assistant's.", where=where)
    return chosen[:shared], chosen[shared:], rejected[shared:]


def _written_turns(text: str, name: str, where: str) -> tuple[Message, ...]:
    """A dialogue written as "\\n\\nHuman: …\\n\\nAssistant: …", as turns."""
    before, *pieces = TURN_MARK.split(text)
    if before.strip() or not pieces:
        raise DataError(
            f"{name} is a string without turns; expected '\\n\\nHuman: …\\n\\nAssistant: …' where it is not plain.",
            where=where,
            hint="Read it with plain=True, or give the prompt in a column of its own.",
        )
    turns = [
        {"role": "user" if speaker == "Human" else "assistant", "content": content}
        for speaker, content in zip(pieces[::2], pieces[1::2], strict=True)
    ]
    return _messages(turns, name, where, empty_answers=name == "rejected")
