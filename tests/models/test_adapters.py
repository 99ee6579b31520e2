"""One frozen base, many models over it; folders as peft writes and reads them."""

from __future__ import annotations

import gc
import json
import shutil
import weakref

import pytest
import torch
from peft import AutoPeftModelForCausalLM, AutoPeftModelForSequenceClassification, LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from baro.core.errors import BaroError, ConfigError
from baro.models import adapters, forward, heads, load, shared
from baro.models.adapters import Lora
from baro.models.sample import Sampling, sample

LIKE = {"dtype": "float64", "device": "cpu"}
ROUNDING = {"rtol": 0, "atol": 1e-10}
"""Of a model whose layers are run in blocks, against the same through its modules."""


@pytest.fixture(autouse=True)
def _exactly(exact):
    """Neither way narrows to float32."""


FROZEN = Lora(trained=False)
FAMILIES = ["llama", "llama-untied", "qwen3", "gemma2", "gpt2", "gpt_neox", "phi"]


@pytest.fixture
def base(make, tokenizer, tmp_path):
    """(architecture) → the folder of a random model."""

    def build(name: str = "llama", folder: str = "base", **options):
        load.save(make(name, **options), tokenizer, tmp_path / folder)
        return tmp_path / folder

    return build


def shake(model, seed: int = 0, size: float = 0.2) -> None:
    """Give everything that is trained other values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in trained(model):
            parameter += size * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)


def trained(model) -> list:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def learn(model, loss, steps: int = 4) -> None:
    """A few rough steps of descent."""
    optimiser = torch.optim.AdamW([parameter for _, parameter in trained(model)], lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()


def theirs(model, row) -> torch.Tensor:
    """Log-probs of learnt tokens from somebody else's forward pass, a sequence at a time."""
    found = []
    for tokens, learnt in zip(row.tokens.split(row.lengths), row.learn.split(row.lengths), strict=True):
        logs = model(input_ids=tokens[None]).logits[0].log_softmax(-1)
        found += [logs[place - 1, tokens[place]] for place in learnt.nonzero().flatten().tolist()]
    return torch.stack(found)


# --- one base --------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I39")
@pytest.mark.parametrize("name", FAMILIES)
def test_a_fresh_adapter_changes_no_bit(name, base, make_row):
    folder, row = base(name), make_row((5, 9, 3))
    policy = load.language_model(folder, **LIKE, lora=Lora())
    reference = load.language_model(folder, **LIKE, lora=FROZEN)
    plain = load.language_model(folder, **LIKE)
    assert torch.equal(forward.token_log_probs(policy, row), forward.token_log_probs(reference, row))
    torch.testing.assert_close(forward.token_log_probs(policy, row), forward.token_log_probs(plain, row), **ROUNDING)
    forward.token_log_probs(policy, row).sum().backward()
    gradients = {name: parameter.grad for name, parameter in trained(policy)}
    assert all((gradient != 0).any() for name, gradient in gradients.items() if "lora_B" in name)
    assert all(".lora_" in name for name in gradients)


@pytest.mark.invariant("I39")
@pytest.mark.incident("T35")
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_no_adapter_leaks_into_another_model_of_the_base(name, base, tokenizer, make_row, tmp_path):
    """Policy, critic and reward learn in turn; each moves itself alone, and the reference not by a bit."""
    folder, row = base(name), make_row((6, 9, 4))
    scorer = load.reward_model(folder, **LIKE, lora=Lora(seed=5), seed=5)
    shake(scorer, 5)
    load.save(scorer, tokenizer, tmp_path / "reward")
    policy = load.language_model(folder, **LIKE, lora=Lora())
    reference = load.language_model(folder, **LIKE, lora=FROZEN)
    critic = load.value_model(tmp_path / "reward", **LIKE, lora=Lora())
    judge = load.reward_model(tmp_path / "reward", **LIKE, lora=FROZEN)
    models = {"policy": policy, "reference": reference, "critic": critic, "judge": judge}

    @torch.no_grad()
    def outputs() -> dict:
        return {
            name: (forward.token_log_probs if name in ("policy", "reference") else forward.values)(model, row)
            for name, model in models.items()
        }

    start, files = outputs(), {file: file.read_bytes() for file in folder.iterdir()}
    assert torch.equal(start["critic"], start["judge"])
    learn(policy, lambda: forward.token_log_probs(policy, row).sum())
    after = outputs()
    assert [name for name in models if not torch.equal(start[name], after[name])] == ["policy"]
    learn(critic, lambda: forward.values(critic, row).square().sum())
    last = outputs()
    assert [name for name in models if not torch.equal(after[name], last[name])] == ["critic"]
    plain = forward.token_log_probs(load.language_model(folder, **LIKE), row)
    torch.testing.assert_close(last["reference"], plain, **ROUNDING)
    assert {file: file.read_bytes() for file in folder.iterdir()} == files


