"""A toy world for the recipes: eight colours, questions about them, a model small enough to train in a blink."""

import importlib
import json
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

COLOURS = ["red", "blue", "green", "black", "white", "pink", "gold", "grey"]
THINGS = ["cat", "dog", "hat", "cup", "car", "pen", "box", "key", "map", "bag", "bed", "jar"]


def write(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def assistant(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Path:
    """text, instructions, preferences (longer answers are preferred) and prompts, as files."""
    folder = tmp_path_factory.mktemp("world")
    draw = random.Random(0)
    colour = {thing: draw.choice(COLOURS) for thing in THINGS}
    facts = [f"The {thing} is {colour[thing]}." for thing in THINGS]
    write(folder / "text.jsonl", [{"text": " ".join(draw.sample(facts, 3))} for _ in range(300)])
    write(folder / "text_heldout.jsonl", [{"text": " ".join(draw.sample(facts, 3))} for _ in range(20)])
    rows = [{"instruction": f"Colour of the {thing}?", "input": "", "output": f"{colour[thing]}."} for thing in THINGS]
    write(folder / "instruct.jsonl", rows * 8)
    write(folder / "instruct_heldout.jsonl", [row | {"accept": [row["output"]]} for row in rows])
    pairs = []
    for number in range(96):
        thing = THINGS[number % len(THINGS)]
        good, bad = f"{colour[thing]}, friend.", f"{colour[thing]}."
        pairs.append({"prompt": user(f"Colour of the {thing}?"), "chosen": assistant(good), "rejected": assistant(bad)})
    write(folder / "preferences.jsonl", pairs)
    write(folder / "prompts.jsonl", [{"prompt": user(f"Colour of the {thing}?"), "thing": thing} for thing in THINGS])
    return folder


class Said:
    """A display that remembers what it was told to say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def __call__(self, progress) -> None:
        pass


@pytest.fixture
def train(settings, tmp_path):
    """(method, **changes) → a whole run of it in this process: its result, log, folder, and what it said."""

    def run(method: str, name: str = "run", **changes) -> SimpleNamespace:
        module, said, folder = importlib.import_module(f"baro.recipes.{method}"), Said(), tmp_path / name
        given = {"output_dir": folder, "device": "cpu", "dtype": "float32", "save_steps": 0}
        config = module.Config(**settings(method) | given | changes)
        result = module.main(config, said)
        log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        steps = [line for line in log if "loss" in line]
        return SimpleNamespace(result=result, log=log, steps=steps, folder=folder, said=said.lines, config=config)

    return run


@pytest.fixture
def rows(tmp_path):
    """(name, rows) → a JSONL file of them."""
    return lambda name, rows: str(write(tmp_path / f"{name}.jsonl", rows))


@pytest.fixture(scope="session")
def weights():
    """Folder → the bytes of its weight file."""
    return lambda folder: (Path(folder) / "model.safetensors").read_bytes()


@pytest.fixture(scope="session")
def tensors():
    """Folder → its weights by name."""
    from safetensors.torch import load_file

    return lambda folder: load_file(Path(folder) / "model.safetensors")


@pytest.fixture(scope="session")
def plain():
    """Folder → its causal language model by transformers alone, float64, in eval mode."""
    from transformers import AutoModelForCausalLM

    return lambda folder: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


@pytest.fixture(scope="session")
def plain_log_probs():
    """(plain model, sequence, temperature) → (n,) log-probs of its learnt tokens; differentiable."""

    def log_probs(model, sequence, temperature: float = 1.0) -> torch.Tensor:
        logs = (model(torch.tensor([sequence.tokens])).logits[0] / temperature).log_softmax(-1)
        learnt = [t for t in range(1, len(sequence.tokens)) if sequence.learn[t]]
        return torch.stack([logs[t - 1, sequence.tokens[t]] for t in learnt])

    return log_probs


@pytest.fixture(scope="session")
def move(tmp_path_factory):
    """(folder, seed) → a copy of the saved model with other weights."""

    def copy(folder, seed: int = 7, scale: float = 0.3) -> str:
        from baro.models.load import language_model, load_tokenizer, save

        model, target = language_model(folder, dtype="float32", device="cpu"), tmp_path_factory.mktemp("moved")
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += scale * parameter.std() * torch.randn(parameter.shape, generator=generator)
        save(model, load_tokenizer(folder), target)
        return str(target)

    return copy


@pytest.fixture(scope="session")
def bytes_tokenizer():
    """A tokenizer of another kind: GPT-2's bytes, no special tokens but the end of text, no chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    built = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=built, eos_token="<|endoftext|>", bos_token="<|endoftext|>")


@pytest.fixture(scope="session")
def foreign(bytes_tokenizer, tmp_path_factory):
    """A tiny random GPT-2 (with dropout) or Qwen3, as others would publish it."""

    def build(kind: str) -> Path:
        import transformers

        torch.manual_seed(1)
        common = {"vocab_size": 257, "bos_token_id": 0, "eos_token_id": 0}
        if kind == "gpt2":
            dropout = {"resid_pdrop": 0.3, "embd_pdrop": 0.3, "attn_pdrop": 0.3}
            shape = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 128}
            made = transformers.GPT2LMHeadModel(transformers.GPT2Config(**common, **shape, **dropout))
        else:
            heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
            shape = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 128}
            made = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**common, **shape, **heads))
        folder = tmp_path_factory.mktemp(kind)
        made.save_pretrained(folder)
        bytes_tokenizer.save_pretrained(folder)
        return folder

    return build


