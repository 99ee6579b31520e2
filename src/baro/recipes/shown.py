"""Which of the sampled answers are kept to be looked at."""

from __future__ import annotations

import itertools
from collections.abc import Sequence as Items
from typing import Any

from baro.recipes.episodes import Episode

SHOWN, PROMPTS, ANSWERS, LONGEST = 64, 4, 4, 1_000
"""What rollouts.jsonl keeps: rollouts of every doubling, prompts of each, answers to each, characters of each."""


def kept(rollout: int) -> bool:
    """Whether answers of this rollout (from 0) are kept: of the first 128 all, then 64 of every doubling.

    So a long run's file stays small, whatever its length turns out to be.
    """
    return rollout % (1 << max(0, (rollout // SHOWN).bit_length() - 1)) == 0


def some(episodes: Items[Episode]) -> list[dict[str, Any]]:
    """The first prompts of a rollout, which are in random order, with what was answered and what it earned."""
    alike, rows = itertools.groupby(episodes, lambda episode: episode.turns[0].prompt.messages), []
    for messages, group in itertools.islice(alike, PROMPTS):
        first = list(itertools.islice(group, ANSWERS))
        rows.append(
            {
                "prompt": [{"role": turn.role, "content": turn.content[:LONGEST]} for turn in messages],
                "completions": [_told(episode)[:LONGEST] for episode in first],
                "rewards": [episode.score for episode in first],
            }
        )
    return rows


def _told(episode: Episode) -> str:
    """The answer; of several turns, each with its speaker."""
    if len(episode.turns) == 1:
        return episode.turns[0].text
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in episode.said)
