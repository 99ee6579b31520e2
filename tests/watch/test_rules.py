"""Every rule rings for its own sign, is silent without it, and is silent where figures are missing."""

import random

import pytest

from baro.watch.rules import GRAVE, RULES, Limits, broken, smoothed
from baro.watch.words import WORDS

CALM = {
    "objective/scores": 0.0,
    "objective/kl": 0.0,
    "objective/entropy": 1.0,
    "val/length": 12.0,
    "val/ended": 1.0,
    "val/explained_variance": 0.5,
    "watch/scores_sd": 1.0,
    "watch/held_out": 0.0,
    "watch/held_out_sd": 1.0,
    "watch/gold": 0.6,
    "watch/gold_sd": 0.3,
    "watch/length_share": 0.02,
    "watch/distinct_2": 0.5,
    "watch/repeated": 0.0,
    "watch/mismatch": 0.004,
    "watch/answers": 64.0,
    "watch/first_drift": 0.0,
    "watch/chosen_per_token": 0.0,
    "watch/disagreement": 0.2,
    "rewards/margins": 0.0,
}
LONG = 14


def ramp(**ends):
    """A run whose named figures go in a straight line to their ends, all others staying calm."""
    names = {name.replace("__", "/"): end for name, end in ends.items()}
    return [
        CALM | {name: CALM[name] + (end - CALM[name]) * t / (LONG - 1) for name, end in names.items()}
        for t in range(LONG)
    ]


def codes(history, limits=None):
    return [alarm.code for alarm in broken(history, limits or Limits())]


def test_a_calm_run_and_a_good_one_ring_nothing():
    assert codes(ramp()) == []
    assert codes(ramp(objective__scores=1.2, watch__held_out=1.0, watch__gold=0.8, objective__kl=3.0)) == []
    assert all(not codes(ramp(objective__scores=1.2, watch__held_out=1.0)[:n]) for n in range(LONG))


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("reward_hacking", {"objective__scores": 2.0, "watch__held_out": 2.0, "watch__gold": 0.3}),
        ("reward_hacking", {"objective__scores": 2.0, "watch__held_out": -0.8}),
        ("reward_hacking", {"objective__scores": 3.0, "watch__held_out": 0.8}),
        ("length_exploit", {"val__length": 30.0, "watch__length_share": 0.4}),
        ("length_exploit", {"val__length": 4.0, "watch__length_share": -0.4}),
        ("collapse", {"watch__distinct_2": 0.1}),
        ("collapse", {"watch__repeated": 0.8}),
        ("collapse", {"objective__entropy": 0.1}),
        ("collapse", {"val__ended": 0.3}),
        ("kl_runaway", {"objective__kl": 25.0}),
        ("value_useless", {"val__explained_variance": -1.5}),
        ("chosen_likelihood_falls", {"watch__chosen_per_token": -0.9, "rewards__margins": 2.0}),
        ("ensemble_disagrees", {"watch__disagreement": 0.9}),
    ],
)
def test_each_sign_rings_its_own_alarm(code, ends):
    assert codes(ramp(**ends)) == [code]


def test_signs_of_the_very_first_rollout():
    assert codes([CALM | {"watch/mismatch": 0.5}]) == ["sampler_trainer_mismatch"]
    assert codes([CALM | {"watch/first_drift": 3.0}]) == ["stale_reference"]


def test_what_is_no_hacking():
    # the referee falls, but so does the proxy: a run that fails is not one that hacks
    assert "reward_hacking" not in codes(ramp(objective__scores=-1.0, watch__gold=0.2))
    # answers grow, but length buys nothing
    assert "length_exploit" not in codes(ramp(val__length=30.0, watch__length_share=-0.2))
    # both log-probs of a pair fall together with the margin
    assert codes(ramp(watch__chosen_per_token=-0.9, rewards__margins=-1.0)) == []


def test_a_fall_within_noise_is_none():
    # 6 answers a rollout with a spread of 1: a fall of 0.4 is less than two standard errors
    history = [line | {"watch/answers": 2.0} for line in ramp(objective__scores=0.5, watch__held_out=-0.35)]
    assert codes(history) == []
    many = [line | {"watch/answers": 512.0} for line in history]
    assert codes(many) == ["reward_hacking"]


