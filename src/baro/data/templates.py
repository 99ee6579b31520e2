"""Conversations as token ids: the same ids in training and in serving, each answer learnt with its end token.

How a conversation is rendered with any chat template (a template is Jinja in the tokenizer's own folder):

1. The template renders the turns before an answer with the generation prompt, then the turns with the answer. The
   first text must begin the second; what the second adds is the answer. So templates need no marks and no parsing.
2. Prompt and answer are tokenised apart and joined: the ids of the prompt are those of serving, whatever the answer.
3. The answer is learnt with its end token. Where the template writes none, eos is put there. What the template writes
   behind the end token (a newline, say) is never learnt, and a sequence ends with its last end token.
4. A template that rewrites earlier turns (Qwen3 takes their thoughts out) has no common prefix: then the last answer
   alone is learnt, and this is said once.
5. BOS stands once at the start: from the template, or from us when the tokenizer adds it to every text by itself.
6. Special tokens written inside a message (a user typing <|end|>) become ordinary text, in documents too. Only `plain`
   strings, which are their author's own rendering, may hold special tokens.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.records import Dialogue, Message, Preference, Prompt, Text

log = logging.getLogger(__name__)

Learn = Literal["assistant", "all"]
ENCODE_AT_ONCE = 1024  # texts handed to the tokenizer in one call: enough to use its threads, few enough for memory

SPECIAL_TOKENS = ("<|pad|>", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>")

CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
    {%- if message['role'] == 'assistant' -%}
        {{- '<|assistant|>' + message['content'] + '<|end|>' -}}
    {%- elif message['role'] == 'user' -%}
        {{- '<|user|>' + message['content'] -}}
    {%- elif message['role'] == 'system' -%}
        {{- '<|system|>' + message['content'] -}}
    {%- else -%}
        {{- raise_exception('unknown role ' + message['role']) -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant|>' -}}
{%- endif -%}
"""

TEXT_TEMPLATE = """\
{%- for message in messages -%}
    {%- if message['role'] == 'assistant' -%}
        {{- 'Assistant: ' + message['content'] + eos_token + '\\n' -}}
    {%- elif message['role'] == 'user' -%}
        {{- 'User: ' + message['content'] + '\\n' -}}
    {%- elif message['role'] == 'system' -%}
        {{- message['content'] + '\\n\\n' -}}
    {%- else -%}
        {{- raise_exception('unknown role ' + message['role']) -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- 'Assistant:' -}}
{%- endif -%}
"""


# --- what a tokenizer does -------------------------------------------------------------------------------------------


@dataclass
class _Traits:
    """What one tokenizer with one template does, found by trying it.

    Attributes:
        template: Jinja text; None where the tokenizer's own is used.
        bos: id of the BOS token the tokenizer puts before every text by itself; None if it puts none.
        eos: id of the eos token.
        ending: text the template writes behind an answer, "" if unknown.
        ending_ids: ids learnt behind an answer, the end token last.
        tail_ids: ids of what the template writes behind the end token.
        anchored: True when the tokenizer puts a space before a text encoded on its own (SentencePiece's dummy prefix).
        special: finds special tokens in a text; None if there are none.
        said: remarks already made about this tokenizer.
    """

    template: str | None
    bos: int | None
    eos: int
    ending: str
    ending_ids: list[int]
    tail_ids: list[int]
    anchored: bool
    special: re.Pattern[str] | None
    said: set[str]

    def say(self, remark: str) -> None:
        if remark not in self.said:
            self.said.add(remark)
            log.warning(remark)


_TRAITS: WeakKeyDictionary[Any, tuple[Any, _Traits]] = WeakKeyDictionary()


def _traits(tokenizer: Any) -> _Traits:
    key = (tokenizer.chat_template, tokenizer.eos_token_id, tokenizer.bos_token_id, len(tokenizer))
    known = _TRAITS.get(tokenizer)
    if known is None or known[0] != key:
        known = _TRAITS[tokenizer] = (key, _examine(tokenizer))
    return known[1]


