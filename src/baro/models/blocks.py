"""Decoder layers in cache-sized blocks of tokens, forward and backward, on a CPU.

Most causal models share one layer: norm, attention with rotary positions, norm, gated MLP. Written as modules it goes
over memory once for every small operation. Here each half of a layer takes a block of tokens through all its
operations while they lie in the processor's cache, and its backward pass does the same with what little was kept: the
input, the attention's output and the two projections of the MLP. In the last layer everything after attention is done
only for the tokens whose states are asked about.

Which models these are is found by trying (see `support`); all others run as transformers runs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from baro.models.attention import Plan, Rule

BLOCK = 1 << 21
"""Bytes of a projection of the MLP that a block of tokens has, for each thread: about a second-level cache."""

LEAST = 64
"""Tokens of a block at least: with fewer, the products get slow."""


class Norm(NamedTuple):
    """x / rms(x) · weight (Zhang & Sennrich 2019); rms² is the mean square plus eps."""

    weight: Tensor
    eps: float


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer's modules, named as transformers names them, and the rule by which it attends."""

    attention: Any
    mlp: Any
    before: nn.Module
    between: nn.Module
    rule: Rule

    @property
    def size(self) -> int:
        """Numbers of a head."""
        return self.attention.head_dim

    def entering(self) -> tuple[Tensor | None, ...]:
        """Weights until attention: norm; query, key, value; their biases; norms of the query and key heads."""
        own = self.attention
        parts = (own.q_proj, own.k_proj, own.v_proj)
        norms = (getattr(own, name, None) for name in ("q_norm", "k_norm"))
        weights = (norm if norm is None else norm.weight for norm in norms)
        return self.before.weight, *(part.weight for part in parts), *(part.bias for part in parts), *weights  # type: ignore[return-value]

    def leaving(self) -> tuple[Tensor, ...]:
        """Weights after attention: its output's, norm, gate, up, down."""
        mlp = self.mlp
        down, gate, up = mlp.down_proj.weight, mlp.gate_proj.weight, mlp.up_proj.weight
        return self.attention.o_proj.weight, self.between.weight, gate, up, down  # type: ignore[return-value]


def known(base, rules: Items[Rule]) -> bool:
    """Whether a trunk has the parts known here and no others; whether they compute the same is for others to try."""
    if _children(base) != {"embed_tokens", "layers", "norm", "rotary_emb"} or len(rules) != len(base.layers):
        return False
    dropped: float = getattr(base.config, "attention_dropout", None) or 0.0
    if dropped or any(rule.softcap is not None for rule in rules):
        return False
    return all(_known(layer) for layer in base.layers)


def _children(module: nn.Module) -> set[str]:
    return {name for name, _ in module.named_children()}


def _known(layer) -> bool:
    """Whether a layer has the known parts and no others: plain linear layers, norms with a weight, a SiLU gate."""
    if _children(layer) != {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}:
        return False
    own, mlp = layer.self_attn, layer.mlp
    projections = {"q_proj", "k_proj", "v_proj", "o_proj"}
    if _children(own) - {"q_norm", "k_norm"} != projections or len(_children(own)) == 5:
        return False
    if _children(mlp) != {"gate_proj", "up_proj", "down_proj", "act_fn"}:
        return False
    linear = [getattr(own, name) for name in sorted(projections)] + [mlp.gate_proj, mlp.up_proj, mlp.down_proj]
    norms = [layer.input_layernorm, layer.post_attention_layernorm]
    norms += [getattr(own, name) for name in _children(own) - projections]
    plain = all(type(part) is nn.Linear for part in linear)
    biased = plain and any(part.bias is not None for part in (own.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj))
    scaled = all([name for name, _ in norm.named_parameters()] == ["weight"] and eps_of(norm) for norm in norms)
    gated = isinstance(mlp.act_fn, nn.SiLU) or type(mlp.act_fn).__name__ == "SiLUActivation"
    return plain and not biased and scaled and gated


def eps_of(norm) -> float:
    """The eps of a norm, by either of its names; 0 where it has none."""
    return getattr(norm, "variance_epsilon", None) or getattr(norm, "eps", None) or 0.0


