"""The guessing game: the environment thinks of a number and says after every guess where it lies."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence as Items

from baro.core.errors import ConfigError
from baro.data.records import Prompt
from baro.rewards.environment import State, Step, begin

WORDS = {
    "en": {"more": "higher", "less": "lower", "what": "Say a number."},
    "ko": {"more": "더 커요", "less": "더 작아요", "what": "수를 말해 주세요."},
}


class Guess:
    """A number between a row's `low` and `high` (1 and 8) is to be found: its `secret`, or else one drawn by the seed.

    A right guess earns 1 and ends the game; every other answer costs `cost` and is answered "higher", "lower" or, where
    there is no number in it, a request for one. A perfect player asks for the middle and needs log2(high - low + 1)
    answers or one more.

    Args:
        max_turns: guesses after which the game is lost.
        cost: of every answer that is not right.
        lang: "en" or "ko".
    """

    def __init__(self, max_turns: int = 5, cost: float = 0.1, lang: str = "en") -> None:
        if lang not in WORDS:
            raise ConfigError(
                f"lang is '{lang}'; the game is played in {' or '.join(WORDS)}.", where="environment_args"
            )
        if max_turns < 1:
            raise ConfigError(f"max_turns is {max_turns}; a game has at least one.", where="environment_args")
        self.max_turns, self.cost, self.words = max_turns, cost, WORDS[lang]

    def reset(self, prompts: Items[Prompt], seeds: Items[int]) -> list[State]:
        """Think of a number for every prompt."""
        states = []
        for prompt, seed in zip(prompts, seeds, strict=True):
            state = begin(prompt)
            low, high = int(prompt.columns.get("low", 1)), int(prompt.columns.get("high", 8))
            secret = int(prompt.columns.get("secret", random.Random(seed).randint(low, high)))
            states.append(State(state.messages, {**state.hidden, "secret": secret}, state.plain, state.where))
        return states

    def step(self, states: Items[State], actions: Items[str]) -> list[Step]:
        """Answer every guess."""
        return [self._answer(int(state.hidden["secret"]), said) for state, said in zip(states, actions, strict=True)]

    def _answer(self, secret: int, said: str) -> Step:
        found = re.findall(r"-?\d+", said)
        if len(found) != 1:
            return Step(-self.cost, self.words["what"])
        guess = int(found[0])
        if guess == secret:
            return Step(1.0)
        return Step(-self.cost, self.words["more" if guess < secret else "less"])
