"""Further places a run's figures can go, when they are installed and asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from baro.core.errors import BaroError, ConfigError

PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb"}


class Reporter(Protocol):
    """A place for figures."""

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Record the figures of update `step`."""

    def close(self) -> None:
        """Write what is pending."""


def check(names: Sequence[str]) -> None:
    """Refuse, before any work, reporters that are unknown or not installed.

    Raises:
        ConfigError: naming all of them and what to install.
    """
    problems: list[BaroError] = []
    for name in names:
        if name not in PACKAGES:
            problems.append(ConfigError(f"report_to: found {name!r}, expected {' or '.join(PACKAGES)}."))
        elif importlib.util.find_spec(PACKAGES[name]) is None:
            hint = f"Run pip install {PACKAGES[name]}, or leave report_to out."
            problems.append(ConfigError(f"report_to: {name} is not installed.", hint=hint))
    if problems:
        raise ConfigError.gather(problems)


def open_reporters(names: Sequence[str], folder: Path, settings: dict[str, Any], step: int) -> list[Reporter]:
    """Reporters for a run that continues after update `step`."""
    openers: dict[str, Callable[[], Reporter]] = {
        "tensorboard": lambda: TensorBoard(folder / "tensorboard", step),
        "wandb": lambda: WandB(folder, settings),
    }
    return [openers[name]() for name in names]


class TensorBoard:
    """Event files under the run's folder; figures after the update a run resumes from are purged."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """One scalar per figure."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush the event file."""
        self._writer.close()


class WandB:
    """A Weights & Biases run, named after the folder; WANDB_MODE=offline keeps it on this machine."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        import wandb

        self._run = wandb.init(project="baro", name=folder.name, dir=str(folder), config=settings, resume="allow")

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """One point per figure."""
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        """Finish the upload."""
        self._run.finish()
