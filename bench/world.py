"""The model and the data of a comparison, drawn from a seed and written to a folder that every side reads.

Words are "w2" … "w8191", one token each, so that text and tokens are the same thing for every tokenizer call. Prompts
have 20 to 200 tokens, answers a log-normal length (median 60, at most 400) and then the end token. In the model the end
token has a probability of about 1/80 after anything, so that sampled answers have lengths of their own.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

VOCABULARY = 8192
PAD, END = 0, 1
SHAPES = {
    "2m": (128, 4, 4, 2, 352),
    "7m": (256, 6, 8, 4, 704),
    "20m": (384, 9, 12, 6, 1056),
    "60m": (640, 11, 10, 5, 1760),
}
"""width, layers, heads, key heads, width of the MLP."""


def tokens_to_text(tokens: list[int]) -> str:
    """The words of some tokens."""
    return " ".join(f"w{token}" for token in tokens)


def rows(count: int, *, seed: int, answers: int = 1) -> list[dict[str, Any]]:
    """`count` prompts with `answers` different answers each, as tokens."""
    draws = random.Random(seed)

    def words(size: int) -> list[int]:
        return [draws.randrange(2, VOCABULARY) for _ in range(size)]

    def answer() -> list[int]:
        return [*words(max(1, min(400, round(60 * draws.lognormvariate(0, 0.7))))), END]

    return [
        {"prompt": words(draws.randint(20, 200)), "answers": [answer() for _ in range(answers)]} for _ in range(count)
    ]


def even(count: int, length: int) -> list[dict[str, Any]]:
    """`count` rows of `length` tokens each, a quarter of them the prompt's."""
    draws = random.Random(length)

    def words(size: int) -> list[int]:
        return [draws.randrange(2, VOCABULARY) for _ in range(size)]

    return [{"prompt": words(length // 4), "answers": [[*words(length - length // 4 - 1), END]]} for _ in range(count)]


def build(size: str, folder: Path, *, context: int) -> None:
    """Write the tokenizer, the language model and a reward model with the same trunk, unless they are there."""
    if (folder / "reward" / "config.json").is_file():
        return
    import torch
    from transformers import AutoModelForSequenceClassification, LlamaConfig, LlamaForCausalLM

    width, layers, heads, key_heads, mlp = SHAPES[size]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=width, intermediate_size=mlp, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=key_heads, max_position_embeddings=context,
        tie_word_embeddings=True, pad_token_id=PAD, eos_token_id=END, bos_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    _let_answers_end(model)
    tokenizer = _tokenizer()
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    config.num_labels = 1
    reward = AutoModelForSequenceClassification.from_config(config)
    reward.base_model.load_state_dict(model.base_model.state_dict())
    torch.nn.init.normal_(reward.score.weight, std=(width + 1) ** -0.5)
    reward.save_pretrained(folder / "reward")
    tokenizer.save_pretrained(folder / "reward")


def _tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": PAD, "<end>": END} | {f"w{token}": token for token in range(2, VOCABULARY)}
    plain = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="<end>", padding_side="left")


def _let_answers_end(model, share: float = 1 / 80) -> None:
    """Give every state one direction in common, and the end token's row so much of it that it is drawn this often."""
    import torch

    table = model.get_input_embeddings().weight
    with torch.no_grad():
        common = torch.randn(table.shape[1])
        common /= common.norm()
        table += common * table.norm(dim=1).mean()
        states = model.base_model(torch.randint(2, VOCABULARY, (4, 64))).last_hidden_state.flatten(0, 1)
        logits = states @ table.T
        plain = table[END].clone()
        low, high = 0.0, 10.0
        for _ in range(40):
            middle = (low + high) / 2
            logits[:, END] = states @ (plain + middle * common)
            low, high = (low, middle) if logits.softmax(1)[:, END].mean() > share else (middle, high)
        table[END] = plain + low * common


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a data file."""
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def write(folder: Path, name: str, data: list[dict[str, Any]]) -> None:
    """A data file: one JSON object a line."""
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in data), encoding="utf-8")
