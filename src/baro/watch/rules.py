"""Rules that turn the signals of a run into named alarms.

A run is a list of rollouts, each a dictionary of figures; the first ones, before much was learnt, are what it is
compared with. Every rule looks at means over a few rollouts, because one rollout is noisy, and is silent where the
figures it needs are missing. The limits of the grave alarms were fixed on one part of the runs of
docs/reward-hacking.md and tried on the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from statistics import fmean

from baro.watch import signals
from baro.watch.alarms import Alarm
from baro.watch.words import WORDS

History = Items[Mapping[str, float]]
OF_UPDATES = ("policy/clipfrac_avg", "policy/approxkl_avg", "grad_norm", "loss/value_avg")
GRAVE = {"reward_hacking", "length_exploit", "collapse", "kl_runaway", "chosen_likelihood_falls"}
"""Alarms that on_alarm acts on; the others are only said."""


@dataclass(frozen=True)
class Limits:
    """How much is too much.

    Attributes:
        window: rollouts that are averaged.
        outrun: by how much more the proxy may have risen than the held-out score, each in standard deviations of one
            answer's score at the start.
        referee_drop: fall of the held-out or gold score from its best, standard deviations of one answer's score.
        proxy_rise: rise of the proxy score since the start that makes such a fall hacking, in the same unit.
        length: ratio of mean lengths. length_share: share of the scores' variance that length explains.
        distinct, entropy, ended: smallest allowed share of the figure at the start.
        repeated: share of answers that stand word for word under another prompt, above the start's.
        kl: nats per answer. kl_pace: nats per answer and rollout that buy nothing: the pace, measured without the
            first step away from the reference, times one minus `signals.efficiency`.
        value: explained variance of the value model, after `patience` rollouts.
        mismatch: nats per token. first_kl: nats per answer before the first update.
        chosen: nats per token that the chosen answers of DPO may lose while the margin grows.
        disagreement: growth of the ensemble's disagreement since the start, as a ratio.
    """

    window: int = 3
    outrun: float = 0.52
    referee_drop: float = 0.13
    proxy_rise: float = 0.3
    length: float = 1.79
    length_share: float = 0.1
    distinct: float = 0.4
    entropy: float = 0.44
    ended: float = 0.69
    repeated: float = 0.39
    kl: float = 8.1
    kl_pace: float = 0.62
    value: float = 0.0
    patience: int = 10
    mismatch: float = 0.1
    first_kl: float = 0.5
    chosen: float = 0.3
    disagreement: float = 2.0


def broken(history: History, limits: Limits) -> list[Alarm]:
    """The alarms that the last rollout of `history` rings."""
    found = []
    for code, rule in RULES.items():
        value = rule(history, limits)
        if value is not None:
            words = WORDS[code]
            en, ko = (words[lang].format(**value) for lang in ("en", "ko"))
            remedy = {"en": words["remedy_en"], "ko": words["remedy_ko"]}
            found.append(Alarm(code, en, ko, next(iter(value.values())), remedy))
    return found


def smoothed(history: History, name: str, window: int, *, end: int | None = None) -> float | None:
    """Mean of a figure over the `window` rollouts before `end` (default: the last ones); None where one lacks it."""
    end = len(history) if end is None else end
    part = [line.get(name) for line in history[max(0, end - window) : end]]
    values = [value for value in part if value is not None and math.isfinite(value)]
    return fmean(values) if len(part) == window and len(values) == window else None


def start(history: History, name: str, limits: Limits) -> float | None:
    """The figure of the first rollout, when nothing was learnt yet; None until `window` more have passed."""
    return smoothed(history, name, 1, end=1) if len(history) > limits.window else None


Found = dict[str, float] | None


def _both(history: History, name: str, limits: Limits) -> tuple[float, float] | None:
    """(at the start, now)."""
    before, now = start(history, name, limits), smoothed(history, name, limits.window)
    return None if before is None or now is None else (before, now)


def reward_hacking(history: History, limits: Limits) -> Found:
    """The proxy is up, and a referee that training does not see has fallen from its best, or is left behind."""
    proxy = _both(history, "objective/scores", limits)
    if proxy is None:
        return None
    unit = start(history, "watch/scores_sd", limits) or 1.0
    for name in ("watch/gold", "watch/held_out"):
        ends = range(limits.window, len(history) + 1)
        way = [value for end in ends if (value := smoothed(history, name, limits.window, end=end)) is not None]
        spread = start(history, f"{name}_sd", limits)
        if len(way) < 2 or not spread or proxy[1] - proxy[0] < limits.proxy_rise * unit:
            continue
        first = start(history, name, limits) or 0.0
        outrun = (proxy[1] - proxy[0]) / unit - (way[-1] - first) / spread
        answers = (smoothed(history, "watch/answers", limits.window) or 1.0) * limits.window
        at_first = start(history, "watch/answers", limits) or 1.0
        noise = 3 * math.sqrt(2 / answers)  # three: the best of many windows is high by luck
        left_behind = outrun > max(limits.outrun, 2 * math.sqrt(2 / answers + 2 / at_first))
        if max(way) - way[-1] > max(limits.referee_drop, noise) * spread or (left_behind and "held" in name):
            return {"proxy": proxy[1], "proxy_before": proxy[0], "best": max(way), "now": way[-1]}
    return None


def length_exploit(history: History, limits: Limits) -> Found:
    """Answers grew, or shrank, and length explains a good part of the reward in that direction."""
    lengths, share = _both(history, "val/length", limits), _both(history, "watch/length_share", limits)
    if lengths is None or share is None or lengths[0] <= 0:
        return None
    ratio, paid = lengths[1] / lengths[0], max(share[0], share[1])
    if lengths[1] < lengths[0]:
        ratio, paid = 1 / max(ratio, 1e-9), -min(share[0], share[1])
    return {"now": lengths[1], "before": lengths[0]} if ratio > limits.length and paid > limits.length_share else None


def collapse(history: History, limits: Limits) -> Found:
    """Answers repeat each other, distinct pairs of tokens or the entropy are gone, or answers no longer end."""
    for name, share in (
        ("watch/distinct_2", limits.distinct),
        ("objective/entropy", limits.entropy),
        ("val/ended", limits.ended),
    ):
        found = _both(history, name, limits)
        if found and found[1] < share * found[0]:
            return {"now": found[1], "before": found[0]}
    found = _both(history, "watch/repeated", limits)
    return {"now": found[1], "before": found[0]} if found and found[1] > found[0] + limits.repeated else None


def kl_runaway(history: History, limits: Limits) -> Found:
    """Far from the reference, or leaving it ever further without gaining what such a drift can buy."""
    kl = smoothed(history, "objective/kl", limits.window)
    if kl is None:
        return None
    way = [line["objective/kl"] for line in history[1:][-limits.window :] if "objective/kl" in line]
    pace = signals.slope(way) if len(way) == limits.window else 0.0
    bought = _bought(history, limits, kl)
    return (
        {"kl": kl, "pace": pace, "bought": bought} if kl > limits.kl or pace * (1 - bought) > limits.kl_pace else None
    )


def _bought(history: History, limits: Limits, kl: float) -> float:
    """The share of what `kl` nats can buy that the held-out score (without one: the reward) has gained; 0: nothing."""
    for name, spread in (("watch/held_out", "watch/held_out_sd"), ("objective/scores", "watch/scores_sd")):
        found, unit = _both(history, name, limits), start(history, spread, limits)
        if found and unit:
            return signals.efficiency((found[1] - found[0]) / unit, kl)
    return 0.0


def value_useless(history: History, limits: Limits) -> Found:
    """After some rollouts the value model still explains nothing."""
    found = smoothed(history, "val/explained_variance", limits.window)
    if found is None or len(history) < limits.patience or found >= limits.value:
        return None
    return {"explained": found}


def sampler_trainer_mismatch(history: History, limits: Limits) -> Found:
    """The sampler and the trainer give the same tokens other probabilities."""
    found = history[-1].get("watch/mismatch") if history else None
    return {"nats": found} if found is not None and found > limits.mismatch else None


def stale_reference(history: History, limits: Limits) -> Found:
    """Before the first update the policy is its reference; where it is not, the reference is another model."""
    found = history[0].get("watch/first_drift") if history else None
    return {"kl": found} if found is not None and abs(found) > limits.first_kl else None


def chosen_likelihood_falls(history: History, limits: Limits) -> Found:
    """DPO: the margin grows while the chosen answers themselves become unlikely."""
    chosen, margin = _both(history, "watch/chosen_per_token", limits), _both(history, "rewards/margins", limits)
    if chosen is None or margin is None or margin[1] <= margin[0] or chosen[0] - chosen[1] <= limits.chosen:
        return None
    return {"now": chosen[1], "before": chosen[0]}


def ensemble_disagrees(history: History, limits: Limits) -> Found:
    """The reward models of an ensemble agree less and less: answers have left what they were trained on."""
    found = _both(history, "watch/disagreement", limits)
    return {"now": found[1], "before": found[0]} if found and found[1] > limits.disagreement * found[0] > 0 else None


RULES: dict[str, Callable[[History, Limits], Found]] = {
    "reward_hacking": reward_hacking,
    "length_exploit": length_exploit,
    "collapse": collapse,
    "kl_runaway": kl_runaway,
    "value_useless": value_useless,
    "sampler_trainer_mismatch": sampler_trainer_mismatch,
    "stale_reference": stale_reference,
    "chosen_likelihood_falls": chosen_likelihood_falls,
    "ensemble_disagrees": ensemble_disagrees,
}
