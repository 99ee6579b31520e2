"""What a row of a file becomes: five kinds of record, each knowing the `file:row` it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: `role` is "system", "user" or "assistant"."""

    role: str
    content: str

    def as_dict(self) -> dict[str, str]:
        """The form chat templates take."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Text:
    """One document to learn as a whole."""

    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation whose assistant turns are to be learnt.

    Attributes:
        messages: turns in order.
        plain: True when the contents are joined as they stand, without a chat template (prompt/completion strings).
        where: `file:row`.
    """

    messages: tuple[Message, ...]
    plain: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Preference:
    """Two continuations of one prompt, the first preferred.

    Attributes:
        prompt: shared turns; may be empty only when `plain`.
        chosen: continuation that begins with the assistant's turn.
        rejected: the other continuation, likewise.
        margin: by how much `chosen` is better, where the data says so.
        columns: the row's other columns (source, votes, …).
        plain: as in `Dialogue`.
        where: `file:row`.
    """

    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    margin: float | None = None
    plain: bool = False
    where: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One answer, judged good or bad by itself (KTO's unpaired preferences).

    Attributes:
        prompt: turns before it; may be empty only when `plain`.
        completion: continuation that begins with the assistant's turn.
        label: True if it is good.
        plain: as in `Dialogue`.
        where: `file:row`.
    """

    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    label: bool
    plain: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something to be answered.

    Attributes:
        messages: turns in order, the user's last.
        columns: the row's other columns, handed to reward functions by name.
        plain: as in `Dialogue`.
        where: `file:row`.
    """

    messages: tuple[Message, ...]
    columns: Mapping[str, Any] = field(default_factory=dict)
    plain: bool = False
    where: str = ""
