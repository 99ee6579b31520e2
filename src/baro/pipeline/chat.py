"""Talk to a model in the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from baro.core.errors import DataError
from baro.data.records import Message, Prompt
from baro.evals.answers import answers
from baro.models.load import language_model, load_tokenizer

HELP = "/system TEXT sets a system message, /new starts over, /quit leaves."


def talk(path: str, *, temperature: float, max_new_tokens: int, seed: int) -> None:
    """Read questions and print answers until /quit or the end of the input.

    Args:
        path: model folder or hub name.
        temperature: 0 is greedy.
        max_new_tokens: longest answer.
        seed: of the sampling; the n-th answer of two equal talks is the same.
    """
    console = Console(highlight=False)
    model = language_model(path).eval()
    tokenizer = load_tokenizer(path)
    console.print(f"[bold]{path}[/bold]  {HELP}")
    system: list[Message] = []
    turns: list[Message] = []
    number = 0
    while True:
        try:
            question = console.input("[bold cyan]› [/bold cyan]").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if question == "/quit":
            return
        if question == "/new":
            turns = []
        elif question.startswith("/system"):
            text = question.removeprefix("/system").strip()
            system, turns = ([Message("system", text)] if text else []), []
        elif question.startswith("/"):
            console.print(HELP)
        elif question:
            turns.append(Message("user", question))
            prompt = Prompt((*system, *_fitting(turns)))
            options: dict[str, Any] = {"temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed}
            try:
                drawn = answers(model, tokenizer, [prompt], first_row=number, **options)
            except DataError as error:  # a question that does not fit is no reason to end the talk
                console.print(f"{error.message} {error.hint}", markup=False)
                turns.pop()
                continue
            answer = drawn[0][0].text.strip()
            number += 1
            turns.append(Message("assistant", answer))
            console.print(answer, markup=False)


def _fitting(turns: list[Message]) -> list[Message]:
    """The last few turns: a small model's context is short, and an old turn helps least."""
    return turns[-5:]
