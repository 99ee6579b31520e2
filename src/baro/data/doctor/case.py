"""One row as the checks see it: its columns, and what of them is asked, answered and learnt, taken without trust."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from baro.core.errors import DataError
from baro.data.dialects import Columns, Noun
from baro.data.formats import ANSWER_MARK, ROLE_NAMES

FOREIGN = "?"  # the role of a turn that is none
NUMBERS = re.compile(r"\d{3}[-. ]?\d{3}")
HOLDERS = ("messages", "conversations")


class Piece(NamedTuple):
    """A value that should be a text: where it stands, and who speaks ("system", "user", "assistant", "text")."""

    name: str
    role: str
    value: Any


@dataclass(slots=True)
class Case:
    """One row under examination.

    Attributes:
        place: its place in the file, counted from 0.
        where: `file:row`, as editors count.
        columns: as read, under our names.
        noun: what the file holds; None if that cannot be told.
        record: the row as training reads it; None if it cannot be used.
        problem: why not.
        unreadable: True if there are no columns at all.
        repeated: keys the row names twice.
        asked, answered, rejected: pieces of the prompt, of the answers learnt (or of the text), of the worse answer.
        other_asked: pieces of the worse answer's own prompt, where it brings one.
        question, answer, worse: their texts.
        strings: (name, text) of every string anywhere in the row; whole: all of them as one.
        numbers: whether it holds what every telephone, card and resident number does; most rows do not.
    """

    place: int
    where: str
    columns: Columns
    noun: Noun | None = None
    record: Any = None
    problem: DataError | None = None
    unreadable: bool = False
    repeated: tuple[str, ...] = ()
    asked: list[Piece] = field(default_factory=list)
    answered: list[Piece] = field(default_factory=list)
    rejected: list[Piece] = field(default_factory=list)
    other_asked: list[Piece] | None = None
    question: str = ""
    answer: str = ""
    worse: str = ""
    strings: list[tuple[str, str]] = field(default_factory=list)
    whole: str = ""
    numbers: bool = False

    @property
    def pieces(self) -> list[Piece]:
        """All of them."""
        return [*self.asked, *self.answered, *self.rejected]

    def take_apart(self) -> None:
        """Fills the pieces and strings from the columns."""
        for name, value in self.columns.items():
            if isinstance(value, str):
                self.strings.append((name, value))
            elif isinstance(value, list | dict):
                self.strings += _leaves(str(name), value)
        self.whole = "\x1e".join(text for _, text in self.strings)  # a mark that no check looks for
        self.numbers = NUMBERS.search(self.whole) is not None
        match None if self.unreadable else self.noun:
            case "texts":
                self.answered = [Piece("text", "text", self.columns["text"])] if "text" in self.columns else []
            case "preferences":
                self._preference()
            case None:
                pass
            case _:
                self._conversation()
        self.question, self.answer, self.worse = (
            "\n".join(piece.value for piece in pieces if isinstance(piece.value, str))
            for pieces in (self.asked, self.answered, self.rejected)
        )

    def _conversation(self) -> None:
        row = self.columns
        holder = next((name for name in HOLDERS if row.get(name) is not None), None)
        if holder:
            found = [*_system(row), *_turns(row[holder], holder)]
        elif "prompt" in row and not {"instruction", "output"} <= row.keys() - {"completion"}:
            found = [*_system(row), *_turns(row["prompt"], "prompt", "user")]
            found += _turns(row["completion"], "completion", "assistant") if "completion" in row else []
        else:
            found = _alpaca(row)
            found += [Piece("output", "assistant", row["output"])] if "output" in row else []
        self.asked = [piece for piece in found if piece.role != "assistant"]
        self.answered = [piece for piece in found if piece.role == "assistant"]

    def _preference(self) -> None:
        row, chosen, rejected = self.columns, self.columns.get("chosen"), self.columns.get("rejected")
        holder = next((name for name in HOLDERS if row.get(name) is not None), None)
        given: list[Piece] | None = None
        if "prompt" in row:
            given = [*_system(row), *_turns(row["prompt"], "prompt", "user")]
        elif holder:
            given = [*_system(row), *_turns(row[holder], holder)]
        elif "instruction" in row or "question" in row:
            given = _alpaca(row)
        sides = [_side(value, name, given is None) for name, value in (("chosen", chosen), ("rejected", rejected))]
        (own, self.answered), (other, self.rejected) = sides
        self.asked = own if given is None else given
        self.other_asked = other if given is None else None


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _leaves(f"{name}[{place}]", entry)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _leaves(f"{name}.{key}", entry)


def _system(row: Columns) -> list[Piece]:
    return [Piece("system", "system", row["system"])] if row.get("system") else []


def _alpaca(row: Columns) -> list[Piece]:
    name = "instruction" if "instruction" in row else "question"
    found = _system(row)
    history = row.get("history")
    for place, pair in enumerate(history if isinstance(history, list) else []):
        if isinstance(pair, list):
            found += [
                Piece(f"history[{place}][{side}]", role, text)
                for side, (role, text) in enumerate(zip(("user", "assistant"), pair, strict=False))
            ]
    # an instruction may be empty where there is an input, and the other way round
    parts = [Piece(part, "user", row[part]) for part in (name, "input") if row.get(part) not in (None, "")]
    return found + (parts or [Piece(name, "user", row.get(name))])


def _turns(value: Any, name: str, role: str = FOREIGN) -> list[Piece]:
    """Turns of a list, or a bare value as one turn of `role`."""
    if isinstance(value, dict) and role != FOREIGN:
        value = [value]
    if not isinstance(value, list):
        return [Piece(name, role, value)]
    return [_turn(turn, f"{name}[{place}]") for place, turn in enumerate(value)]


def _turn(turn: Any, name: str) -> Piece:
    if not isinstance(turn, dict):
        return Piece(name, FOREIGN, turn)
    role, content = ("from", "value") if "from" in turn else ("role", "content")
    text = turn.get(content)
    if isinstance(text, list) and text and all(isinstance(part, dict) and part.get("type") == "text" for part in text):
        parts = [part.get("text") for part in text]
        text = "".join(parts) if all(isinstance(part, str) for part in parts) else None
    return Piece(f"{name}.{content}", ROLE_NAMES.get(str(turn.get(role)), FOREIGN), text)


def _side(value: Any, name: str, brings_prompt: bool) -> tuple[list[Piece], list[Piece]]:
    """One answer of a pair: (its own prompt, the answer)."""
    if isinstance(value, str) and brings_prompt and ANSWER_MARK in value:
        head, mark, answer = value.rpartition(ANSWER_MARK)
        return [Piece(f"{name} (prompt)", "user", head + mark)], [Piece(name, "assistant", answer)]
    turns = _turns(value, name, "assistant")
    if brings_prompt and isinstance(value, list) and len(turns) > 1:
        return turns[:-1], turns[-1:]
    return [], [piece for piece in turns if piece.role == "assistant"] or turns
