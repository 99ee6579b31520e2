"""Everything a run is at one instant, as a tree a checkpoint can hold, and back."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from baro.core.errors import CheckpointError
from baro.engine import dist, optim


class Resumable(Protocol):
    """Whatever has a state of its own: a stream of updates, an adaptive KL coefficient.

    The state is the same on every process, and the main process's is the one that is kept.
    """

    def state(self) -> Any:
        """Nested dicts and lists of tensors, numbers and text."""

    def restore(self, state: Any) -> None:
        """Become what `state` described."""


def capture(
    modules: Mapping[str, nn.Module],
    adamw: torch.optim.Optimizer,
    updates: Resumable,
    extra: Mapping[str, Resumable],
) -> dict[str, Any]:
    """Trained weights, buffers, moments, every generator of random numbers, the stream's place and the extra states."""
    parameters = optim.trained(modules)
    return {
        "weights": dict(parameters),
        "buffers": buffers(modules),
        "moments": optim.moments(adamw, parameters),
        "random": dist.share(random_state()),
        "updates": updates.state(),
        "extra": {name: thing.state() for name, thing in extra.items()},
    }


def restore(
    tree: Mapping[str, Any],
    modules: Mapping[str, nn.Module],
    adamw: torch.optim.Optimizer,
    updates: Resumable,
    extra: Mapping[str, Resumable],
) -> None:
    """Put back what `capture` took.

    Raises:
        CheckpointError: the checkpoint is of another model or another recipe.
    """
    parameters = optim.trained(modules)
    _same_names("weights", tree["weights"], parameters)
    _same_names("buffers", tree["buffers"], buffers(modules))
    _same_names("extra", tree["extra"], extra)
    with torch.no_grad():
        for name, tensor in [*parameters.items(), *buffers(modules).items()]:
            saved = tree["weights"][name] if name in parameters else tree["buffers"][name]
            if saved.shape != tensor.shape or saved.dtype != tensor.dtype:
                found = f"{list(saved.shape)} {saved.dtype}"
                raise CheckpointError(f"{name}: found {found}, expected {list(tensor.shape)} {tensor.dtype}.")
            tensor.copy_(saved)
    optim.restore_moments(adamw, parameters, tree["moments"])
    updates.restore(tree["updates"])
    for name, thing in extra.items():
        thing.restore(tree["extra"][name])
    # Last, for building and restoring may themselves draw numbers.
    set_random_state(tree["random"][dist.rank() % len(tree["random"])])


def _same_names(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    missing, unknown = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or unknown:
        parts = [f"lacks {', '.join(missing[:3])}"] if missing else []
        parts += [f"has {', '.join(unknown[:3])}, which this run does not"] if unknown else []
        raise CheckpointError(
            f"the checkpoint is of another model or recipe: among its {what} it {' and '.join(parts)}.",
            hint="Give the settings the run was started with, or choose another output_dir.",
        )


def buffers(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Persistent buffers as {"module.buffer": tensor}, shared ones once."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for module_name, module in modules.items():
        kept = module.state_dict(keep_vars=True)
        for name, buffer in module.named_buffers():
            if name in kept and id(buffer) not in seen:
                seen.add(id(buffer))
                found[f"{module_name}.{name}"] = buffer
    return found


def random_state() -> dict[str, Any]:
    """The states of torch's (CPU and, where used, the current GPU's) and Python's generators."""
    version, words, gauss = random.getstate()
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    return {"torch": torch.get_rng_state(), "cuda": cuda, "python": [version, list(words), gauss]}


def set_random_state(state: Mapping[str, Any]) -> None:
    """Put back what `random_state` took."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
