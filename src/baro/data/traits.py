"""What a tokenizer does, found by trying it; and the two calls made to it: encode, and apply the chat template."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from baro.core.errors import DataError
from baro.data.markup import TEXT_TEMPLATE
from baro.data.records import Message

log = logging.getLogger(__name__)

ENCODE_AT_ONCE = 1024  # texts handed to the tokenizer in one call: enough to use its threads, few enough for memory


@dataclass
class Traits:
    """What one tokenizer with one template does.

    Attributes:
        template: Jinja text; None where the tokenizer's own is used.
        bos: id of the BOS token the tokenizer puts before every text by itself; None if it puts none.
        eos: id of the eos token.
        end: text the template writes behind an answer, up to and with the end token; "" if it writes no end token.
        end_ids: ids learnt behind an answer, the end token last; [eos] where the template writes none.
        tail: text the template writes behind that.
        dummy_prefix: True when a text encoded on its own gets a space before it (SentencePiece's dummy prefix).
        special: finds special tokens in a text; None if there are none.
        said: remarks already made about this tokenizer.
    """

    template: str | None
    bos: int | None
    eos: int
    end: str
    end_ids: list[int]
    tail: str
    dummy_prefix: bool
    special: re.Pattern[str] | None
    said: set[str]

    def say(self, remark: str) -> None:
        """Warns, once per tokenizer and remark."""
        if remark not in self.said:
            self.said.add(remark)
            log.warning(remark)


_KNOWN: WeakKeyDictionary[Any, tuple[Any, Traits]] = WeakKeyDictionary()


def traits_of(tokenizer: Any) -> Traits:
    """The traits of `tokenizer`, examined once and again when its template or special tokens change.

    Raises:
        DataError: it has no eos token.
    """
    key = (tokenizer.chat_template, tokenizer.eos_token_id, tokenizer.bos_token_id, len(tokenizer))
    known = _KNOWN.get(tokenizer)
    if known is None or known[0] != key:
        known = _KNOWN[tokenizer] = (key, _examine(tokenizer))
    return known[1]


def _examine(tokenizer: Any) -> Traits:
    if tokenizer.eos_token_id is None:
        raise DataError(
            "the tokenizer has no eos token; expected one, for without it an answer never ends.",
            hint="Set tokenizer.eos_token, or train a tokenizer with baro.",
        )
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    special |= set(tokenizer.all_special_ids)
    strings = sorted(tokenizer.convert_ids_to_tokens(sorted(special)), key=len, reverse=True)
    framed = tokenizer("a")["input_ids"]
    first, second = encode(tokenizer, ["a", "b"])
    traits = Traits(
        template=None if tokenizer.chat_template else TEXT_TEMPLATE,
        bos=tokenizer.bos_token_id if framed and framed[0] == tokenizer.bos_token_id else None,
        eos=tokenizer.eos_token_id,
        end="",
        end_ids=[tokenizer.eos_token_id],
        tail="",
        dummy_prefix=tokenizer.decode(first + second) != "ab",
        special=re.compile("|".join(map(re.escape, strings))) if strings else None,
        said=set(),
    )
    ending = _ending(tokenizer, traits)
    found = traits.special.search(ending) if traits.special else None
    if found:
        traits.end, traits.tail = ending[: found.end()], ending[found.end() :]
        traits.end_ids = encode(tokenizer, [traits.end])[0]
    else:
        traits.tail = ending
    return traits


def _ending(tokenizer: Any, traits: Traits) -> str:
    """What the template writes behind an answer; "" for a template that refuses the simplest conversation."""
    word = "barobaro"  # a word that no template rewrites is answered, and looked for
    try:
        text = templated(tokenizer, traits, [Message("user", "a"), Message("assistant", word)], False, "")
    except DataError:
        return ""  # complained of, with its row, when a row is rendered
    return text.rpartition(word)[2] if word in text else ""


def encode(tokenizer: Any, texts: Iterable[str], *, ordinary: bool = False) -> list[list[int]]:
    """Ids of every text, without BOS or eos. ordinary: special tokens written in a text are read as text."""
    texts = list(texts)
    ids: list[list[int]] = []
    for start in range(0, len(texts), ENCODE_AT_ONCE):
        ids += tokenizer(
            texts[start : start + ENCODE_AT_ONCE],
            add_special_tokens=False,
            split_special_tokens=ordinary,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )["input_ids"]
    return ids


def encode_behind(tokenizer: Any, lead: str, texts: Iterable[str], *, ordinary: bool = False) -> list[list[int]]:
    """Ids of every text as it stands behind `lead`; on its own where the two melt into one token."""
    texts = list(texts)
    if not lead:
        return encode(tokenizer, texts, ordinary=ordinary)
    # the lead is encoded as it is meant, special tokens included, so a lead with some needs `ordinary` off
    head = encode(tokenizer, [lead], ordinary=ordinary)[0]
    both = encode(tokenizer, [lead + text for text in texts], ordinary=ordinary)
    return [
        ids[len(head) :] if ids[: len(head)] == head else encode(tokenizer, [text], ordinary=ordinary)[0]
        for ids, text in zip(both, texts, strict=True)
    ]


def templated(tokenizer: Any, traits: Traits, messages: Many[Message], prompt: bool, where: str) -> str:
    """The chat template's text for `messages`, with the generation prompt if `prompt`.

    Raises:
        DataError: the template refuses them.
    """
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
            f"{', '.join(message.role for message in messages) or 'no turns'}: {error}.",
            where=where,
            hint="Mend the row, or give the tokenizer a template that takes it.",
        ) from error
