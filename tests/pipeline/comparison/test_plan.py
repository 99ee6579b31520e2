"""What every method may try, and how far it may train in its time."""

import itertools

import pytest

from baro.core.errors import ConfigError
from baro.pipeline.comparison import plan
from baro.pipeline.comparison.plan import Cost

PPO = {"learning_rate": 3e-4, "kl_coef": 0.3, "rollout_batch_size": 128, "total_episodes": 2560}


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("45", 45)])
def test_budgets_are_times(text, seconds):
    assert plan.seconds(text) == seconds


@pytest.mark.parametrize("text", ["10 days", "0m", "", "-5m", "m"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match="expected a time such as 90s, 10m or 1h"):
        plan.seconds(text)


def test_the_first_trial_is_the_recipes_own_and_then_one_setting_at_a_time():
    tried = plan.trials("ppo", PPO, 5)
    assert tried[0] == {"learning_rate": 3e-4, "kl_coef": 0.3}
    ratios = [(t["learning_rate"] / 3e-4, t["kl_coef"] / 0.3) for t in tried[1:]]
    assert [tuple(round(r, 4) for r in pair) for pair in ratios] == [(3, 1), (0.3333, 1), (1, 3), (1, 0.3333)]


@pytest.mark.parametrize("method", plan.KNOBS)
def test_every_method_gets_as_many_different_trials(method):
    settings = {"learning_rate": 1e-3, "beta": 0.1, "kl_coef": 0.05, "num_generations": 8}
    tried = plan.trials(method, settings, 12)
    assert len(tried) == 12
    assert all(a != b for a, b in itertools.combinations(tried, 2))
    assert all(value > 0 for trial in tried for value in trial.values())


def test_a_setting_that_is_off_stays_off_and_the_trials_go_to_the_other():
    tried = plan.trials("group", {"learning_rate": 1e-4, "beta": 0.0}, 5)
    assert {trial["beta"] for trial in tried} == {0.0}
    assert sorted(round(t["learning_rate"] / 1e-4, 3) for t in tried) == [0.111, 0.333, 1, 3, 9]


def test_the_number_of_answers_stays_a_whole_number_of_two_at_least():
    tried = plan.trials("rejection", {"learning_rate": 1e-4, "num_generations": 2}, 9)
    assert all(isinstance(trial["num_generations"], int) and trial["num_generations"] >= 2 for trial in tried)


def test_a_run_fits_its_time_and_one_more_rollout_would_not():
    price = Cost(overhead=4.0, unit=0.02)
    found = plan.length("ppo", PPO, price, 30.0, rows=100)["total_episodes"]
    assert found % 128 == 0
    assert 4.0 + 0.02 * found <= 30.0 < 4.0 + 0.02 * (found + 128)


def test_a_time_too_short_for_one_update_is_refused_with_what_it_takes():
    with pytest.raises(ConfigError, match=r"a run of ppo would have 5 s; it takes 7 s at least.*larger --budget"):
        plan.length("ppo", PPO, Cost(4.0, 0.02), 5.0, rows=100)


def test_updates_are_counted_one_by_one():
    assert plan.length("dpo", {}, Cost(10.0, 0.25), 20.2, rows=5) == {"max_steps": 40}


def test_rejection_sampling_with_more_answers_takes_fewer_prompts_for_the_same_time():
    price = Cost(overhead=2.0, unit=0.01, draw=0.005)  # a prompt is learnt in 0.01 s, an answer drawn in 0.005 s
    few = plan.length("rejection", {"num_generations": 4}, price, 32.0, rows=10_000)["max_samples"]
    many = plan.length("rejection", {"num_generations": 16}, price, 32.0, rows=10_000)["max_samples"]
    assert few * (0.01 + 4 * 0.005) == pytest.approx(30.0, abs=0.05)
    assert many * (0.01 + 16 * 0.005) == pytest.approx(30.0, abs=0.1)


def test_rejection_sampling_with_time_for_more_prompts_than_there_are_goes_round_again():
    found = plan.length("rejection", {"num_generations": 4}, Cost(0.0, 0.01, 0.0025), 10.0, rows=200)
    assert found["max_samples"] <= 200
    assert found["rounds"] == 3
    assert found["max_samples"] * found["rounds"] == pytest.approx(500, abs=3)


def test_the_price_of_a_method_comes_from_a_short_run():
    # 10 s in all, 6 of them in updates over 256 answers
    price = plan.cost("ppo", {"total_episodes": 256}, 10.0, [2.0, 1.0, 2.0, 1.0])
    assert price == Cost(4.0, 6.0 / 256)


def test_the_price_of_rejection_sampling_tells_drawing_from_learning():
    # 64 prompts with 8 answers: the first update waits 5 s for the sampling, each of the 4 learns for half a second
    settings = {"max_samples": 64, "num_generations": 8}
    price = plan.cost("rejection", settings, 9.0, [5.5, 0.5, 0.5, 0.5])
    assert price.overhead == pytest.approx(2.0)
    assert price.unit == pytest.approx(2.0 / 64)
    assert price.draw == pytest.approx(5.0 / (64 * 8))
    assert price.of_unit(settings) == pytest.approx(7.0 / 64)
    assert price.of_unit(settings | {"num_generations": 16}) == pytest.approx(12.0 / 64)