def _examine(tokenizer: Any) -> _Traits:
    if tokenizer.eos_token_id is None:
        raise DataError(
            "the tokenizer has no eos token; expected one, for without it an answer never ends",
            hint="Set tokenizer.eos_token, or train a tokenizer with baro.",
        )
    specials = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    specials |= set(tokenizer.all_special_ids)
    strings = sorted(tokenizer.convert_ids_to_tokens(sorted(specials)), key=len, reverse=True)
    letters = [_encode(tokenizer, [letter])[0] for letter in "ab"]
    framed = tokenizer("a")["input_ids"]
    traits = _Traits(
        template=None if tokenizer.chat_template else TEXT_TEMPLATE,
        bos=tokenizer.bos_token_id if framed and framed[0] == tokenizer.bos_token_id else None,
        eos=tokenizer.eos_token_id,
        ending="",
        ending_ids=[tokenizer.eos_token_id],
        tail_ids=[],
        anchored=tokenizer.decode(letters[0] + letters[1]) != "ab",
        special=re.compile("|".join(map(re.escape, strings))) if strings else None,
        said=set(),
    )
    # what stands behind an answer: a word that no template rewrites is answered, and looked for
    word = "barobaro"
    try:
        text = _template(tokenizer, traits, [Message("user", "a"), Message("assistant", word)], False, "")
    except DataError:
        return traits  # a template that refuses even this is complained of when a row is rendered
    _, found, traits.ending = text.rpartition(word)
    if not found:
        traits.ending = ""
    ids = _encode(tokenizer, [traits.ending])[0]
    end = next((place for place, index in enumerate(ids) if index in specials), None)
    if end is None:
        traits.tail_ids = ids
    else:
        traits.ending_ids, traits.tail_ids = ids[: end + 1], ids[end + 1 :]
    return traits


def _encode(tokenizer: Any, texts: list[str], *, ordinary: bool = False, anchored: bool = False) -> list[list[int]]:
    """Ids of every text. ordinary: special tokens are read as text; anchored: as they stand behind other text."""
    anchor = "\n" if anchored else ""
    ids: list[list[int]] = []
    for start in range(0, len(texts), ENCODE_AT_ONCE):
        some = [anchor + text for text in texts[start : start + ENCODE_AT_ONCE]]
        ids += tokenizer(
            some,
            add_special_tokens=False,
            split_special_tokens=ordinary,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )["input_ids"]
    if anchored:
        lead = _encode(tokenizer, ["\n"])[0]
        cut = len(lead)
        # where the anchor melts into the text, the text is encoded on its own
        ids = [
            row[cut:] if row[:cut] == lead else _encode(tokenizer, [text], ordinary=ordinary)[0]
            for row, text in zip(ids, texts, strict=True)
        ]
    return ids


def _template(tokenizer: Any, traits: _Traits, messages: Many[Message], prompt: bool, where: str) -> str:
    """The template's text for `messages`, with the generation prompt if `prompt`."""
    import jinja2

    try:
        return tokenizer.apply_chat_template(
            [message.as_dict() for message in messages],
            chat_template=traits.template,
            tokenize=False,
            add_generation_prompt=prompt,
        )
    except (jinja2.TemplateError, TypeError, KeyError, IndexError) as error:
        raise DataError(
            f"the tokenizer's chat template refuses this conversation of "
            f"{', '.join(message.role for message in messages)}: {error}",
            where=where,
            hint="Mend the row, or give the tokenizer a template that takes it.",
        ) from error


# --- a conversation as parts -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Part:
    """A stretch of a sequence: text still to be encoded, or ids.

    Attributes:
        text: text to encode.
        learnt: True if its tokens are to be learnt.
        ordinary: True if special tokens in `text` are to be read as text.
        ids: the ids, once known.
    """

    text: str
    learnt: bool
    ordinary: bool = False
    ids: list[int] | None = None


class _Shield:
    """Takes special tokens out of messages before the template runs, and gives them back as ordinary text.

    Only messages that hold one are touched, so everywhere else the template sees the text as it is.
    """

    def __init__(self, messages: Many[Message], special: re.Pattern[str] | None) -> None:
        self.hidden: list[str] = []
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

    def parts(self, text: str, learnt: bool) -> Iterator[_Part]:
        """`text` with what was hidden put back."""
        if not self.hidden:
            yield _Part(text, learnt)
            return
        for place, piece in enumerate(re.split(f"{self.edge}(\\d+)\ue001", text)):
            yield _Part(self.hidden[int(piece)], learnt, ordinary=True) if place % 2 else _Part(piece, learnt)


def _templated(
    tokenizer: Any, traits: _Traits, messages: Many[Message], first: int, learn: Learn, open_end: bool, where: str
) -> list[_Part]:
    """Parts of a templated conversation.

    Args:
        first: answers from this message on are learnt.
        open_end: True to end with the generation prompt, False to end behind the last answer.
    """
    shield = _Shield(messages, traits.special)
    messages = shield.messages
    answers = [place for place, message in enumerate(messages) if message.role == "assistant"]
    parts: list[_Part] = []
    done, everything = "", learn == "all"
    for place in answers:
        before = _template(tokenizer, traits, messages[:place], True, where)
        after = _template(tokenizer, traits, messages[: place + 1], False, where)
        if not (before.startswith(done) and after.startswith(before)):
            return _last_answer(tokenizer, traits, shield, answers, learn, open_end, where)
        parts += shield.parts(before[len(done) :], everything)
        parts += _answer(traits, shield, after[len(before) :], everything or place >= first, everything)
        done = after
    if open_end or (everything and messages[-1].role != "assistant"):
        rest = _template(tokenizer, traits, messages, open_end, where)
        if not rest.startswith(done):
            return _last_answer(tokenizer, traits, shield, answers, learn, open_end, where)
        parts += shield.parts(rest[len(done) :], everything)
    elif answers:
        parts.pop()  # what stands behind the last end token
    else:
        parts += shield.parts(_template(tokenizer, traits, messages, True, where), False)
    return parts