def test_the_weights_of_a_base_exist_once_and_go_with_the_last_model(base):
    folder = base()
    policy = load.language_model(folder, **LIKE, lora=Lora())
    critic = load.value_model(folder, **LIKE, lora=Lora(), zero=True)
    reference = load.language_model(folder, **LIKE, lora=FROZEN)
    own = {id(parameter) for parameter in reference.parameters()}
    table = weakref.ref(reference.get_input_embeddings().weight)
    assert own <= {id(parameter) for parameter in policy.parameters()}
    trunk = {id(parameter) for parameter in reference.base_model.parameters()}
    assert trunk <= {id(parameter) for parameter in critic.parameters()}
    assert not any(parameter.requires_grad for parameter in reference.parameters())
    alone = load.language_model(folder, **LIKE)
    assert not own & {id(parameter) for parameter in alone.parameters()}
    assert len(shared._bases) == 1
    del policy, critic, reference
    gc.collect()
    assert table() is None
    assert len(shared._bases) == 0


def test_a_base_that_was_written_anew_is_read_anew(base, make_row):
    row = make_row((5, 9))
    first = load.language_model(base(seed=0), **LIKE, lora=FROZEN)
    second = load.language_model(base(seed=1), **LIKE, lora=FROZEN)
    assert not torch.equal(forward.token_log_probs(first, row), forward.token_log_probs(second, row))


def test_half_precision_bases_have_adapters_and_heads_in_float32(base, tokenizer, make_row, tmp_path):
    folder, place = base(), {"dtype": "bfloat16", "device": "cpu"}
    critic = load.value_model(folder, **place, lora=Lora(), seed=1)
    assert {parameter.dtype for _, parameter in trained(critic)} == {torch.float32}
    assert {p.dtype for p in critic.parameters() if not p.requires_grad} == {torch.bfloat16, torch.float32}
    shake(critic)
    found = forward.values(critic, make_row((5, 9)))
    assert found.dtype == torch.float32
    load.save(critic, tokenizer, tmp_path / "saved")
    again = load.reward_model(tmp_path / "saved", **place, lora=FROZEN)
    assert torch.equal(forward.values(again, make_row((5, 9))), found)


# --- peft's own ------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I57", "I68")
@pytest.mark.incident("T47")
@pytest.mark.parametrize("name", FAMILIES)
def test_peft_reads_what_was_saved_and_without_its_adapter_it_is_the_reference(
    name, base, tokenizer, make_row, tmp_path
):
    folder, row = base(name), make_row((5, 9, 3))
    policy = load.language_model(folder, **LIKE, lora=Lora(r=3, alpha=7, targets=("all-linear",)))
    reference = load.language_model(folder, **LIKE, lora=FROZEN)
    shake(policy)
    load.save(policy, tokenizer, tmp_path / "adapter")
    written = {file.name for file in (tmp_path / "adapter").iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"} <= written
    assert not {"model.safetensors", "config.json"} & written
    peft = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter", dtype=torch.float64).eval()
    with torch.no_grad():
        found = forward.token_log_probs(policy, row)
        torch.testing.assert_close(found, theirs(peft, row), rtol=0, atol=1e-6)
        assert (found - forward.token_log_probs(reference, row)).abs().max() > 1e-2
        with peft.disable_adapter():
            torch.testing.assert_close(forward.token_log_probs(reference, row), theirs(peft, row), rtol=0, atol=1e-6)
    again = load.language_model(tmp_path / "adapter", **LIKE, lora=FROZEN)
    assert torch.equal(forward.token_log_probs(again, row), found)


@pytest.mark.invariant("I68", "I19")
def test_peft_reads_a_reward_model_and_its_scale_is_kept(base, tokenizer, make_row, tmp_path):
    folder, row = base(), make_row((5, 9, 3))
    model = load.reward_model(folder, **LIKE, lora=Lora(), seed=2)
    shake(model)
    heads.normalise(model, [1.0, 5.0])
    load.save(model, tokenizer, tmp_path / "reward")
    peft = AutoPeftModelForSequenceClassification.from_pretrained(
        tmp_path / "reward", num_labels=1, dtype=torch.float64
    ).eval()
    with torch.no_grad():
        bare = torch.cat([peft(input_ids=piece[None]).logits[0] for piece in row.tokens.split(row.lengths)])
        found = forward.scores(model, row)
    torch.testing.assert_close(found, 0.5 * bare - 1.5, rtol=0, atol=1e-6)
    for again in (load.reward_model(tmp_path / "reward", **LIKE), load.value_model(tmp_path / "reward", **LIKE)):
        torch.testing.assert_close(forward.scores(again, row), found)
        assert again.config.architectures == ["LlamaForSequenceClassification"]


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_an_adapter_that_peft_wrote_is_read(name, base, make_row, tmp_path):
    folder, row = base(name), make_row((5, 9, 3))
    targets = ["c_attn", "c_fc"] if name == "gpt2" else ["k_proj", "down_proj"]
    config = LoraConfig(
        r=4, lora_alpha=9, target_modules=targets, task_type="CAUSAL_LM", use_rslora=True, fan_in_fan_out=name == "gpt2"
    )
    peft = get_peft_model(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64), config).eval()
    shake(peft)
    peft.save_pretrained(tmp_path / "theirs")
    for lora in (None, FROZEN, Lora()):
        found = forward.token_log_probs(load.language_model(tmp_path / "theirs", **LIKE, lora=lora), row)
        torch.testing.assert_close(found, theirs(peft, row), rtol=0, atol=1e-6)
    assert load.load_tokenizer(tmp_path / "theirs").get_vocab() == load.load_tokenizer(folder).get_vocab()


