"""Agent, environment, state, action, reward, episode: Gymnasium's reset and step, for text and for many at once.

The agent is the policy, its action an answer, the state what has been said. An environment starts episodes and steps
them: it reads an answer, pays a reward for it, and either says something back or ends the episode. It keeps nothing
between calls: what it must remember of an episode travels in the state, so that a run can be left and taken up again.

    class Echo:
        max_turns = 1
        def reset(self, prompts, seeds): return [begin(prompt) for prompt in prompts]
        def step(self, states, actions):
            return [Step(float(said == state.messages[-1].content)) for state, said in zip(states, actions)]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, replace
from numbers import Real
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import AfterValidator

from baro.core.errors import BaroError, ConfigError
from baro.data.records import Message, Prompt
from baro.rewards.functions import load_function
from baro.rewards.guard import GOES_ON, Case, guarded

SHIPPED = {
    "arithmetic": "baro.rewards.numeric:arithmetic",
    "gsm8k": "baro.rewards.numeric:gsm8k",
    "svamp": "baro.rewards.numeric:svamp",
    "guess": "baro.rewards.guess:Guess",
    "programs": "baro.rewards.programs:Programs",
}


@dataclass(frozen=True)
class State:
    """Where an episode is.

    Attributes:
        messages: what the agent has heard and said; the last turn is to be answered.
        hidden: what only the environment knows: the row's other columns, and what it noted.
        plain, where: as in `Prompt`.
    """

    messages: tuple[Message, ...]
    hidden: Mapping[str, Any]
    plain: bool = False
    where: str = ""

    def after(self, action: str, step: Step) -> State:
        """The state once `action` was answered by `step`, which must say something back."""
        said = (Message("assistant", action), Message("user", step.observation or ""))
        return replace(self, messages=self.messages + said, hidden=self.hidden if step.hidden is None else step.hidden)

    def as_prompt(self) -> Prompt:
        """What the agent is to answer; the hidden part goes to reward functions only."""
        return Prompt(self.messages, self.hidden, self.plain, self.where)


@dataclass(frozen=True)
class Step:
    """What an answer led to.

    Attributes:
        reward: what it earned; placed at its last token.
        observation: what the environment says back, as the user; None ends the episode.
        hidden: what it knows from now on; None: as before.
    """

    reward: float
    observation: str | None = None
    hidden: Mapping[str, Any] | None = None


@runtime_checkable
class Environment(Protocol):
    """Starts and steps many episodes at a time. How it does several at once inside (threads, processes) is its own."""

    max_turns: int
    """Answers after which an episode ends, whatever was said back."""

    def reset(self, prompts: Items[Prompt], seeds: Items[int]) -> list[State]:
        """The first state of an episode from every prompt. Equal prompt and seed give an equal state."""

    def step(self, states: Items[State], actions: Items[str]) -> list[Step]:
        """What the answer given in every state leads to."""


def begin(prompt: Prompt) -> State:
    """The state of an episode that begins with the prompt as it stands."""
    return State(prompt.messages, prompt.columns, prompt.plain, prompt.where)


@dataclass(frozen=True)
class Graded:
    """An environment of one turn: the answer is graded and the episode over.

    Attributes:
        grade: (answer, the row's other columns) → reward.
    """

    grade: Callable[[str, Mapping[str, Any]], float]
    max_turns: int = 1

    def reset(self, prompts: Items[Prompt], seeds: Items[int]) -> list[State]:
        """The prompts as they stand."""
        return [begin(prompt) for prompt in prompts]

    def step(self, states: Items[State], actions: Items[str]) -> list[Step]:
        """Every answer's grade."""
        return [Step(self.grade(action, state.hidden)) for state, action in zip(states, actions, strict=True)]


def _maker(name: str) -> Callable[..., Any]:
    if ":" not in name and name not in SHIPPED:
        hint = f"Write module:Class or file.py:Class, or one of {', '.join(SHIPPED)}."
        raise ConfigError(f"no environment '{name}'.", hint=hint)
    return load_function(SHIPPED.get(name, name))


def load_environment(name: str, args: Mapping | None = None) -> Environment:
    """The environment called `name`: one that ships with baro, or module:Class or file.py:Class, called with `args`.

    Raises:
        ConfigError: there is none of that name, it does not take `args`, or it makes no environment.
    """
    try:
        made = _maker(name)(**(args or {}))
    except TypeError as error:
        raise ConfigError(f"environment {name} cannot be made: {error}.", where="environment_args") from None
    if not isinstance(made, Environment):
        raise ConfigError(
            f"environment {name} is a {type(made).__name__} without reset, step and max_turns.",
            hint="See docs/environments.md.",
        )
    return made


def _there(name: str) -> str:
    try:
        _maker(name)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return name


EnvironmentName = Annotated[str, AfterValidator(_there)]
"""A setting that names an environment, which is looked for when the settings are read."""


def started(world: Environment, prompts: Items[Prompt], seeds: Items[int], *, seconds: float | None) -> list[State]:
    """world.reset, checked; errors as in `guarded`."""
    cases = [Case(prompt.where, prompt.messages[-1].content) for prompt in prompts]

    def call(rows: list) -> list[State]:
        return world.reset([prompt for prompt, _ in rows], [seed for _, seed in rows])

    rows = list(zip(prompts, seeds, strict=True))
    return guarded(f"environment {type(world).__name__} (reset)", call, rows, cases, seconds=seconds)


def stepped(world: Environment, states: Items[State], actions: Items[str], *, seconds: float | None) -> list[Step]:
    """world.step, checked: every reward is a finite number; errors as in `guarded`."""
    cases = [Case(state.where, state.messages[-1].content) for state in states]
    what = f"environment {type(world).__name__}"

    def call(rows: list) -> list[Step]:
        return world.step([state for state, _ in rows], [action for _, action in rows])

    found = guarded(what, call, list(zip(states, actions, strict=True)), cases, seconds=seconds)
    for step, action, case in zip(found, actions, cases, strict=True):
        if not isinstance(step, Step) or not isinstance(step.reward, Real) or not math.isfinite(step.reward):
            raise BaroError(
                f"{what} returned {getattr(step, 'reward', step)!r} for the answer {action[:80]!r}; "
                f"the prompt: {case.text[:120]!r}.",
                where=case.where,
                hint=f"Return a Step with a finite reward for every answer. {GOES_ON}",
            )
    return found
