"""Talk to a model in the terminal."""

from __future__ import annotations

import contextlib
import math

from rich.console import Console
from rich.text import Text

from baro.core.errors import BaroError, DataError
from baro.data.records import Message
from baro.models.draw import stream
from baro.pipeline.speaker import Speaker, Wish

HELP = (
    "/system TEXT sets a system message, /regenerate answers again, /model PATH goes on with another model, "
    "/surprise colours what the model found unlikely, /new starts over, /quit leaves."
)
SURPRISE = ((0.5, ""), (0.1, "yellow"), (0.01, "dark_orange"), (0.0, "red"))
"""Colour of a token that had at least this probability."""
LEGEND = "Colours: the model gave the token less than 50 % (yellow), 10 % (orange), 1 % (red)."


def talk(path: str, *, temperature: float, max_new_tokens: int, seed: int, system: str = "") -> None:
    """Read questions and print answers as they are written, until /quit or the end of the input.

    Args:
        path: model folder or hub name.
        temperature: 0 is greedy.
        max_new_tokens: longest answer.
        seed: of the sampling; the n-th answer of two equal talks is the same.
        system: a system message to begin with.
    """
    console = Console(highlight=False)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  the arrow keys edit the line and bring earlier questions back
    talking = Talk(console, Speaker(path), Wish(temperature=temperature, max_new_tokens=max_new_tokens, tops=0), seed)
    talking.system = [Message("system", system)] if system else []
    console.print(Text(path, "bold").append("  " + HELP, "not bold"))
    try:
        while talking.goes_on:
            try:
                question = console.input("[bold cyan]› [/bold cyan]").strip()
            except (EOFError, KeyboardInterrupt):
                console.print()
                return
            talking.take(question)
    finally:
        talking.speaker.close()


class Talk:
    """One conversation: its turns, and what each line typed does to it."""

    def __init__(self, console: Console, speaker: Speaker, wish: Wish, seed: int) -> None:
        self.console, self.speaker, self.wish, self.seed = console, speaker, wish, seed
        self.system: list[Message] = []
        self.turns: list[Message] = []
        self.number, self.coloured, self.goes_on = 0, False, True

    def take(self, line: str) -> None:
        """A question or a command."""
        word, _, rest = line.partition(" ")
        commands = {
            "/system": self._system,
            "/regenerate": self._regenerate,
            "/model": self._model,
            "/surprise": self._surprise,
            "/new": lambda _: self.turns.clear(),
            "/quit": self._quit,
        }
        if word.startswith("/"):
            commands.get(word, lambda _: self.console.print(HELP))(rest.strip())
        elif line:
            self.turns.append(Message("user", line))
            self._answer()

    def _system(self, text: str) -> None:
        self.system, self.turns = ([Message("system", text)] if text else []), []

    def _regenerate(self, _: str) -> None:
        if self.turns and self.turns[-1].role == "assistant":
            self.turns.pop()
        if self.turns:
            self._answer()
        else:
            self.console.print("There is no question to answer yet.")

    def _model(self, path: str) -> None:
        if not path:
            self.console.print(self.speaker.path, markup=False)
            return
        try:
            found = Speaker(path)
        except BaroError as error:
            self.console.print(str(error), markup=False)
            return
        self.speaker.close()
        self.speaker = found
        self.console.print(f"{path} goes on with this talk.", markup=False)

    def _surprise(self, _: str) -> None:
        self.coloured = not self.coloured
        self.console.print(LEGEND if self.coloured else "Colours off.")

    def _quit(self, _: str) -> None:
        self.goes_on = False

    def _answer(self) -> None:
        """Write an answer to the turns so far; Ctrl+C ends it there."""
        seed, self.number = stream(self.seed, self.number, 0), self.number + 1
        wish = Wish(**{**vars(self.wish), "seed": seed})
        said, interrupted = "", False
        try:
            pieces = self.speaker.said(self.speaker.prompt([*self.system, *_fitting(self.turns)]), wish)
            for piece in pieces:
                text = piece.text if said else piece.text.lstrip()
                said += text
                seen = zip(piece.tokens, piece.noted, strict=True)  # of the end token nothing is seen
                logs = [one.log_prob for token, one in seen if token not in self.speaker.ends]
                style = _style(min(logs, default=0.0)) if self.coloured else ""
                self.console.print(Text(text, style), end="", soft_wrap=True)
        except KeyboardInterrupt:
            interrupted = True
        except DataError as error:  # a question that does not fit is no reason to end the talk
            self.console.print(f"{error.message} {error.hint}", markup=False)
            self.turns.pop()
            return
        self.console.print(" …" if interrupted else "")
        self.turns.append(Message("assistant", said.rstrip()))


def _style(log_prob: float) -> str:
    return next(style for floor, style in SURPRISE if math.exp(log_prob) >= floor)


def _fitting(turns: list[Message]) -> list[Message]:
    """The last few turns: a small model's context is short, and an old turn helps least."""
    return turns[-5:]
