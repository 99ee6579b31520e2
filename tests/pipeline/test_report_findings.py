"""The sentences of the report against small runs whose answer is plain."""

from __future__ import annotations

import pytest

from baro.pipeline.report.findings import findings, hacked, reference_of, separated


def model(judge=None, low=None, high=None, **more):
    return {"judge": judge, "judge_low": low, "judge_high": high, "alarms": [], **more}


SFT = model(0.62, 0.59, 0.65, reward=0.0, kl=0.0, capability=0.96)
DPO = model(
    *(0.91, 0.89, 0.93), reward=2.3, kl=11.8, capability=0.95, win_rate=0.84, win_rate_low=0.81, win_rate_high=0.87
)
PPO = model(0.84, 0.81, 0.87, reward=2.0, kl=8.4)


def english(found):
    return " ".join(words["en"] for words in (found.headline, *found.sentences, *found.cautions))


def test_a_clear_winner_is_named_with_both_intervals_and_the_difference():
    found = findings({"sft": SFT, "dpo": DPO, "ppo": PPO})
    assert found.headline == {"en": "DPO won.", "ko": "가장 나은 방법은 DPO입니다."}
    assert found.leaders == ("dpo",)
    assert found.order == ("dpo", "ppo", "sft")
    first = found.sentences[0]
    assert first["en"] == (
        "The judge scores DPO’s answers 0.91 [0.89, 0.93] and SFT’s 0.62 [0.59, 0.65]: +0.29, and the intervals do not"
        " overlap."
    )
    assert (
        first["ko"]
        == "심판 점수: DPO 0.91 [0.89, 0.93], SFT 0.62 [0.59, 0.65]. 차이는 +0.29이며 구간이 겹치지 않습니다."
    )
    assert [words["en"] for words in found.sentences[1:]] == [
        "Next is PPO with 0.84 [0.81, 0.87]; the intervals do not overlap.",
        "On 84% [81, 87] of the prompts the judge prefers DPO’s answer to SFT’s.",
        "What DPO paid: a KL of 11.8 nats per answer from SFT; capability 95%, where SFT has 96%.",
    ]
    assert found.cautions == ()


def test_overlapping_intervals_are_not_a_victory():
    found = findings({"sft": SFT, "dpo": DPO, "ppo": model(0.90, 0.88, 0.92)})
    assert found.headline["en"] == "DPO, PPO lead; this run cannot tell them apart."
    assert found.leaders == ("dpo", "ppo")
    assert "Not to be told from DPO, because the intervals overlap: PPO 0.90 [0.88, 0.92]." in english(found)


def test_overlap_with_sft_means_that_nothing_is_clearly_better():
    found = findings({"sft": SFT, "dpo": model(0.64, 0.61, 0.67, reward=0.5, kl=2.0)})
    assert found.headline["en"] == "No method is clearly better than SFT."
    assert "+0.02, but the intervals overlap, so this may be chance." in english(found)
    assert "우연일 수 있습니다" in found.sentences[0]["ko"]


def test_sft_at_the_top_is_said():
    found = findings({"sft": SFT, "dpo": model(0.40, 0.35, 0.45, reward=-1.0, kl=2.0)})
    assert found.headline["en"] == "No method did better than SFT."
    assert found.leaders == ("sft",)


def test_touching_ends_count_as_overlap():
    assert separated(model(0.7, 0.65, 0.75), model(0.6, 0.55, 0.65)) is False
    assert separated(model(0.7, 0.66, 0.75), model(0.6, 0.55, 0.65)) is True
    assert separated(model(0.7), model(0.6, 0.55, 0.65)) is None


def test_without_intervals_chance_is_not_ruled_out():
    found = findings({"sft": model(0.6, reward=0.0, kl=0.0), "dpo": model(0.9, reward=1.0, kl=3.0)})
    assert found.headline["en"] == "DPO scored highest, without intervals."
    assert "chance cannot be ruled out" in english(found)


def test_without_a_judge_no_winner_is_named():
    models = {"sft": model(reward=0.1, kl=0.0), "ppo": model(reward=5.0, kl=9.0)}
    found = findings(models)
    assert found.headline["en"] == "No winner can be named: there was no judge."
    assert found.leaders == ()
    assert found.order == ("sft", "ppo")
    assert "Highest: PPO, 5.00." in english(found)
    assert "won" not in english(found)


