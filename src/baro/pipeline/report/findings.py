"""What the numbers say, in sentences: which method won, by how much, and whether chance could have done it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from baro.pipeline.report import numbers
from baro.pipeline.report.details import Words
from baro.pipeline.report.glossary import alarms_of, name
from baro.pipeline.report.words import FINDINGS, both, fill, join

Models = Mapping[str, Mapping[str, Any]]

# An alarm with one of these codes says that a model has learnt to please the reward model.
HACKING_ALARMS = frozenset({"reward_hacking"})


@dataclass(frozen=True)
class Findings:
    """The answer to "which method won".

    Attributes:
        headline: one short sentence.
        sentences: the numbers behind it, most important first.
        cautions: reward hacking, alarms, and whatever else speaks against the numbers.
        leaders: models no other model is shown to beat, best first; empty without a judge.
        hacked: models whose proxy reward is above the reference's and whose judge is clearly below it.
        order: all models, in the order in which they are to be shown.
    """

    headline: Words
    sentences: tuple[Words, ...]
    cautions: tuple[Words, ...]
    leaders: tuple[str, ...]
    hacked: tuple[str, ...]
    order: tuple[str, ...]


def reference_of(models: Models) -> str | None:
    """The model the others are measured against: the one whose KL is exactly 0, else `sft`, `base`, the first one."""
    itself = [model for model, values in models.items() if values.get("kl") == 0]
    return next((model for model in (*itself, "sft", "base", *models) if model in models), None)


def separated(better: Mapping[str, Any], worse: Mapping[str, Any]) -> bool | None:
    """Whether the judge's interval of `better` lies wholly above that of `worse`; None where an end is unknown.

    Stricter than a test of the difference: intervals that just touch may belong to a difference that is real.
    """
    low, high = numbers.known(better.get("judge_low")), numbers.known(worse.get("judge_high"))
    return None if low is None or high is None else low > high


def hacked(models: Models) -> tuple[str, ...]:
    """Models with a proxy reward above the reference's and a judge clearly below it, or with an alarm that says so."""
    reference = reference_of(models)
    found = []
    for model, values in models.items():
        codes = {alarm.code for alarm in alarms_of(values)}
        pleased = False
        if reference is not None and model not in (reference, "base"):  # the base model came before any reward
            proxy, other = numbers.known(values.get("reward")), numbers.known(models[reference].get("reward"))
            risen = proxy is not None and other is not None and proxy > other
            pleased = risen and separated(models[reference], values) is True
        if pleased or codes & HACKING_ALARMS:
            found.append(model)
    return tuple(found)


def findings(models: Models, *, judge_independent: bool | None = None) -> Findings:
    """Builds the headline and the sentences from the models of report.json.

    Args:
        models: report["models"].
        judge_independent: False adds that this judge cannot show reward hacking.
    """
    judged = sorted((m for m in models if _judge(models[m]) is not None), key=lambda m: -(_judge(models[m]) or 0.0))
    order = (*judged, *(model for model in models if model not in judged))
    pleasers = hacked(models)
    leaders: tuple[str, ...] = ()
    if judged:
        first = models[judged[0]]
        leaders = tuple(m for m in judged if m == judged[0] or separated(first, models[m]) is False)
        headline, sentences = _headline(models, judged, leaders), _by_how_much(models, judged, leaders)
    else:
        headline, sentences = _without_judge(models)
    cautions = [_hacking_sentence(models, model) for model in pleasers] + _doubts(models, leaders, pleasers)
    if judged and judge_independent is False:
        cautions.append(FINDINGS["dependent"])
    return Findings(headline, (*sentences, *_control(models)), tuple(cautions), leaders, pleasers, order)


def _judge(values: Mapping[str, Any]) -> float | None:
    return numbers.known(values.get("judge"))


def _score(values: Mapping[str, Any]) -> str:
    """The judge's score with its interval, as it stands in a sentence."""
    ends = numbers.interval(values.get("judge_low"), values.get("judge_high"))
    return f"{numbers.number(_judge(values))} {ends}".strip()


def _without_judge(models: Models) -> tuple[Words, tuple[Words, ...]]:
    rewards = {model: numbers.known(values.get("reward")) for model, values in models.items()}
    known = {model: reward for model, reward in rewards.items() if reward is not None}
    if not models or not known:
        return FINDINGS["no_judge" if models else "nothing"], ()
    top = max(known, key=lambda model: known[model])
    why = fill(FINDINGS["no_judge_why"], name=name(top), reward=numbers.number(known[top]))
    return FINDINGS["no_judge"], (why,)


def _headline(models: Models, judged: list[str], leaders: tuple[str, ...]) -> Words:
    reference, first = reference_of(models), judged[0]
    if len(judged) == 1:
        return fill(FINDINGS["only_one"], name=name(first))
    if reference == first:
        key = "no_better" if len(leaders) == 1 else "not_clearly_better"
        return fill(FINDINGS[key], name=name(first))
    if reference in leaders:
        return fill(FINDINGS["not_clearly_better"], name=name(str(reference)))
    if any(separated(models[first], models[other]) is None for other in judged[1:]):
        return fill(FINDINGS["highest_uncertain"], name=name(first))
    if len(leaders) > 1:
        return fill(FINDINGS["tied"], names=join([name(model) for model in leaders]))
    return fill(FINDINGS["won"], name=name(first))


