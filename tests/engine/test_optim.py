"""AdamW against its recurrence written out by hand, and the learning rate against transformers' schedules."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from baro.core.errors import CheckpointError, ConfigError
from baro.engine import optim
from baro.engine.config import Training


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
        self.vector = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))


def by_hand(w, gradients, *, lr, b1, b2, eps, decay, tf):
    """Three lines of Loshchilov & Hutter's Algorithm 2, or of TensorFlow's Adam, for one number."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        w -= lr * decay * w
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        if tf:
            w -= lr * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (math.sqrt(v) + eps)
        else:
            w -= lr * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + eps)
    return w


@pytest.mark.invariant("I13", "I11")
@pytest.mark.parametrize("tf", [False, True])
def test_three_steps_by_hand(tf):
    module = Both()
    options = {"lr": 0.1, "b1": 0.8, "b2": 0.99, "eps": 1e-2, "tf": tf}
    adamw = optim.optimiser(
        {"m": module}, learning_rate=0.1, betas=(0.8, 0.99), epsilon=1e-2, weight_decay=0.3, tf_epsilon=tf
    )
    gradients = {"a": [0.3, -0.2, 0.01], "b": [1e-3, 5.0, 0.0], "c": [-1.0, -1.0, 2.0]}
    for a, b, c in zip(*gradients.values(), strict=True):
        module.matrix.grad = torch.tensor([[a, b]], dtype=torch.float64)
        module.vector.grad = torch.tensor([c], dtype=torch.float64)
        adamw.step()
    expected = [
        by_hand(1.0, gradients["a"], decay=0.3, **options),
        by_hand(-2.0, gradients["b"], decay=0.3, **options),
        by_hand(0.5, gradients["c"], decay=0.0, **options),  # vectors do not decay
    ]
    assert [*module.matrix[0].tolist(), module.vector.item()] == pytest.approx(expected, rel=1e-12)


@pytest.mark.invariant("I13")
def test_the_first_step_at_a_gradient_of_epsilon_is_16_3_times_tensorflows():
    """torch: eps / (eps + eps) = 1/2. TensorFlow: sqrt(.001) / (sqrt(.001) + 1)."""
    moved = {}
    for tf in (False, True):
        module = Both()
        adamw = optim.optimiser({"m": module}, learning_rate=1e-3, epsilon=1e-5, tf_epsilon=tf)
        module.vector.grad = torch.full((1,), 1e-5, dtype=torch.float64)
        adamw.step()
        moved[tf] = 0.5 - module.vector.item()
    assert moved[False] == pytest.approx(1e-3 / 2, rel=1e-9)
    assert moved[False] / moved[True] == pytest.approx(0.5 * (math.sqrt(0.001) + 1) / math.sqrt(0.001), rel=1e-6)
    assert moved[False] / moved[True] == pytest.approx(16.3, abs=0.02)


@pytest.mark.invariant("I11")
def test_decay_alone_shrinks_by_one_minus_lr_times_decay():
    module = Both()
    adamw = optim.optimiser({"m": module}, learning_rate=0.1, weight_decay=0.5)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    adamw.step()
    assert module.matrix[0].tolist() == pytest.approx([0.95, -1.9], rel=1e-14)
    assert module.vector.item() == 0.5