def _answer(traits: _Traits, shield: _Shield, text: str, learnt: bool, tail_learnt: bool) -> Iterator[_Part]:
    """The parts of one answer: its text, its end token, and what the template writes behind that."""
    known = bool(traits.ending) and text.endswith(traits.ending)
    yield from shield.parts(text[: -len(traits.ending)] if known else text, learnt)
    yield _Part("", learnt, ids=traits.ending_ids if known else [traits.eos])
    yield _Part("", tail_learnt, ids=traits.tail_ids if known else [])


def _last_answer(
    tokenizer: Any, traits: _Traits, shield: _Shield, answers: list[int], learn: Learn, open_end: bool, where: str
) -> list[_Part]:
    """For a template that rewrites earlier turns: everything before the last answer is one prompt."""
    messages, everything = shield.messages, learn == "all"
    if open_end:
        return list(shield.parts(_template(tokenizer, traits, messages, True, where), False))
    last = answers[-1]
    before = _template(tokenizer, traits, messages[:last], True, where)
    after = _template(tokenizer, traits, messages[: last + 1], False, where)
    parts = list(shield.parts(before, everything))
    if after.startswith(before):
        if len(answers) > 1:
            traits.say(
                "The chat template rewrites earlier turns: of each conversation the last answer alone is learnt."
            )
        parts += _answer(traits, shield, after[len(before) :], True, everything)
    else:
        traits.say(
            "The chat template does not continue its own generation prompt: answers are learnt right behind the "
            "prompt, as served, and not as the template writes them."
        )
        parts += _answer(traits, shield, messages[last].content + traits.ending, True, everything)
    parts.pop()
    return parts


def _plain(traits: _Traits, messages: Many[Message], first: int, learn: Learn, open_end: bool) -> list[_Part]:
    """Parts of contents joined as they stand; every learnt answer is followed by eos."""
    parts: list[_Part] = []
    for place, message in enumerate(messages):
        answer = message.role == "assistant" and place >= first and not open_end
        learnt = answer or learn == "all"
        if parts and not answer and parts[-1].ids is None and not (learnt ^ parts[-1].learnt):
            parts[-1].text += message.content  # one prompt is encoded as one text, as when serving
        else:
            parts.append(_Part(message.content, learnt))
        if answer:
            parts.append(_Part("", learnt, ids=[traits.eos]))
    return parts


def _assemble(
    tokenizer: Any, traits: _Traits, plans: list[tuple[list[_Part], str]], limit: int | None
) -> list[Sequence]:
    """Encodes the parts of all plans, few calls for many texts, and joins them."""
    groups: dict[tuple[bool, bool], list[_Part]] = {}
    for parts, _ in plans:
        for place, part in enumerate(parts):
            if part.ids is None:
                groups.setdefault((part.ordinary, traits.anchored and place > 0), []).append(part)
    for (ordinary, anchored), some in groups.items():
        found = _encode(tokenizer, [part.text for part in some], ordinary=ordinary, anchored=anchored)
        for part, ids in zip(some, found, strict=True):
            part.ids = ids
    return [_join(traits, parts, where, limit) for parts, where in plans]


def _join(traits: _Traits, parts: list[_Part], where: str, limit: int | None) -> Sequence:
    tokens: list[int] = []
    learn: list[bool] = []
    for part in parts:
        ids = part.ids or []
        if ids == [traits.eos] and tokens and tokens[-1] == traits.eos:
            continue  # the text brought its own end token
        tokens += ids
        learn += [part.learnt] * len(ids)
    if traits.bos is not None and tokens[:1] != [traits.bos]:
        tokens.insert(0, traits.bos)
        learn.insert(0, False)
    if not tokens:
        raise DataError("nothing is left of this row after tokenisation", where=where, hint="Remove the empty row.")
    learn[0] = False
    return Sequence(tokens[:limit], learn[:limit], where)


# --- what the rooms above call ---------------------------------------------------------------------------------------


def render(
    tokenizer: Any, dialogue: Dialogue, *, learn: Learn = "assistant", max_length: int | None = None
) -> Sequence:
    """One conversation as token ids; see `render_all`, which is faster for many."""
    return render_all(tokenizer, [dialogue], learn=learn, max_length=max_length)[0]


