"""What a model thinks of a packed micro-batch: log-probabilities, values, scores.

THE one shift of the project is here: the state at position t - 1 predicts the token at position t. Everything else
speaks of learnt tokens, in order, and never shifts again.

The trunk runs once over the packed row, what sequences share computed once; the head runs only at the states that are
asked about, in chunks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from baro.core.errors import BaroError
from baro.core.types import Batch
from baro.models import attention, heads, padded, trunk
from baro.models.logits import head_of, picked, ranks, ranks_of
from baro.models.support import support


def token_log_probs(model, batch: Batch, *, temperature: float = 1.0) -> Tensor:
    """Log-probability of every learnt token given what precedes it in its sequence.

    Args:
        model: a causal language model, run in the mode (train or eval) it is in.
        batch: on the model's device.
        temperature: logits are divided by it; 1.0 is the model itself.

    Returns:
        (N,) nats in the order of the row, float32 (float64 from float64 models), differentiable.
    """
    return _log_probs(model, batch, temperature, entropy=False)[0]


def log_probs_and_entropy(model, batch: Batch, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """As `token_log_probs`, with the entropy of each distribution: (N,) and (N,) nats; no gradient on the entropy."""
    return _log_probs(model, batch, temperature, entropy=True)


@torch.no_grad()
def token_ranks(model, batch: Batch) -> Tensor:
    """(N,) int64: the place of every learnt token among the model's predictions for it, 1 for its first choice."""
    states = _states(batch)
    targets = batch.tokens[states + 1]
    if support(model).plain_head:
        return ranks(hidden(model, batch)[states], head_of(model), targets)
    return ranks_of(padded.logits(model, batch)[states], targets)


def sequence_log_probs(model, batch: Batch, *, temperature: float = 1.0) -> Tensor:
    """(S,) nats: the sum over the learnt tokens of each sequence; 0 where a sequence has none."""
    return sums(token_log_probs(model, batch, temperature=temperature), batch)


def values(model, batch: Batch) -> Tensor:
    """(N,) head output in the state in which each learnt token was chosen: one position before it; float32.

    On the scale of the scores: a value model that began as a reward model keeps that model's normalisation.
    """
    gain, bias = heads.normalisation(model)
    return gain * _apply_head(model, hidden(model, batch, _states(batch))) + bias


def scores(model, batch: Batch, *, normalised: bool = True) -> Tensor:
    """(S,) head output at the last token of every sequence, float32.

    Args:
        normalised: with the gain and bias stored in the model's configuration (see `heads`); False: the bare output,
            equal to the logits of transformers' sequence classification.
    """
    last = torch.tensor(batch.lengths, device=batch.tokens.device).cumsum(0) - 1
    bare = _apply_head(model, hidden(model, batch, last))
    if not normalised:
        return bare
    gain, bias = heads.normalisation(model)
    return gain * bare + bias


def split(per_token: Tensor, batch: Batch) -> list[Tensor]:
    """S tensors: the entries of an (N,) tensor that belong to each sequence."""
    return list(per_token.split(batch.learnt_per_sequence().tolist()))


def sums(per_token: Tensor, batch: Batch) -> Tensor:
    """(S,) sums of an (N,) tensor over the learnt tokens of each sequence."""
    owner = torch.arange(len(batch.lengths), device=per_token.device).repeat_interleave(
        torch.tensor(batch.lengths, device=per_token.device)
    )[batch.learn]
    return per_token.new_zeros(len(batch.lengths)).index_add(0, owner, per_token)


def hidden(model, batch: Batch, at: Tensor | None = None) -> Tensor:
    """Last hidden states of the packed row: (T, D), or (n, D) at the n positions `at`.

    What sequences share is computed once, and stands for all of them.
    """
    if not support(model).packed:
        states = padded.hidden(model, batch)
        return states if at is None else states.index_select(0, at)
    plan = attention.packed(batch.lengths, batch.tokens.device, batch.shared)
    tokens, positions = batch.tokens, batch.positions
    if plan.kept is not None and plan.home is not None:
        tokens, positions = tokens[plan.kept], positions[plan.kept]
        at = plan.home if at is None else plan.home[at]
    return trunk.run(model, tokens, positions, plan, at)


def _states(batch: Batch) -> Tensor:
    """(N,) the position before each learnt token. THE shift."""
    return batch.learn.nonzero().squeeze(1) - 1


def _log_probs(model, batch: Batch, temperature: float, *, entropy: bool):
    states = _states(batch)
    targets = batch.tokens[states + 1]
    if support(model).plain_head:
        return picked(
            hidden(model, batch, states),
            head_of(model),
            targets,
            temperature=temperature,
            entropy=entropy,
        )
    logs = torch.log_softmax(padded.logits(model, batch)[states] / temperature, -1)
    entropies = -(logs.exp() * logs).sum(1).detach() if entropy else None
    return logs.gather(1, targets[:, None]).squeeze(1), entropies


def _apply_head(model, states: Tensor) -> Tensor:
    layer = heads.score_layer(model)
    output = layer(states.to(next(layer.parameters()).dtype)).squeeze(-1)
    if output.dim() != 1:
        raise BaroError(
            f"the head gives {output.shape[-1]} numbers a sequence; a reward or value model gives one.",
            hint="Load it with num_labels=1.",
        )
    return output.to(torch.promote_types(output.dtype, torch.float32))
