from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from baro.core.errors import BaroError
from baro.models import create, forward, heads, load, support

FAMILIES = ["llama", "llama-untied", "gemma2", "gpt2", "gpt_neox", "phi"]
LIKE = {"dtype": "float64", "device": "cpu"}


@pytest.mark.invariant("I68")
@pytest.mark.incident("T47")
@pytest.mark.parametrize("architecture", FAMILIES)
def test_save_and_load_round_trip_bitwise(architecture, make, make_row, tokenizer, tmp_path):
    model = make(architecture)
    load.save(model, tokenizer, tmp_path)
    ours = load.language_model(tmp_path, **LIKE)
    for one, other in zip(model.state_dict().items(), ours.state_dict().items(), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1])
    load.save(ours, tokenizer, tmp_path / "again")
    again = load.language_model(tmp_path / "again", **LIKE)
    before, after = (forward.token_log_probs(one.eval(), make_row((5, 9))) for one in (ours, again))
    assert torch.equal(before, after)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "again", dtype=torch.float64)
    assert plain.config._attn_implementation != "baro"
    tokens = torch.arange(3, 12)[None]
    torch.testing.assert_close(plain(tokens).logits, ours(tokens).logits, rtol=0, atol=1e-5)


@pytest.mark.invariant("I68")
@pytest.mark.incident("T47")
def test_tied_weights_are_written_once_in_the_model_s_dtype(make, tokenizer, tmp_path):
    for dtype, name in ((torch.float32, "F32"), (torch.bfloat16, "BF16")):
        load.save(make("llama").to(dtype), tokenizer, tmp_path / name)
        with safe_open(tmp_path / name / "model.safetensors", "pt") as file:
            assert "model.embed_tokens.weight" in file.keys()  # noqa: SIM118
            assert "lm_head.weight" not in file.keys()  # noqa: SIM118
            assert file.get_slice("model.norm.weight").get_dtype() == name
    assert load.language_model(tmp_path / "BF16", dtype="bfloat16", device="cpu").dtype == torch.bfloat16


def test_a_saved_folder_speaks_only_of_transformers(make, tokenizer, tmp_path):
    model = make("llama")
    support.support(model)
    model.generation_config.eos_token_id = 7
    load.save(model, tokenizer, tmp_path)
    text = "".join(file.read_text() for file in tmp_path.glob("*.json"))
    assert "baro" not in text
    assert json.loads((tmp_path / "generation_config.json").read_text())["eos_token_id"] == [7, 2]
    assert not list(tmp_path.glob("*.bin"))
    assert load.load_tokenizer(tmp_path).eos_token_id == 2


@pytest.mark.invariant("I19")
@pytest.mark.parametrize("architecture", FAMILIES)
def test_reward_models_load_in_plain_transformers_with_equal_logits(
    architecture, make, make_row, tokenizer, tmp_path, exact
):
    load.save(make(architecture), tokenizer, tmp_path / "lm")
    model = load.reward_model(tmp_path / "lm", seed=3, **LIKE)
    trunk = load.language_model(tmp_path / "lm", **LIKE).base_model.state_dict()
    assert all(torch.equal(tensor, trunk[name]) for name, tensor in model.base_model.state_dict().items())
    batch = make_row((6, 11, 4))
    heads.normalise(model, forward.scores(model.eval(), batch).tolist())
    load.save(model, tokenizer, tmp_path / "rm")
    again = load.reward_model(tmp_path / "rm", **LIKE).eval()
    assert torch.equal(forward.scores(again, batch), forward.scores(model, batch))
    assert heads.normalisation(again) == heads.normalisation(model) != (1.0, 0.0)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm", dtype=torch.float64).eval()
    rows = torch.nn.utils.rnn.pad_sequence(batch.tokens.split(list(batch.lengths)), batch_first=True)
    found = plain(input_ids=rows, attention_mask=(rows != 0).long()).logits[:, 0]
    torch.testing.assert_close(forward.scores(model, batch, normalised=False), found, rtol=0, atol=1e-5)


