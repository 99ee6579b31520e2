"""A conversation cut into parts that are encoded one by one; how and why is told in `templates`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Any, Literal

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.records import Message
from baro.data.traits import Traits, encode_behind, templated

Learn = Literal["assistant", "all"]


@dataclass(slots=True)
class Part:
    """A stretch of a sequence: text still to be encoded, or ids.

    Attributes:
        text: text to encode.
        learnt: True if its tokens are to be learnt.
        ordinary: True if special tokens in `text` are to be read as text.
        lead: text before it that its encoding may depend on.
        ids: the ids, once known.
    """

    text: str
    learnt: bool
    ordinary: bool = False
    lead: str = ""
    ids: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A sequence to be: its parts and the `file:row` it comes from."""

    parts: list[Part]
    where: str


class _Shield:
    """Takes special tokens out of messages before the template runs, and gives them back as ordinary text.

    Only messages that hold one are touched, so everywhere else the template sees the text as it is.
    """

    def __init__(self, messages: Many[Message], special: re.Pattern[str] | None, lead: str) -> None:
        self.hidden: list[str] = []
        self.lead = lead
        self.messages = tuple(messages)
        if special is None or not any(special.search(message.content) for message in messages):
            return
        # characters of Unicode's private area, more of them in a row than any message has
        self.edge = "\ue000"
        while any(self.edge in message.content for message in messages):
            self.edge += "\ue000"
        self.messages = tuple(Message(m.role, special.sub(self._hide, m.content)) for m in messages)

    def _hide(self, match: re.Match[str]) -> str:
        self.hidden.append(match.group())
        return f"{self.edge}{len(self.hidden) - 1}\ue001"

    def parts(self, text: str, learnt: bool, lead: str = "") -> Iterator[Part]:
        """`text` with what was hidden put back."""
        if not self.hidden:
            yield Part(text, learnt, lead=lead)
            return
        for place, piece in enumerate(re.split(f"{self.edge}(\\d+)\ue001", text)):
            if place % 2:
                yield Part(self.hidden[int(piece)], learnt, ordinary=True, lead=self.lead)
            else:
                yield Part(piece, learnt, lead=self.lead if place else lead)


class Turns:
    """Cuts templated conversations of one tokenizer into parts.

    Args:
        tokenizer: any tokenizer of transformers.
        traits: what it does.
        learn: "assistant" for answers with their end tokens, "all" for every token.
    """

    def __init__(self, tokenizer: Any, traits: Traits, learn: Learn = "assistant") -> None:
        self.tokenizer, self.traits, self.everything = tokenizer, traits, learn == "all"
        # a neutral character keeps a dummy prefix away from text that does not open the sequence
        self.lead = "\n" if traits.dummy_prefix else ""

    def plan(self, messages: Many[Message], where: str, *, first: int = 0, open_end: bool = False) -> Plan:
        """Parts of one conversation.

        Args:
            messages: the turns; those behind the last answer are left out unless `open_end` or everything is learnt.
            where: `file:row`.
            first: answers from this message on are learnt.
            open_end: True to end with the generation prompt, False to end with the last answer's end token.
        """
        shield = _Shield(messages, self.traits.special, self.lead)
        messages = shield.messages
        answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
        parts: list[Part] = []
        done, tail, lead = "", "", ""
        for place in answers:
            before = templated(self.tokenizer, self.traits, messages[:place], True, where)
            after = templated(self.tokenizer, self.traits, messages[: place + 1], False, where)
            if not (before.startswith(done) and after.startswith(before)):
                return self._last_answer(shield, answers, open_end, where)
            parts += shield.parts(tail + before[len(done) :], self.everything, lead)
            tail = self._answer(parts, shield, after[len(before) :], self.everything or place >= first)
            done, lead = after, self.traits.end or self.lead
        if open_end or not answers or (self.everything and messages[-1].role != "assistant"):
            rest = templated(self.tokenizer, self.traits, messages, not self.everything, where)
            if not rest.startswith(done):
                return self._last_answer(shield, answers, open_end, where)
            parts += shield.parts(tail + rest[len(done) :], self.everything, lead)
        return Plan(parts, where)

    def _answer(self, parts: list[Part], shield: _Shield, text: str, learnt: bool) -> str:
        """Adds an answer and its end token to `parts`; returns what the template writes behind."""
        ending = self.traits.end + self.traits.tail
        known = bool(ending) and text.endswith(ending)
        parts += shield.parts(text[: -len(ending)] if known else text, learnt, self.lead)
        parts.append(Part("", learnt, ids=self.traits.end_ids if known else [self.traits.eos]))
        return self.traits.tail if known else ""

    def _last_answer(self, shield: _Shield, answers: list[int], open_end: bool, where: str) -> Plan:
        """For a template that rewrites earlier turns: everything before the last answer is one prompt."""
        messages = shield.messages
        if open_end:
            return Plan(list(shield.parts(templated(self.tokenizer, self.traits, messages, True, where), False)), where)
        last = answers[-1]
        before = templated(self.tokenizer, self.traits, messages[:last], True, where)
        after = templated(self.tokenizer, self.traits, messages[: last + 1], False, where)
        parts = list(shield.parts(before, self.everything))
        if len(answers) > 1:
            self.traits.say(
                "The chat template rewrites earlier turns: of each conversation the last answer alone is learnt."
            )
        if after.startswith(before):
            text = after[len(before) :]
        else:
            self.traits.say(
                "The chat template does not continue its own generation prompt: answers are learnt right behind the "
                "prompt, as served, and not as the template writes them."
            )
            text = messages[last].content + self.traits.end + self.traits.tail
        self._answer(parts, shield, text, True)
        return Plan(parts, where)


