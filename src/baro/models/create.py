"""A language model from scratch: one dial sets its shape, its learning rate and its batch.

Architecture: Llama (rotary positions, RMSNorm, gated MLP, no biases, tied embeddings), because every tool loads it.
Rules:

- depth n, width 32 n. Loss depends little on the ratio of width to depth over a wide range (Kaplan et al. 2020,
  arXiv:2001.08361, figure 5), so one number can set both; small models want to be deeper than nanochat's 64 n.
- heads of 32 up to width 256, of 64 above; as many key heads as query heads, since caches are small at these sizes.
- MLP 8/3 of the width, to the nearest multiple of 32: three matrices then cost what two of 4 x the width do
  (Shazeer 2020, arXiv:2002.05202, section 3).
- tied embeddings: at these sizes a second table of tokens would be a quarter of the parameters.
- matrices start from N(0, 2/(5 D)) (Nguyen & Salazar 2019, arXiv:1910.05895), those that write into the residual
  stream divided by √(2 n) (Radford et al. 2019, section 2.3), embeddings from N(0, 0.02²): the first loss is ln V.
- learning rate 0.3118 C^-0.125 and batch 0.2920 C^0.3271 tokens (DeepSeek LLM 2024, arXiv:2401.02954, equation 1) at
  the compute C = 6 N D of D = 20 N tokens (Hoffmann et al. 2022), which makes the rate fall as N^-0.25. The rate is
  held at 4e-3 below 3.4 M parameters: the rule was fitted on larger models, and Adam's first steps are rough there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from baro.core.errors import BaroError
from baro.models.load import as_dtype, pick_device
from baro.models.support import support

DEPTHS = {"nano": 4, "micro": 6, "tiny": 8, "small": 12, "medium": 20}
"""About 1, 3, 7, 25 and 120 million parameters."""


@dataclass(frozen=True)
class Shape:
    """layers, width D, heads, mlp width, and the parameters this makes with the vocabulary it was asked for."""

    layers: int
    width: int
    heads: int
    mlp: int
    parameters: int


def shape(size: str | int, vocab_size: int) -> Shape:
    """The shape a size names.

    Args:
        size: nano, micro, tiny, small, medium, or a number of parameters (embeddings included), which gives the depth
            whose model comes closest in ratio. vocab_size: tokens.
    """
    name = str(size).strip().lower()
    if name in DEPTHS:
        return _of_depth(DEPTHS[name], vocab_size)
    digits = name.replace("_", "").replace(",", "")
    if not digits.isdigit() or int(digits) == 0:
        raise BaroError(f"size is {size!r}; it can be {', '.join(DEPTHS)} or a number of parameters.", where="size")
    wanted = int(digits)
    depths = [1, *range(2, 8), *range(8, 82, 2)]  # even where heads are 64 wide, so that they divide the width
    shapes = [_of_depth(depth, vocab_size) for depth in depths]
    return min(shapes, key=lambda found: max(found.parameters / wanted, wanted / found.parameters))


def _of_depth(layers: int, vocab_size: int) -> Shape:
    width = 32 * layers
    mlp = 32 * round(8 / 3 * width / 32)
    a_layer = 4 * width * width + 3 * width * mlp + 2 * width
    heads = width // (32 if width <= 256 else 64)
    return Shape(layers, width, heads, mlp, layers * a_layer + width + vocab_size * width)


def learning_rate(model) -> float:
    """Peak learning rate of pre-training with AdamW (betas 0.9 and 0.95) for the model's size."""
    return min(4e-3, 0.3118 * _compute(model) ** -0.125)


def batch_tokens(model) -> int:
    """Tokens in one update of pre-training for the model's size, to the nearest 1024."""
    return max(1024, 1024 * round(0.2920 * _compute(model) ** 0.3271 / 1024))


def _compute(model) -> float:
    """Floating-point operations of training on 20 tokens a parameter; embeddings not counted, as in the source."""
    parameters = (
        sum(parameter.numel() for parameter in model.parameters()) - model.get_input_embeddings().weight.numel()
    )
    return 6.0 * parameters * 20.0 * parameters


def language_model(
    size: str | int, tokenizer, *, max_length: int, seed: int, dtype: str = "auto", device: str = "auto"
):
    """A fresh model for a tokenizer.

    Args:
        size: see `shape`. max_length: tokens of context. seed: the weights are a function of it and the shape alone.
        dtype, device: as in `load.language_model`.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    place = pick_device() if device == "auto" else torch.device(device)
    found = shape(size, len(tokenizer))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=found.width,
        intermediate_size=found.mlp,
        num_hidden_layers=found.layers,
        num_attention_heads=found.heads,
        num_key_value_heads=found.heads,
        max_position_embeddings=max_length,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model: Any = LlamaForCausalLM(config)
    initialise(model, seed=seed)
    model.to(device=place, dtype=as_dtype(dtype, place))
    support(model)
    return model


def initialise(model, *, seed: int) -> None:
    """Draw the weights of a Llama model anew by the rules above: float32, on the CPU, in the order of their names."""
    generator = torch.Generator().manual_seed(seed)
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    table = model.get_input_embeddings().weight
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.dim() == 1:
                parameter.fill_(1.0)  # gains of the normalisations; there are no biases
                continue
            spread = 0.02 if parameter is table else (2 / (5 * width)) ** 0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                spread /= (2 * layers) ** 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
