"""The watch inside real, tiny runs: signals logged, alarms kept, actions taken, a resumed run the same."""

import json

import pytest
from pydantic import ValidationError

from baro.recipes import shown
from baro.recipes.watching import BEST, Watcher, of_updates
from baro.watch.rules import GRAVE, Limits

REWARDS = """
def longer(prompts, completions, **columns):
    return [float(len(text)) for text in completions]


def shorter(prompts, completions, **columns):
    return [-float(len(text)) for text in completions]
"""


@pytest.fixture
def rewards(tmp_path):
    file = tmp_path / "rewards.py"
    file.write_text(REWARDS)
    return lambda name: f"{file}:{name}"


@pytest.fixture
def touchy(monkeypatch):
    """Limits so small that every run rings."""
    monkeypatch.setattr("baro.watch.rules.Limits", lambda **given: Limits(**{"window": 1, "kl": -1.0} | given))


def alarms(run):
    return [one["code"] for one in json.loads((run.folder / "alarms.json").read_text())["alarms"]]


def test_the_judge_and_the_held_out_model_are_logged_and_change_nothing(train, reward, rewards, tensors):
    plain = train("ppo", "plain")
    watched = train("ppo", "watched", judge=rewards("shorter"), held_out_reward_model=str(reward))
    line = watched.steps[-1]
    assert line["watch/gold"] < 0
    assert line["watch/held_out"] == pytest.approx(line["objective/scores"], abs=1e-4)  # the same model judges here
    assert {"watch/length_share", "watch/distinct_2", "watch/repeated"} <= set(line)
    assert line["watch/mismatch"] < 1e-4
    before, after = tensors(plain.folder), tensors(watched.folder)
    assert all((before[name] == after[name]).all() for name in before)


@pytest.mark.invariant("I40")
@pytest.mark.parametrize("method", ["ppo", "group"])
def test_sampler_and_trainer_agree_to_the_last_bit_where_asked(train, method):
    run = train(method, batch_invariant=True)
    assert {line["watch/mismatch"] for line in run.steps} == {0.0}
    assert run.steps[0]["val/ratio"] == 1.0
    assert max(line["watch/mismatch"] for line in train(method, "plain").steps) > 0


def test_an_alarm_stops_the_run_when_asked(train, touchy):
    assert len(train("ppo", "log").steps) == 12
    stopped = train("ppo", "stop", on_alarm="stop")
    assert alarms(stopped) == ["kl_runaway"]
    assert len(stopped.steps) < 12
    record = json.loads((stopped.folder / "run.json").read_text())
    assert record["finished"]["reason"] == "alarm: kl_runaway"
    assert any("alarm kl_runaway" in line and "Raise kl_coef" in line for line in stopped.said)


def test_an_alarm_raises_the_price_once(train, touchy):
    run = train("ppo", on_alarm="raise_kl", kl_target=None, kl_coef=0.1)
    prices = [line["objective/kl_coef"] for line in run.steps]
    assert prices[0] == pytest.approx(0.1)
    assert prices[-1] == pytest.approx(0.1 * 2 ** len(set(alarms(run)) & GRAVE))
    assert set(alarms(run)) & GRAVE


def test_rewinding_goes_back_to_the_best_weights(train, touchy, reward, tensors):
    run = train("ppo", on_alarm="rewind", held_out_reward_model=str(reward))
    best, final = tensors(run.folder / BEST), tensors(run.folder)
    assert all((best[name] == final[name]).all() for name in best)
    assert any("rewound" in line for line in run.said)


def test_a_rewind_needs_to_know_where_to(train):
    with pytest.raises(ValidationError, match="held_out_reward_model"):
        train("ppo", on_alarm="rewind")


def test_dpo_and_rejection_are_watched(train, rewards):
    dpo = train("dpo", "dpo")
    assert "watch/chosen_per_token" in dpo.steps[0]
    assert alarms(dpo) == []
    rejection = train("rejection", "rejection", judge=rewards("longer"))
    assert rejection.result["metrics"]["watch/gold"] > 0
    assert (rejection.folder / "alarms.json").is_file()


@pytest.mark.parametrize("method", ["group", "online_dpo"])
def test_other_methods_that_sample_are_watched_too(train, rewards, method):
    run = train(method, judge=rewards("longer"))
    assert run.steps[-1]["watch/gold"] > 0
    assert (run.folder / "alarms.json").is_file()


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_reference_that_is_another_model_is_noticed(train, move, model, method):
    other = train(method, ref_model=move(model, scale=2.0))
    assert "stale_reference" in alarms(other)


def test_kto_is_watched_as_dpo_is(train):
    run = train("kto")
    assert alarms(run) == []
    assert "watch/chosen_per_token" in run.steps[-1]
    watcher, rates = Watcher(Config(), Run(), None, None), [0.0, -0.1, -0.3, -0.5, -0.7, -0.9]
    look = of_updates(watcher, beta=0.1)
    for number, rate in enumerate(rates, start=1):
        sums = {"rewards/chosen": rate, "rewards/rejected": 3 * rate}
        look(number, {"watch/chosen_per_token": rate, **sums})
    assert [alarm["code"] for alarm in watcher.raised] == ["chosen_likelihood_falls"]


class Config:
    on_alarm, environment = "log", None


class Run:
    def say(self, text):
        pass


class Sums(Config):
    environment = "sums"


def test_becoming_sure_is_no_collapse_where_there_is_one_right_answer():
    rings = {}
    for config in (Config, Sums):
        watcher = Watcher(config(), Run(), None, None)
        for number in range(8):
            watcher.note({"objective/entropy": 2.0 * 0.6**number}, answers=4)
        rings[config] = [alarm["code"] for alarm in watcher.raised]
    assert rings == {Config: ["collapse"], Sums: []}


def test_answers_are_shown_as_they_change(train, settings):
    for method, answers in (("ppo", 1), ("group", 4), ("online_dpo", 2), ("rejection", 4)):
        run = train(method)
        rows = [json.loads(line) for line in (run.folder / "rollouts.jsonl").read_text().splitlines()]
        assert {row["step"] for row in rows} <= {line["step"] for line in run.steps} | {1}
        assert all(len(row["completions"]) == len(row["rewards"]) <= 4 for row in rows)
        assert max(len(row["completions"]) for row in rows) == min(answers, 4)
        assert rows[0]["prompt"][-1]["role"] == "user"
        assert any(row["completions"][0] for row in rows)


def test_what_is_shown_of_a_long_run_grows_ever_slower():
    assert all(shown.kept(rollout) for rollout in range(128))
    for start in (128, 1024, 65_536):
        assert sum(map(shown.kept, range(start, 2 * start))) == 64


def test_the_state_holds_all_it_has_seen():
    one, other = Watcher(Config(), Run(), None, None), Watcher(Config(), Run(), None, None)
    for number in range(6):
        one.note({"objective/kl": 5.0 * number}, answers=4)
    other.restore(json.loads(json.dumps(one.state())))
    assert other.history == one.history
    assert other.raised == one.raised
    one.note({"objective/kl": 60.0})
    other.note({"objective/kl": 60.0})
    assert other.state() == one.state()
