"""Random tiny models of every architecture the project promises, in float64, and rows to feed them."""

from __future__ import annotations

import random

import pytest
import torch

from baro.core.types import Batch

VOCAB = 67
SMALL = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GROUPED = {**SMALL, "num_key_value_heads": 2}


def configurations() -> dict:
    """name → configuration; windows are short, so that they matter in rows of twenty tokens."""
    import transformers as t

    gemma = {**GROUPED, "head_dim": 8}
    return {
        "llama": t.LlamaConfig(**GROUPED, tie_word_embeddings=True),
        "llama-untied": t.LlamaConfig(**GROUPED, tie_word_embeddings=False),
        "qwen3": t.Qwen3Config(**GROUPED, head_dim=16, tie_word_embeddings=True),
        "gemma": t.GemmaConfig(**gemma),
        "gemma2": t.Gemma2Config(
            **gemma, sliding_window=5, query_pre_attn_scalar=11, attn_logit_softcapping=2.0, final_logit_softcapping=1.5
        ),
        "gemma3": t.Gemma3TextConfig(
            **gemma, sliding_window=5, layer_types=["sliding_attention", "full_attention"], query_pre_attn_scalar=11
        ),
        "gpt2": t.GPT2Config(
            vocab_size=VOCAB,
            n_embd=32,
            n_layer=2,
            n_head=4,
            n_positions=64,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        ),
        "gpt_neox": t.GPTNeoXConfig(**SMALL, rotary_pct=0.5, tie_word_embeddings=False),
        "mistral": t.MistralConfig(**GROUPED, sliding_window=5),
        "phi": t.PhiConfig(**GROUPED, partial_rotary_factor=0.5),
        "olmo": t.OlmoConfig(**GROUPED, clip_qkv=1.0),
        "olmo2": t.Olmo2Config(**GROUPED),
        "qwen2": t.Qwen2Config(**GROUPED),
        "granite": t.GraniteConfig(**GROUPED, logits_scaling=3.0, attention_multiplier=0.3, embedding_multiplier=2.0),
        "cohere": t.CohereConfig(**GROUPED, logit_scale=0.25),
    }


NAMES = (
    "llama", "llama-untied", "qwen3", "gemma", "gemma2", "gemma3", "gpt2", "gpt_neox", "mistral", "phi", "olmo",
    "olmo2", "qwen2", "granite", "cohere",
)  # fmt: skip


def build(name: str, kind: str = "AutoModelForCausalLM", *, seed: int = 0, **options):
    """A random float64 model in eval mode, with weights large enough that attention and position matter."""
    import transformers

    torch.manual_seed(seed)
    config = configurations()[name]
    for option, value in options.items():
        setattr(config, option, value)
    model = getattr(transformers, kind).from_config(config, attn_implementation="eager").double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.3 if parameter.dim() > 1 else 0.1
            parameter.add_(torch.randn_like(parameter) * scale)
    return model


@pytest.fixture(params=NAMES)
def architecture(request) -> str:
    return request.param


@pytest.fixture
def make():
    return build


def row(lengths, *, seed: int = 0, learn: float = 0.7) -> Batch:
    """A packed micro-batch of random sequences; each token after the first is learnt with probability `learn`."""
    draw = random.Random(seed)
    tokens = [draw.randrange(3, VOCAB) for length in lengths for _ in range(length)]
    learnt = [place > 0 and draw.random() < learn for length in lengths for place in range(length)]
    return Batch(
        tokens=torch.tensor(tokens),
        positions=torch.cat([torch.arange(length) for length in lengths]),
        lengths=tuple(lengths),
        learn=torch.tensor(learnt),
        count=sum(learnt),
    )


@pytest.fixture
def tokenizer():
    """A word for each of the models' ids."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<bos>": 1, "<end>": 2, **{f"w{i}": i for i in range(3, 67)}}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="<pad>")),
        pad_token="<pad>", bos_token="<bos>", eos_token="<end>",
    )  # fmt: skip


@pytest.fixture
def make_row():
    return row


@pytest.fixture
def exact(monkeypatch):
    """transformers' eager attention and norms compute in float32 even in float64 models; here they do not."""
    from transformers.models import llama, mistral, qwen2, qwen3

    def normed(norm, rows):
        return norm.weight * rows / (rows.square().mean(-1, keepdim=True) + norm.variance_epsilon).sqrt()

    for family, name in ((llama, "Llama"), (mistral, "Mistral"), (qwen2, "Qwen2"), (qwen3, "Qwen3")):
        module = getattr(family, f"modeling_{name.lower()}")
        monkeypatch.setattr(getattr(module, f"{name}RMSNorm"), "forward", normed)
    narrow = torch.nn.functional.softmax

    def softmax(scores, dim=None, dtype=None, **options):
        return narrow(scores, dim=dim, dtype=None if scores.dtype == torch.float64 else dtype, **options)

    monkeypatch.setattr(torch.nn.functional, "softmax", softmax)


def padded_log_probs(model, batch: Batch, *, temperature: float = 1.0, left: bool = False, extra: int = 0):
    """The learnt tokens' log-probabilities by the book: padded rows, transformers' forward, log-softmax, shift."""
    longest = max(batch.lengths) + extra
    tokens = torch.zeros(len(batch.lengths), longest, dtype=torch.int64)
    real, learn = torch.zeros_like(tokens, dtype=torch.bool), torch.zeros_like(tokens, dtype=torch.bool)
    pieces = zip(batch.tokens.split(list(batch.lengths)), batch.learn.split(list(batch.lengths)), strict=True)
    for index, (piece, learnt) in enumerate(pieces):
        where = slice(longest - len(piece), longest) if left else slice(0, len(piece))
        tokens[index, where], learn[index, where], real[index, where] = piece, learnt, True
    positions = (real.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=tokens, attention_mask=real.long(), position_ids=positions).logits
    logs = torch.log_softmax(logits[:, :-1] / temperature, -1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
    return logs[learn[:, 1:]]


@pytest.fixture
def by_the_book():
    return padded_log_probs


@pytest.fixture(scope="session")
def as_batch():
    """(prompts, answers) → the batch a trainer makes of them, every token of an answer learnt."""
    return _as_batch


def _as_batch(asked, answers) -> Batch:
    rows = [(prompt, answer.tokens) for prompt, row in zip(asked, answers, strict=True) for answer in row]
    lengths = tuple(len(prompt) + len(tokens) for prompt, tokens in rows)
    learn = torch.tensor(
        [place >= len(prompt) for prompt, tokens in rows for place in range(len(prompt) + len(tokens))]
    )
    return Batch(
        torch.tensor([token for prompt, tokens in rows for token in prompt + tokens]),
        torch.cat([torch.arange(length) for length in lengths]),
        lengths,
        learn,
        int(learn.sum()),
    )
