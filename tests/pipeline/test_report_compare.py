"""The page of a comparison: the sentence on which to choose, and what must be seen."""

import copy
import re

import pytest
from rich.console import Console

from baro.pipeline.report import compare
from baro.pipeline.report.details import Details


def model(judge, low, high, kl, **more):
    seeds = [
        {"judge": judge + x, "win_rate": 0.6, "reward": 0.5, "kl": kl + x, "capability": 0.5} for x in (-0.01, 0.01)
    ]
    figures = {"judge": judge, "judge_low": low, "judge_high": high, "reward": 0.4, "kl": kl, "kl_per_token": kl / 10}
    figures |= {"win_rate": 0.6, "win_rate_low": 0.5, "win_rate_high": 0.7, "capability": 0.5, "text_nats": None}
    figures |= {"eos_rate": 1.0, "distinct_2": 0.2, "mean_length": 12.0, "alarms": [], "seeds": seeds}
    return figures | {"seconds": 12.0, "peak_bytes": 2**29} | more


SFT = model(0.47, 0.45, 0.49, 0.0, win_rate=None, seeds=[], seconds=None, peak_bytes=None)


def trial(rate, score, **settings):
    knobs = {"learning_rate": rate, "beta": 0.1}
    return {"knobs": knobs, "settings": knobs | settings, "judge": score, "reward": 0.1, "kl": 1.0, "win_rate": 0.5}


@pytest.fixture
def report():
    models = {"sft": SFT, "dpo": model(0.6, 0.57, 0.63, 1.0), "ppo": model(0.7, 0.67, 0.73, 2.5)}
    gap = {"mean": 0.1, "low": 0.05, "high": 0.15}
    loss = {"mean": -0.1, "low": -0.15, "high": -0.05}
    level = {"mean": 0.0, "low": -0.02, "high": 0.02}
    ppo = {"knobs": {"learning_rate": 1e-3, "kl_coef": 0.3}, "settings": {"total_episodes": 1280}, "judge": 0.7}
    found = {
        "baro": "1",
        "recipe": "<b>mine</b>",
        "reference": "sft",
        "device": "cpu",
        "budget": 60.0,
        "trials": 3,
        "seeds": 2,
        "prompts": 400,
        "tuning_prompts": 200,
        "scored_by": "judge",
        "models": models,
        "tuning": {
            "dpo": {
                "trials": [
                    trial(1e-3, 0.55, max_steps=40),
                    trial(3e-3, 0.6, max_steps=40),
                    trial(9e-3, 0.5, max_steps=40),
                ],
                "best": 1,
                "lent_by": "",
            },
            "ppo": {"trials": [ppo | {"reward": 0.1, "kl": 1.0}], "best": 0, "lent_by": "rloo"},
        },
        "compute": {
            "dpo": {"shared": 0.0, "trials": 36.0, "seeds": 24.0, "run": 12.0, "tokens": 10, "peak_bytes": 2**29},
            "ppo": {"shared": 20.0, "trials": 6.0, "seeds": 4.0, "run": 12.0, "tokens": 10, "peak_bytes": 2**30},
        },
        "pairs": {
            "sft": {"dpo": loss, "ppo": level},
            "dpo": {"sft": gap, "ppo": level},
            "ppo": {"sft": level, "dpo": level},
        },
    }
    found["choice"] = compare.choice(found["models"], found["budget"])
    return found


DETAILS = Details(command="baro compare mine.yaml", judge="m:judge", judge_independent=True, prompts=400)


def chosen(*scores):
    names = ("dpo", "ppo", "rloo")
    return compare.choice(
        {"sft": SFT} | {name: model(*score) for name, score in zip(names, scores, strict=False)}, 600.0
    )


def test_a_method_whose_interval_lies_above_all_others_is_chosen():
    said = chosen((0.6, 0.57, 0.63, 1.0), (0.7, 0.67, 0.73, 2.5))
    assert said["en"] == "Choose PPO: with 10 min for each method, it is the best."
    assert "PPO" in said["ko"]


def test_of_those_that_overlap_the_one_nearest_to_sft_is_named():
    said = chosen((0.68, 0.65, 0.71, 1.0), (0.7, 0.67, 0.73, 2.5), (0.6, 0.55, 0.66, 0.5))
    assert said["en"].startswith("PPO, DPO cannot be told apart. If you need one, take DPO")
    assert "RLOO" not in said["en"]  # its interval ends below that of the best


def test_sft_is_kept_where_nothing_is_shown_to_be_better():
    assert chosen((0.48, 0.46, 0.5, 1.0))["en"].startswith("Keep SFT: no method is shown to be better")
    assert chosen((0.3, 0.28, 0.32, 1.0))["en"].startswith("Keep SFT")


def test_without_a_judge_nothing_is_chosen():
    blind = {name: model(0.5, None, None, 1.0) | {"judge": None} for name in ("dpo", "ppo")}
    assert "no judge" in compare.choice({"sft": SFT | {"judge": None}} | blind, 600.0)["en"]


def test_the_page_says_the_choice_first_and_draws_every_seed(report):
    page = compare.page(report, DETAILS)
    heading = re.search(r"<h1>(.*?)</h1>", page, re.S)[1]
    assert report["choice"]["en"] in heading
    assert report["choice"]["ko"] in heading
    assert len(re.findall(r"<s style=", page)) == 4  # two seeds of two methods
    assert "<b>mine</b>" not in page
    assert "compare.json" in page


def test_only_differences_whose_interval_leaves_out_0_are_coloured(report):
    page = compare.page(report, DETAILS)
    table = re.search(r'class="compare duels".*?</table>', page, re.S)[0]
    assert len(re.findall(r'<td class="n up"', table)) == 1
    assert len(re.findall(r'<td class="n down"', table)) == 1
    assert len(re.findall(r'<td class="n "', table)) == 4


def test_the_best_trial_is_marked_and_one_at_the_edge_is_said(report):
    page = compare.page(report, DETAILS)
    assert page.count('<li class="best">') == 2
    assert "at the edge" not in page  # 3e-3 lies between 1e-3 and 9e-3, and PPO tried one
    further = copy.deepcopy(report)
    further["tuning"]["dpo"]["best"] = 2
    assert "at the edge" in compare.page(further, DETAILS)


def test_a_method_that_had_far_less_compute_than_the_others_is_warned_of(report):
    page = compare.page(report, DETAILS)
    assert "PPO used 50% of its time" in page
    assert "DPO used" not in page


def test_the_terminal_says_the_choice_and_where_the_page_is(report, tmp_path):
    console = Console(record=True, width=120)
    compare.show(report, tmp_path / "compare.html", console=console)
    said = console.export_text()
    assert said.startswith(report["choice"]["en"])
    assert "compare.html" in said
    assert "512 MiB" in said