def _compare(models: Models, a: str, b: str) -> Words:
    """`a` against `b` by the judge, with the difference and whether the intervals overlap."""
    difference = (_judge(models[a]) or 0.0) - (_judge(models[b]) or 0.0)
    key = {True: "against", False: "against_overlap", None: "against_unknown"}[separated(models[a], models[b])]
    return fill(
        FINDINGS[key],
        a=name(a),
        b=name(b),
        x=_score(models[a]),
        y=_score(models[b]),
        difference=numbers.number(difference, signed=True),
    )


def _by_how_much(models: Models, judged: list[str], leaders: tuple[str, ...]) -> tuple[Words, ...]:
    """The best against the reference, against those it cannot be told from, and against the next one."""
    reference, first = str(reference_of(models)), judged[0]
    rest = [model for model in judged if model not in leaders]
    sentences = [_compare(models, first, reference)] if reference in judged and reference != first else []
    close = [model for model in leaders if model not in (first, reference)]
    if close:
        others = join([join([name(model), both(_score(models[model]))], " ") for model in close])
        sentences.append(fill(FINDINGS["overlap"], name=name(first), others=others))
    if rest and rest[0] != reference:
        if separated(models[first], models[rest[0]]) is True:
            sentences.append(fill(FINDINGS["next"], name=name(rest[0]), x=_score(models[rest[0]])))
        else:
            sentences.append(_compare(models, first, rest[0]))
    elif rest and reference == first:
        sentences.append(_compare(models, first, rest[0]))
    if first != reference:
        sentences += _price(models, first, reference)
    return tuple(sentences)


def _price(models: Models, model: str, reference: str) -> list[Words]:
    """How often the best model wins against the reference and what it paid in drift and capability."""
    values, other, sentences = models[model], models[reference], []
    if numbers.known(values.get("win_rate")) is not None:
        ends = numbers.share_interval(values.get("win_rate_low"), values.get("win_rate_high"))
        share = f"{numbers.percent(values['win_rate'])} {ends}".strip()
        sentences.append(fill(FINDINGS["win_rate"], share=share, name=name(model), reference=name(reference)))
    costs = []
    if numbers.known(values.get("kl")) is not None:
        costs.append(fill(FINDINGS["cost_kl"], kl=numbers.number(values["kl"]), reference=name(reference)))
    before, after = numbers.known(other.get("capability")), numbers.known(values.get("capability"))
    if before is not None and after is not None:
        write = numbers.percent if max(before, after) <= 1 else numbers.number
        words = {"value": write(after), "other": write(before), "reference": name(reference)}
        costs.append(fill(FINDINGS["cost_capability"], **words))
    if costs:
        sentences.append(fill(FINDINGS["cost"], name=name(model), costs=join(costs, "; ")))
    return sentences


def _control(models: Models) -> tuple[Words, ...]:
    """Rejection sampling against training on as many answers that were chosen at random."""
    a, b = "rejection", "rejection_control"
    if a not in models or b not in models or None in (_judge(models[a]), _judge(models[b])):
        return ()
    up, down = separated(models[a], models[b]), separated(models[b], models[a])
    if up is None or down is None:
        return ()
    key = "control_better" if up else "control_worse" if down else "control_same"
    return (fill(FINDINGS[key], a=name(a), b=name(b), x=_score(models[a]), y=_score(models[b])),)


def _doubts(models: Models, leaders: tuple[str, ...], pleasers: tuple[str, ...]) -> list[Words]:
    """Where reward model and judge disagree short of hacking, and alarms of those in front."""
    sentences = []
    rewards = {model: numbers.known(values.get("reward")) for model, values in models.items()}
    known = {model: reward for model, reward in rewards.items() if reward is not None}
    top = max(known, key=lambda model: known[model]) if known else None
    if top is not None and top not in (*leaders, *pleasers) and _judge(models[top]) is not None:
        words = {"name": name(top), "reward": numbers.number(known[top]), "x": _score(models[top])}
        sentences.append(fill(FINDINGS["proxy_top"], **words))
    for model in leaders:
        alarms = [alarm.label for alarm in alarms_of(models[model])]
        if alarms:
            sentences.append(fill(FINDINGS["leader_alarms"], name=name(model), alarms=join(alarms)))
    return sentences


def _hacking_sentence(models: Models, model: str) -> Words:
    reference, values = reference_of(models), models[model]
    if reference is None or separated(models[reference], values) is not True:
        return fill(FINDINGS["hacked_alarm"], name=name(model))
    return fill(
        FINDINGS["hacked"],
        name=name(model),
        reference=name(reference),
        reward=numbers.number(values.get("reward")),
        other=numbers.number(models[reference].get("reward")),
        x=_score(values),
        y=_score(models[reference]),
    )