@pytest.mark.parametrize(("models", "headline"), [({}, "No model was evaluated."), ({"sft": SFT}, None)])
def test_nothing_to_compare(models, headline):
    found = findings(models)
    assert found.headline["en"] == (headline or "Only one model was evaluated: SFT.")


def test_high_proxy_and_low_judge_is_reward_hacking():
    hack = model(0.37, 0.34, 0.41, reward=5.87, kl=96.5)
    found = findings({"sft": SFT, "dpo": DPO, "ppo_no_kl": hack})
    assert found.hacked == ("ppo_no_kl",)
    assert found.cautions[0]["en"] == (
        "Reward hacking: PPO without KL has a proxy reward of 5.87 (SFT: 0.00), yet the judge gives it 0.37"
        " [0.34, 0.41], below SFT’s 0.62 [0.59, 0.65]."
    )


@pytest.mark.parametrize(
    "other",
    [
        model(0.37, 0.34, 0.41, reward=-1.0),  # the proxy fell as well
        model(0.60, 0.57, 0.63, reward=5.0),  # the intervals overlap
        model(0.90, 0.88, 0.92, reward=5.0),  # the judge rose as well
        model(None, None, None, reward=5.0),  # nobody judged
    ],
)
def test_what_is_not_reward_hacking(other):
    assert hacked({"sft": SFT, "x": other}) == ()


def test_the_base_model_came_before_any_reward():
    assert hacked({"sft": SFT, "base": model(0.1, 0.05, 0.15, reward=3.0)}) == ()


def test_an_alarm_of_the_monitors_counts_without_a_judge():
    models = {"sft": model(reward=0.0, kl=0.0), "ppo": model(reward=9.0) | {"alarms": ["reward_hacking"]}}
    assert hacked(models) == ("ppo",)
    assert "an alarm was raised for PPO" in english(findings(models))


def test_the_highest_proxy_without_the_best_judge_is_a_caution():
    found = findings({"sft": SFT, "dpo": DPO, "ppo": PPO | {"reward": 4.0}})
    assert "PPO has the highest proxy reward (4.00) but not the best answers" in english(found)


def test_a_judge_that_shares_with_the_reward_model_is_a_caution():
    assert "cannot show reward hacking" in english(findings({"sft": SFT, "dpo": DPO}, judge_independent=False))
    assert "cannot show" not in english(findings({"sft": SFT, "dpo": DPO}, judge_independent=True))


def test_alarms_of_the_winner_are_said():
    alarm = {"code": "length_drift", "en": "longer", "ko": "길어짐", "value": 2.0}
    found = findings({"sft": SFT, "dpo": DPO | {"alarms": [alarm]}})
    assert found.cautions[-1] == {
        "en": "DPO leads with alarms raised: length drift.",
        "ko": "DPO: 앞섰지만 경보가 울렸습니다(길이 변화).",
    }


@pytest.mark.parametrize(
    ("best", "control", "said"),
    [
        ((0.74, 0.71, 0.77), (0.63, 0.60, 0.66), "Choosing by reward is what helped"),
        ((0.65, 0.62, 0.68), (0.63, 0.60, 0.66), "Choosing by reward is not shown to help"),
        ((0.50, 0.47, 0.53), (0.63, 0.60, 0.66), "Choosing by reward did harm"),
    ],
)
def test_the_random_control_is_compared(best, control, said):
    found = findings({"sft": SFT, "rejection": model(*best), "rejection_control": model(*control)})
    assert said in english(found)


def test_the_reference_is_the_model_whose_kl_is_zero():
    assert reference_of({"base": model(kl=30.0), "tuned": model(kl=0.0), "sft": model(kl=3.0)}) == "tuned"
    assert reference_of({"base": model(), "sft": model()}) == "sft"
    assert reference_of({"x": model(), "base": model()}) == "base"
    assert reference_of({}) is None


def test_an_unknown_model_keeps_its_name_in_both_languages():
    found = findings({"sft": SFT, "ipo-β=0.1": DPO})
    assert found.headline == {"en": "ipo-β=0.1 won.", "ko": "가장 나은 방법은 ipo-β=0.1입니다."}
