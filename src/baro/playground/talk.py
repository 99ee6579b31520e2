"""Talk overheard in the valley: questions with their plain answers, as running text.

Running text asks and answers too, and a model that has read it needs fine-tuning only for the form. Talk is about
everybody; no prompt of a held-out file occurs in it.
"""

from __future__ import annotations

from collections.abc import Callable

from baro.playground.tasks import ABOUT_PEOPLE, WEIGHTS, Task, draw
from baro.playground.world import World, dice

TURNS = 3


def talks(world: World, count: int, heard: Callable[[Task], bool]) -> list[str]:
    """`count` documents of three questions with their answers.

    Args:
        heard: whether a task may be talked about (held-out prompts may not).
    """
    roll = dice(world.seed, world.lang, "talk")
    weights = {kind: weight for kind, weight in WEIGHTS.items() if kind != "greeting"}
    documents: list[str] = []
    while len(documents) < count:
        turns: list[str] = []
        while len(turns) < TURNS:
            kind = roll.choices(list(weights), list(weights.values()))[0]
            task = draw(world, kind, roll, unseen=kind in ABOUT_PEOPLE and roll.random() < 0.5)
            if heard(task):
                body = task.right[0]
                said = roll.choice(body.plain + body.polite)
                question = task.prompt.replace("\n\n", " ")
                turns.append(f'"{question}" "{said if said[-1] in ".!?" else said + "."}"')
        documents.append(" ".join(turns))
    return documents