def run(base, rules: Items[Rule], tokens: Tensor, positions: Tensor, plan: Plan, at: Tensor | None = None) -> Tensor:
    """As `attention.run`: last hidden states (T, D), or (n, D) of the tokens `at`, (n,) int64, which may repeat."""
    states = base.embed_tokens(tokens)
    cos, sin = (part[0, :, None] for part in base.rotary_emb(states[None], positions[None]))
    keep = torch.is_grad_enabled()
    for index, (module, rule) in enumerate(zip(base.layers, rules, strict=True)):
        layer = Layer(module.self_attn, module.mlp, module.input_layernorm, module.post_attention_layernorm, rule)
        heads = _Enter.apply(states, cos, sin, layer, *layer.entering())
        query, key, value = (part.transpose(0, 1).unsqueeze(0) for part in heads)
        attended = plan.attend(index, query, key, value, layer.rule).reshape(len(states), -1)
        asked = at if index == len(rules) - 1 else None
        states = _Leave.apply(states, attended, asked, layer, keep, *layer.leaving())
    return base.norm(states)


def _blocks(tokens: int, weight: Tensor) -> Iterator[slice]:
    """Slices of so many tokens that (tokens, weight's rows) is `BLOCK` bytes for each thread."""
    step = max(LEAST, BLOCK * torch.get_num_threads() // (weight.shape[0] * weight.itemsize) // LEAST * LEAST)
    return (slice(start, min(start + step, tokens)) for start in range(0, tokens, step))


def normed(rows: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """(n, D) rows → their norm, and 1 / rms, (n, 1)."""
    inverse = torch.linalg.vector_norm(rows, dim=1, keepdim=True).square_().div_(rows.shape[1]).add_(norm.eps).rsqrt_()
    return (rows * inverse).mul_(norm.weight), inverse


def norm_slope(rows: Tensor, inverse: Tensor, norm: Norm, slope: Tensor, to_weight: Tensor | None) -> Tensor:
    """The slope of `normed` with respect to its rows; that with respect to its weight is added to `to_weight`.

    With u = x / rms: dx = (g w - u · mean(g w u)) / rms and dw = Σ g u. `slope` is overwritten.
    """
    unit = rows * inverse
    product = slope * unit
    if to_weight is not None:
        to_weight += product.sum(0)
    share = torch.mv(product, norm.weight).div_(-rows.shape[1])
    return slope.mul_(norm.weight).addcmul_(unit, share[:, None]).mul_(inverse)


def rotated(heads: Tensor, cos: Tensor, sin: Tensor, *, back: bool = False) -> Tensor:
    """Rotary positions (Su et al. 2021), halves as pairs: (n, H, Dh) with (n, 1, Dh) cosines and sines; or undone."""
    half, sign = heads.shape[-1] // 2, -1.0 if back else 1.0
    done = heads * cos
    left, right = sin[..., :half], sin[..., half:]
    if back:
        left, right = right, left
    done[..., :half].addcmul_(heads[..., half:], left, value=-sign)
    done[..., half:].addcmul_(heads[..., :half], right, value=sign)
    return done


class _Enter(torch.autograd.Function):
    """(T, D) hidden states → (T, H, Dh) queries and (T, Hkv, Dh) keys and values."""

    @staticmethod
    def forward(ctx, hidden, cos, sin, layer: Layer, norm, *weights):
        products, biases, inner = weights[:3], weights[3:6], weights[6:]
        made = [hidden.new_empty(len(hidden), len(weight) // layer.size, layer.size) for weight in products]
        raw = [None if weight is None else torch.empty_like(made[part]) for part, weight in enumerate(inner)]
        before = Norm(norm, eps_of(layer.before))
        for rows in _blocks(len(hidden), layer.mlp.gate_proj.weight):
            states, _ = normed(hidden[rows], before)
            for part, (weight, bias) in enumerate(zip(products, biases, strict=True)):
                flat = torch.mm(states, weight.t()) if bias is None else torch.addmm(bias, states, weight.t())
                heads = flat.view(len(states), -1, layer.size)
                kept = raw[part] if part < 2 else None
                if kept is not None:
                    kept[rows] = heads
                    heads, _ = normed(heads.flatten(0, 1), _inner(layer, part, inner))
                    heads = heads.view(len(states), -1, layer.size)
                made[part][rows] = rotated(heads, cos[rows], sin[rows]) if part < 2 else heads
        ctx.save_for_backward(hidden, cos, sin, norm, *weights, *raw)
        ctx.layer = layer
        return tuple(made)

    @staticmethod
    def backward(ctx, *slopes):
        hidden, cos, sin, norm, *weights = ctx.saved_tensors
        products, inner, raw = weights[:3], weights[6:8], weights[8:]
        layer, needs = ctx.layer, ctx.needs_input_grad
        sums = [_zeros(weight, need) for weight, need in zip((norm, *weights[:8]), needs[4:], strict=True)]
        to_norm, to_products, to_biases, to_inner = sums[0], sums[1:4], sums[4:7], sums[7:]
        before, to_hidden = Norm(norm, eps_of(layer.before)), torch.empty_like(hidden)
        for rows in _blocks(len(hidden), layer.mlp.gate_proj.weight):
            states, inverse = normed(hidden[rows], before)
            total = torch.zeros_like(states)
            for part, weight in enumerate(products):
                slope = slopes[part][rows]
                if part < 2:
                    slope = rotated(slope, cos[rows], sin[rows], back=True)
                    if raw[part] is not None:
                        own, own_norm = raw[part][rows].flatten(0, 1), _inner(layer, part, inner)
                        _, own_inverse = normed(own, own_norm)
                        slope = norm_slope(own, own_inverse, own_norm, slope.flatten(0, 1), to_inner[part])
                slope = slope.reshape(len(states), -1)
                _add_product(to_products[part], slope, states)
                if to_biases[part] is not None:
                    to_biases[part] += slope.sum(0)
                total.addmm_(slope, weight)
            to_hidden[rows] = norm_slope(hidden[rows], inverse, before, total, to_norm)
        return to_hidden, None, None, None, *sums


def _inner(layer: Layer, part: int, weights) -> Norm:
    """The norm of the query heads (part 0) or key heads (1)."""
    return Norm(weights[part], eps_of((layer.attention.q_norm, layer.attention.k_norm)[part]))


class _Leave(torch.autograd.Function):
    """(T, D) hidden states and (T, H · Dh) of attention → (T, D) after the layer, or (n, D) of the tokens `at`."""

    @staticmethod
    def forward(ctx, hidden, attended, at, layer: Layer, keep: bool, out, norm, gate, up, down):
        tokens = len(hidden)
        if at is not None:
            hidden, attended = hidden.index_select(0, at), attended.index_select(0, at)
        middle, done = torch.empty_like(hidden), torch.empty_like(hidden)
        shape = (len(hidden), len(gate))
        gated, lifted = (hidden.new_empty(shape), hidden.new_empty(shape)) if keep else (None, None)
        between = Norm(norm, eps_of(layer.between))
        for rows in _blocks(len(hidden), gate):
            reached = torch.addmm(hidden[rows], attended[rows], out.t(), out=middle[rows])
            states, _ = normed(reached, between)
            left = torch.mm(states, gate.t(), out=None if gated is None else gated[rows])
            right = torch.mm(states, up.t(), out=None if lifted is None else lifted[rows])
            torch.addmm(reached, silu(left).mul_(right), down.t(), out=done[rows])
        if keep:
            ctx.save_for_backward(attended, at, middle, gated, lifted, out, norm, gate, up, down)
            ctx.between, ctx.tokens = between.eps, tokens
        return done

    @staticmethod
    def backward(ctx, slope):
        attended, at, middle, gated, lifted, out, norm, gate, up, down = ctx.saved_tensors
        weights = (out, norm, gate, up, down)
        sums = [_zeros(weight, need) for weight, need in zip(weights, ctx.needs_input_grad[5:], strict=True)]
        to_out, to_norm, to_gate, to_up, to_down = sums
        between = Norm(norm, ctx.between)
        to_hidden, to_attended = torch.empty_like(middle), torch.empty_like(attended)
        for rows in _blocks(len(middle), gate):
            left, right, above = gated[rows], lifted[rows], slope[rows]
            passed = silu(left)
            _add_product(to_down, above, passed * right)
            inside = torch.mm(above, down)
            to_right = passed.mul_(inside)
            to_left = torch.ops.aten.silu_backward(inside.mul_(right), left)
            states, inverse = normed(middle[rows], between)
            _add_product(to_gate, to_left, states)
            _add_product(to_up, to_right, states)
            total = torch.mm(to_left, gate).addmm_(to_right, up)
            reached = norm_slope(middle[rows], inverse, between, total, to_norm).add_(above)
            to_hidden[rows] = reached
            _add_product(to_out, reached, attended[rows])
            torch.mm(reached, out, out=to_attended[rows])
        if at is not None:
            to_hidden, to_attended = (
                part.new_zeros(ctx.tokens, part.shape[1]).index_add_(0, at, part) for part in (to_hidden, to_attended)
            )
        return to_hidden, to_attended, None, None, None, *sums


def _zeros(weight: Tensor | None, needed: bool) -> Tensor | None:
    return torch.zeros_like(weight) if weight is not None and needed else None


def _add_product(total: Tensor | None, slope: Tensor, rows: Tensor) -> None:
    """Add a block's slope with respect to a weight, (out, in), unless it is frozen."""
    if total is not None:
        total.addmm_(slope.t(), rows)
