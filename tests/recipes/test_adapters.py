"""Every method trains adapters on one frozen base: what is saved, what is in memory, what resumes."""

from __future__ import annotations

import json
import math

import pytest
import torch

METHODS = ["pretrain", "sft", "reward", "dpo", "rejection", "ppo"]


@pytest.fixture
def adapted(train, model):
    """(method, **changes) → a run of it with use_peft."""

    def run(method: str, name: str = "run", **changes):
        given = {"use_peft": True, "lora_r": 4, "learning_rate": 1e-2, "model_name_or_path": str(model)}
        given |= {"total_episodes": 24} if method == "ppo" else {}
        return train(method, name, **given | changes)

    return run


@pytest.fixture(scope="session")
def adapter_bytes():
    """Folder → the adapters in it and below, byte by byte."""
    return lambda folder: {
        str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("adapter_model.safetensors")
    }


@pytest.mark.invariant("I39")
@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_alone_is_trained_and_saved(adapted, method, model, reward):
    from peft import AutoPeftModelForCausalLM, AutoPeftModelForSequenceClassification
    from safetensors.torch import load_file

    files = {file: file.read_bytes() for folder in (model, reward) for file in folder.iterdir()}
    run = adapted(method, save_steps=2)
    assert {file: file.read_bytes() for file in files} == files
    assert not list(run.folder.rglob("model*.safetensors"))
    saved = load_file(run.folder / "adapter_model.safetensors")
    moved = [name for name, tensor in saved.items() if "lora_B" in name and tensor.any()]
    assert len(moved) == sum("lora_B" in name for name in saved) > 0
    assert ("base_model.model.score.weight" in saved) == (method == "reward")
    kind = AutoPeftModelForSequenceClassification if method == "reward" else AutoPeftModelForCausalLM
    kind.from_pretrained(run.folder, **({"num_labels": 1} if method == "reward" else {}))
    # a checkpoint holds what is trained and nothing of the base
    kept = load_file(sorted((run.folder / "checkpoints").iterdir())[-1] / "tensors.safetensors")
    weights = [name for name in kept if name.startswith("/weights/")]
    assert weights
    assert all(".lora_" in name or "score.modules_to_save" in name for name in weights)
    card = (run.folder / "README.md").read_text(encoding="utf-8")
    assert "library_name: peft" in card


@pytest.mark.invariant("I61")
@pytest.mark.incident("T43")
@pytest.mark.parametrize("method", METHODS)
def test_a_run_cut_short_resumes_to_the_same_bits(adapted, method, adapter_bytes, monkeypatch):
    from baro.engine import fit

    whole = adapted(method, "whole", save_steps=2)
    descend, taken = fit._descend, []

    def interrupted(*given):
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(1)
        return descend(*given)

    monkeypatch.setattr(fit, "_descend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        adapted(method, "broken", save_steps=2)
    monkeypatch.setattr(fit, "_descend", descend)
    torch.manual_seed(99)
    broken = adapted(method, "broken", save_steps=2)
    assert adapter_bytes(whole.folder) == adapter_bytes(broken.folder) != {}
    assert [line["loss"] for line in broken.steps] == [line["loss"] for line in whole.steps]


@pytest.mark.invariant("I39")
@pytest.mark.incident("T35")
def test_ppo_holds_one_base(adapted, monkeypatch):
    """Policy, critic, reference and reward are four models over one set of weights, and only two of them move."""
    from baro.recipes import ppo, scoring

    reward = adapted("reward", "judge").folder
    made = {}
    for module, name in ((ppo, "language_model"), (ppo, "value_model"), (scoring, "trained")):
        loader = getattr(module, name)

        def remember(*args, loader=loader, name=name, **options):
            loaded = loader(*args, **options)
            made.setdefault(name, []).append((loaded, {k: v.clone() for k, v in loaded.state_dict().items()}))
            return loaded

        monkeypatch.setattr(module, name, remember)
    run = adapted("ppo", reward_model_name_or_path=str(reward))
    models = [*made["language_model"], *made["value_model"], *made["trained"]]
    trunks = [{id(p) for n, p in m.base_model.named_parameters() if ".lora_" not in n} for m, _ in models]
    assert len(trunks) == 4
    assert all(trunk == trunks[0] for trunk in trunks)

    def moved(pair) -> set[str]:
        return {name for name, value in pair[0].state_dict().items() if not torch.equal(value, pair[1][name])}

    policy, reference, critic, judge = models
    assert moved(policy)
    assert all(".lora_" in name for name in moved(policy))
    assert any("score.modules_to_save" in name for name in moved(critic))
    assert moved(reference) == moved(judge) == set()
    assert run.steps[0]["objective/kl"] == 0
    assert run.steps[-1]["objective/kl"] != 0
    assert {str(file.relative_to(run.folder)) for file in run.folder.rglob("adapter_config.json")} == {
        "adapter_config.json",
        "value/adapter_config.json",
    }


@pytest.mark.invariant("I57")
@pytest.mark.incident("T36")
def test_dpo_reads_its_base_once_and_starts_at_its_reference(adapted, monkeypatch, model):
    from baro.models import load

    read, loader = [], load._load
    monkeypatch.setattr(load, "_load", lambda auto, path, *rest: read.append(str(path)) or loader(auto, path, *rest))
    run = adapted("dpo", beta=0.5)
    assert read == [str(model)]
    assert run.steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-7)
    assert run.steps[0]["rewards/chosen"] == run.steps[0]["rewards/rejected"] == 0
    assert run.steps[-1]["rewards/margins"] > 0.01


