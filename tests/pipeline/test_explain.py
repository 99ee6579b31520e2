"""What is said about runs whose faults are planted in their files."""

import json

import pytest

from baro.core.errors import BaroError
from baro.pipeline.explain import explain


@pytest.fixture
def stage(tmp_path):
    """(name, lines, …) → a stage's folder with these figures."""

    def make(name, lines, *, method="sft", metrics=None, settings=None, finished=True, alarms=None, started="1"):
        folder = tmp_path / name
        folder.mkdir()
        done = {"step": len(lines)} if finished is True else finished
        record = {"machine": {"started": started}, "settings": settings or {}, "finished": done}
        (folder / "run.json").write_text(json.dumps(record))
        lines = [{"step": number, **line} for number, line in enumerate(lines, 1)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if finished:
            (folder / "result.json").write_text(json.dumps({"method": method, "metrics": metrics or {}}))
        if alarms:
            (folder / "alarms.json").write_text(json.dumps({"alarms": alarms}))
        return folder

    return make


def said(folder, level=None):
    ((_, notes),) = explain(folder)
    assert all(note.en and note.ko and note.en != note.ko for note in notes)
    return " ".join(note.en for note in notes if level in (None, note.level))


def test_a_good_run_is_told_in_facts_only(stage):
    folder = stage(
        "sft", [{"loss": 2.0 - n / 20, "grad_norm": 0.5} for n in range(20)], settings={"max_grad_norm": 1.0}
    )
    assert said(folder) == said(folder, "fact") == "The loss went from 1.975 to 1.075."


@pytest.mark.parametrize(
    ("lines", "settings", "expected"),
    [
        ([{"loss": 1.0}, {"loss": 1.2}], {}, "Nothing was learnt"),
        ([{"loss": 1.0}, {"skipped": "loss is nan", "rows": ["f:3"]}, {"loss": 0.9}], {}, "1 updates were skipped"),
        ([{"loss": 1 - n / 50, "grad_norm": 9.0} for n in range(20)], {"max_grad_norm": 1.0}, "were clipped to 1"),
        (
            [{"loss": 1.0, "eval/nats_per_token": v} for v in (2.0, 1.5, 1.7)] + [{"loss": 0.5}],
            {},
            "best at update 2 (1.500)",
        ),
    ],
)
def test_faults_of_any_training_are_named_with_a_remedy(stage, lines, settings, expected):
    assert expected in said(stage("sft", lines, settings=settings))


def test_a_run_that_is_not_finished_says_how_to_go_on(stage):
    assert "The same command goes on" in said(stage("sft", [{"loss": 1.0}, {"loss": 0.5}], finished=None), "warn")
    early = stage("ppo", [{"loss": 1.0}], finished={"step": 1, "reason": "alarm: collapse"})
    assert "ended early, after update 1: alarm: collapse" in said(early, "warn")


def test_reinforcement_learning_is_told_as_reward_for_kl_and_judged_by_its_referees(stage):
    lines = [
        {"objective/scores": n / 10, "objective/kl": n / 2, "watch/gold": 0.6 - n / 50, "watch/held_out": n / 20}
        for n in range(20)
    ]
    alarm = {"code": "reward_hacking", "en": "It fell.", "ko": "떨어졌습니다.", "rollout": 7}
    alarm["remedy"] = {"en": "Raise kl_coef.", "ko": "kl_coef를 올리십시오."}
    folder = stage("ppo", lines, method="ppo", alarms=[alarm])
    assert "The reward went from 0.05 to 1.85 for 9.2 nats" in said(folder, "fact")
    bad = said(folder, "bad")
    assert "Alarm reward_hacking (rollout 7): It fell. Raise kl_coef." in bad
    assert "gold judge the answers went from 0.59 to 0.23" in bad
    assert "held-out reward model" in said(folder, "good")


def test_a_negative_kl_is_explained(stage):
    lines = [{"objective/scores": 0.1 * n, "objective/kl": -0.4} for n in range(4)]
    assert "KL is negative (-0.40)" in said(stage("ppo", lines, method="ppo"), "bad")


def test_dpo_explains_that_both_fall(stage):
    lines = [
        {"loss": 0.7 - n / 50, "logps/chosen": -20.0 - n, "logps/rejected": -22.0 - 3 * n, "rewards/margins": n}
        for n in range(10)
    ]
    assert "Both falling is usual in DPO" in said(stage("dpo", lines, method="dpo"))


def test_a_reward_model_at_chance_is_called_so(stage):
    metrics = {"accuracy": 0.52, "accuracy_low": 0.47, "accuracy_high": 0.57}
    lines = [{"loss": 0.7}, {"loss": 0.69}]
    assert "no better than a coin" in said(stage("reward", lines, method="reward", metrics=metrics), "bad")
    assert "baro eval reward" in said(stage("reward_blind", lines, method="reward"), "warn")


def test_a_whole_run_is_told_stage_by_stage_in_the_order_they_were_made(stage, tmp_path):
    stage("second", [{"loss": 1.0}, {"loss": 0.5}], started="2026-01-02")
    stage("first", [{"loss": 1.0}, {"loss": 0.5}], started="2026-01-01")
    assert [name for name, _ in explain(tmp_path)] == ["first", "second"]


def test_a_folder_without_a_run_is_one_clear_error(tmp_path):
    with pytest.raises(BaroError, match=r"no run\.json"):
        explain(tmp_path)