def test_fresh_heads_are_a_function_of_the_seed(make, tokenizer, tmp_path):
    load.save(make("llama"), tokenizer, tmp_path)
    first, second, third = (load.reward_model(tmp_path, seed=seed, **LIKE).score.weight for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


@pytest.mark.invariant("I32")
def test_value_models_come_from_folders_and_from_memory(make, make_row, tokenizer, tmp_path):
    language, batch = make("llama"), make_row((6, 4))
    load.save(language, tokenizer, tmp_path / "lm")
    zero = load.value_model(tmp_path / "lm", zero=True, **LIKE)
    assert (forward.values(zero, batch) == 0).all()
    copied = load.value_model(language, seed=0)
    torch.testing.assert_close(forward.hidden(copied.eval(), batch), forward.hidden(language, batch), rtol=0, atol=0)
    reward = load.reward_model(tmp_path / "lm", seed=5, **LIKE).eval()
    same = load.value_model(reward).eval()
    assert torch.equal(forward.values(same, batch), forward.values(reward, batch))
    with torch.no_grad():
        same.base_model.embed_tokens.weight.add_(1.0)
    assert not torch.equal(same.base_model.embed_tokens.weight, reward.base_model.embed_tokens.weight)
    assert not torch.equal(same.base_model.embed_tokens.weight, language.model.embed_tokens.weight)


def test_an_architecture_without_a_classifier_is_named(make, tokenizer, tmp_path):
    load.save(make("cohere"), tokenizer, tmp_path)
    with pytest.raises(BaroError, match=r"sequence-classification.*Cohere"):
        load.reward_model(tmp_path, **LIKE)


@pytest.mark.parametrize("what", ["missing/folder/deep", "./nothing", "/no/such", "runs/sft"])
def test_a_missing_path_is_one_clear_error_at_once(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for function in (load.language_model, load.reward_model, load.load_tokenizer, load.value_model):
        started = time.perf_counter()
        with pytest.raises(BaroError, match="no such model folder") as caught:
            function(what)
        assert caught.value.where == what
        assert time.perf_counter() - started < 0.1


def test_folders_and_files_that_hold_no_model_are_named(tmp_path):
    with pytest.raises(BaroError, match=r"config\.json is missing"):
        load.language_model(tmp_path)
    (tmp_path / "x").write_text("x")
    with pytest.raises(BaroError, match="found a file"):
        load.language_model(tmp_path / "x")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BaroError, match="cannot be loaded"):
        load.language_model(tmp_path)
    with pytest.raises(BaroError, match="no tokenizer"):
        load.load_tokenizer(tmp_path)


def test_a_loaded_model_outlives_its_file(make, make_row, tokenizer, tmp_path):
    """Its weights are not a view of the file, and start where vector instructions like them to."""
    load.save(make("llama"), tokenizer, tmp_path)
    model = load.language_model(tmp_path, **LIKE)
    before = forward.token_log_probs(model, make_row((5, 9)))
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert torch.equal(forward.token_log_probs(model, make_row((5, 9))), before)
    assert all(parameter.data_ptr() % 64 == 0 for parameter in model.parameters())


def test_an_incomplete_checkpoint_is_refused(make, tokenizer, tmp_path):
    from safetensors.torch import load_file, save_file

    load.save(make("llama"), tokenizer, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BaroError, match=r"1 weights are missing.*up_proj"):
        load.language_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x08" + bytes(20))
    with pytest.raises(BaroError, match="cannot be loaded"):
        load.language_model(tmp_path)


def test_pickled_weights_are_not_read(make, tokenizer, tmp_path):
    model = make("llama")
    load.save(model, tokenizer, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(BaroError, match="cannot be loaded"):
        load.language_model(tmp_path)


def test_a_tokenizer_without_padding_pads_with_its_end(tokenizer, tmp_path):
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    assert load.load_tokenizer(tmp_path).pad_token_id == 2
    tokenizer.unk_token = "w5"
    tokenizer.save_pretrained(tmp_path)
    assert load.load_tokenizer(tmp_path).pad_token_id == 5


@pytest.mark.incident("T14", "T25")
def test_padding_with_the_end_token_is_warned_about(make, tokenizer, tmp_path):
    load.save(make("llama"), tokenizer, tmp_path)
    (tmp_path / "config.json").write_text((tmp_path / "config.json").read_text().replace('"pad_token_id": 0', '"x": 0'))
    assert load.reward_model(tmp_path, **LIKE).config.pad_token_id == 0
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="padding token is the end token"):
        assert load.reward_model(tmp_path, **LIKE).config.pad_token_id == 2


def test_dtypes_by_name_and_by_hardware(monkeypatch):
    cpu = torch.device("cpu")
    assert load.as_dtype("float64", cpu) == torch.float64
    with pytest.raises(BaroError, match=r"int8.*float32"):
        load.as_dtype("int8", cpu)
    for units in ({}, {"avx512_bf16": True}, {"amx_bf16": True}):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda units=units: units)
        assert load.as_dtype("auto", cpu) == torch.float32
    for native, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, native=native: native)
        assert load.as_dtype("auto", torch.device("cuda")) == expected


