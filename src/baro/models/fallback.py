"""Sampling from architectures our cache does not serve: transformers' `generate`, with our draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from baro.models.draw import Sampling, draw, uniforms
from baro.models.logits import widened


class _Draws:
    """A logits processor that leaves only the token our generator draws."""

    def __init__(self, streams: list[int], prompt: int, sampling: Sampling) -> None:
        self.streams, self.prompt, self.sampling = np.array(streams, dtype=np.uint64), prompt, sampling
        self.tokens: list[list[int]] = []
        self.log_probs: list[list[float]] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        step = np.full(len(self.streams), input_ids.shape[1] - self.prompt, dtype=np.uint64)
        tokens, log_probs = draw(widened(scores), uniforms(self.streams, step), self.sampling)
        self.tokens.append(tokens.tolist())
        self.log_probs.append(log_probs.tolist())
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens[:, None], 0.0)


def generate(model, sampling: Sampling, slots: int, wanted: list[Any], progress: Callable | None) -> None:
    """Fill in the tokens and log-probabilities of what `sample` wants, `slots` rows at a time, left-padded."""
    from transformers import GenerationConfig, LogitsProcessorList

    padding = model.config.get_text_config().pad_token_id or 0
    ends = set(sampling.end_tokens)
    for start in range(0, len(wanted), slots):
        items = wanted[start : start + slots]
        longest, limit = max(len(item.prompt) for item in items), max(item.limit for item in items)
        ids = [[padding] * (longest - len(item.prompt)) + item.prompt for item in items]
        real = [[0] * (longest - len(item.prompt)) + [1] * len(item.prompt) for item in items]
        draws = _Draws([item.stream for item in items], longest, sampling)
        model.generate(
            torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(real, device=model.device),
            logits_processor=LogitsProcessorList([draws]),
            generation_config=GenerationConfig(
                max_new_tokens=limit, do_sample=False, eos_token_id=sorted(ends) or None, pad_token_id=padding
            ),
        )
        for index, item in enumerate(items):
            for tokens, log_probs in zip(draws.tokens, draws.log_probs, strict=True):
                item.tokens.append(tokens[index])
                item.log_probs.append(log_probs[index])
                if item.finished():
                    break
        if progress is not None:
            progress(min(start + slots, len(wanted)), len(wanted))