@pytest.mark.invariant("I9")
def test_answers_are_drawn_with_the_adapter_on(base, tokenizer, tmp_path):
    """Greedy, against transformers' generate of peft's model: no shortcut may read a base weight past its adapter."""
    policy = load.language_model(base(), **LIKE, lora=Lora(targets=("all-linear",)))
    shake(policy, size=0.5)
    load.save(policy, tokenizer, tmp_path / "adapter")
    peft = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "adapter", dtype=torch.float64).eval()
    prompts = [[5, 6, 7], [40, 30, 20, 10], [11]]
    found = sample(policy, prompts, sampling=Sampling(max_new_tokens=12, temperature=0.0))
    for prompt, (answer,) in zip(prompts, found, strict=True):
        options = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
        drawn = peft.generate(input_ids=torch.tensor([prompt]), **options)[0, len(prompt) :]
        assert answer.tokens == drawn.tolist()


# --- folded in -------------------------------------------------------------------------------------------------------


@pytest.mark.incident("T47")
@pytest.mark.parametrize("name", FAMILIES)
def test_merged_is_unmerged(name, base, tokenizer, make_row, tmp_path):
    folder, row = base(name), make_row((5, 9, 3))
    policy = load.language_model(folder, **LIKE, lora=Lora(targets=("all-linear",)))
    shake(policy)
    load.save(policy, tokenizer, tmp_path / "adapter")
    with torch.no_grad():
        found = forward.token_log_probs(policy, row)
        folded = load.language_model(tmp_path / "adapter", **LIKE)
        torch.testing.assert_close(forward.token_log_probs(folded, row), found, rtol=0, atol=1e-9)
        assert all(parameter.requires_grad for parameter in folded.parameters())
        assert not any(".lora_" in key for key in folded.state_dict())
        load.merge(tmp_path / "adapter", tmp_path / "merged")
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float64)
        torch.testing.assert_close(theirs(plain.eval(), row), found, rtol=0, atol=1e-6)


def test_merging_a_reward_model_keeps_head_and_scale(base, tokenizer, make_row, tmp_path):
    row = make_row((5, 9, 3))
    model = load.reward_model(base(), **LIKE, lora=Lora(), seed=2)
    shake(model)
    heads.normalise(model, [1.0, 5.0])
    load.save(model, tokenizer, tmp_path / "reward")
    load.merge(tmp_path / "reward", tmp_path / "merged")
    merged = load.reward_model(tmp_path / "merged", **LIKE)
    torch.testing.assert_close(forward.scores(merged, row), forward.scores(model, row), rtol=0, atol=1e-9)
    assert not (tmp_path / "merged" / "adapter_config.json").exists()