@pytest.mark.invariant("I57")
def test_the_base_without_adapters_is_a_reference_of_its_own(adapted, model, move, adapter_bytes):
    """The same run with the reference in a folder of its own: another set of weights, the same bits."""
    import shutil

    shared = adapted("dpo", "shared")
    twin = shutil.copytree(model, shared.folder.parent / "twin")
    apart = adapted("dpo", "apart", ref_model=str(twin))
    assert adapter_bytes(shared.folder) == adapter_bytes(apart.folder)
    other = adapted("dpo", "other", ref_model=move(model))
    assert adapter_bytes(shared.folder) != adapter_bytes(other.folder)
    shared, apart = (
        adapted("ppo", f"ppo-{name}", **changes) for name, changes in (("one", {}), ("two", {"ref_model": str(twin)}))
    )
    assert adapter_bytes(shared.folder) == adapter_bytes(apart.folder)


def test_a_chain_of_adapters_stays_on_one_base(adapted, model):
    """SFT, then a reward model, DPO and PPO that begin as the SFT adapter and end as adapters of the first base."""
    sft = adapted("sft", "sft")
    reward = adapted("reward", "reward", model_name_or_path=str(sft.folder))
    begun = {"model_name_or_path": str(sft.folder)}
    dpo = adapted("dpo", "dpo", **begun)
    ppo = adapted("ppo", "ppo", **begun, reward_model_name_or_path=str(reward.folder))
    assert dpo.steps[0]["rewards/chosen"] == 0  # the reference is the SFT model, not the bare base
    assert ppo.steps[0]["objective/kl"] == 0
    for run in (sft, reward, dpo, ppo):
        written = json.loads((run.folder / "adapter_config.json").read_text())
        assert written["base_model_name_or_path"] == str(model.resolve())
    whole = adapted("sft", "whole", model_name_or_path=str(sft.folder), use_peft=False)
    assert (whole.folder / "model.safetensors").is_file()
    before = [line["nats_per_token"] for line in sft.steps]
    assert whole.steps[0]["nats_per_token"] < before[0]  # it began with the adapter folded in


@pytest.mark.parametrize("method", METHODS)
def test_recomputing_changes_no_bit_of_any_method(adapted, method, adapter_bytes):
    """On one thread; where several add up partial sums the order is the same too, for it is the same operations."""
    plain, again = (adapted(method, str(flag), gradient_checkpointing=flag) for flag in (False, True))
    assert adapter_bytes(plain.folder) == adapter_bytes(again.folder)


@pytest.mark.parametrize("method", ["sft", "ppo"])
def test_eight_bits_train_and_resume(adapted, method, adapter_bytes, monkeypatch):
    pytest.importorskip("bitsandbytes")
    plain = adapted(method, "plain", lora_r=64)
    eight = adapted(method, "eight", lora_r=64, optim="adamw_8bit")
    assert adapter_bytes(plain.folder) != adapter_bytes(eight.folder)
    assert eight.steps[-1]["loss"] == pytest.approx(plain.steps[-1]["loss"], abs=0.05)


# --- refused before anything starts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("pretrain", {"size": "nano"}, "use_peft trains adapters on a model that is there: give model_name_or_path"),
        ("sft", {"lora_target_modules": ["q_prj"]}, r"q_prj matches no layer of the model.*Did you mean q_proj\?"),
        ("dpo", {"lora_target_modules": ["lm_head"]}, "lm_head is not a linear layer inside the model"),
        ("ppo", {"lora_r": 0}, "lora_r"),
        ("reward", {"lora_dropout": 1.0}, "lora_dropout"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, tmp_path, method, changes, message):
    import importlib

    from baro.core.errors import ConfigError
    from baro.engine.config import load

    kind = importlib.import_module(f"baro.recipes.{method}").Config
    with pytest.raises(ConfigError, match=message):
        load(kind, None, (), **settings(method) | {"output_dir": tmp_path, "use_peft": True} | changes)
    load(
        kind,
        None,
        (),
        **settings(method) | {"output_dir": tmp_path} | {k: v for k, v in changes.items() if k == "size"},
    )


def test_an_adapter_for_another_base_and_another_rank_are_refused(adapted, settings, model, move, tmp_path):
    import shutil

    from baro.core.errors import ConfigError
    from baro.engine.config import load
    from baro.recipes import sft

    base = shutil.copytree(move(model), tmp_path / "base")
    adapter = adapted("sft", "first", model_name_or_path=str(base)).folder
    given = settings("sft") | {"output_dir": tmp_path / "second", "model_name_or_path": str(adapter)}
    with pytest.raises(ConfigError, match="lora_r is 8, but the adapter that is continued has 4"):
        load(sft.Config, None, (), **given, use_peft=True, lora_r=8)
    load(sft.Config, None, (), **given, use_peft=True)
    shutil.copy(model / "model.safetensors", base / "model.safetensors")
    for flag in (True, False):
        with pytest.raises(ConfigError, match="this adapter is for another base"):
            load(sft.Config, None, (), **given, use_peft=flag)


def test_a_language_adapter_is_no_reward_model(adapted):
    from baro.core.errors import BaroError

    sft = adapted("sft", "sft").folder
    for flag in (True, False):
        with pytest.raises(BaroError, match="no reward model"):
            adapted("ppo", f"ppo{flag}", reward_model_name_or_path=str(sft), use_peft=flag)