def test_embeddings_decay_biases_and_norms_do_not():
    model = nn.Sequential(nn.Embedding(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    adamw = optim.optimiser({"m": model}, learning_rate=1.0, weight_decay=0.1)
    decay = {id(p): group["weight_decay"] for group in adamw.param_groups for p in group["params"]}
    found = {name: decay[id(p)] for name, p in model.named_parameters()}
    assert found == {"0.weight": 0.1, "1.weight": 0.0, "1.bias": 0.0, "2.weight": 0.1, "2.bias": 0.0}


def test_a_rate_for_each_module_follows_the_schedule():
    policy, value = Both(), Both()
    adamw = optim.optimiser({"policy": policy, "value": value}, learning_rate={"policy": 1.0, "value": 3.0})
    assert optim.set_learning_rate(adamw, 0.1) == 0.1
    assert optim.set_learning_rate(adamw, 0.5) == 0.5
    assert [group["lr"] for group in adamw.param_groups] == [0.5, 0.5, 1.5, 1.5]


def test_shared_and_frozen_parameters():
    base, head = nn.Linear(2, 2), nn.Linear(2, 1)
    value = nn.Sequential(base, head)
    head.bias.requires_grad_(False)
    assert list(optim.trained({"policy": base, "value": value})) == ["policy.weight", "policy.bias", "value.1.weight"]
    with pytest.raises(ConfigError, match="no parameter is trained"):
        optim.optimiser({"m": base.requires_grad_(False)}, learning_rate=1.0)


@pytest.mark.invariant("I61")
def test_steps_have_the_same_bits_however_often_and_after_a_restore():
    torch.manual_seed(0)
    shapes, gradients = [(7, 33), (129,), (3, 5, 2)], []
    for _ in range(4):
        gradients.append([torch.randn(shape) for shape in shapes])

    def go(halt: int | None) -> list[torch.Tensor]:
        torch.manual_seed(1)
        module = nn.ParameterList([torch.randn(shape) for shape in shapes])
        adamw = optim.optimiser({"m": module}, learning_rate=0.1, weight_decay=0.1, tf_epsilon=True)
        for number, grads in enumerate(gradients):
            for parameter, gradient in zip(module, grads, strict=True):
                parameter.grad = gradient.clone()
            adamw.step()
            if number == halt:
                parameters = optim.trained({"m": module})
                kept = {k: {n: t.clone() for n, t in v.items()} for k, v in optim.moments(adamw, parameters).items()}
                adamw = optim.optimiser({"m": module}, learning_rate=0.1, weight_decay=0.1, tf_epsilon=True)
                optim.restore_moments(adamw, parameters, kept)
        return [parameter.detach() for parameter in module]

    first = go(None)
    for halt in (None, 0, 2):
        assert all(torch.equal(a, b) for a, b in zip(first, go(halt), strict=True))


def test_moments_of_other_parameters_are_refused():
    module = Both()
    adamw = optim.optimiser({"m": module}, learning_rate=1.0)
    with pytest.raises(CheckpointError, match=r"m\.other"):
        optim.restore_moments(adamw, optim.trained({"m": module}), {"m.other": {}})


# --- the learning rate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "step", "expected"),
    [
        ("constant", 0, 0.0),
        ("constant", 5, 0.5),
        ("constant", 10, 1.0),
        ("constant", 500, 1.0),
        ("linear", 10, 1.0),
        ("linear", 55, 0.2 + 0.8 * 0.5),
        ("linear", 100, 0.2),
        ("linear", 999, 0.2),
        ("cosine", 10, 1.0),
        ("cosine", 40, 0.2 + 0.8 * 0.75),  # cos(60°) = 1/2
        ("cosine", 55, 0.6),
        ("cosine", 70, 0.2 + 0.8 * 0.25),
        ("cosine", 100, 0.2),
    ],
)
def test_points_of_the_schedules(kind, step, expected):
    found = optim.schedule(kind, step, steps=100, warmup=10, minimum=0.2)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.slow
def test_the_curves_are_those_of_transformers():
    from transformers import optimization

    theirs = {
        ("linear", 0.0): lambda o: optimization.get_linear_schedule_with_warmup(o, 7, 50),
        ("cosine", 0.0): lambda o: optimization.get_cosine_schedule_with_warmup(o, 7, 50),
        ("cosine", 0.1): lambda o: optimization.get_cosine_with_min_lr_schedule_with_warmup(o, 7, 50, min_lr_rate=0.1),
        ("constant", 0.0): lambda o: optimization.get_constant_schedule_with_warmup(o, 7),
    }
    for (kind, minimum), build in theirs.items():
        other = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = build(other)
        for step in range(50):
            ours = optim.schedule(kind, step, steps=50, warmup=7, minimum=minimum)
            assert ours == pytest.approx(other.param_groups[0]["lr"], abs=1e-12), (kind, step)
            other.step()
            scheduler.step()


def test_the_schedule_of_a_configuration():
    training = Training(output_dir="x", lr_scheduler_type="cosine", warmup_ratio=0.1, min_lr_ratio=0.5)
    factor = optim.schedule_of(training, 20)
    assert [factor(0), factor(1), factor(2), factor(11), factor(20)] == pytest.approx([0.0, 0.5, 1.0, 0.75, 0.5])


def test_an_unknown_schedule():
    with pytest.raises(ConfigError, match="linear, cosine or constant"):
        optim.schedule("polynomial", 3, steps=10)


# --- states in 8 bits ------------------------------------------------------------------------------------------------


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(128, 64))
        self.vector = nn.Parameter(torch.zeros(64))


