"""Which methods compete, with which settings, and what is charged to them."""

from pathlib import Path

import pytest

from baro.core.errors import ConfigError
from baro.pipeline import recipe as recipes
from baro.pipeline.comparison import plan
from baro.pipeline.comparison.entrants import charged, entrants, needed

ROOT = Path(__file__).parents[3] / "recipes"


@pytest.fixture(scope="module")
def quickstart():
    return recipes.load(ROOT / "quickstart.yaml", [])


def test_a_stage_of_the_recipe_lends_its_settings_and_the_reference_does_not_compete(quickstart):
    (found,) = entrants(quickstart, ["sft", "ppo"], "sft")
    assert found.settings["kl_coef"] == 0.35
    assert found.settings["missing_eos_penalty"] == 3.0
    assert found.lent_by == ""


@pytest.mark.parametrize("name", ["group", "rloo", "grpo", "online_dpo", "kto"])
def test_a_method_without_a_stage_takes_over_data_and_rates_but_not_what_means_something_else(quickstart, name):
    (found,) = entrants(quickstart, [name], "sft")
    lender = quickstart.stages[found.lent_by]
    assert lender.name == ("dpo" if name == "kto" else "ppo")
    assert found.settings["dataset"] == lender.settings["dataset"]
    assert found.settings["learning_rate"] == float(lender.settings["learning_rate"])
    assert "loss_type" not in found.settings
    expected = {"kto": 0.1, "online_dpo": 0.1}.get(name, 0.35)  # dpo's beta of 5 is another scale; PPO's price is not
    assert found.settings["beta"] == expected
    assert "kl_coef" not in found.settings


def test_a_stage_can_be_named_instead_of_a_method(quickstart):
    (found,) = entrants(quickstart, ["rejection_control"], "sft")
    assert (found.method, found.settings["select"]) == ("rejection", "random")


def test_every_name_that_is_no_method_is_said_at_once(quickstart):
    with pytest.raises(ConfigError) as caught:
        entrants(quickstart, ["pppo", "reward"], "sft")
    assert "Did you mean ppo?" in str(caught.value)
    assert "'reward', which is no method that is compared" in str(caught.value)
    with pytest.raises(ConfigError, match="names nothing to train"):
        entrants(quickstart, ["sft"], "sft")


def test_a_recipe_that_knows_nothing_of_the_data_is_refused():
    sums = recipes.load(ROOT / "sums.yaml", [])
    with pytest.raises(ConfigError, match=r"no stage of dpo.*Add a stage with method: dpo"):
        entrants(sums, ["dpo"], "sft")


def test_only_what_a_method_or_the_evaluation_reads_is_run_first(quickstart):
    assert needed(quickstart, entrants(quickstart, ["dpo"], "sft"), "sft") == ["world", "base", "sft", "reward"]
    nsmc = recipes.load(ROOT / "nsmc.yaml", [])
    first = needed(nsmc, entrants(nsmc, ["dpo", "ppo"], "sft"), "sft")
    assert first == ["reviews", "base", "sft", "reward", "rejection"]  # whose pairs DPO learns from there


def test_what_only_a_methods_way_needs_is_charged_to_it(quickstart):
    dpo, ppo = entrants(quickstart, ["dpo", "ppo"], "sft")
    assert charged(quickstart, dpo, "sft") == []
    assert charged(quickstart, ppo, "sft") == ["reward"]
    nsmc = recipes.load(ROOT / "nsmc.yaml", [])
    assert charged(nsmc, entrants(nsmc, ["dpo"], "sft")[0], "sft") == ["reward", "rejection"]


def test_every_method_that_can_be_compared_has_its_settings(quickstart):
    for one in entrants(quickstart, plan.KNOBS, "sft"):
        assert {*plan.KNOBS[one.method], plan.LENGTH[one.method]} <= set(one.settings)
