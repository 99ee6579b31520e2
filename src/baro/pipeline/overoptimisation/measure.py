"""True and proxy reward against the distance from the SFT model, by best-of-n and along reinforcement learning runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baro.core.errors import DataError
from baro.data.read import read_prompts
from baro.engine import files
from baro.evals.answers import Answered, answers
from baro.evals.overoptimisation import Form, fit
from baro.models.load import language_model, load_tokenizer
from baro.objectives.select import kl_bound, kl_exact, value_of_k
from baro.recipes.scoring import Scores, by_function, by_model

CHUNK = 8
"""Prompts whose answers are in memory together."""


def measure(
    folder: Path,
    *,
    model: str,
    labels: str,
    proxies: dict[int, str],
    policies: dict[int, str],
    prompts: list[str],
    judge: str,
    judge_args: dict[str, Any] | None = None,
    max_prompts: int = 64,
    samples: int = 1024,
    temperature: float = 1.0,
    max_completion_length: int = 64,
    seed: int = 0,
    dtype: str = "auto",
    device: str = "auto",
) -> dict[str, float]:
    """Write overoptimisation.json and page.html.

    Args:
        model: the SFT model, which best-of-n draws from and reinforcement learning started as.
        labels: folder of the stage that labelled the pairs; its gold.json says what 0 and 1 are on the axis of gain.
        proxies: number of labels → folder of the reward model that learnt from them.
        policies: number of labels → folder of the PPO run against that proxy, without KL, with the gold judge watching.
        prompts: files of prompts; the first max_prompts are answered, `samples` times each.

    Returns:
        The R² of every fit, and the gain of the true reward at its peak.
    """
    gold_of_sft = json.loads((Path(labels) / "gold.json").read_text(encoding="utf-8"))
    table = _Samples(model, proxies, judge, judge_args, {"dtype": dtype, "device": device})
    limit = {"temperature": temperature, "max_new_tokens": max_completion_length, "samples": samples, "seed": seed}
    rows = read_prompts([Path(file) for file in prompts]).rows[:max_prompts]
    gold, scores, distinct = table.draw(rows, limit)
    sizes = [2**power for power in range(int(math.log2(samples)) + 1)]
    found: dict[str, Any] = {
        "prompts": len(rows),
        "samples": samples,
        "distinct_answers": distinct,
        "gold_sft": gold_of_sft,
        "best_of_n": [
            {"labels": size, "accuracy": _accuracy(path), **best_of_n(scores[size], gold, sizes, gold_of_sft["sd"])}
            for size, path in proxies.items()
        ],
        "rl": [
            {"labels": size, **along(_log(Path(path)), gold_of_sft, scores[size])} for size, path in policies.items()
        ],
    }
    files.replace_json(folder / "overoptimisation.json", found)
    from baro.pipeline.overoptimisation.page import page  # matplotlib only now

    files.replace(folder / "page.html", page(found))
    return {
        f"{kind}_{row['labels']}_{figure}": row["fit"][figure]
        for kind in ("best_of_n", "rl")
        for row in found[kind]
        for figure in ("r2", "peak_gain")
        if row["fit"][figure] is not None
    }


class _Samples:
    """Answers of the SFT model with their true and proxy scores; equal answers to a prompt are scored once."""

    def __init__(self, model: str, proxies: dict[int, str], judge: str, judge_args: dict | None, place: dict) -> None:
        self.model, self.tokenizer = language_model(model, **place).eval(), load_tokenizer(model)
        self.judge = by_function(judge, judge_args)
        self.proxies = {size: by_model(path, self.tokenizer, **place) for size, path in proxies.items()}

    def draw(self, rows: list, limit: dict[str, Any]) -> tuple[Tensor, dict[int, Tensor], float]:
        """(B, n) float64 true scores, the same by each proxy, and the mean number of different answers to a prompt."""
        gold: list[Tensor] = []
        scores: dict[int, list[Tensor]] = {size: [] for size in self.proxies}
        kinds = 0
        for start in range(0, len(rows), CHUNK):
            drawn = answers(self.model, self.tokenizer, rows[start : start + CHUNK], first_row=start, **limit)
            places = [{tuple(one.answer.tokens): number for number, one in enumerate(row)} for row in drawn]
            unique = [[row[number] for number in known.values()] for row, known in zip(drawn, places, strict=True)]
            kinds += sum(map(len, unique))
            gold.append(_spread(self.judge, drawn, unique))
            for size, score in self.proxies.items():
                scores[size].append(_spread(score, drawn, unique))
        return torch.cat(gold), {size: torch.cat(parts) for size, parts in scores.items()}, kinds / len(rows)


def _spread(score: Scores, drawn: list[list[Answered]], unique: list[list[Answered]]) -> Tensor:
    """(B, n) scores of all answers from those of the different ones."""
    values = iter(score([one for row in unique for one in row]))
    found = []
    for row, kinds in zip(drawn, unique, strict=True):
        known = {tuple(one.answer.tokens): next(values) for one in kinds}
        found.append([known[tuple(one.answer.tokens)] for one in row])
    return torch.tensor(found, dtype=torch.float64)


def best_of_n(proxy: Tensor, gold: Tensor, sizes: list[int], sd: float) -> dict[str, Any]:
    """What best-of-n by a proxy gains, for every n, with the law through the points.

    Args:
        proxy, gold: (B, N) scores of the same answers. sizes: n, each ≤ N. sd: of the gold score; its unit on the page.
    """
    points = []
    for n in sizes:
        kl = sum(kl_exact(shares(row), n) for row in proxy) / len(proxy)
        points.append(
            {
                "n": n,
                "kl": kl,
                "kl_bound": kl_bound(n),
                "proxy": float(value_of_k(proxy, proxy, n).mean() - proxy.mean()) / float(proxy.std(correction=0)),
                "gold": float(value_of_k(proxy, gold, n).mean() - gold.mean()) / sd,
            }
        )
    return {"points": points, "fit": _fit("best_of_n", points)}


def shares(scores: Tensor) -> Tensor:
    """(V,) float64 share of the samples (n,) with each score, worst first: what `kl_exact` takes."""
    counts = scores.unique(sorted=True, return_counts=True)[1]
    return counts.double() / counts.sum()


def along(lines: list[dict], sft: dict[str, float], proxy: Tensor) -> dict[str, Any]:
    """What a reinforcement learning run gained on its way, one point a rollout, with the law through them.

    Args:
        lines: of its metrics.jsonl. sft: gold.json. proxy: (B, n) its reward model's scores of the SFT model's answers.
    """
    points: list[dict[str, float]] = []
    seen = None
    for line in lines:
        now = (line["objective/kl"], line["objective/scores"], line["watch/gold"])
        if now != seen:  # the updates of one rollout repeat its figures
            kl, score, gold = now
            mean, sd = float(proxy.mean()), float(proxy.std(correction=0))
            gains = {"proxy": (score - mean) / sd, "gold": (gold - sft["mean"]) / sft["sd"]}
            points.append({"step": line["step"], "kl": kl} | gains)
        seen = now
    return {"points": points, "fit": _fit("rl", points)}


def _fit(form: Form, points: list[dict[str, float]]) -> dict[str, float | None]:
    law, r2 = fit(form, [math.sqrt(max(p["kl"], 0.0)) for p in points], [p["gold"] for p in points])
    d, gain = law.peak or (None, None)
    far = math.sqrt(max(max(p["kl"] for p in points), 0.0))
    return {"alpha": law.alpha, "beta": law.beta, "r2": r2, "peak_d": d, "peak_gain": gain, "furthest_d": far}


def _log(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if "objective/kl" in line]
    if not found or "watch/gold" not in found[0]:
        raise DataError("no gold judge watched this run.", where=str(folder), hint="Give the stage a judge.")
    return found


def _accuracy(folder: str) -> float | None:
    """Held-out accuracy of a proxy, from its stage's result."""
    found = json.loads((Path(folder) / "result.json").read_text(encoding="utf-8"))["metrics"]
    return found.get("accuracy")
