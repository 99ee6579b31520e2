"""The plain way, for architectures that packed rows do not serve: right-padded rows through the model as it is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from baro.core.types import Batch
from baro.models.logits import widened


def rows(batch: Batch) -> tuple[Tensor, Tensor]:
    """(S, L) right-padded token ids and (S, L) bool, True at real tokens."""
    pieces = batch.tokens.split(list(batch.lengths))
    tokens = pad_sequence(list(pieces), batch_first=True)
    lengths = torch.tensor(batch.lengths, device=tokens.device)
    return tokens, torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]


def hidden(model, batch: Batch) -> Tensor:
    """(T, D) last hidden states, in the order of the packed row."""
    tokens, real = rows(batch)
    output = model.base_model(input_ids=tokens, attention_mask=real.long(), use_cache=False)
    return output.last_hidden_state[real]


def logits(model, batch: Batch) -> Tensor:
    """(T, V) logits in float32 or wider, in the order of the packed row."""
    tokens, real = rows(batch)
    return widened(model(input_ids=tokens, attention_mask=real.long(), use_cache=False).logits[real])
