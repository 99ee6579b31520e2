"""Pairs of the SFT model's own answers, labelled by the gold judge: what the proxies learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baro.core.errors import DataError
from baro.data.read import read_prompts, write_jsonl
from baro.engine import files
from baro.evals.answers import Answered, answers
from baro.models.load import language_model, load_tokenizer
from baro.recipes.scoring import by_function


def labels(
    folder: Path,
    *,
    model: str,
    prompts: list[str],
    measured_on: list[str],
    judge: str,
    judge_args: dict[str, Any] | None = None,
    pairs: int = 10_000,
    heldout: int = 500,
    samples: int = 4,
    temperature: float = 1.0,
    max_completion_length: int = 64,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
) -> dict[str, float]:
    """Write preferences.jsonl, preferences_heldout.jsonl and gold.json (the model's mean gold score and deviation).

    Args:
        model: the SFT model.
        prompts: files of prompts; those of held-out pairs are in no other pair.
        measured_on: files of further prompts, on which the proxies will be pushed: gold.json is about them.
        judge: the gold judge, module:function or file.py:function. It decides every pair, without noise.
        pairs, heldout: rows of the two files. Pairs of equal score are left out.
        samples: answers to every prompt; the first and second are a pair, the third and fourth, and so on.

    Returns the rows of the two files. Errors: DataError when the prompts give fewer pairs.
    """
    tokenizer = load_tokenizer(model)
    sampler = language_model(model, dtype=dtype, device=device).eval()
    limit: dict[str, Any] = {
        "temperature": temperature,
        "max_new_tokens": max_completion_length,
        "samples": samples,
        "seed": seed,
    }
    score = by_function(judge, judge_args)

    def judged(named: list[str]) -> tuple[list[list[Answered]], np.ndarray]:
        rows = read_prompts([Path(file) for file in named]).rows
        drawn = answers(sampler, tokenizer, rows, **limit)
        scores = score([answer for row in drawn for answer in row])
        return drawn, np.asarray(scores, dtype=np.float64).reshape(len(rows), samples)

    _, sft = judged(measured_on)
    drawn, gold = judged(prompts)
    learn, held = _parted(drawn, gold.tolist(), heldout, seed)
    if len(held) < heldout or len(learn) < pairs:
        raise DataError(
            f"the prompts give {len(held) + len(learn):,} pairs of unequal score; {pairs + heldout:,} were asked for.",
            where=", ".join(prompts),
            hint="Give more prompts, raise samples, or ask for fewer pairs.",
        )
    write_jsonl(folder / "preferences.jsonl", learn[:pairs])
    write_jsonl(folder / "preferences_heldout.jsonl", held[:heldout])
    files.replace_json(folder / "gold.json", {"mean": float(sft.mean()), "sd": float(sft.std()), "answers": sft.size})
    return {"preferences": pairs, "preferences_heldout": heldout, "prompts": len(drawn)}


def _parted(
    drawn: list[list[Answered]], gold: list[list[float]], heldout: int, seed: int
) -> tuple[list[dict], list[dict]]:
    """The pairs to learn from and at least `heldout` others, in random order; those of one prompt stay together."""
    groups = [_pairs(row, scores) for row, scores in zip(drawn, gold, strict=True)]
    groups = [groups[place] for place in np.random.default_rng(seed).permutation(len(groups))]
    held: list[dict] = []
    while groups and len(held) < heldout:
        held += groups.pop()
    return [pair for group in groups for pair in group], held


def _pairs(row: list[Answered], scores: list[float]) -> list[dict]:
    """The pairs of one prompt's answers that the judge tells apart."""
    prompt = row[0].prompt
    turns = [turn.as_dict() for turn in prompt.messages]
    found = []
    for place in range(0, len(row) - 1, 2):
        first, second = place, place + 1
        if scores[first] != scores[second]:
            best, worst = (first, second) if scores[first] > scores[second] else (second, first)
            said = {"chosen": row[best].text, "rejected": row[worst].text}
            found.append({"prompt": turns, "plain": prompt.plain} | {k: _said(v) for k, v in said.items()})
    return found


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