def test_eight_bits_follow_adamw_closely_and_take_a_quarter_of_its_memory():
    pytest.importorskip("bitsandbytes")
    modules = {flag: Wide() for flag in (False, True)}
    made = {
        flag: optim.optimiser({"m": module}, learning_rate=0.01, weight_decay=0.1, eight_bit=flag)
        for flag, module in modules.items()
    }
    draws = torch.Generator().manual_seed(0)
    for _ in range(20):
        drawn = [torch.randn(128, 64, generator=draws), torch.randn(64, generator=draws)]
        for flag, module in modules.items():
            module.matrix.grad, module.vector.grad = (gradient.clone() for gradient in drawn)
            optim.set_learning_rate(made[flag], 1.0)
            made[flag].step()
    for name in ("matrix", "vector"):
        plain, eight = (getattr(modules[flag], name).detach() for flag in (False, True))
        assert torch.corrcoef(torch.stack([plain.flatten(), eight.flatten()]))[0, 1] > 0.99
    sizes = {
        flag: sum(v.numel() * v.element_size() for v in made[flag].state[module.matrix].values() if torch.is_tensor(v))
        for flag, module in modules.items()
    }
    assert sizes[True] < sizes[False] / 3


def test_eight_bits_have_the_same_bits_after_a_restore(tmp_path):
    pytest.importorskip("bitsandbytes")
    from baro.engine import checkpoint

    def go(halt: int | None) -> list[torch.Tensor]:
        module, draws = Wide(), torch.Generator().manual_seed(0)
        adamw = optim.optimiser({"m": module}, learning_rate=0.01, eight_bit=True)
        for step in range(6):
            if step == halt:
                checkpoint.save(tmp_path / "step-00000001", optim.moments(adamw, optim.trained({"m": module})))
                adamw = optim.optimiser({"m": module}, learning_rate=0.01, eight_bit=True)
                saved = checkpoint.load(tmp_path / "step-00000001")
                optim.restore_moments(adamw, optim.trained({"m": module}), saved)
            for parameter in module.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=draws)
            adamw.step()
        return [parameter.detach().clone() for parameter in module.parameters()]

    assert all(torch.equal(one, other) for one, other in zip(go(None), go(3), strict=True))


def test_eight_bits_without_bitsandbytes_or_a_device_for_it_is_one_clear_error(monkeypatch, tmp_path):
    import builtins
    import importlib.util

    import baro.engine.config as settings

    importing = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == "bitsandbytes":
            raise ImportError("No module named 'bitsandbytes'")
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"needs bitsandbytes.*pip install 'baro\[8bit\]'"):
        optim.optimiser({"m": Wide()}, learning_rate=0.01, eight_bit=True)
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"optim: adamw_8bit needs bitsandbytes: pip install 'baro\[8bit\]'"):
        settings.load(Training, None, ["optim=adamw_8bit"], output_dir=tmp_path)
    monkeypatch.undo()
    if importlib.util.find_spec("bitsandbytes") is None:
        return
    from bitsandbytes.optim import AdamW8bit

    def fail(self, closure=None):
        raise RuntimeError("no kernel")

    monkeypatch.setattr(AdamW8bit, "step", fail)
    with pytest.raises(ConfigError, match=r"does not run on cpu: no kernel.*adamw_torch"):
        optim.optimiser({"m": Wide()}, learning_rate=0.01, eight_bit=True)
