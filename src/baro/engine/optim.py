"""AdamW and the learning rate's course.

AdamW is torch's, fused where the device has it, or bitsandbytes' with its state in 8 bits. What is ours is which
weights decay, the TensorFlow form of epsilon, and a state that is kept by parameter name.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from baro.core.errors import CheckpointError, ConfigError
from baro.engine.config import Training

FUSED_DEVICES = {"cpu", "cuda"}


def trained(modules: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """The trained parameters as {"module.parameter": parameter}; tied or shared ones once, under their first name."""
    found: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for module_name, module in modules.items():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                found[f"{module_name}.{name}"] = parameter
    return found


def optimiser(
    modules: Mapping[str, nn.Module],
    *,
    learning_rate: float | Mapping[str, float],
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    tf_epsilon: bool = False,
    eight_bit: bool = False,
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019, Algorithm 2) over the trained parameters of `modules`.

    Matrices and embeddings decay; vectors (biases, norms) do not.

    Args:
        modules: what is trained, by name; parameters with requires_grad=False are left out.
        learning_rate: peak, one for all or one per module name (PPO: policy and value).
        betas: decay of the mean of gradients and of squared gradients, per step.
        epsilon: guard against division by zero, added to the root of the mean squared gradient.
        weight_decay: the part of lr by which a weight shrinks per step: w <- w (1 - lr * weight_decay).
        tf_epsilon: TensorFlow's placement, m / (sqrt(v) + epsilon) before the bias corrections instead of after them
            (Kingma & Ba 2015, end of section 2), as the first published PPO for language models had it: while
            t is small it takes much smaller steps where gradients are near epsilon.
        eight_bit: both means in 8 bits a number, by blocks (Dettmers et al. 2022, arXiv:2110.02861); bitsandbytes'
            AdamW. Parameters of fewer than 4,096 numbers keep theirs in float32.

    Raises:
        ConfigError: no parameter is trained, or bitsandbytes is wanting or does not run on this device.
    """
    groups: list[dict[str, Any]] = []
    parameters = trained(modules)
    for name in modules:
        rate = learning_rate[name] if isinstance(learning_rate, Mapping) else learning_rate
        mine = [p for full, p in parameters.items() if full.startswith(name + ".")]
        for decay, group in ((weight_decay, [p for p in mine if p.ndim >= 2]), (0.0, [p for p in mine if p.ndim < 2])):
            if group:
                groups.append({"params": group, "lr": rate, "peak_lr": rate, "weight_decay": decay})
    if not groups:
        raise ConfigError("no parameter is trained: every one has requires_grad=False.")
    fused = {p.device.type for p in parameters.values()} <= FUSED_DEVICES
    adamw: torch.optim.Optimizer
    if eight_bit:
        adamw = _eight_bit(next(iter(parameters.values())).device)(groups, betas=betas, eps=epsilon)
    else:
        adamw = torch.optim.AdamW(groups, betas=betas, eps=epsilon, fused=fused)
    if tf_epsilon:
        adamw.register_step_pre_hook(lambda opt, *_: _place_epsilon(opt, epsilon))
    return adamw


def _eight_bit(device: torch.device) -> type:
    """bitsandbytes' AdamW, once it has taken a step on this device."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it announces kernels that nothing here uses
    try:
        from bitsandbytes.optim import AdamW8bit

        trial = nn.Parameter(torch.ones(4096, device=device))
        trial.grad = torch.ones_like(trial)
        AdamW8bit([trial], lr=0.1).step()
    except ImportError as error:
        raise ConfigError(
            f"optim is adamw_8bit, which needs bitsandbytes: {error}.", hint="pip install 'baro[8bit]'"
        ) from error
    except RuntimeError as error:  # what torch and bitsandbytes raise where a device has no kernel
        raise ConfigError(
            f"optim is adamw_8bit, but bitsandbytes does not run on {device}: {error}.", hint="Use optim=adamw_torch."
        ) from error
    return AdamW8bit


def _place_epsilon(adamw: torch.optim.Optimizer, epsilon: float) -> None:
    """m̂ / (sqrt(v̂) + e / sqrt(1 - b2^t)) is TensorFlow's sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + e)."""
    for group in adamw.param_groups:
        state = adamw.state.get(group["params"][0])
        step = int(state["step"]) + 1 if state else 1
        group["eps"] = epsilon / math.sqrt(1 - group["betas"][1] ** step)


def set_learning_rate(adamw: torch.optim.Optimizer, factor: float) -> float:
    """Set every group's learning rate to its peak times `factor`; returns the first group's, for the log."""
    for group in adamw.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return float(adamw.param_groups[0]["lr"])


def schedule(kind: str, step: int, *, steps: int, warmup: int = 0, minimum: float = 0.0) -> float:
    """The learning rate at optimiser step `step` (counted from 0) as a part of its peak.

    Linear warm-up from 0 over `warmup` steps, then `linear` or `cosine` to `minimum` at step `steps`, or `constant`.
    The points are those of transformers' schedules of the same names, so curves can be laid over each other.

    Raises:
        ConfigError: `kind` is not one of the three.
    """
    if step < warmup:
        return step / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    shapes = {"linear": 1 - progress, "cosine": 0.5 * (1 + math.cos(math.pi * progress)), "constant": 1.0}
    if kind not in shapes:
        raise ConfigError(f"found the schedule {kind!r}, expected linear, cosine or constant.")
    return minimum + (1 - minimum) * shapes[kind]


def schedule_of(training: Training, steps: int) -> Callable[[int], float]:
    """The schedule `training` asks for over `steps` optimiser steps: step (from 0) -> part of the peak rate."""
    warmup, minimum = training.warmup(steps), training.min_lr_ratio
    return lambda step: schedule(training.lr_scheduler_type, step, steps=steps, warmup=warmup, minimum=minimum)


def moments(adamw: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]) -> dict[str, dict[str, Any]]:
    """The optimiser's state by parameter name; parameters that never took a step are not in it."""
    return {name: dict(adamw.state[p]) for name, p in parameters.items() if p in adamw.state}


def restore_moments(
    adamw: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    saved: Mapping[str, Mapping[str, Any]],
) -> None:
    """Put back what `moments` returned, on the parameters' devices.

    Raises:
        CheckpointError: the saved state belongs to other parameters.
    """
    unknown = sorted(set(saved) - set(parameters))
    if unknown:
        raise CheckpointError(
            f"the optimiser state has parameters this model does not train: {', '.join(unknown[:3])}."
        )
    adamw.state.clear()
    for name, values in saved.items():
        parameter = parameters[name]
        adamw.state[parameter] = {
            key: value.to(parameter.device, copy=True) if key != "step" else _step_counter(value, adamw, parameter)
            for key, value in values.items()
        }


def _step_counter(value: Any, adamw: torch.optim.Optimizer, parameter: nn.Parameter) -> Any:
    """torch keeps the step count beside the parameter when fused, on the CPU otherwise; bitsandbytes as a number."""
    if isinstance(value, int):
        return value
    fused = adamw.defaults.get("fused")
    return value.to(parameter.device, copy=True) if fused else value.clone()
