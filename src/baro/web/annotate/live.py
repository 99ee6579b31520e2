"""Answers sampled while people work: a few pairs ahead of them, and no more."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from pathlib import Path
from typing import Any

from baro.core.errors import BaroError
from baro.data.choices.order import ahead
from baro.data.choices.store import Pair, Store
from baro.data.records import Message, Prompt
from baro.evals.answers import answers
from baro.models.load import language_model, load_tokenizer

AHEAD = 12
"""Pairs kept ready that nobody has seen yet."""

CHUNK = 4
"""Prompts answered at a time."""


class Sampler:
    """A thread that fills the store with pairs of answers to `prompts`.

    Args:
        models: one, which answers every prompt twice, or two, which answer once each.
        shared: the share of pairs for several people.
        placed: gives pairs their place in the order; None leaves it to the lot.
        sampling: temperature, max_new_tokens and seed of `answers`.
    """

    def __init__(
        self,
        store: Store,
        models: Items[str],
        prompts: Items[Prompt],
        *,
        shared: float = 0.0,
        placed: Callable[[Items[Pair]], list[float]] | None = None,
        **sampling: Any,
    ) -> None:
        self.store, self.prompts, self.shared, self.placed, self.sampling = store, prompts, shared, placed, sampling
        self.paths = list(models)
        self.models = [(language_model(path).eval(), load_tokenizer(path)) for path in models]
        self.names = _names(self.paths)
        told = repr([self.paths, [row.messages for row in prompts], sorted(sampling.items())])
        self.key = f"sampled {hashlib.sha256(told.encode()).hexdigest()[:40]}"
        self.problem, self.stopped = "", threading.Event()
        self.thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin, or go on where the store was left."""
        self.thread.start()

    def stop(self) -> None:
        """Stop after the answers being sampled."""
        self.stopped.set()
        self.thread.join(30)

    def state(self) -> tuple[bool, str]:
        """Whether more pairs may come, and what went wrong."""
        return self.thread.is_alive() and not self.stopped.is_set(), self.problem

    def _run(self) -> None:
        try:
            for start in self._starts():
                new = [pair for pair in self.pairs(start) if pair.a != pair.b]
                self.store.add(new, shared=self.shared)
                if self.placed is not None and new:
                    numbers = self.store.numbers(new)
                    self.store.reorder(dict(zip(numbers, self.placed(new), strict=True)))
                self.store.set(self.key, start + CHUNK)
        except BaroError as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            raise

    def _starts(self) -> Iterator[int]:
        """Where each chunk begins, as soon as there are too few pairs ahead."""
        for start in range(self.store.setting(self.key, 0), len(self.prompts), CHUNK):
            while ahead(self.store) >= AHEAD:
                if self.stopped.wait(0.2):
                    return
            if self.stopped.is_set():
                return
            yield start

    def pairs(self, start: int) -> list[Pair]:
        """The pairs of the prompts from `start` on; a function of the models, the prompts and the seed alone."""
        chunk = self.prompts[start : start + CHUNK]
        each = 2 if len(self.models) == 1 else 1
        drawn = [
            answers(model, tokenizer, chunk, samples=each, first_row=start, **self.sampling)
            for model, tokenizer in self.models
        ]
        texts = [[one.text for rows in drawn for one in rows[place]] for place in range(len(chunk))]
        return [
            Pair(prompt.messages, _turn(a), _turn(b), self.names, prompt.plain)
            for prompt, (a, b) in zip(chunk, texts, strict=True)
        ]


def _names(paths: list[str]) -> tuple[str, str]:
    """The models' names: the last part of their paths, or the whole where that is the same."""
    short = [Path(path).name or path for path in paths]
    names = short if len(set(short)) == len(paths) else paths
    return names[0], names[-1]


def _turn(text: str) -> tuple[Message, ...]:
    return (Message("assistant", text),)
