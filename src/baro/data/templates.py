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

from collections.abc import Iterable
from collections.abc import Sequence as Many
from typing import Any

from baro.core.errors import DataError
from baro.core.types import Sequence
from baro.data.markup import CHAT_TEMPLATE, SPECIAL_TOKENS, TEXT_TEMPLATE
from baro.data.records import Dialogue, Message, Preference, Prompt, Text
from baro.data.traits import traits_of
from baro.data.turns import Learn, Part, Plan, Turns, assemble, plain_plan

__all__ = [
    "CHAT_TEMPLATE",
    "SPECIAL_TOKENS",
    "TEXT_TEMPLATE",
    "adopt_template",
    "end_tokens",
    "render",
    "render_all",
    "render_pair",
    "render_pairs",
    "render_prompt",
    "render_prompts",
    "render_replies",
    "render_text",
    "render_texts",
]


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
    traits = traits_of(tokenizer)
    turns = Turns(tokenizer, traits, learn)
    plans = [
        plain_plan(traits, row.messages, row.where, learn=learn, open_end=False)
        if row.plain
        else turns.plan(row.messages, row.where)
        for row in dialogues
    ]
    return assemble(tokenizer, traits, plans, max_length)


def render_pair(tokenizer: Any, preference: Preference, max_length: int | None = None) -> tuple[Sequence, Sequence]:
    """(chosen, rejected) of one preference; see `render_pairs`, which is faster for many."""
    return render_pairs(tokenizer, [preference], max_length)[0]


def render_pairs(
    tokenizer: Any, preferences: Iterable[Preference], max_length: int | None = None
) -> list[tuple[Sequence, Sequence]]:
    """(chosen, rejected) of every preference: the prompt's ids are the same in both, and only the answers are learnt.

    Assistant turns within the prompt are not learnt. `max_length` and errors as in `render_all`, each side by itself.
    """
    traits = traits_of(tokenizer)
    turns = Turns(tokenizer, traits)
    plans = []
    for row in preferences:
        first = len(row.prompt)
        for answer in (row.chosen, row.rejected):
            messages = (*row.prompt, *answer)
            if row.plain:
                plans.append(plain_plan(traits, messages, row.where, first=first, open_end=False))
            else:
                plans.append(turns.plan(messages, row.where, first=first))
    sides = assemble(tokenizer, traits, plans, max_length)
    return list(zip(sides[::2], sides[1::2], strict=True))


def render_prompt(tokenizer: Any, messages: Many[Message], *, plain: bool = False) -> list[int]:
    """Ids of a prompt as served, generation prompt included; see `render_prompts`, which is faster for many."""
    return render_prompts(tokenizer, [Prompt(tuple(messages), plain=plain)])[0]


def render_prompts(tokenizer: Any, prompts: Iterable[Prompt]) -> list[list[int]]:
    """Ids of every prompt as served: exactly the ids that stand before the answer in training."""
    traits = traits_of(tokenizer)
    turns = Turns(tokenizer, traits)
    plans = [
        plain_plan(traits, row.messages, row.where, open_end=True)
        if row.plain
        else turns.plan(row.messages, row.where, open_end=True)
        for row in prompts
    ]
    return [row.tokens for row in assemble(tokenizer, traits, plans)]


def render_replies(tokenizer: Any, prompts: Iterable[Prompt], *, ended: Iterable[bool]) -> list[list[int]]:
    """Ids from the end of the last answer of every conversation to its next: what the other speaker says in between.

    So an episode goes on with the very ids that were sampled: its ids, these, and the next answer's.

    Args:
        prompts: conversations that end with another speaker's turn behind an answer.
        ended: whether that answer brought its own end token; where it was cut, the end token is put here.

    Raises:
        DataError: the template rewrites earlier turns, so that nothing can be put behind them.
    """
    traits = traits_of(tokenizer)
    turns = Turns(tokenizer, traits)
    lead, plans = "\n" if traits.dummy_prefix else "", []
    for row, whole in zip(prompts, ended, strict=True):
        parts = [Part(row.messages[-1].content, False, lead=lead)]
        if not row.plain:
            every = turns.plan(row.messages, row.where, open_end=True).parts
            behind = [place for place, part in enumerate(every) if part.ids is not None]
            if not behind:
                raise DataError(
                    "the tokenizer's chat template rewrites earlier turns; an episode of several turns cannot go on.",
                    where=row.where,
                    hint="Use a template that leaves earlier turns as they were, or one turn.",
                )
            parts = every[behind[-1] + 1 :]
        plans.append(Plan([*([] if whole else [Part("", False, ids=traits.end_ids)]), *parts], row.where))
    skipped = 0 if traits.bos is None else 1  # put before every sequence by assembling
    return [row.tokens[skipped:] for row in assemble(tokenizer, traits, plans)]


def render_text(tokenizer: Any, text: Text | str) -> Sequence:
    """[bos] tokens eos of one document, everything learnt; see `render_texts`, which is faster for many."""
    return render_texts(tokenizer, [text])[0]


def render_texts(tokenizer: Any, texts: Iterable[Text | str]) -> list[Sequence]:
    """[bos] tokens eos of every document, everything learnt. BOS where the tokenizer puts one before a text."""
    traits = traits_of(tokenizer)
    plans = []
    for row in texts:
        text, where = (row, "") if isinstance(row, str) else (row.text, row.where)
        plans.append(Plan([Part(text, True, ordinary=True), Part("", True, ids=[traits.eos])], where))
    return assemble(tokenizer, traits, plans)


def end_tokens(tokenizer: Any) -> tuple[int, ...]:
    """Ids at which generation stops: the one the template ends an answer with, and eos."""
    traits = traits_of(tokenizer)
    return tuple(dict.fromkeys([traits.end_ids[-1], traits.eos]))


def adopt_template(tokenizer: Any) -> bool:
    """Gives a tokenizer without a chat template `TEXT_TEMPLATE`, to be saved with the model; True if it did.

    Where the tokenizer puts BOS before every text, the template writes it too: other tools add none to a template.
    """
    if tokenizer.chat_template:
        return False
    bos = "{{- bos_token -}}\n" if traits_of(tokenizer).bos is not None else ""
    tokenizer.chat_template = bos + TEXT_TEMPLATE
    return True
