"""One model's row of the comparison: judge, reward, KL, win rate, form and capability, on the same prompts for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from baro.evals.answers import Answered, answer_log_probs
from baro.evals.statistics import bootstrap, distinct, wins

Scores = Callable[[list[Answered]], list[float]]


@dataclass(frozen=True)
class Measured:
    """The figures of one model. `None` where nothing could measure it (no judge given, or the reference itself).

    judge (0 to 1 or the judge's own unit) with its 95 % interval · reward (the reward model's normalised score) ·
    kl (nats per answer to the reference, k1 estimate on the model's own samples) and kl_per_token · eos_rate (share
    of answers that ended by themselves) · distinct_2 · mean_length (tokens) · win_rate against the reference by the
    judge, or by the reward where there is no judge · capability (exact match on the SFT tasks) · text_nats (nats per
    token of the pre-training text).
    """

    judge: float | None
    judge_low: float | None
    judge_high: float | None
    reward: float | None
    kl: float | None
    kl_per_token: float | None
    eos_rate: float
    distinct_2: float
    mean_length: float
    win_rate: float | None = None
    win_rate_low: float | None = None
    win_rate_high: float | None = None
    capability: float | None = None
    text_nats: float | None = None

    def as_dict(self) -> dict:
        """The figures by name."""
        return asdict(self)


@dataclass(frozen=True)
class Scored:
    """A model's answers to the common prompts with the scores they got, kept for wins and for the samples shown."""

    rows: list[Answered]
    judged: list[float] | None
    rewards: list[float] | None

    def preferred(self) -> list[float] | None:
        """The scores that decide a win: the judge's where there is one, else the reward model's."""
        return self.judged if self.judged is not None else self.rewards


def score_answers(rows: list[Answered], *, judge: Scores | None, reward: Scores | None) -> Scored:
    """The scores of one answer per prompt."""
    return Scored(rows, judge(rows) if judge else None, reward(rows) if reward else None)


def measure(
    model,
    scored: Scored,
    *,
    reference,
    baseline: Scored | None,
    capability: float | None,
    text_nats: float | None,
    seed: int = 0,
) -> Measured:
    """The row of one model.

    Args:
        model: the model that wrote `scored.rows`.
        reference: the SFT model that KL is measured to, or None.
        baseline: the reference's own answers to the same prompts, or None for the reference itself.
    """
    rows = scored.rows
    lengths = [len(row.answer.tokens) for row in rows]
    judged = bootstrap(scored.judged, seed=seed) if scored.judged is not None else None
    kl = None
    if reference is not None:
        kl = float((answer_log_probs(model, rows) - answer_log_probs(reference, rows)).mean())
    ours, theirs = scored.preferred(), baseline.preferred() if baseline else None
    won = bootstrap(wins(ours, theirs), seed=seed) if ours is not None and theirs is not None else None
    return Measured(
        judge=judged.mean if judged else None,
        judge_low=judged.low if judged else None,
        judge_high=judged.high if judged else None,
        reward=sum(scored.rewards) / len(rows) if scored.rewards is not None else None,
        kl=kl,
        kl_per_token=kl / max(sum(lengths) / len(rows), 1e-9) if kl is not None else None,
        eos_rate=sum(row.answer.ended for row in rows) / len(rows),
        distinct_2=distinct([row.answer.tokens for row in rows]),
        mean_length=sum(lengths) / len(rows),
        win_rate=won.mean if won else None,
        win_rate_low=won.low if won else None,
        win_rate_high=won.high if won else None,
        capability=capability,
        text_nats=text_nats,
    )
