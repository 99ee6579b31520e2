"""Log-probabilities of given tokens, from hidden states, without ever holding more logits than needed.

    log π(x_t | x_<t) = z_t[x_t] / τ - logsumexp(z_t / τ),   z_t = softcap(scale · (W h_t + b))

Softcap is c · tanh(z / c) (Gemma 2); scale is Cohere's `logit_scale` or 1 / Granite's `logits_scaling`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 1 << 22
"""Logits made at a time: 16 MiB in float32."""

LEAST = 512
"""Rows made at a time, however large the vocabulary: with fewer, adding to the weight's gradient costs most."""

KEEP = 1 << 25
"""Up to so many logits (128 MiB in float32) are kept for the backward pass; beyond, they are computed again."""


@dataclass(frozen=True, eq=False)
class Head:
    """How a model turns hidden states into logits: weight (V, D), bias (V,) or None, then scale and softcap."""

    weight: Tensor
    bias: Tensor | None
    scale: float
    softcap: float | None

    def logits(self, hidden: Tensor) -> Tensor:
        """(N, D) hidden states → (N, V) logits, float32 or wider."""
        return self.shape(torch.nn.functional.linear(hidden, self.weight, self.bias))

    def shape(self, logits: Tensor) -> Tensor:
        """Scale and softcap, in float32 or wider."""
        logits = widened(logits)
        if self.scale != 1.0:
            logits = logits * self.scale
        return logits if self.softcap is None else torch.tanh(logits / self.softcap) * self.softcap


def widened(tensor: Tensor) -> Tensor:
    """float32 of a half-precision tensor; float32 and float64 as they are."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


def head_of(model) -> Head:
    """The head of a causal language model, read from its output embeddings and configuration."""
    layer, config = model.get_output_embeddings(), model.config.get_text_config()
    divisor = getattr(config, "logits_scaling", None) or 1.0
    scale = (getattr(config, "logit_scale", None) or 1.0) / divisor
    return Head(layer.weight, getattr(layer, "bias", None), scale, getattr(config, "final_logit_softcapping", None))


def picked(hidden: Tensor, head: Head, targets: Tensor, *, temperature: float, entropy: bool = False):
    """Log-probability of `targets[n]` after `hidden[n]`, and the entropy of the distribution it was picked from.

    Args:
        hidden: (N, D). targets: (N,) int64. temperature: the logits are divided by it.
        entropy: also return the entropies.

    Returns:
        (N,) log-probabilities in nats, float32 or wider, differentiable; (N,) entropies in nats without gradient, or
        None.
    """
    return _Picked.apply(hidden, head.weight, head.bias, targets, head, temperature, entropy)


@torch.no_grad()
def ranks(hidden: Tensor, head: Head, targets: Tensor) -> Tensor:
    """(N,) int64: the place of `targets[n]` among all tokens after `hidden[n]`, 1 for the likeliest; ties share it."""
    step = max(LEAST, CHUNK // head.weight.shape[0])
    found = [
        ranks_of(head.logits(hidden[start : start + step]), targets[start : start + step])
        for start in range(0, len(hidden), step)
    ]
    return torch.cat(found) if found else targets.new_zeros(0)


def ranks_of(logits: Tensor, targets: Tensor) -> Tensor:
    """(N,) int64 ranks of `targets` (N,) in (N, V) logits: 1 + how many are larger."""
    return 1 + (logits > logits.gather(1, targets[:, None])).sum(1)


class _Picked(torch.autograd.Function):
    """d log π(x) / dz = onehot(x) - π, times the chain through temperature, softcap and scale."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, targets, head: Head, temperature: float, entropy: bool):
        total, vocabulary = len(hidden), weight.shape[0]
        step = max(LEAST, CHUNK // vocabulary)
        dtype = widened(hidden[:0]).dtype
        chosen = torch.empty(total, dtype=dtype, device=hidden.device)
        entropies = torch.empty_like(chosen) if entropy else None
        training = any(ctx.needs_input_grad[:3])
        keep = training and total * vocabulary <= KEEP and head.softcap is None
        kept = torch.empty(total, vocabulary, dtype=dtype, device=hidden.device) if keep else None
        for start in range(0, total, step):
            rows = slice(start, start + step)
            logs = _logs(hidden[rows], head, temperature, None if kept is None else kept[rows])
            chosen[rows] = logs.gather(1, targets[rows, None]).squeeze(1)
            if entropies is not None:
                entropies[rows] = -(logs.exp() * logs).nan_to_num_(nan=0.0).sum(1)
        if training:
            ctx.save_for_backward(hidden, weight, bias, targets)
            ctx.head, ctx.temperature, ctx.kept, ctx.step = head, temperature, kept, step
        if entropies is not None:
            ctx.mark_non_differentiable(entropies)
        return chosen, entropies

    @staticmethod
    def backward(ctx, gradient: Tensor, _):
        hidden, weight, bias, targets = ctx.saved_tensors
        to_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        to_weight = _zeros(weight) if ctx.needs_input_grad[1] else None
        to_bias = _zeros(bias) if bias is not None and ctx.needs_input_grad[2] else None
        for start in range(0, len(hidden), ctx.step):
            rows = slice(start, start + ctx.step)
            slope = _slope(ctx, hidden[rows], targets[rows], gradient[rows], rows)
            if to_bias is not None:
                to_bias += slope.sum(0)
            slope = slope.to(hidden.dtype)
            if to_hidden is not None:
                torch.mm(slope, weight, out=to_hidden[rows])
            if to_weight is None:
                continue
            if to_weight.dtype == slope.dtype:
                to_weight.addmm_(slope.T, hidden[rows])
            else:
                to_weight += slope.T @ hidden[rows]
        ctx.kept = None
        to_weight, to_bias = (None if total is None else total.to(weight.dtype) for total in (to_weight, to_bias))
        return to_hidden, to_weight, to_bias, None, None, None, None


def _zeros(parameter: Tensor) -> Tensor:
    """Where the gradient of `parameter` is summed over chunks: in float32 or wider."""
    return widened(torch.zeros((), dtype=parameter.dtype)).new_zeros(parameter.shape, device=parameter.device)


def _logs(hidden: Tensor, head: Head, temperature: float, out: Tensor | None = None) -> Tensor:
    """(n, V) log-softmax of the logits over `temperature`."""
    logits = head.logits(hidden)
    if temperature != 1.0:
        logits = logits / temperature
    return torch.log_softmax(logits, 1) if out is None else torch.log_softmax(logits, 1, out=out)


def _slope(ctx, hidden: Tensor, targets: Tensor, gradient: Tensor, rows: slice) -> Tensor:
    """(n, V) gradient with respect to W h + b. Kept log-probabilities are overwritten: they serve once."""
    factor = gradient / ctx.temperature * ctx.head.scale
    if ctx.kept is not None:
        slope, chain = ctx.kept[rows].exp_(), None
    else:
        logits = ctx.head.logits(hidden)
        chain = None if ctx.head.softcap is None else 1 - (logits / ctx.head.softcap).square()
        slope = torch.softmax(logits / ctx.temperature if ctx.temperature != 1.0 else logits, 1)
    slope.mul_(-factor[:, None])
    slope.scatter_add_(1, targets[:, None], factor[:, None])
    return slope if chain is None else slope.mul_(chain)