def test_a_plateau_seldom_rings():
    """Each rollout's gold score is the mean of 128 answers with a spread of 0.29; the policy has stopped changing."""

    def plateau(seed: int) -> list[dict[str, float]]:
        chance = random.Random(seed)
        rises = [min(rollout / 5, 1) for rollout in range(20)]
        gold = [0.5 + 0.19 * rise + chance.gauss(0, 0.29 / 128**0.5) for rise in rises]
        known = {"watch/scores_sd": 0.95, "watch/gold_sd": 0.29, "watch/answers": 128.0}
        return [
            known | {"objective/scores": -0.4 + 1.4 * rise, "watch/gold": score}
            for rise, score in zip(rises, gold, strict=True)
        ]

    rang = sum(
        any("reward_hacking" in codes(history[:rollouts]) for rollouts in range(4, 21))
        for history in map(plateau, range(100))
    )
    assert rang <= 8, "the best of many windows is high by luck: two standard errors ring in a third of healthy runs"


def test_hacking_does_not_depend_on_the_unit_of_any_score():
    ends = {"objective__scores": 2.0, "watch__held_out": -0.8}
    names = {"objective/scores", "watch/scores_sd", "watch/held_out", "watch/held_out_sd"}
    scaled = [{k: 50 * v if k in names else v for k, v in line.items()} for line in ramp(**ends)]
    assert codes(scaled) == codes(ramp(**ends)) == ["reward_hacking"]
    calm = [{k: 50 * v if k in names else v for k, v in line.items()} for line in ramp(objective__scores=0.5)]
    assert codes(calm) == []


def drifting(pace: float, gain: float, nats: float = 0.0) -> list[dict[str, float]]:
    """A run that drifts evenly and whose two scores rise by `gain` · √(2 KL) standard deviations."""
    way = [nats * (t > 0) + pace * t for t in range(8)]
    bought = [gain * (2 * kl) ** 0.5 for kl in way]
    return [
        CALM | {"objective/kl": kl, "objective/scores": score, "watch/held_out": score, "watch/gold": 0.6}
        for kl, score in zip(way, bought, strict=True)
    ]


def test_a_drift_that_pays_is_no_runaway_and_one_that_buys_nothing_is():
    assert "kl_runaway" in codes(drifting(1.0, 0.1)[:5])
    assert codes(drifting(1.0, 0.6)) == []
    assert codes(drifting(0.5, 0.0)) == []
    # what counts is what the held-out score has gained, not what training pushes up
    blind = [line | {"watch/held_out": 0.0} for line in drifting(1.0, 0.6)]
    assert "kl_runaway" in codes(blind)
    alone = [{k: v for k, v in line.items() if "held_out" not in k} for line in blind]
    assert "kl_runaway" not in codes(alone)


def test_the_first_leap_is_no_pace():
    """A high learning rate leaves the reference in one step and then stays: no run that runs away."""
    assert codes(drifting(0.0, 0.1, nats=5.0)) == []


def test_a_runaway_is_named_after_four_rollouts():
    assert next(n for n in range(8) if "kl_runaway" in codes(drifting(1.0, 0.2)[:n])) == 4


def test_missing_figures_silence_a_rule():
    assert codes([{"objective/kl": 1.0}] * 5) == []
    assert codes([]) == []
    assert smoothed([{"a": 1.0}, {"b": 2.0}], "a", 2) is None
    assert smoothed([{"a": 1.0}, {"a": float("nan")}], "a", 2) is None
    assert smoothed([{"a": 1.0}, {"a": 2.0}, {"a": 4.0}], "a", 2) == 3.0


def test_every_alarm_has_words_and_a_remedy_in_both_languages():
    assert set(WORDS) == set(RULES)
    assert set(RULES) >= GRAVE
    for words in WORDS.values():
        assert set(words) == {"en", "ko", "remedy_en", "remedy_ko"}
        assert all(words.values())