def plain_plan(
    traits: Traits, messages: Many[Message], where: str, *, first: int = 0, learn: Learn = "assistant", open_end: bool
) -> Plan:
    """Parts of contents joined as they stand; every learnt answer is followed by eos. Arguments as in `Turns.plan`."""
    lead = "\n" if traits.dummy_prefix else ""
    parts: list[Part] = []
    for place, message in enumerate(messages):
        answer = message.role == "assistant" and place >= first and not open_end
        if parts and not answer and parts[-1].ids is None:
            parts[-1].text += message.content  # one prompt is encoded as one text, as when serving
        else:
            parts.append(Part(message.content, answer or learn == "all", lead=lead if parts else ""))
        if answer:
            parts.append(Part("", True, ids=[traits.eos]))
    return Plan(parts, where)


def assemble(tokenizer: Any, traits: Traits, plans: Iterable[Plan], max_length: int | None = None) -> list[Sequence]:
    """Encodes the parts of all plans, few calls for many texts, and joins them; keeps the first `max_length` tokens."""
    plans = list(plans)
    groups: dict[tuple[bool, str], list[Part]] = {}
    for plan in plans:
        for part in plan.parts:
            if part.ids is None:
                groups.setdefault((part.ordinary, part.lead), []).append(part)
    for (ordinary, lead), parts in groups.items():
        found = encode_behind(tokenizer, lead, [part.text for part in parts], ordinary=ordinary)
        for part, ids in zip(parts, found, strict=True):
            part.ids = ids
    return [_join(traits, plan, max_length) for plan in plans]


def _join(traits: Traits, plan: Plan, max_length: int | None) -> Sequence:
    tokens: list[int] = []
    learn: list[bool] = []
    for part in plan.parts:
        ids = part.ids or []
        if ids == [traits.eos] and tokens and tokens[-1] == traits.eos and learn[-1] == part.learnt:
            continue  # the text brought its own end token
        tokens += ids
        learn += [part.learnt] * len(ids)
    if traits.bos is not None and tokens[:1] != [traits.bos]:
        tokens.insert(0, traits.bos)
        learn.insert(0, False)
    if not tokens:
        raise DataError(
            "nothing is left of this row after tokenisation.", where=plan.where, hint="Remove the empty row."
        )
    learn[0] = False
    return Sequence(tokens[:max_length], learn[:max_length], plan.where)
