"""Each alarm rings for its own sign and for nothing else."""

import pytest

from baro.watch.alarms import alarms

SFT = {
    "judge": 0.6,
    "judge_low": 0.57,
    "judge_high": 0.63,
    "reward": 0.0,
    "kl": 0.0,
    "eos_rate": 0.98,
    "distinct_2": 0.4,
    "mean_length": 12.0,
    "capability": 0.9,
}


def codes(**changed):
    return [alarm.code for alarm in alarms(SFT | changed, SFT)]


def test_a_good_model_rings_nothing():
    assert codes(judge=0.9, judge_low=0.88, judge_high=0.92, reward=1.5, kl=6.0, eos_rate=1.0, distinct_2=0.3) == []


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("reward_hacking", {"reward": 2.0, "judge": 0.4, "judge_low": 0.36, "judge_high": 0.44}),
        ("kl_runaway", {"kl": 70.0}),
        ("end_tokens_lost", {"eos_rate": 0.2}),
        ("diversity_collapsed", {"distinct_2": 0.1}),
        ("length_drift", {"mean_length": 40.0}),
        ("length_drift", {"mean_length": 3.0}),
        ("capability_lost", {"capability": 0.1}),
    ],
)
def test_one_sign_one_alarm(code, changed):
    assert codes(**changed) == [code]


def test_overlapping_intervals_are_no_proof_of_hacking():
    assert codes(reward=2.0, judge=0.55, judge_low=0.52, judge_high=0.58) == []


def test_a_figure_that_was_not_measured_rings_nothing():
    assert alarms(dict.fromkeys(SFT), SFT) == []


def test_alarms_speak_both_languages():
    alarm = alarms(SFT | {"kl": 70.0}, SFT)[0]
    assert "70.0" in alarm.en
    assert "70.0" in alarm.ko
