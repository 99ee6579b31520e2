"""Write the world as files in the field's formats: text, instructions, preferences, prompts; train and held out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from random import Random

from baro.core.errors import ConfigError
from baro.playground.annotators import Annotator, panel
from baro.playground.answers import COMPARED, WRITTEN, accepted, answer
from baro.playground.talk import talks
from baro.playground.tasks import ABOUT_PEOPLE, WEIGHTS, Task, draw
from baro.playground.text import documents
from baro.playground.world import World, dice, world

_HELD_OUT_TEXT = 50  # one held-out document per so many
_TALK = 0.5  # share of the text that is questions and answers
_PER_PROMPT = 2  # pairs of one prompt
_TRIES = 40  # draws in a row that may repeat a prompt before a kind counts as used up


def export(
    folder: Path,
    *,
    lang: str = "en",
    seed: int = 0,
    people: int = 48,
    documents: int = 48_000,
    instructions: int = 6_000,
    preferences: int = 6_000,
    prompts: int = 2_000,
    eval_prompts: int = 600,
) -> dict[str, int]:
    """Write the eight files of the playground; a pure function of the arguments.

    Args:
        folder: created if missing; files in it are replaced.
        lang: "en" or "ko". seed: of the world and of everything said about it.
        people: people in the world, half of whom instruction data asks about.
        documents, instructions, preferences, prompts: rows of text, instruct, preferences and prompts.
        eval_prompts: rows of each held-out file but the text's, which has one per fifty documents.

    Returns:
        File name without .jsonl → rows.

    Raises:
        ConfigError: unknown language, too many or too few people, or more prompts than the world has questions.
    """
    built = world(lang, seed=seed, people=people)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = split_sizes(instructions, preferences, prompts, eval_prompts)
    tasks = shared_out(built, sizes)
    texts = _texts(built, documents, [task for name in sizes if name.endswith("_heldout") for task in tasks[name]])
    files: dict[str, list[dict]] = dict(zip(("text", "text_heldout"), texts, strict=True))
    roll = dice(seed, lang, "answers")
    judges = panel(lang, seed)
    files["instruct"] = [_instruction(task, roll) for task in tasks["instruct"]]
    files["instruct_heldout"] = [
        _instruction(task, roll) | {"accept": accepted(task), "seen": task.seen} for task in tasks["instruct_heldout"]
    ]
    compared = [_preference(task, judges, roll) for task in tasks["preferences"] for _ in range(_PER_PROMPT)]
    files["preferences"] = compared[:preferences]
    files["preferences_heldout"] = [_preference(task, judges, roll) for task in tasks["preferences_heldout"]]
    for name in ("prompts", "prompts_heldout"):
        files[name] = [_prompt(task) for task in tasks[name]]
    for name, rows in files.items():
        write(folder / f"{name}.jsonl", rows)
    return {name: len(rows) for name, rows in files.items()}


def split_sizes(instructions: int, preferences: int, prompts: int, eval_prompts: int) -> dict[str, int]:
    """Split → its number of tasks, in the order in which tasks are shared out."""
    return {
        "instruct": instructions,
        "preferences": -(-preferences // _PER_PROMPT),
        "prompts": prompts,
        "instruct_heldout": eval_prompts,
        "preferences_heldout": eval_prompts,
        "prompts_heldout": eval_prompts,
    }


def shared_out(built: World, sizes: dict[str, int]) -> dict[str, list[Task]]:
    """Tasks for every split, no prompt twice anywhere.

    People whose facts are not asked in training appear in `instruct_heldout` and `prompts_heldout` only, in half of
    the tasks about people.

    Raises:
        ConfigError: the world has too few different prompts.
    """
    roll = dice(built.seed, built.lang, "tasks")
    held_out = [name for name, size in sizes.items() if name.endswith("_heldout") for _ in range(size)]
    training = [name for name, size in sizes.items() if not name.endswith("_heldout") for _ in range(size)]
    roll.shuffle(training)  # so that kinds with few prompts are spread evenly before they run out
    shared: dict[str, list[Task]] = {name: [] for name in sizes}
    used: set[str] = set()
    weights = dict(WEIGHTS)
    for name in [*held_out, *training]:
        both_halves = name in ("instruct_heldout", "prompts_heldout")
        task = None
        while task is None:
            if not weights:
                raise ConfigError(
                    f"the world has only {len(used):,} different prompts; {sum(sizes.values()):,} were asked for.",
                    hint="Ask for fewer rows or for more people.",
                )
            kind = roll.choices(list(weights), list(weights.values()))[0]
            unseen = both_halves and kind in ABOUT_PEOPLE and roll.random() < 0.5
            task = _fresh(partial(draw, built, kind, roll, unseen=unseen), used)
            if task is None:
                del weights[kind]
        used.add(_normal(task.prompt))
        shared[name].append(task)
    return shared


def _fresh(build: Callable[[], Task], used: set[str]) -> Task | None:
    for _ in range(_TRIES):
        task = build()
        if _normal(task.prompt) not in used:
            return task
    return None


def _normal(prompt: str) -> str:
    """A prompt as compared between splits: case, spaces and final signs do not make it another one."""
    return " ".join(prompt.lower().split()).rstrip(" .!?")


def _texts(built: World, count: int, held_out: list[Task]) -> tuple[list[dict], list[dict]]:
    """Training and held-out text: tales and talk in shuffled order."""
    silent = {_normal(task.prompt) for task in held_out}
    extra = max(1, count // _HELD_OUT_TEXT)
    talk = round((count + extra) * _TALK)
    told = [*documents(built, count + extra - talk), *talks(built, talk, lambda t: _normal(t.prompt) not in silent)]
    dice(built.seed, built.lang, "order").shuffle(told)
    rows = [{"text": text} for text in told]
    return rows[:count], rows[count:]


def _instruction(task: Task, roll: Random) -> dict:
    output = answer(task, WRITTEN.draw(roll), roll)
    return {"instruction": task.instruction, "input": task.input, "output": output, "kind": task.kind}


def _preference(task: Task, judges: list[Annotator], roll: Random) -> dict:
    """Two different answers and the choice of one panel member."""
    first = answer(task, COMPARED.draw(roll), roll)
    second = first
    while second == first:
        second = answer(task, COMPARED.draw(roll), roll)
    preferred = roll.choice(judges).prefers_first(first, second, task, roll)
    chosen, rejected = (first, second) if preferred else (second, first)
    return {"prompt": _message("user", task.prompt)} | {
        "chosen": _message("assistant", chosen),
        "rejected": _message("assistant", rejected),
    }


def _prompt(task: Task) -> dict:
    columns = {"kind": task.kind, "lang": task.lang, "keys": list(task.keys), "rivals": list(task.rivals)}
    return {"prompt": _message("user", task.prompt)} | columns | {"seen": task.seen}


def _message(role: str, content: str) -> list[dict]:
    return [{"role": role, "content": content}]


def write(path: Path, rows: Iterable[dict]) -> None:
    """One row a line."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")
