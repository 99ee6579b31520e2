"""Pre-training by next-token prediction, from scratch or continuing a model.

    L = -Σ_t log π(x_t | x_<t)     over every token of every document, its end token included

Documents lie end to end in a row and never see each other. From scratch, one dial (`size`) sets the shape, the
learning rate and the batch by the rules stated in `baro.models.create`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from baro.core.types import Batch, Loss, Mean
from baro.data import tokenizer as tokenizers
from baro.data.packing import documents_to_blocks
from baro.data.read import read_texts
from baro.data.templates import render_texts
from baro.engine.config import ExistingPath
from baro.evals.likelihood import likelihood
from baro.models import create
from baro.models.forward import token_log_probs
from baro.models.load import language_model, load_tokenizer
from baro.models.recompute import recompute_layers
from baro.objectives.lm import next_token
from baro.recipes import stage
from baro.recipes.settings import DataPath, Method, ModelPath


class Config(Method):
    """Settings of `baro pretrain`."""

    model_name_or_path: ModelPath | None = None
    """Continue this model; default: from scratch."""
    size: str | int = "nano"
    """From scratch: nano, micro, tiny, small, medium or a number of parameters."""
    tokenizer: str = "bpe"
    """From scratch: bpe, characters, or the path or hub name of a tokenizer."""
    vocab_size: int = 2048
    """Tokens of a tokenizer trained here."""
    dataset: list[DataPath]
    """Text files."""
    eval_dataset: list[ExistingPath] = []
    """Held-out text."""
    max_length: int = 256
    """Tokens of context; longer documents are cut into pieces."""
    learning_rate: float = 0.0
    """0: by size (from scratch), 1e-4 (continuing)."""
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "cosine"
    warmup_ratio: float = 0.02
    min_lr_ratio: float = 0.1
    weight_decay: float = 0.1
    adam_beta2: float = 0.95
    per_device_train_batch_size: int = 64
    """Documents (or pieces) in a micro-batch."""
    num_train_epochs: float = 1.0


def step(model, batch: Batch) -> Loss:
    """Next-token loss of one micro-batch, summed over its learnt tokens."""
    nats = next_token(token_log_probs(model, batch))
    return Loss(nats.sum(), {"nats_per_token": Mean(float(nats.detach().sum()), batch.count)})


def measure(model, tokenizer, texts: list, config: Config) -> dict[str, float]:
    """nats/token, nats/char and bits/byte of held-out texts."""
    if not texts:
        return {}
    sequences = documents_to_blocks(render_texts(tokenizer, texts), config.max_length)
    was_training = model.training
    found = likelihood(model.eval(), sequences, [text.text for text in texts], tokenizer.all_special_ids)
    model.train(was_training)
    return {
        "nats_per_token": found.nats_per_token,
        "nats_per_char": found.nats_per_char,
        "bits_per_byte": found.bits_per_byte,
    }


def begin(config: Config, texts: Collection):
    """The model and tokenizer to start from, and the learning rate."""
    if config.model_name_or_path:
        model = language_model(config.model_name_or_path, **config.trained)
        return model, load_tokenizer(config.model_name_or_path), config.learning_rate or 1e-4
    trained = {"bpe": tokenizers.train_bpe, "characters": tokenizers.train_characters}
    if config.tokenizer in trained:
        tokenizer = trained[config.tokenizer]((text.text for text in texts), config.vocab_size)
    else:
        tokenizer = load_tokenizer(config.tokenizer)
    place = {"dtype": config.dtype, "device": config.device}
    model = create.language_model(config.size, tokenizer, max_length=config.max_length, seed=config.seed, **place)
    if config.gradient_checkpointing:
        recompute_layers(model)
    return model, tokenizer, config.learning_rate or create.learning_rate(model)


def main(config: Config, display=None) -> dict:
    """Train the model; returns the stage's result."""
    with stage.opened(config, display) as run:
        texts = stage.stream("texts", config, run)
        held_out = stage.held_out(read_texts, config)
        model, tokenizer, rate = begin(config, texts)
        blocks = stage.stored(
            config, texts, lambda some: documents_to_blocks(render_texts(tokenizer, some), config.max_length)
        )
        stage.check(blocks, config)
        stage.train(
            config,
            run,
            lambda batch: step(model, batch),
            stage.updates(config, blocks, stage.packed(config)),
            {"model": model.train()},
            rates={"model": rate},
            evaluate=lambda _: measure(model, tokenizer, held_out[:500], config),
        )
        figures = measure(model, tokenizer, held_out, config)
        return stage.finish(config, run, "pretrain", model, tokenizer, figures, tokens=stage.counted(run))
