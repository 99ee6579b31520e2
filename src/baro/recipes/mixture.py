"""A second stream of plain text mixed into another method's updates (InstructGPT's PPO-ptx, 2203.02155 eq. 2)."""

from __future__ import annotations

from dataclasses import replace

import torch

from baro.core.types import Batch
from baro.data.packing import documents_to_blocks, pack
from baro.data.read import streamed
from baro.data.stream import Stream
from baro.data.templates import render_texts
from baro.recipes.reading import stored

ROWS = 32


class TextMix:
    """Adds one micro-batch of text to every update, weighted so that its mean loss counts `coefficient` times.

    The batch weighs nothing in the update's count; its `extra["weight"]` holds coefficient × (the update's count) /
    (its own tokens), so that after the one division its mean next-token loss enters with `coefficient`.
    """

    def __init__(self, files, coefficient: float, tokenizer, config) -> None:
        self.coefficient = coefficient if files else 0.0
        if self.coefficient:
            self.rows = stored(
                config,
                streamed("texts", files),
                lambda some: documents_to_blocks(render_texts(tokenizer, some), config.max_length),
            )
            self.order = Stream(len(self.rows), updates=1 << 31, per_update=ROWS, seed=config.seed)

    def __call__(self, number: int, batches: list[Batch]) -> list[Batch]:
        if not self.coefficient:
            return batches
        text = pack([self.rows[index] for index in self.order.at(number)])
        weight = self.coefficient * sum(batch.count for batch in batches) / max(text.count, 1)
        return [*batches, replace(text, count=0, extra={"weight": torch.tensor(weight)})]
