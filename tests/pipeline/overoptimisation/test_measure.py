"""Over-optimisation on answers and runs whose outcome is known."""

import json

import pytest
import torch

from baro.core.errors import DataError
from baro.objectives.select import kl_bound
from baro.pipeline.overoptimisation.labels import labels
from baro.pipeline.overoptimisation.measure import along, best_of_n, measure, shares
from baro.pipeline.overoptimisation.page import page

SIZES = [1, 2, 4, 8, 16, 32, 64]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_proxy_that_is_the_truth_gains_what_it_promises():
    gold = normal(4, 64)
    found = best_of_n(gold, gold, SIZES, float(gold.std(correction=0)))
    for point in found["points"]:
        assert point["gold"] == pytest.approx(point["proxy"])
    assert found["points"][0]["gold"] == pytest.approx(0)
    assert found["points"][0]["kl"] == pytest.approx(0)


def test_a_proxy_that_knows_nothing_rises_alone():
    proxy, gold = normal(64, 64), normal(64, 64, seed=1)
    last = best_of_n(proxy, gold, SIZES, 1.0)["points"][-1]
    assert last["proxy"] > 2
    assert abs(last["gold"]) < 4 / 8  # 64 prompts, one answer each


def test_a_proxy_that_likes_what_is_bad_loses_in_the_end():
    # on ordinary answers the proxy is right; the one in 64 that it likes best is the worst there is
    gold = torch.arange(64, dtype=torch.float64).repeat(8, 1)
    proxy = gold.clone()
    proxy[:, 0] = 100.0
    found = best_of_n(proxy, gold, SIZES, float(gold.std(correction=0)))
    gains = [point["gold"] for point in found["points"]]
    assert max(gains) > 0.5
    assert gains[-1] < -1.5
    assert 0 < found["fit"]["peak_d"] < found["fit"]["furthest_d"]


def test_the_divergence_stays_below_its_bound_and_equal_scores_are_one_answer():
    assert shares(torch.tensor([2.0, 1.0, 1.0, 3.0])).tolist() == [0.5, 0.25, 0.25]
    found = best_of_n(normal(2, 64).round(), normal(2, 64), SIZES, 1.0)
    for point in found["points"]:
        assert point["kl"] <= kl_bound(point["n"]) + 1e-12


def test_the_updates_of_a_rollout_are_one_point_and_0_is_the_sft_model():
    def line(step, kl, score, gold):
        return {"step": step, "objective/kl": kl, "objective/scores": score, "watch/gold": gold}

    lines = [line(1, 0.0, 1.0, 0.5), line(2, 0.0, 1.0, 0.5), line(3, 1.0, 3.0, 0.7), line(4, 4.0, 5.0, 0.4)]
    found = along(lines, {"mean": 0.5, "sd": 0.2}, torch.tensor([[0.0, 2.0]]))
    assert [point["gold"] for point in found["points"]] == pytest.approx([0.0, 1.0, -0.5])
    assert [point["proxy"] for point in found["points"]] == pytest.approx([0.0, 2.0, 4.0])
    assert found["fit"]["alpha"] == pytest.approx(1.0)  # at d = 1 the law is α
    assert found["fit"]["r2"] == pytest.approx(1.0)  # two points, two coefficients


@pytest.mark.slow
def test_the_stages_label_measure_and_write_a_page(whole, tmp_path, read):
    file, run = whole
    world, judge = run / "world", f"{file.parent / 'tiny_data.py'}:judge"
    own = {"device": "cpu", "dtype": "float32", "max_completion_length": 8, "judge": judge}
    (tmp_path / "labels").mkdir()
    made = labels(
        tmp_path / "labels",
        model=str(run / "sft"),
        prompts=[str(world / "prompts.jsonl")],
        measured_on=[str(world / "prompts.jsonl")],
        pairs=6,
        heldout=2,
        samples=8,
        **own,
    )
    assert made == {"preferences": 6, "preferences_heldout": 2, "prompts": 8}
    asked = [
        {json.dumps(json.loads(row)["prompt"]) for row in (tmp_path / "labels" / name).read_text().splitlines()}
        for name in ("preferences.jsonl", "preferences_heldout.jsonl")
    ]
    assert not asked[0] & asked[1]
    with pytest.raises(DataError, match=r"pairs of unequal score; 1,000,002 were asked for"):
        labels(
            tmp_path,
            model=str(run / "sft"),
            prompts=[str(world / "prompts.jsonl")],
            measured_on=[str(world / "prompts.jsonl")],
            pairs=1_000_000,
            heldout=2,
            **own,
        )
    with pytest.raises(DataError, match="no gold judge watched"):
        _measure(run, tmp_path, world, own)
    log = run / "ppo" / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (tmp_path / "ppo").mkdir()
    (tmp_path / "ppo" / "metrics.jsonl").write_text(
        "".join(
            json.dumps(line | {"watch/gold": 0.1 * place, "objective/kl": float(place)}) + "\n"
            for place, line in enumerate([*lines, *lines])
        )
    )
    found = _measure(run, tmp_path, world, own, tmp_path / "ppo")
    assert set(found) >= {"best_of_n_32_r2", "rl_32_r2"}
    kept = read(tmp_path / "overoptimisation.json")
    assert [point["n"] for point in kept["best_of_n"][0]["points"]] == [1, 2, 4, 8, 16]
    text = (tmp_path / "page.html").read_text()
    assert text == page(kept)
    for part in ("KL 값 없는 PPO", "Best of n", "R²", 'lang="ko"', "--m-1: #"):
        assert part in text


def _measure(run, folder, world, own, policy=None):
    return measure(
        folder,
        model=str(run / "sft"),
        labels=str(folder / "labels"),
        proxies={32: str(run / "reward")},
        policies={32: str(policy or run / "ppo")},
        prompts=[str(world / "prompts.jsonl")],
        samples=16,
        **own,
    )