def test_created_models_have_the_size_they_say(tokenizer):
    for size in ("nano", 300_000, "50_000", 1):
        model = create.language_model(size, tokenizer, max_length=32, seed=0, device="cpu")
        found = create.shape(size, 67)
        assert sum(parameter.numel() for parameter in model.parameters()) == found.parameters
        assert model.config.max_position_embeddings == 32
        assert (model.config.pad_token_id, model.config.bos_token_id, model.config.eos_token_id) == (0, 1, 2)
        assert found.width % found.heads == 0


def test_sizes_are_near_what_their_names_promise():
    promised = {"nano": (2048, 1.07e6), "micro": (2048, 3.05e6), "tiny": (2048, 6.75e6), "small": (8192, 24.4e6)}
    for name, (vocabulary, parameters) in promised.items():
        assert create.shape(name, vocabulary).parameters == pytest.approx(parameters, rel=0.01)
    assert create.shape("medium", 32000).parameters == pytest.approx(118e6, rel=0.01)
    for wanted in (100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000):
        assert 0.6 < create.shape(wanted, 1024).parameters / wanted < 1.7
    with pytest.raises(BaroError, match="nano, micro"):
        create.shape("huge", 100)


@pytest.mark.invariant("I1")
def test_created_models_start_at_ln_v_and_are_a_function_of_the_seed(tokenizer, make_row):
    first, second, other = (create.language_model("nano", tokenizer, max_length=64, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)
    found = forward.token_log_probs(first, make_row([40] * 8))
    assert -found.mean().item() == pytest.approx(torch.log(torch.tensor(67.0)).item(), rel=0.02)


def test_learning_rate_and_batch_follow_their_rules(tokenizer):
    """Non-embedding N = 803,968 of nano: C = 120 N² = 7.756e13; 0.3118 C^-0.125 = 5.7e-3, held at 4e-3."""
    nano = create.language_model("nano", tokenizer, max_length=32, seed=0)
    assert create.learning_rate(nano) == 4e-3
    assert create.batch_tokens(nano) == 10 * 1024
    big = torch.nn.Module()
    big.table, big.rest = torch.nn.Embedding(10, 10), torch.nn.Parameter(torch.empty(100_000_000, device="meta"))
    big.get_input_embeddings = lambda: big.table
    assert create.learning_rate(big) == pytest.approx(0.3118 * 1.2e18**-0.125, rel=1e-6)
    assert create.learning_rate(big) == pytest.approx(1.71e-3, rel=0.01)


@pytest.mark.slow
def test_importing_the_room_imports_no_transformers():
    code = (
        "import sys, baro.models.forward, baro.models.sample, baro.models.load, baro.models.create, baro.models.heads;"
        "print('transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
