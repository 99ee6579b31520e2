"""The health card of a reward model: what its scores can be trusted with, measured on pairs it has not seen.

Scores are logits here, as trained: σ(difference) is the probability of a preference. All intervals are 95 %, by
bootstrap over prompts, because pairs of one prompt are not independent.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Items
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from baro.core.types import Sequence
from baro.data.records import Preference
from baro.evals import baselines, calibration, ceiling, probes
from baro.evals.statistics import bootstrap

Scores = Callable[[list[Sequence]], np.ndarray]
Rescore = Callable[[Items[Preference], Items[str]], np.ndarray]
SOURCES = ("source", "dataset", "category", "kind", "subset")
LENGTHS = (
    ("much_shorter", -np.inf, -0.5),
    ("shorter", -0.5, -0.1),
    ("equal", -0.1, 0.1),
    ("longer", 0.1, 0.5),
    ("much_longer", 0.5, np.inf),
)
"""By log₂ of the ratio of chosen to rejected length: ±0.5 is a factor of 1.4."""
MOST_PROBED = 400


@dataclass(frozen=True)
class Judged:
    """Held-out pairs with the scores of both answers.

    Attributes:
        rows: P preferences. sequences: both answers as the model reads them.
        chosen, rejected: (P,) scores, logits.
    """

    rows: list[Preference]
    sequences: list[tuple[Sequence, Sequence]]
    chosen: np.ndarray
    rejected: np.ndarray

    @cached_property
    def gaps(self) -> np.ndarray:
        """(P,) chosen minus rejected."""
        return self.chosen - self.rejected

    @cached_property
    def right(self) -> np.ndarray:
        """(P,) 1 where the pair is ordered as people did, one half for a tie."""
        return (np.sign(self.gaps) + 1) / 2

    @cached_property
    def prompts(self) -> list[str]:
        """(P,) what pairs of one prompt share."""
        return [prompt_of(row) for row in self.rows]

    @cached_property
    def texts(self) -> list[tuple[str, str]]:
        """(P,) both answers' words."""
        return [texts_of(row) for row in self.rows]


def prompt_of(row: Preference) -> str:
    """The prompt as one string."""
    return "\n".join(f"{turn.role}: {turn.content}" for turn in row.prompt)


def texts_of(row: Preference) -> tuple[str, str]:
    """(chosen, rejected): what the assistant says in each."""
    first, second = ("\n".join(t.content for t in side if t.role == "assistant") for side in (row.chosen, row.rejected))
    return first, second


def card(judged: Judged, *, score: Scores, rescore: Rescore, learn: Items[Preference] | None, seed: int = 0) -> dict:
    """The whole card but the learning curve, as plain values.

    Args:
        score: sequences → scores. rescore: (rows, another answer each) → scores.
        learn: the pairs the model was trained on, from which the baselines learn too; None: they learn from the
            held-out pairs of other prompts.
    """
    return {
        "pairs": len(judged.rows),
        "prompts": len(set(judged.prompts)),
        "accuracy": interval(judged.right, judged.prompts),
        "calibration": _calibration(judged.gaps),
        "by_length": _by_length(judged),
        "by_source": _by_source(judged),
        "by_margin": _by_margin(judged),
        "by_confidence": _by_confidence(judged),
        "baselines": _baselines(judged, learn),
        "traits": _traits(judged),
        "stability": _stability(judged, score, rescore, seed),
        "spoiled": _spoiled(judged, score, rescore, seed),
        "ceiling": _ceiling(judged),
    }


def interval(values: Items[float] | np.ndarray, groups: Items[str]) -> dict[str, float]:
    """{mean, low, high} of `values`, whole groups resampled."""
    return asdict(bootstrap(np.asarray(values).tolist(), groups=groups))


def _part(judged: Judged, name: str, chosen: np.ndarray) -> dict[str, Any]:
    """Accuracy among some of the pairs."""
    groups = [prompt for prompt, taken in zip(judged.prompts, chosen, strict=True) if taken]
    return {"name": name, "pairs": int(chosen.sum()), **interval(judged.right[chosen], groups)}


