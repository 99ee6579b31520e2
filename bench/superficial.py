"""Where knowledge comes from: facts that only the pre-training text tells, asked after fine-tuning on other facts.

    baro playground export runs/world        (or the `world` and `base` of a finished quickstart)
    python bench/superficial.py BASE WORLD OUT

Half of the world's people appear in the text only. The base model, and for comparison a model of the same shape that
has read nothing, are fine-tuned on the same 1,000 rows, all about the other half. Then both are asked about everybody;
the gold judge says what is true. Chance is the share of answers that name a value of the attribute and hit by luck:
one over the number of values.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from baro.data.files import rows_of
from baro.data.read import read_prompts, read_texts, write_jsonl
from baro.engine.config import load
from baro.evals.answers import answers
from baro.evals.shift import token_shift
from baro.evals.statistics import bootstrap
from baro.models import create
from baro.models.load import language_model, load_tokenizer, save
from baro.playground.gold import truth
from baro.recipes import sft

ROWS, STEPS = 1000, 240
SETTINGS = {
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine",
    "warmup_ratio": 0.05,
    "per_device_train_batch_size": 32,
    "max_length": 128,
    "max_steps": STEPS,
    "logging_steps": 20,
    "save_steps": 0,
    "device": "cpu",
    "dtype": "float32",
}
KINDS = ("fact", "yesno", "who")


def main(base: Path, world: Path, out: Path) -> dict:
    """Fine-tune both models, ask, write OUT/superficial.json; returns what it holds."""
    rows = [row.columns for row in rows_of(world / "instruct.jsonl")][:ROWS]
    write_jsonl(out / "rows.jsonl", rows)
    tokenizer = load_tokenizer(base)
    size = sum(parameter.numel() for parameter in language_model(base, dtype="float32", device="cpu").parameters())
    blank = create.language_model(size, tokenizer, max_length=128, seed=0, dtype="float32", device="cpu")
    save(blank, tokenizer, out / "blank")
    asked = [row for row in read_prompts(world / "prompts_heldout.jsonl").rows if row.columns["kind"] in KINDS]
    found: dict = {"rows": ROWS, "steps": STEPS, "documents": len(read_texts(world / "text.jsonl").rows)}
    for name, start in (("read the text", base), ("read nothing", out / "blank")):
        folder = out / name.replace(" ", "_")
        sft.main(
            load(sft.Config, model_name_or_path=str(start), dataset=[out / "rows.jsonl"], output_dir=folder, **SETTINGS)
        )
        model = language_model(folder, dtype="float32", device="cpu").eval()
        words = load_tokenizer(folder)
        said = [row[0] for row in answers(model, words, asked, temperature=0.0, max_new_tokens=40)]
        right = [
            float(truth(row.text, *(row.prompt.columns[key] for key in ("kind", "lang", "keys", "rivals"))))
            for row in said
        ]
        for kind in KINDS:
            for seen in (True, False):
                picked = [
                    value
                    for value, row in zip(right, asked, strict=True)
                    if row.columns["kind"] == kind and row.columns["seen"] is seen
                ]
                part = bootstrap(picked)
                about = "asked about in training" if seen else "told in the text only"
                found.setdefault(name, {})[f"{kind}, {about}"] = [part.mean, part.low, part.high, len(picked)]
        if start == base:
            before = language_model(base, dtype="float32", device="cpu").eval()
            moved = token_shift(before, model, words, asked, max_new_tokens=40)
            found["shift"] = {name: getattr(moved, name) for name in ("unshifted", "marginal", "shifted", "tokens")}
    (out / "superficial.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


if __name__ == "__main__":
    print(json.dumps(main(*(Path(word) for word in sys.argv[1:4])), indent=1))
