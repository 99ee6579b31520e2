"""Small worlds whose right answers can be checked: sums, and a guessing game of several turns.

`sums` and `guessing` write what stages need: examples to fine-tune on, and prompts with what the environment must know.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from baro.core.errors import ConfigError

ASKED = {"en": "I think of a number from {low} to {high}.", "ko": "{low}부터 {high}까지의 수를 하나 생각했어요."}
SAID = {"en": ("higher", "lower"), "ko": ("더 커요", "더 작아요")}  # as `baro.rewards.guess` answers


def sums(
    folder: Path,
    *,
    seed: int = 0,
    largest: int = 19,
    examples: int = 8000,
    heldout: int = 80,
    careless: float = 0.5,
) -> dict[str, int]:
    """Sums of two numbers as text, examples and prompts of the same problems, and held-out problems that none has.

    The text is right. The examples are a careless teacher's: who learns from them says the right and the wrong sum
    equally often, and only a reward can tell which is which.

    Args:
        folder: created if missing; the five files in it are replaced.
        seed: of which problems are held out, and of the order.
        largest: numbers go from 0 to here.
        examples: rows of text and of instruct, drawn from the problems that are not held out, with repetition.
        heldout: problems of the held-out files, whose answers are right.
        careless: share of the examples whose answer is the teacher's slip, see `slip`.

    Returns:
        File name without .jsonl → rows.

    Raises:
        ConfigError: more problems are to be held out than half of those there are.
    """
    problems = [(a, b) for a in range(largest + 1) for b in range(largest + 1)]
    if heldout > len(problems) // 2:
        raise ConfigError(f"heldout is {heldout}, but there are only {len(problems)} sums of numbers up to {largest}.")
    draw = Random(f"{seed} sums")
    draw.shuffle(problems)
    apart, kept = problems[:heldout], problems[heldout:]

    def row(problem: tuple[int, int]) -> dict:
        return {"prompt": [{"role": "user", "content": f"{problem[0]}+{problem[1]}="}], "answer": str(sum(problem))}

    def taught(problem: tuple[int, int], wrong: float = careless) -> dict:
        answer = slip(*problem) if draw.random() < wrong else sum(problem)
        return {"instruction": f"{problem[0]}+{problem[1]}=", "input": "", "output": str(answer)}

    def told(problem: tuple[int, int]) -> dict:
        return {"text": f"{problem[0]}+{problem[1]}={sum(problem)}"}

    return _write(
        folder,
        {
            "text": [told(draw.choice(kept)) for _ in range(examples)],
            "instruct": [taught(draw.choice(kept)) for _ in range(examples)],
            "instruct_heldout": [taught(problem, 0.0) for problem in apart],
            "prompts": [row(problem) for problem in kept],
            "prompts_heldout": [row(problem) for problem in apart],
        },
    )


def slip(a: int, b: int) -> int:
    """The wrong sum a careless teacher gives: the carry is forgotten; where there is none, it is one too many."""
    units, tens = a % 10 + b % 10, a // 10 + b // 10
    return 10 * tens + units % 10 if units > 9 else a + b + 1


def guessing(
    folder: Path, *, seed: int = 0, lang: str = "en", high: int = 8, games: int = 2000, prompts: int = 512
) -> dict[str, int]:
    """Games in which somebody guesses at random until the number is found, and prompts for better play.

    The player of the examples knows how to talk, not how to play: he never repeats a guess and ignores the hints.

    Args:
        folder: created if missing; games.jsonl and prompts.jsonl in it are replaced.
        seed: of the numbers and the guesses. lang: "en" or "ko".
        high: numbers go from 1 to here.

    Returns:
        File name without .jsonl → rows.

    Raises:
        ConfigError: another language.
    """
    if lang not in ASKED:
        raise ConfigError(f"lang is '{lang}'; the game is played in {' or '.join(ASKED)}.")
    draw = Random(f"{seed} guessing")
    asked = {"role": "user", "content": ASKED[lang].format(low=1, high=high)}

    def game() -> dict:
        secret, turns = draw.randint(1, high), [asked]
        for guess in draw.sample(range(1, high + 1), high):
            turns.append({"role": "assistant", "content": str(guess)})
            if guess == secret or len(turns) >= 10:
                break
            turns.append({"role": "user", "content": SAID[lang][guess > secret]})
        return {"messages": turns}

    rows = [{"prompt": [asked], "low": 1, "high": high, "secret": draw.randint(1, high)} for _ in range(prompts)]
    return _write(folder, {"games": [game() for _ in range(games)], "prompts": rows})


def _write(folder: Path, files: dict[str, list[dict]]) -> dict[str, int]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return {name: len(rows) for name, rows in files.items()}
