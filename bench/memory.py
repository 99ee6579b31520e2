"""Peak memory of PPO on one base, against LoRA fine-tuning of the same base and batch, and against four whole models.

    python bench/memory.py [PARAMETERS] [SEQUENCES]        default: 60000000 8

Every row is a process of its own that runs the real command: two updates on sequences of 64 prompt and 64 answer
tokens. Two figures each: the highest sum of live tensors (every operation is watched), and how far the resident memory
of the process rose above what it was before the models were loaded.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HALF = 64
WORK = ("sft-lora", "ppo-lora", "ppo-lora-recompute", "sft-full", "ppo-full")


class Tensors(TorchDispatchMode):
    """Bytes of all living storages that an operation made or saw."""

    def __init__(self) -> None:
        super().__init__()
        self.living, self.now, self.peak = set[int](), 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, result)):
            if isinstance(leaf, torch.Tensor) and leaf.device.type != "meta":
                self.see(leaf.untyped_storage())
        return result

    def see(self, storage: torch.UntypedStorage) -> None:
        """Count a storage until it is gone."""
        key = storage._cdata
        if key in self.living:
            return
        size = storage.nbytes()
        self.living.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self.gone, key, size)

    def gone(self, key: int, size: int) -> None:
        """The storage was freed."""
        self.living.discard(key)
        self.now -= size


def prepare(folder: Path, parameters: int, rows: int) -> None:
    """A random base, its reward model whole and as an adapter, and rows of exactly 64 + 64 tokens."""
    from baro.data.read import write_jsonl
    from baro.data.tokenizer import train_bpe
    from baro.models import create
    from baro.models.adapters import Lora
    from baro.models.load import reward_model, save

    draw = random.Random(0)
    words = ["".join(draw.choices("bdfgklmnprstvz", k=2)) + draw.choice("aeiou") for _ in range(3000)]
    tokenizer = train_bpe((" ".join(draw.choices(words, k=40)) for _ in range(2000)), 8192)
    place = {"dtype": "float32", "device": "cpu"}
    save(create.language_model(parameters, tokenizer, max_length=256, seed=0, **place), tokenizer, folder / "base")
    save(reward_model(folder / "base", **place), tokenizer, folder / "reward-full")
    save(reward_model(folder / "base", **place, lora=Lora()), tokenizer, folder / "reward-lora")

    def text(tokens: int) -> str:
        ids = tokenizer(" ".join(draw.choices(words, k=4 * tokens)), add_special_tokens=False)["input_ids"]
        return tokenizer.decode(ids[:tokens])

    lines = [{"prompt": text(HALF), "completion": text(2 * HALF)} for _ in range(rows)]
    write_jsonl(folder / "sft.jsonl", lines)
    write_jsonl(folder / "prompts.jsonl", [{"prompt": line["prompt"]} for line in lines])


def work(folder: Path, name: str, rows: int) -> None:
    """Run one command and print its figures as JSON."""
    from baro.engine import meter
    from baro.recipes import ppo, sft

    method, kind, *recompute = name.split("-")
    given = {
        "model_name_or_path": str(folder / "base"),
        "output_dir": folder / name,
        "use_peft": kind == "lora",
        "gradient_checkpointing": bool(recompute),
        "per_device_train_batch_size": rows,
        "max_length": 2 * HALF,
        "save_steps": 0,
        "dtype": "float32",
        "device": "cpu",
    }
    if method == "sft":
        config, main = sft.Config(dataset=[folder / "sft.jsonl"], max_steps=2, **given), sft.main
    else:
        sampled = {"rollout_batch_size": rows, "total_episodes": rows, "num_ppo_epochs": 2}
        sampled |= {"max_completion_length": HALF, "reward_model_name_or_path": str(folder / f"reward-{kind}")}
        config, main = ppo.Config(dataset=[folder / "prompts.jsonl"], **sampled, **given), ppo.main
    meter.start()
    before = meter.peak_bytes()
    with Tensors() as tensors:
        main(config)
    print(json.dumps({"tensors": tensors.peak, "process": meter.peak_bytes() - before}))


def main(parameters: int, rows: int) -> None:
    """Print the table."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, parameters, rows)
        print(f"{parameters:,} parameters, {rows} sequences of {2 * HALF} tokens, float32; MiB at the peak")
        for kind in WORK:
            words = [sys.executable, __file__, "--work", str(folder), kind, str(rows)]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            found[kind] = json.loads(done.stdout.splitlines()[-1])
            line = [f"{found[kind][what] / 2**20:8,.0f} {what}" for what in ("tensors", "process")]
            ratio = [f"{found[kind][what] / found['sft-lora'][what]:.2f}" for what in ("tensors", "process")]
            print(f"{kind:20} {line[0]} {line[1]}    × sft-lora: {' '.join(ratio)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main(*(int(given) for given in (*sys.argv[1:], *("60000000", "8")[len(sys.argv) - 1 :])))