def test_all_linear_layers_are_taken_where_blocks_bear_the_same_names():
    """CTRL calls the layers of its MLP 0 and 2, as it does its blocks."""
    from transformers import CTRLConfig, CTRLLMHeadModel

    model = CTRLLMHeadModel(CTRLConfig(vocab_size=50, n_positions=16, n_embd=16, n_layer=3, n_head=2, dff=24))
    names = adapters.target_names(model, ["all-linear"])
    layers = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)} - {"lm_head"}
    hit = {full for full, _ in model.named_modules() for name in names if full == name or full.endswith(f".{name}")}
    assert hit == layers


def test_a_base_that_nobody_has_is_named(base, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    model = load.language_model(base(), **LIKE, lora=Lora())
    load.save(model, tokenizer, tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_base.json").unlink()
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "nobody/nothing"}))
    for use in (
        lambda: load.merge(tmp_path / "adapter", tmp_path / "out"),
        lambda: load.language_model(tmp_path / "adapter", **LIKE),
        lambda: load.reward_model(tmp_path / "adapter", **LIKE, lora=Lora()),
    ):
        with pytest.raises(BaroError, match="no such folder here, and the hub gave nothing") as problem:
            use()
        assert problem.value.where == "nobody/nothing"


def test_what_cannot_be_merged_is_refused(base, tokenizer, tmp_path):
    folder = base()
    load.save(load.language_model(folder, **LIKE, lora=Lora()), tokenizer, tmp_path / "adapter")
    with pytest.raises(BaroError, match="nothing to merge"):
        load.merge(folder, tmp_path / "out")
    with pytest.raises(BaroError, match="written over"):
        load.merge(tmp_path / "adapter", folder)
    load.merge(tmp_path / "adapter", tmp_path / "out")
    with pytest.raises(BaroError, match="nothing to merge"):
        load.merge(tmp_path / "out", tmp_path / "again")


# --- going on --------------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I39", "I57")
def test_an_adapter_is_continued_and_its_start_is_the_reference(base, tokenizer, make_row, tmp_path):
    row = make_row((5, 9, 3))
    first = load.language_model(base(), **LIKE, lora=Lora(r=5))
    shake(first)
    load.save(first, tokenizer, tmp_path / "first")
    policy = load.language_model(tmp_path / "first", **LIKE, lora=Lora())
    reference = load.language_model(tmp_path / "first", **LIKE, lora=FROZEN)
    start = forward.token_log_probs(first, row)
    assert trained(policy)
    assert not trained(reference)
    assert torch.equal(forward.token_log_probs(policy, row), start)
    learn(policy, lambda: forward.token_log_probs(policy, row).sum())
    assert torch.equal(forward.token_log_probs(reference, row), start)
    load.save(policy, tokenizer, tmp_path / "second")
    written = json.loads((tmp_path / "second" / "adapter_config.json").read_text())
    assert written["r"] == 5
    assert written["base_model_name_or_path"] == str((tmp_path / "base").resolve())
    again = load.language_model(tmp_path / "second", **LIKE, lora=FROZEN)
    assert torch.equal(forward.token_log_probs(again, row), forward.token_log_probs(policy, row))


def test_a_critic_begins_with_the_trunk_of_the_adapter_and_a_head_of_zeros(base, tokenizer, make_row, tmp_path):
    row = make_row((5, 9, 3))
    policy = load.language_model(base(), **LIKE, lora=Lora())
    shake(policy)
    load.save(policy, tokenizer, tmp_path / "sft")
    critic = load.value_model(tmp_path / "sft", **LIKE, lora=Lora(), zero=True)
    assert (forward.values(critic, row) == 0).all()
    torch.testing.assert_close(forward.hidden(critic, row), forward.hidden(policy, row))
    assert "score.modules_to_save.default.weight" in dict(trained(critic))


def test_the_start_is_a_function_of_the_seed(base):
    folder = base()
    torch.manual_seed(1)
    one, two, other = (dict(trained(load.language_model(folder, **LIKE, lora=Lora(seed=seed)))) for seed in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1)), "making adapters draws nothing from the run's own numbers"


# --- less memory -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [True, False])
@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2"])
def test_recomputed_layers_give_the_same_gradients(name, mode, base, make_row):
    """Bit for bit, dropout included, with two adapters of one base under way at the same time."""
    folder, row = base(name), make_row((6, 9, 4))

    def gradients(recompute: bool) -> dict:
        options = {"lora": Lora(dropout=0.3), "recompute": recompute}
        policy = load.language_model(folder, **LIKE, **options).train(mode)
        critic = load.value_model(folder, **LIKE, **options).train(mode)
        shake(policy)
        shake(critic, 1)
        torch.manual_seed(7)
        loss = forward.token_log_probs(policy, row).sum() + forward.values(critic, row).square().sum()
        loss.backward()
        return {f"{which}.{n}": p.grad for which, m in (("p", policy), ("c", critic)) for n, p in trained(m)}

    plain, again = gradients(False), gradients(True)
    assert plain.keys() == again.keys()
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert all(gradient.abs().max() > 0 for gradient in plain.values())


