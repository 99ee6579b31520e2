"""A smaller model on filtered text against a larger one on raw text, at equal compute.

    baro playground export WORLD; baro playground noisy NOISY
    baro data prepare NOISY/text_noisy.jsonl --out CLEAN labels=NOISY/labelled_text.jsonl rules=c4,repetition \
        min_words=5 min_sentences=1 line_words=3 evaluation=WORLD/instruct_heldout.jsonl
    python bench/quality_beats_size.py WORLD NOISY CLEAN TOKENIZER OUT [STEPS] [SEEDS]

Compute is 6 · parameters · tokens (Kaplan et al. 2020): the smaller model takes as many more steps as it is smaller.
Both get one tokenizer (any that knows the world's words), then the same fine-tuning on 1,000 rows, and are measured on
held-out text, in nats per character, and by the gold judge. Intervals: bootstrap over documents and over prompts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from baro.data.files import find, rows_of
from baro.data.packing import documents_to_blocks
from baro.data.read import read_prompts, read_texts, write_jsonl
from baro.data.templates import render_texts
from baro.engine.config import load
from baro.evals.answers import answers
from baro.evals.likelihood import mean_nats
from baro.evals.statistics import bootstrap
from baro.models.load import language_model, load_tokenizer
from baro.recipes import pretrain, sft
from baro.recipes.scoring import by_function

LARGE, SMALL, BATCH, LENGTH = 900_000, 450_000, 24, 128
PLACE = {"device": "cpu", "dtype": "float32"}


def tokens(folder_or_file: Path, tokenizer) -> float:
    """Mean tokens of a document."""
    texts = read_texts(folder_or_file, max_samples=2000).rows
    return float(np.mean([min(len(row.tokens), LENGTH) for row in render_texts(tokenizer, texts)]))


def main(world: Path, noisy: Path, clean: Path, tokenizer: Path, out: Path, steps: int, seeds: int) -> dict:
    """Train and measure all; writes OUT/quality.json."""
    words = load_tokenizer(tokenizer)
    raw, filtered = noisy / "text_noisy.jsonl", clean / "train"
    texts = read_texts(world / "text_heldout.jsonl").rows[:400]
    asked = read_prompts(world / "prompts_heldout.jsonl", max_samples=300).rows
    write_jsonl(
        out / "rows.jsonl", [row.columns for file in find(world / "instruct.jsonl") for row in rows_of(file)][:1000]
    )
    found: dict = {}
    for name, size, text in (("large, raw", LARGE, raw), ("small, filtered", SMALL, filtered)):
        for seed in range(seeds):
            ratio = LARGE / size * tokens(raw, words) / tokens(text, words)
            folder = out / f"{name.split(',')[0]}_{seed}"
            result = pretrain.main(
                load(
                    pretrain.Config, dataset=[text], output_dir=folder, size=size, tokenizer=str(tokenizer), seed=seed,
                    max_length=LENGTH, per_device_train_batch_size=BATCH, max_steps=round(steps * ratio), save_steps=0,
                    logging_steps=20, **PLACE,
                )
            )  # fmt: skip
            model = language_model(folder, **PLACE).eval()
            parameters = sum(weights.numel() for weights in model.parameters())
            nats = []
            for document in texts:
                pieces = documents_to_blocks(render_texts(words, [document]), LENGTH)
                nats.append(mean_nats(model, pieces) * sum(p.count for p in pieces) / len(document.text))
            tuned = folder / "sft"
            sft.main(
                load(
                    sft.Config, model_name_or_path=str(folder), dataset=[out / "rows.jsonl"], output_dir=tuned,
                    learning_rate=1e-3, lr_scheduler_type="cosine", warmup_ratio=0.05, max_steps=120, save_steps=0,
                    per_device_train_batch_size=32, max_length=LENGTH, seed=seed, logging_steps=20, **PLACE,
                )
            )  # fmt: skip
            drawn = answers(
                language_model(tuned, **PLACE).eval(), load_tokenizer(tuned), asked, temperature=0.0, max_new_tokens=40
            )
            judged = by_function("baro.playground:judge")([row[0] for row in drawn])
            found.setdefault(name, []).append(
                {"parameters": parameters, "tokens": result["tokens"], "compute": 6 * parameters * result["tokens"]}
                | {"nats_per_char": nats, "judge": judged}
            )
    summary = {
        name: {key: [row[key] for row in rows] for key in ("parameters", "tokens", "compute")}
        | {
            key: vars(bootstrap(np.mean([row[key] for row in rows], axis=0).tolist()))
            for key in ("nats_per_char", "judge")
        }
        for name, rows in found.items()
    }
    large, small = found["large, raw"], found["small, filtered"]
    for key in ("nats_per_char", "judge"):
        apart = np.mean([row[key] for row in small], axis=0) - np.mean([row[key] for row in large], axis=0)
        summary[f"small - large, {key}"] = vars(bootstrap(apart.tolist()))
    (out / "quality.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


if __name__ == "__main__":
    places = [Path(word) for word in sys.argv[1:6]]
    numbers = [int(word) for word in sys.argv[6:8]]
    print(json.dumps(main(*places, *(numbers + [500, 1][len(numbers) :])), indent=1))
