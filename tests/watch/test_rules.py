"""Every rule rings for its own sign, is silent without it, and is silent where figures are missing."""

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


def test_hacking_does_not_depend_on_the_unit_of_any_score():
    ends = {"objective__scores": 2.0, "watch__held_out": -0.8}
    names = {"objective/scores", "watch/scores_sd", "watch/held_out", "watch/held_out_sd"}
    scaled = [{k: 50 * v if k in names else v for k, v in line.items()} for line in ramp(**ends)]
    assert codes(scaled) == codes(ramp(**ends)) == ["reward_hacking"]
    calm = [{k: 50 * v if k in names else v for k, v in line.items()} for line in ramp(objective__scores=0.5)]
    assert codes(calm) == []


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