def render_all(
    tokenizer: Any, dialogues: Iterable[Dialogue], *, learn: Learn = "assistant", max_length: int | None = None
) -> list[Sequence]:
    """Conversations as token ids.

    Turns behind the last answer are left out, for nothing is learnt from them.

    Args:
        tokenizer: any tokenizer of transformers; without a chat template `TEXT_TEMPLATE` is used.
        dialogues: conversations.
        learn: "assistant" for the answers with their end tokens, "all" for every token.
        max_length: longest sequence, tokens. The start is kept, the end cut off; a sequence of which nothing learnt is
            left has `count` 0.

    Raises:
        DataError: the template refuses a conversation, or the tokenizer has no eos token.
    """
    traits = _traits(tokenizer)
    plans = [
        (
            _plain(traits, row.messages, 0, learn, False)
            if row.plain
            else _templated(tokenizer, traits, row.messages, 0, learn, False, row.where),
            row.where,
        )
        for row in dialogues
    ]
    return _assemble(tokenizer, traits, plans, max_length)


def render_pair(tokenizer: Any, preference: Preference, max_length: int | None = None) -> tuple[Sequence, Sequence]:
    """(chosen, rejected) of one preference; see `render_pairs`, which is faster for many."""
    return render_pairs(tokenizer, [preference], max_length)[0]


def render_pairs(
    tokenizer: Any, preferences: Iterable[Preference], max_length: int | None = None
) -> list[tuple[Sequence, Sequence]]:
    """(chosen, rejected) of every preference: the prompt's ids are the same in both, and only the answers are learnt.

    Assistant turns within the prompt are not learnt. `max_length` and errors as in `render_all`, each side by itself.
    """
    traits = _traits(tokenizer)
    plans: list[tuple[list[_Part], str]] = []
    for row in preferences:
        first = len(row.prompt)
        for answer in (row.chosen, row.rejected):
            messages = (*row.prompt, *answer)
            parts = (
                _plain(traits, messages, first, "assistant", False)
                if row.plain
                else _templated(tokenizer, traits, messages, first, "assistant", False, row.where)
            )
            plans.append((parts, row.where))
    sides = _assemble(tokenizer, traits, plans, max_length)
    return list(zip(sides[::2], sides[1::2], strict=True))


def render_prompt(tokenizer: Any, messages: Many[Message], *, plain: bool = False) -> list[int]:
    """Ids of a prompt as served, generation prompt included; see `render_prompts`, which is faster for many."""
    return render_prompts(tokenizer, [Prompt(tuple(messages), plain=plain)])[0]


def render_prompts(tokenizer: Any, prompts: Iterable[Prompt]) -> list[list[int]]:
    """Ids of every prompt as served: exactly the ids that stand before the answer in training."""
    traits = _traits(tokenizer)
    plans = [
        (
            _plain(traits, row.messages, 0, "assistant", True)
            if row.plain
            else _templated(tokenizer, traits, row.messages, len(row.messages), "assistant", True, row.where),
            row.where,
        )
        for row in prompts
    ]
    return [row.tokens for row in _assemble(tokenizer, traits, plans, None)]


def render_text(tokenizer: Any, text: Text | str) -> Sequence:
    """[bos] tokens eos of one document, everything learnt; see `render_texts`, which is faster for many."""
    return render_texts(tokenizer, [text])[0]


def render_texts(tokenizer: Any, texts: Iterable[Text | str]) -> list[Sequence]:
    """[bos] tokens eos of every document, everything learnt. BOS where the tokenizer puts one before a text."""
    traits = _traits(tokenizer)
    plans = []
    for row in texts:
        text, where = (row, "") if isinstance(row, str) else (row.text, row.where)
        plans.append(([_Part(text, True, ordinary=True), _Part("", True, ids=[traits.eos])], where))
    return _assemble(tokenizer, traits, plans, None)


def end_tokens(tokenizer: Any) -> tuple[int, ...]:
    """Ids at which generation stops: the one the template ends an answer with, and eos."""
    traits = _traits(tokenizer)
    return tuple(dict.fromkeys([traits.ending_ids[-1], traits.eos]))


def adopt_template(tokenizer: Any) -> bool:
    """Gives a tokenizer without a chat template `TEXT_TEMPLATE`, to be saved with the model; True if it did.

    Where the tokenizer puts BOS before every text, the template writes it too: other tools add none to a template.
    """
    if tokenizer.chat_template:
        return False
    bos = "{{- bos_token -}}\n" if _traits(tokenizer).bos is not None else ""
    tokenizer.chat_template = bos + TEXT_TEMPLATE
    return True
