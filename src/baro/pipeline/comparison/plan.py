"""What every method is given: the settings it may try, and how far it may train in the seconds it has."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from baro.core.errors import ConfigError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
KNOBS: dict[str, tuple[str, ...]] = {
    "rejection": ("learning_rate", "num_generations"),
    "dpo": ("learning_rate", "beta"),
    "kto": ("learning_rate", "beta"),
    "online_dpo": ("learning_rate", "beta"),
    "ppo": ("learning_rate", "kl_coef"),
    "group": ("learning_rate", "beta"),
    "rloo": ("learning_rate", "beta"),
    "grpo": ("learning_rate", "beta"),
}
"""The one or two settings of each method that are tuned; the first matters most."""
FACTOR = 3.0
"""A neighbouring trial has a setting times or divided by this; for a whole number (answers per prompt) it is 2."""
LENGTH = {
    "rejection": "max_samples",
    "dpo": "max_steps",
    "kto": "max_steps",
    **dict.fromkeys(("online_dpo", "ppo", "group", "rloo", "grpo"), "total_episodes"),
}
"""The setting that says how long a method trains: prompts, updates, answers."""
PILOT = {"max_samples": 64, "max_steps": 12, "total_episodes": 2}
"""How long the run is that the speed is measured with: prompts, updates, rollouts."""


def seconds(text: str) -> float:
    """ "10m", "90s", "1.5h" or plain seconds.

    Raises:
        ConfigError: it is none of these, or not above 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if not found or not float(found[1]):
        raise ConfigError(f"budget is '{text}', expected a time such as 90s, 10m or 1h.")
    return float(found[1]) * UNITS[found[2] or "s"]


def trials(method: str, settings: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The first `count` trials: each sets the method's knobs, the first as `settings` has them.

    Then the neighbours: each knob times and divided by the factor, the others as they are; then both; then further out.
    A knob that is 0 (off) stays so. Fewer where all knobs are 0.
    """
    knobs = [name for name in KNOBS[method] if settings[name]]
    found: list[dict[str, Any]] = [{name: settings[name] for name in KNOBS[method]}]
    for steps in _outwards(len(knobs)):
        if len(found) >= count:
            break
        moved = {name: _moved(settings[name], step) for name, step in zip(knobs, steps, strict=True)}
        trial = found[0] | moved
        if trial not in found:
            found.append(trial)
    return found[:count]


def _outwards(knobs: int) -> Iterator[tuple[int, ...]]:
    """Steps away from the middle: ring after ring, in a ring the points on an axis first, the first axis first."""
    if not knobs:
        return
    for ring in itertools.count(1):
        points = [p for p in itertools.product(range(-ring, ring + 1), repeat=knobs) if max(map(abs, p)) == ring]
        yield from sorted(points, key=lambda p: (sum(map(bool, p)), [not step for step in p], [-step for step in p]))


def _moved(value: float, step: int) -> float:
    if isinstance(value, int):
        return max(2, round(value * 2.0**step))
    return float(f"{value * FACTOR**step:.6g}")


@dataclass(frozen=True)
class Cost:
    """What a run takes: `overhead` seconds whatever its length, and so many for every unit of length.

    `draw` is what sampling and scoring one answer takes in rejection sampling, where a unit is a prompt with as many
    answers as the settings say; elsewhere 0.
    """

    overhead: float
    unit: float
    draw: float = 0.0

    def of_unit(self, settings: dict[str, Any]) -> float:
        """Seconds of one unit with these settings."""
        return self.unit + self.draw * settings.get("num_generations", 0) if self.draw else self.unit


def cost(method: str, settings: dict[str, Any], total: float, updates: list[float]) -> Cost:
    """The cost of a method from a short run.

    Args:
        settings: of that run. total: its seconds. updates: the seconds of each optimiser step, the sampling before it
            included.
    """
    overhead, length = max(total - sum(updates), 0.0), settings[LENGTH[method]]
    if method != "rejection":
        return Cost(overhead, sum(updates) / length)
    later = updates[1:] or [0.0]
    learning = sum(later) / len(later) * len(updates)  # the first update waits for the sampling
    drawing = max(sum(updates) - learning, 0.0)
    return Cost(overhead, learning / length, drawing / (length * settings["num_generations"]))


def length(method: str, settings: dict[str, Any], price: Cost, wanted: float, *, rows: int) -> dict[str, Any]:
    """The settings with which a run takes `wanted` seconds at most.

    Args:
        rows: prompts there are; rejection sampling with time for more goes over them in further rounds.

    Raises:
        ConfigError: the time is too short for one update.
    """
    step = settings["rollout_batch_size"] if LENGTH[method] == "total_episodes" else 1
    fits = math.floor((wanted - price.overhead) / price.of_unit(settings) / step) * step
    if fits < step:
        least = price.overhead + price.of_unit(settings) * step
        raise ConfigError(
            f"a run of {method} would have {wanted:.0f} s; it takes {least:.0f} s at least.",
            hint="Give a larger --budget, or fewer --trials or --seeds.",
        )
    if method != "rejection" or fits <= rows:
        return {LENGTH[method]: fits}
    rounds = math.ceil(fits / rows)
    return {"max_samples": fits // rounds, "rounds": rounds}
