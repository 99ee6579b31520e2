"""Scores of a trained reward model."""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Any

import torch

from baro.core.errors import BaroError
from baro.core.types import Sequence
from baro.data.packing import micro_batches
from baro.models.forward import scores
from baro.models.load import reward_model


def trained(path: str, **place: Any):
    """The reward model at `path`, ready to score; `place` as for `reward_model`.

    Raises:
        BaroError: it is a language model, whose score head would be fresh noise.
    """
    model = reward_model(path, **place).eval()
    if not any("SequenceClassification" in name for name in model.config.architectures or ()):
        raise BaroError(
            f"{path} is no reward model: it has no trained score head.",
            hint="Train one with baro reward, then name its folder.",
        )
    return model


@torch.no_grad()
def model_scores(model, sequences: Items[Sequence], *, max_tokens: int = 8192) -> list[float]:
    """One score a sequence: the reward head at its last token, normalised as stored with the model.

    Args:
        model: a sequence-classification model with one label.
        sequences: prompt and answer together, the end token included when the answer has one.
        max_tokens: tokens in one forward pass.
    """
    batches = micro_batches(list(sequences), max_tokens=max_tokens)
    return [float(score) for batch in batches for score in scores(model, batch.to(model.device))]
