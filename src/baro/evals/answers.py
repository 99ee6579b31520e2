"""What a model answers to a list of prompts, and how far that is from a reference model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any

import torch

from baro.core.errors import DataError
from baro.core.types import Answer, Sequence
from baro.data.packing import micro_batches
from baro.data.records import Prompt
from baro.data.templates import end_tokens, render_prompts
from baro.models.forward import sequence_log_probs
from baro.models.sample import Sampling, sample

_MORE = 8
"""Tokens looked at before the place where a stop text can begin: what is decoded may begin within a character."""


@dataclass(frozen=True)
class Answered:
    """One answer to one prompt: the prompt, its token ids, the sampled answer and its text without end token.

    `stopped`: a stop text ended it, which the tokens hold and the text does not.
    """

    prompt: Prompt
    prompt_tokens: list[int]
    answer: Answer
    text: str
    stopped: bool = False

    @property
    def ended(self) -> bool:
        """Whether the answer came to its end; False when the length limit cut it."""
        return self.answer.ended or self.stopped


def answers(
    model,
    tokenizer,
    prompts: Items[Prompt],
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    max_new_tokens: int = 64,
    stop: Items[str] = (),
    samples: int = 1,
    seed: int = 0,
    first_row: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Answered]]:
    """`samples` answers to every prompt, (B, K). An answer depends on (seed, first_row + its row, its number) only.

    `stop`: texts at the first of which an answer ends; they do not belong to it.
    """
    sampling = Sampling(temperature, top_k, top_p, min_p, max_new_tokens, end_tokens(tokenizer))
    tokens, stopped = render_prompts(tokenizer, prompts), stopping(tokenizer, stop) if stop else None
    refuse_full(zip(prompts, tokens, strict=True), context_of(model.config))
    how: dict[str, Any] = {"samples": samples, "seed": seed, "first_row": first_row, "progress": progress}
    drawn = sample(model, tokens, sampling=sampling, stopped=stopped, **how)
    return [
        [_answered(tokenizer, prompt, ids, answer, stop) for answer in row]
        for prompt, ids, row in zip(prompts, tokens, drawn, strict=True)
    ]


def context_of(config) -> int | None:
    """Tokens of a prompt and its answer that a model of this configuration reads at most; None: any number."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def refuse_full(rows: Iterable[tuple[Prompt, list[int]]], context: int | None, hint: str = "") -> None:
    """Refuse prompts that leave no room for an answer.

    Args:
        rows: prompts and their token ids. context: see `context_of`. hint: what else can be done about it.

    Errors: DataError naming the first of them, how long it is, and how many there are.
    """
    full = [(row, len(tokens)) for row, tokens in rows if context is not None and len(tokens) >= context]
    if full:
        (first, size), others = full[0], f" Of all, {len(full):,} are that long." if len(full) > 1 else ""
        raise DataError(
            f"the prompt has {size:,} tokens and the model's context is {context:,}: nothing can be added.{others}",
            where=first.where,
            hint=f"Shorten the prompt{hint}.",
        )


def _answered(tokenizer, prompt: Prompt, ids: list[int], answer: Answer, stop: Items[str]) -> Answered:
    text = text_of(tokenizer, answer)
    found = [text.index(one) for one in stop if one in text]
    return Answered(prompt, ids, answer, text[: min(found)] if found else text, bool(found))


def stopping(tokenizer, stop: Items[str]) -> Callable[[list[int]], bool]:
    """Token ids of an answer so far → whether its end, a few tokens more than any stop text has bytes, holds one."""
    window = max(len(text.encode()) for text in stop) + _MORE

    def stopped(tokens: list[int]) -> bool:
        text = tokenizer.decode(tokens[-window:], skip_special_tokens=True)
        return any(one in text for one in stop)

    return stopped


def text_of(tokenizer, answer: Answer) -> str:
    """The text of an answer, without its end token."""
    return tokenizer.decode(answer.tokens[:-1] if answer.ended else answer.tokens, skip_special_tokens=True)


def as_sequence(answered: Answered) -> Sequence:
    """Prompt and answer as one sequence whose learnt tokens are the answer's."""
    learn = [False] * len(answered.prompt_tokens) + [True] * len(answered.answer.tokens)
    return Sequence(answered.prompt_tokens + answered.answer.tokens, learn, answered.prompt.where)


@torch.no_grad()
def answer_log_probs(model, rows: Items[Answered], *, temperature: float = 1.0, max_tokens: int = 8192) -> torch.Tensor:
    """(B,) float64 summed log-probability (nats) of each answer given its prompt."""
    sums = [
        sequence_log_probs(model, batch.to(model.device), temperature=temperature).double().cpu()
        for batch in micro_batches([as_sequence(row) for row in rows], max_tokens=max_tokens)
    ]
    return torch.cat(sums) if sums else torch.zeros(0, dtype=torch.float64)
