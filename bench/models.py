"""Tokens per second of a training step and of sampling, on one thread, without any other stage around them.

    OMP_NUM_THREADS=1 python bench/models.py [nano|tiny]

Times are CPU seconds of this process, so that another busy process disturbs them less. `nano` is what the playground
trains: 1.07 M parameters, 64 sequences of about 35 tokens. `tiny` is a 6.5 M Llama
with 16 conversations of log-normal length.
"""

from __future__ import annotations

import random
import sys
import time

import torch

from baro.core.process import tune_process
from baro.core.types import Batch
from baro.models.forward import token_log_probs
from baro.models.sample import Sampling, sample


def build(size: str):
    """A random Llama: (width, layers, heads, key heads, MLP, vocabulary) of the size."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shapes = {"nano": (128, 4, 4, 4, 352, 2048), "tiny": (256, 6, 8, 4, 704, 8192)}
    width, layers, heads, key_heads, mlp, vocabulary = shapes[size]
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=key_heads,
        intermediate_size=mlp, vocab_size=vocabulary, max_position_embeddings=1024, tie_word_embeddings=True,
        pad_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def conversation(size: str, draws: random.Random) -> tuple[int, int]:
    """Tokens of a prompt and of its answer."""
    if size == "nano":
        return draws.randint(5, 20), draws.randint(10, 36)
    return draws.randint(20, 200), max(1, min(400, round(60 * draws.lognormvariate(0, 0.7))))


def batch(size: str, rows: int, vocabulary: int, draws: random.Random) -> Batch:
    """A packed micro-batch of `rows` conversations whose answers are learnt."""
    pairs = [conversation(size, draws) for _ in range(rows)]
    lengths = tuple(prompt + answer for prompt, answer in pairs)
    learn = torch.tensor([place >= prompt for prompt, answer in pairs for place in range(prompt + answer)])
    tokens = torch.tensor([draws.randrange(3, vocabulary) for _ in range(sum(lengths))])
    return Batch(tokens, torch.cat([torch.arange(length) for length in lengths]), lengths, learn, int(learn.sum()))


def train(model, batches: list[Batch]) -> float:
    """Tokens per CPU second of forward, backward, clipping and AdamW; median of three rounds."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    rates = []
    for _ in range(4):
        started = time.process_time()
        for micro in batches:
            (-token_log_probs(model, micro).sum() / micro.count).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
        rates.append(sum(len(micro.tokens) for micro in batches) / (time.process_time() - started))
    return sorted(rates[1:])[1]


def main(size: str) -> None:
    """Print the rates of one size."""
    tune_process(1)
    model, draws = build(size), random.Random(0)
    vocabulary = model.config.vocab_size
    parameters = sum(parameter.numel() for parameter in model.parameters())
    batches = [batch(size, 64 if size == "nano" else 16, vocabulary, draws) for _ in range(3)]
    print(f"{size}: {parameters:,} parameters; training {train(model, batches):,.0f} tokens/s")
    rows, limit = (256, 40) if size == "nano" else (64, 128)
    prompts = [[draws.randrange(3, vocabulary) for _ in range(conversation(size, draws)[0])] for _ in range(rows)]
    ends = tuple(range(3, 3 + vocabulary // (50 if size == "nano" else 100)))
    sampling = Sampling(max_new_tokens=limit, end_tokens=ends)
    for slots in (32, 64, None):
        for samples in (1, 4):
            started = time.process_time()
            answers = sample(model, prompts, sampling=sampling, samples=samples, slots=slots)
            tokens = sum(len(answer.tokens) for row in answers for answer in row)
            rate = tokens / (time.process_time() - started)
            print(f"  sampling, {slots or 'default'} slots, {samples} a prompt: {rate:,.0f} tokens/s")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "nano")
