"""A reward that does not pay for length: ODIN's idea (Chen et al. 2024, 2402.07319).

Two answers are compared by r_Q + w·ℓ, where ℓ is the length. The term w·ℓ (the length head, one number here) may take
what length explains; r_Q is held to have no correlation with ℓ, and is all that is kept after training.
"""

from __future__ import annotations

import torch
from torch import Tensor


def correlation(scores: Tensor, lengths: Tensor) -> Tensor:
    """() Pearson's correlation of (N,) scores and lengths, differentiable in the scores; 0 where one does not vary."""
    x, y = lengths.to(scores.dtype), scores
    x, y = x - x.mean(), y - y.mean()
    size = x.square().sum() * y.square().sum()
    safe = torch.where(size > 0, size, torch.ones_like(size))
    return torch.where(size > 0, (x * y).sum() / safe.sqrt(), torch.zeros_like(size))


def scaled(lengths: Tensor) -> Tensor:
    """(N,) lengths as the length head sees them: logarithms of tokens, so that doubling counts the same everywhere."""
    return lengths.clamp(min=1).to(torch.float32).log()