def _calibration(gaps: np.ndarray) -> dict[str, Any]:
    diagram = calibration.reliability(gaps)
    temperature = calibration.mending_temperature(gaps)
    mended = None if temperature in (0.0, float("inf")) else temperature
    return {
        "error": calibration.expected_error(diagram),
        "bins": [asdict(one) for one in diagram],
        "temperature": mended,
        "log_loss": calibration.log_loss(gaps),
        "log_loss_mended": calibration.log_loss(gaps, temperature=mended) if mended else None,
        "error_mended": calibration.expected_error(calibration.reliability(gaps / mended)) if mended else None,
    }


def _by_length(judged: Judged) -> list[dict]:
    ratio = np.array([np.log2((a.count or 1) / (b.count or 1)) for a, b in judged.sequences])
    parts = [(name, (ratio >= low) & (ratio < high)) for name, low, high in LENGTHS]
    return [_part(judged, name, inside) for name, inside in parts if inside.any()]


def _by_source(judged: Judged) -> list[dict]:
    """By the column that names a source, else by file; nothing where all come from one."""
    column = next((name for name in SOURCES if any(row.columns.get(name) for row in judged.rows)), None)
    file = [row.where.rpartition(":")[0].rpartition("/")[2] for row in judged.rows]
    names = [str(row.columns.get(column) or "–") for row in judged.rows] if column else file
    kinds = sorted(set(names), key=lambda name: (-names.count(name), name))
    return [_part(judged, name, np.array(names) == name) for name in kinds[:12]] if len(kinds) > 1 else []


def _by_margin(judged: Judged) -> list[dict]:
    """By quarters of the data's own margin; nothing where the data has none."""
    given = np.array([np.nan if row.margin is None else row.margin for row in judged.rows])
    return _quarters(judged, given)


def _by_confidence(judged: Judged) -> list[dict]:
    """By quarters of the model's own |gap|."""
    return _quarters(judged, np.abs(judged.gaps))


def _quarters(judged: Judged, values: np.ndarray) -> list[dict]:
    known = np.isfinite(values)
    if len(set(values[known].tolist())) < 2:
        return []
    edges = np.unique(np.quantile(values[known], [0, 0.25, 0.5, 0.75, 1]))
    found = []
    for low, high in pairwise(edges.tolist()):
        inside = known & (values >= low) & ((values < high) | ((values == high) & (high == edges[-1])))
        if inside.any():
            found.append(_part(judged, f"{low:.2g} – {high:.2g}", inside))
    return found


def _baselines(judged: Judged, learn: Items[Preference] | None) -> dict[str, Any]:
    """Accuracy of both baselines, and how much better the model is on the same pairs."""
    found: dict[str, Any] = {"learnt_from": len(learn) if learn else None}
    known = [texts_of(row) for row in learn or ()]
    for name, baseline in (("length", baselines.by_length), ("words", baselines.by_words)):
        gaps = baseline(known, judged.texts) if known else baselines.crossed(baseline, judged.texts, judged.prompts)
        if len(gaps) == len(judged.rows):
            right = (np.sign(gaps) + 1) / 2
            found[name] = interval(right, judged.prompts) | {"gain": interval(judged.right - right, judged.prompts)}
    return found


def _traits(judged: Judged) -> dict[str, Any]:
    """How scores go with length, lists and refusals, and what people prefer where two answers differ in them."""
    kinds: dict[str, Callable[[str], float]] = {
        "length": lambda text: len(text),
        "items": probes.items,
        "refusal": lambda text: float(probes.refuses(text)),
    }
    scores = np.concatenate([judged.chosen, judged.rejected])
    found = {}
    for name, trait in kinds.items():
        chosen, rejected = (np.array([float(trait(pair[side])) for pair in judged.texts]) for side in (0, 1))
        both, differ = np.concatenate([chosen, rejected]), chosen != rejected
        varies = len(set(both.tolist())) > 1 and len(set(scores.tolist())) > 1
        more = np.where(chosen > rejected, judged.gaps, -judged.gaps)[differ]
        found[name] = {
            "correlation": float(spearmanr(both, scores).statistic) if varies else None,
            "pairs": int(differ.sum()),
            "model": float((np.sign(more) + 1).mean() / 2) if differ.any() else None,
            "people": float((chosen > rejected)[differ].mean()) if differ.any() else None,
        }
    return found


