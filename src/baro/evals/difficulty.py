"""How hard an instruction is to follow: what the instruction adds to the prediction of its answer.

With L(A|Q) the mean nats per token of the answer after its instruction, and L(A) of the same tokens alone:

    IFD      L(A|Q) / L(A)              Li et al. 2024, "From Quantity to Quality" (Cherry LLM), eq. 3
    IFD ppl  exp(L(A|Q) - L(A))         Li et al. 2024, "Superfiltering": the ratio of the perplexities

0.696 and 0.761 nats are 0.915 by the first and 0.937 by the second; the two order rows differently, so both are named.
Above 1 the instruction does not help at all: it and the answer do not belong together, and such rows are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from baro.core.types import Sequence
from baro.data.packing import micro_batches
from baro.models.forward import hidden, sums, token_log_probs


@dataclass(frozen=True)
class Difficulty:
    """One row.

    Attributes:
        given: L(A|Q), nats per token of the answer after the instruction. alone: L(A).
        tokens: of the answer, its end token included.
    """

    given: float
    alone: float
    tokens: int

    @property
    def perplexity(self) -> float:
        """exp L(A|Q); infinity where a token of the answer is impossible."""
        return math.exp(self.given) if self.given < 700 else math.inf

    @property
    def ifd(self) -> float:
        """L(A|Q) / L(A); NaN where the answer alone is certain."""
        return self.given / self.alone if self.alone > 0 else math.nan

    @property
    def ifd_ppl(self) -> float:
        """exp(L(A|Q) - L(A))."""
        return math.exp(min(self.given - self.alone, 700.0))


def difficulty(model, sequences: Items[Sequence], *, begin: int, max_tokens: int = 8192) -> list[Difficulty]:
    """The difficulty of every row under any causal language model.

    Args:
        model: in eval mode.
        sequences: instruction and answer, the answer's tokens learnt; NaN for rows without any.
        begin: the token that stands before an answer on its own: BOS, or the end token where there is no BOS.
    """
    alone = [answer_alone(sequence, begin) for sequence in sequences]
    return [
        Difficulty(given, lone, sequence.count)
        for given, lone, sequence in zip(
            _nats(model, sequences, max_tokens), _nats(model, alone, max_tokens), sequences, strict=True
        )
    ]


def answer_alone(sequence: Sequence, begin: int) -> Sequence:
    """The very tokens that are learnt in `sequence`, behind `begin` and nothing else."""
    learnt = [token for token, learn in zip(sequence.tokens[1:], sequence.learn[1:], strict=True) if learn]
    return Sequence([begin, *learnt], [False] + [True] * len(learnt), sequence.where)


@torch.no_grad()
def _nats(model, sequences: Items[Sequence], max_tokens: int) -> list[float]:
    """Mean nats per learnt token of every sequence."""
    order = sorted(range(len(sequences)), key=lambda row: len(sequences[row].tokens))
    found = [math.nan] * len(sequences)
    place = 0
    for batch in micro_batches([sequences[row] for row in order], max_tokens=_room(sequences, max_tokens)):
        batch = batch.to(model.device)
        totals = sums(token_log_probs(model, batch).double(), batch).tolist()
        for total, count in zip(totals, batch.learnt_per_sequence().tolist(), strict=True):
            found[order[place]] = -total / count if count else math.nan
            place += 1
    return found


@torch.no_grad()
def embeddings(model, prompts: Items[list[int]], *, max_tokens: int = 8192) -> NDArray[np.float32]:
    """(n, D) mean of the model's last hidden states over each prompt's tokens.

    Args:
        model: a causal language model in eval mode. prompts: token ids, at least one each.
    """
    rows = [Sequence(list(ids), [False] * len(ids)) for ids in prompts]
    order = sorted(range(len(rows)), key=lambda row: len(rows[row].tokens))
    found: list[NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)] * len(rows)
    place = 0
    for batch in micro_batches([rows[row] for row in order], max_tokens=_room(rows, max_tokens)):
        batch = batch.to(model.device)
        for states in hidden(model, batch).float().split(list(batch.lengths)):
            found[order[place]] = states.mean(0).cpu().numpy()
            place += 1
    return np.stack(found)


def _room(sequences: Items[Sequence], max_tokens: int) -> int:
    return max(max_tokens, max((len(row.tokens) for row in sequences), default=1))