@pytest.fixture(scope="session")
def model(world, tmp_path_factory) -> Path:
    """A random two-layer Llama with a tokenizer of the toy world, saved as any model is."""
    from baro.data.read import read_texts
    from baro.data.tokenizer import train_bpe
    from baro.models import create
    from baro.models.load import save

    torch.manual_seed(0)
    tokenizer = train_bpe((row.text for row in read_texts([world / "text.jsonl"]).rows), 320)
    folder = tmp_path_factory.mktemp("model")
    save(create.language_model(30_000, tokenizer, max_length=64, seed=1), tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def reward(model, tmp_path_factory) -> Path:
    """A random reward model of the same shape."""
    from baro.models.load import load_tokenizer, reward_model, save

    folder = tmp_path_factory.mktemp("reward")
    save(reward_model(model, seed=3), load_tokenizer(model), folder)
    return folder


@pytest.fixture(scope="session")
def settings(world, model, reward):
    """method → settings of a dozen updates."""
    return lambda method: _settings(method, world, model, reward)


def _settings(method: str, world: Path, model: Path, reward: Path) -> dict:
    method = {"rloo": "group", "grpo": "group"}.get(method, method)
    common = {"max_length": 64, "per_device_train_batch_size": 8, "learning_rate": 1e-3, "save_steps": 2}
    sampled = {"max_completion_length": 8, "temperature": 1.0, "reward_model_name_or_path": str(reward)}
    return {
        "pretrain": {
            **common,
            "dataset": [str(world / "text.jsonl")],
            "size": 30_000,
            "vocab_size": 320,
            "max_steps": 12,
        },
        "sft": {
            **common,
            "dataset": [str(world / "instruct.jsonl")],
            "model_name_or_path": str(model),
            "max_steps": 12,
        },
        "reward": {**common, "dataset": [str(world / "preferences.jsonl")], "model_name_or_path": str(model)},
        "dpo": {**common, "dataset": [str(world / "preferences.jsonl")], "model_name_or_path": str(model)},
        "rejection": {
            **common,
            **sampled,
            "dataset": [str(world / "prompts.jsonl")],
            "model_name_or_path": str(model),
            "num_generations": 4,
            "rounds": 2,
            "num_train_epochs": 3.0,
        },
        "ppo": {
            **common,
            **sampled,
            "dataset": [str(world / "prompts.jsonl")],
            "model_name_or_path": str(model),
            "total_episodes": 36,
            "rollout_batch_size": 12,
            "num_ppo_epochs": 2,
            "num_mini_batches": 2,
            "kl_target": 1.0,
        },
        "kto": {**common, "dataset": [str(world / "preferences.jsonl")], "model_name_or_path": str(model)},
        "online_dpo": {
            **common,
            **sampled,
            "dataset": [str(world / "prompts.jsonl")],
            "model_name_or_path": str(model),
            "total_episodes": 48,
            "rollout_batch_size": 16,
            "num_iterations": 2,
            "num_mini_batches": 2,
        },
        "group": {
            **common,
            **sampled,
            "dataset": [str(world / "prompts.jsonl")],
            "model_name_or_path": str(model),
            "num_generations": 4,
            "total_episodes": 48,
            "rollout_batch_size": 16,
            "num_iterations": 2,
            "num_mini_batches": 2,
        },
    }[method]