def _some(judged: Judged, seed: int) -> np.ndarray:
    """Places of at most MOST_PROBED pairs."""
    order = np.random.default_rng(seed).permutation(len(judged.rows))
    return np.sort(order[:MOST_PROBED])


def _stability(judged: Judged, score: Scores, rescore: Rescore, seed: int) -> dict[str, Any]:
    """What must not matter: which answer is read first, and how the same is said."""
    some = _some(judged, seed)
    flipped = [sequence for i in reversed(some) for sequence in reversed(judged.sequences[i])]
    again = score(flipped).reshape(-1, 2)[::-1]  # rejected, chosen
    rows = [judged.rows[i] for i in some]
    said = [rescore(rows, [probes.rephrased(judged.texts[i][side]) for i in some]) for side in (0, 1)]
    plain = (judged.chosen[some], judged.rejected[some])
    before, after = np.sign(judged.gaps[some]), np.sign(said[0] - said[1])
    spread = _spread(judged)
    moved = np.concatenate([said[0] - plain[0], said[1] - plain[1]])
    return {
        "pairs": len(some),
        "order_agreement": float((np.sign(again[:, 1] - again[:, 0]) == before).mean()),
        "order_moved": float(np.abs(again - np.stack([plain[1], plain[0]], 1)).max() / spread),
        "rephrased_agreement": float((before == after).mean()),
        "rephrased_moved": float(np.abs(moved).mean() / spread),
    }


def _spoiled(judged: Judged, score: Scores, rescore: Rescore, seed: int) -> list[dict]:
    """Preferred answers made worse: how often the score falls, and by how many standard deviations of all scores."""
    some, roll = _some(judged, seed), Random(seed)
    rows, texts = [judged.rows[i] for i in some], [judged.texts[i][0] for i in some]
    original, spread = judged.chosen[some], _spread(judged)
    long = np.array([judged.sequences[i][0].count >= 4 for i in some])
    found = []

    def add(name: str, scores: np.ndarray, base: np.ndarray) -> None:
        if len(base):
            below = (np.sign(base - scores) + 1) / 2
            found.append(
                {"name": name, "pairs": len(base), "below": float(below.mean())}
                | {"change": float((scores - base).mean() / spread)}
            )

    if long.any():
        add("cut", score([probes.cut(judged.sequences[i][0]) for i in some[long]]), original[long])
    add("twice", rescore(rows, [probes.twice(text) for text in texts]), original)
    half = len(rows) // 2
    far, said = rows[half:] + rows[:half], texts[half:] + texts[:half]
    elsewhere = np.array([prompt_of(a) != prompt_of(b) for a, b in zip(rows, far, strict=True)])
    elsewhere &= np.array(said) != np.array(texts)
    add("other_prompt", rescore(rows, said)[elsewhere], original[elsewhere])
    add("shuffled", rescore(rows, [probes.shuffled(text, roll) for text in texts]), original)
    add("scrambled", rescore(rows, [probes.scrambled(text, roll) for text in texts]), original)
    return found


def _spread(judged: Judged) -> float:
    """Standard deviation of all scores; 1 where there is none."""
    return float(np.concatenate([judged.chosen, judged.rejected]).std()) or 1.0


def _ceiling(judged: Judged) -> dict[str, Any] | None:
    """Bounds of the best possible accuracy, where several people judged the same pair."""
    votes = ceiling.votes_of([row.columns for row in judged.rows])
    annotators = int(np.median([a + b for a, b in votes])) if votes else 1
    if not votes:
        votes = ceiling.repeated([(p, *t) for p, t in zip(judged.prompts, judged.texts, strict=True)])
    agreed = ceiling.agreement(votes)
    if agreed is None:
        return None
    low, high = ceiling.ceiling(agreed)
    if annotators > 1:  # a row's label is then the majority's
        high = ceiling.majority(high, annotators)
    return {"agreement": agreed, "pairs": sum(a + b > 1 for a, b in votes), "low": low, "high": high} | {
        "annotators": annotators
    }