def test_recomputing_keeps_less(base, make_row):
    kept = {}
    for recompute in (False, True):
        model, sizes = load.language_model(base(), **LIKE, recompute=recompute), []

        def note(tensor, sizes=sizes):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            forward.token_log_probs(model, make_row((20, 20, 20)))
        kept[recompute] = sum(sizes)
    assert kept[True] < kept[False] / 3


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (("q_prj",), r"q_prj matches no layer.*Did you mean q_proj\?.*down_proj"),
        (("q_proj", "c_attn"), "c_attn matches no layer"),
        (("lm_head",), "lm_head is not a linear layer inside"),
        (("embed_tokens",), "embed_tokens is not a linear layer inside"),
        (("self_attn",), "self_attn is not a linear layer inside"),
    ],
)
def test_layers_that_cannot_be_adapted_are_refused(base, targets, message):
    folder = base()
    with pytest.raises(ConfigError, match=message):
        load.language_model(folder, **LIKE, lora=Lora(targets=targets))
    with pytest.raises(ConfigError, match=message):
        adapters.preflight(folder, Lora(targets=targets))


@pytest.mark.incident("T47")
def test_an_adapter_of_another_base_is_refused(base, tokenizer, make, tmp_path):
    folder, adapter = base(), tmp_path / "adapter"
    load.save(load.language_model(folder, **LIKE, lora=Lora()), tokenizer, adapter)
    load.check(adapter)
    base(seed=9)  # the same shape, trained anew
    for refused in (load.check, load.language_model, load.load_tokenizer):
        with pytest.raises(BaroError, match="for another base: the weights in"):
            refused(adapter)
    shutil.rmtree(folder)
    with pytest.raises(BaroError, match="base model is missing"):
        load.check(adapter)


def test_an_adapter_whose_shapes_do_not_fit_is_refused(base, tmp_path):
    config = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")
    folder = base("llama")
    get_peft_model(AutoModelForCausalLM.from_pretrained(folder), config).save_pretrained(tmp_path / "theirs")
    base("llama", num_hidden_layers=1)
    for lora in (None, FROZEN):
        with pytest.raises(BaroError, match=r"for another base: model.layers.1.*nothing in the model"):
            load.language_model(tmp_path / "theirs", **LIKE, lora=lora)


def test_a_base_that_moved_with_its_adapter_is_found(base, tokenizer, make_row, tmp_path):
    run = tmp_path / "run"
    folder = base(folder="run/base")
    policy = load.language_model(folder, **LIKE, lora=Lora())
    shake(policy)
    load.save(policy, tokenizer, run / "adapter")
    shutil.move(run, tmp_path / "elsewhere")
    moved = load.language_model(tmp_path / "elsewhere" / "adapter", **LIKE, lora=FROZEN)
    row = make_row((5, 9))
    assert torch.equal(forward.token_log_probs(moved, row), forward.token_log_probs(policy, row))


def test_other_faults_of_a_folder_are_named(base, tokenizer, tmp_path):
    folder, adapter, reward = base(), tmp_path / "adapter", tmp_path / "reward"
    load.save(load.language_model(folder, **LIKE, lora=Lora(r=4)), tokenizer, adapter)
    load.save(load.reward_model(folder, **LIKE, lora=Lora()), tokenizer, reward)
    with pytest.raises(BaroError, match="a reward model's"):
        load.language_model(reward, **LIKE)
    with pytest.raises(ConfigError, match=r"lora_r is 8, but the adapter that is continued has 4.*baro merge"):
        adapters.preflight(adapter, Lora(r=8, chosen=frozenset({"lora_r"})))
    adapters.preflight(adapter, Lora(r=8))
    written = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(written | {"peft_type": "IA3"}))
    with pytest.raises(BaroError, match="found an adapter of kind IA3, expected LORA"):
        load.language_model(adapter, **LIKE)
    (adapter / "adapter_config.json").write_text("{")
    with pytest.raises(BaroError, match="cannot be read"):
        load.check(adapter)
    (reward / "adapter_model.safetensors").unlink()
    with pytest.raises(BaroError, match=r"adapter_model\.safetensors is missing"):
        load.reward_model(reward, **LIKE)
