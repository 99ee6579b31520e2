"""What a model answers to a list of prompts, and how far that is from a reference model."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import dataclass

import torch

from baro.core.types import Answer, Sequence
from baro.data.packing import micro_batches
from baro.data.records import Prompt
from baro.data.templates import end_tokens, render_prompts
from baro.models.forward import sequence_log_probs
from baro.models.sample import Sampling, sample


@dataclass(frozen=True)
class Answered:
    """One answer to one prompt: the prompt, its token ids, the sampled answer and its text without end token."""

    prompt: Prompt
    prompt_tokens: list[int]
    answer: Answer
    text: str


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
    samples: int = 1,
    seed: int = 0,
    first_row: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[Answered]]:
    """`samples` answers to every prompt, (B, K). An answer depends on (seed, first_row + its row, its number) only."""
    stops = end_tokens(tokenizer)
    sampling = Sampling(temperature, top_k, top_p, min_p, max_new_tokens, stops)
    tokens = render_prompts(tokenizer, prompts)
    drawn = sample(model, tokens, sampling=sampling, samples=samples, seed=seed, first_row=first_row, progress=progress)
    return [
        [Answered(prompt, ids, answer, text_of(tokenizer, answer)) for answer in row]
        for prompt, ids, row in zip(prompts, tokens, drawn, strict=True)
    ]


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
