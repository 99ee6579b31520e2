"""`baro compare` on the tiny chain: what it runs, what it does not run again, what it writes, what it refuses."""

import json

import pytest

from baro.core.errors import ConfigError
from baro.evals.statistics import wins
from baro.pipeline.comparison import plan
from baro.pipeline.comparison.run import Options, compare

ASKED = Options(("sft", "rejection", "dpo", "ppo"), seeds=2, budget=80.0, trials=2)


@pytest.fixture
def priced(monkeypatch):
    """Every method costs the same on every machine: an update or a prompt 2.5 s, an answer 1.25 s."""
    monkeypatch.setattr(
        plan,
        "cost",
        lambda method, settings, total, updates: plan.Cost(0.0, 2.5 if method in ("rejection", "dpo") else 1.25),
    )
    monkeypatch.setattr(plan.Cost, "of_unit", lambda self, settings: self.unit)


@pytest.mark.slow
def test_methods_are_tuned_run_with_seeds_measured_and_not_run_again(whole, went, priced, read, capsys):
    file, run = whole
    words = [f"run={run}", "ppo.judge=null"]
    found = compare(file, ASKED, words)
    assert went[:1] == ["dpo-reference"]  # sft and reward were there already
    assert [name for name in went if "trial" in name] == [
        f"{method}-trial-{n}" for method in ("rejection", "dpo", "ppo") for n in (1, 2)
    ]
    assert [name for name in went if "seed" in name] == [
        f"{method}-seed-{n}" for method in ("rejection", "dpo", "ppo") for n in (1, 2)
    ]
    folder = run / "compare"
    assert read(folder / "compare.json") == json.loads(json.dumps(found))
    # the prompts that settings were chosen on are not those that are reported
    tuning, reported = (
        set((folder / f"prompts_{what}.jsonl").read_text().splitlines()) for what in ("tuning", "reported")
    )
    assert tuning
    assert not tuning & reported
    assert found["tuning_prompts"] + found["prompts"] == len(tuning | reported) == 8
    # each method's runs have the same length, and its seeds the settings of its best trial
    settings = read(folder / "dpo-seed-1" / "run.json")["settings"]
    best = found["tuning"]["dpo"]["trials"][found["tuning"]["dpo"]["best"]]
    assert best["judge"] == max(trial["judge"] for trial in found["tuning"]["dpo"]["trials"])
    assert {key: settings[key] for key in best["settings"]} == best["settings"]
    assert settings["max_steps"] == 8  # 80 s over 2 trials and 2 seeds, at 2.5 s each
    assert read(folder / "dpo-trial-1" / "run.json")["settings"]["max_steps"] == 8
    assert [read(folder / f"dpo-seed-{n}" / "run.json")["settings"]["seed"] for n in (1, 2)] == [1, 2]
    # figures are means over the seeds' own
    rows = [read(folder / "reported" / f"dpo-seed-{n}.json") for n in (1, 2)]
    sft = read(folder / "reported" / "sft.json")["scores"]["judge"]
    model = found["models"]["dpo"]
    assert model["judge"] == pytest.approx(sum(sum(row["scores"]["judge"]) for row in rows) / (2 * len(sft)))
    won = [value for row in rows for value in wins(row["scores"]["judge"], sft)]
    assert model["win_rate"] == pytest.approx(sum(won) / len(won))
    assert model["kl"] == pytest.approx(sum(row["figures"]["kl"] for row in rows) / 2)
    assert found["pairs"]["dpo"]["sft"]["mean"] == pytest.approx(model["judge"] - found["models"]["sft"]["judge"])
    assert found["compute"]["ppo"]["shared"] == read(run / "reward" / "result.json")["busy_seconds"]
    page = (folder / "compare.html").read_text()
    assert found["choice"]["en"] in page
    assert found["choice"]["ko"] in page
    assert found["choice"]["en"] in " ".join(capsys.readouterr().out.split())
    # the same again: nothing is done, and the same is found
    went.clear()
    assert compare(file, ASKED, words) == found
    assert went == []
    # another sampling of the evaluation measures again, and trains nothing
    compare(file, ASKED, [*words, "evaluate.temperature=0.5"])
    assert went == []


def test_everything_wrong_is_said_before_anything_starts(chain, tmp_path):
    run = f"run={tmp_path / 'run'}"
    with pytest.raises(ConfigError) as caught:
        compare(chain, Options(("dpo",), seeds=0, trials=0), [run])
    for part in ("--seeds is 0", "--trials is 0", "Add an evaluate block"):
        assert part in str(caught.value)
    prompts = '["${world}/prompts.jsonl"]'
    chain.write_text(chain.read_text() + f"evaluate:\n  models: [sft, dpo]\n  prompts: {prompts}\n")
    with pytest.raises(ConfigError, match="nothing scores the answers"):
        compare(chain, Options(("dpo",)), [run])
    chain.write_text(chain.read_text() + f'  judge: "{tmp_path / "tiny_data.py"}:judge"\n')
    with pytest.raises(ConfigError, match="which is no method that is compared"):
        compare(chain, Options(("dop",)), [run])
    with pytest.raises(ConfigError, match=r"learning_rate: found 'fast'"):
        compare(chain, Options(("dpo",)), [run, "dpo.learning_rate=fast"])
    assert not (tmp_path / "run").exists()
