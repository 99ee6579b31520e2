"""What the arithmetic of a piece of work costs at least, and what the machine can do.

Multiplications and additions are counted apart. A prompt that several answers share is counted once, the head only
where a token is learnt or drawn, attention by its causal half; embeddings, norms and softmaxes are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench import clock
from bench.world import SHAPES, VOCABULARY


@dataclass(frozen=True)
class Cost:
    """FLOPs of one forward pass: of the trunk per token, of attention per (query, key) pair, of the head per state."""

    token: float
    pair: float
    state: float


def cost(size: str) -> Cost:
    """The forward cost of a model of this size."""
    width, layers, heads, key_heads, mlp = SHAPES[size]
    matrices = 2 * width * width + 2 * width * width * key_heads // heads + 3 * width * mlp
    return Cost(2.0 * layers * matrices, 4.0 * layers * width, 2.0 * width * VOCABULARY)


def forward(size: str, prompt: int, answers: list[int], *, states: int | None = None) -> float:
    """FLOPs of a prompt and its answers (tokens each), the prompt once; `states`: heads asked, default the answers."""
    one = cost(size)
    tokens = prompt + sum(answers)
    pairs = prompt * prompt / 2 + sum(length * (prompt + length / 2) for length in answers)
    return one.token * tokens + one.pair * pairs + one.state * (sum(answers) if states is None else states)


def peak(seconds: float = 1.0) -> float:
    """FLOP/s of the best of several float32 products of 1,024 x 1,024 matrices, with the threads torch has."""
    import torch

    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best, until = 0.0, clock.now() + seconds
    while clock.now() < until:
        started = clock.now()
        for _ in range(4):
            left @ right
        best = max(best, 4 * 2 * 1024**3 / (clock.now() - started))
    return best
