"""A model that answers many people at once: one thread owns it, and what is asked meanwhile joins the next pass.

    speaker = Speaker("runs/quickstart/ppo")
    for piece in speaker.said(speaker.prompt(messages), Wish(temperature=0.7)):
        print(piece.text, end="")

Text comes in pieces as soon as no later token can change it: half a character, or what may become a stop string, waits.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from baro.core.errors import BaroError, DataError
from baro.data.records import Message
from baro.data.templates import end_tokens, render_prompt
from baro.models.draw import stream
from baro.models.layout import for_few_rows
from baro.models.load import language_model, load_tokenizer
from baro.models.noted import Noted, read
from baro.models.sample import Sampling, Slots, Wanted, fitting, limit
from baro.models.support import support
from baro.pipeline.unfolding import Unfolding

CONTEXT = 4096
"""Tokens of prompt and answer, unless the model's own context is shorter: memory is laid out for so many."""
PREFILL = 1024
"""Prompt tokens in one pass: the answers being written wait while a prompt is read."""


@dataclass(frozen=True)
class Wish:
    """How an answer is wanted.

    Attributes:
        samples: answers to the same prompt.
        seed: the same answer again (up to rounding); None draws one.
        stop: texts that end an answer and do not belong to it.
        tops: None, or how many of the most probable tokens to report with every token.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    max_new_tokens: int | None = None
    samples: int = 1
    seed: int | None = None
    stop: tuple[str, ...] = ()
    tops: int | None = None


@dataclass(frozen=True)
class Piece:
    """What has been added to one answer.

    Attributes:
        number: of the answer among those asked for.
        text: added; may be empty.
        tokens, noted: the tokens this text came from, the end token included, and what the model thought of them where
            that was asked for.
        count: tokens drawn for this answer so far, the end token included.
        finish: empty, "stop" (end token or stop text) or "length"; the last piece of an answer has one.
        error: why nothing more comes.
    """

    number: int
    text: str
    tokens: list[int] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    count: int = 0
    finish: str = ""
    error: str = ""


@dataclass(eq=False)
class Request:
    """Answers being written. `cancel` it when nobody waits any more."""

    items: list[Wanted]
    unfoldings: list[Unfolding]
    emit: Callable[[Piece], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Write no more; what is still written is thrown away."""
        self.cancelled = True
        for item in self.items:
            item.dropped = True


class Speaker:
    """A model, its tokenizer and the thread that runs it. Close it when done, or use it as a context manager.

    Args:
        path: model folder or hub name.
        name: what it is called; default: the folder's name.
        max_length: longest prompt and answer together, tokens; default: the model's context, at most 4096.

    Errors: BaroError for a folder without a language model, or an architecture that cannot be run in slots.
    """

    def __init__(
        self, path: str, *, name: str = "", dtype: str = "auto", device: str = "auto", max_length: int | None = None
    ) -> None:
        self.path, self.name = str(path), name or Path(path).resolve().name
        self.model = language_model(path, dtype=dtype, device=device).eval()
        self.tokenizer = load_tokenizer(path)
        found = support(self.model)
        if not (found.packed and found.plain_head):
            raise BaroError(
                f"{type(self.model).__name__} cannot answer several people at a time here.",
                where=self.path,
                hint="Use baro sample, which runs it through its own generation.",
            )
        own = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or CONTEXT
        self.context = min(own, max_length or CONTEXT)
        self.slots = Slots(self.model, fitting(self.model, self.context), PREFILL)
        self.ends, self.rows = end_tokens(self.tokenizer), itertools.count()
        self.arrived, self.jobs = deque[Request](), deque[tuple[Callable[[], Any], Future]]()
        self.requests: dict[Wanted, Request] = {}
        self.turn, self.closing = threading.Condition(), False
        self.thread = threading.Thread(target=self._work, name=f"speaker {self.name}", daemon=True)
        self.thread.start()

    def __enter__(self) -> Speaker:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End the thread; whoever still waits is told."""
        with self.turn:
            self.closing = True
            self.turn.notify()
        self.thread.join()

    # --- asking ---

    def prompt(self, messages: Items[Message]) -> list[int]:
        """Token ids of a conversation, ready for the answer."""
        return render_prompt(self.tokenizer, messages)

    def plain(self, text: str) -> list[int]:
        """Token ids of a text that is to be gone on with as it stands; special tokens in it count as such."""
        return render_prompt(self.tokenizer, [Message("user", text)], plain=True)

    def ask(self, prompt: list[int], wish: Wish, emit: Callable[[Piece], None]) -> Request:
        """Begin the answers; `emit` is called from the speaker's thread with every piece.

        Errors: DataError when the prompt is empty or leaves no room in the context.
        """
        most = self.context - len(prompt)
        if prompt and most < 1:
            raise DataError(
                f"the prompt has {len(prompt)} tokens and the context is {self.context}: nothing can be added.",
                hint="Shorten the prompt.",
            )
        wanted = most if wish.max_new_tokens is None else min(most, wish.max_new_tokens)
        sampling = Sampling(wish.temperature, wish.top_k, wish.top_p, wish.min_p, wanted, self.ends)
        room, row = limit(self.model, prompt, "", sampling), next(self.rows)
        seed = int.from_bytes(os.urandom(7), "big") if wish.seed is None else wish.seed
        items = [
            Wanted(row, number, prompt, room, stream(seed, 0, number), sampling, wish.tops)
            for number in range(wish.samples)
        ]
        request = Request(items, [Unfolding(self.tokenizer, wish.stop) for _ in items], emit)
        with self.turn:
            if self.closing:
                raise BaroError("the server is stopping.")
            self.arrived.append(request)
            self.turn.notify()
        return request

    def said(self, prompt: list[int], wish: Wish) -> Iterator[Piece]:
        """The pieces of the answers as they come; leaving the loop cancels. Errors: as `ask`, and BaroError."""
        pieces = queue.SimpleQueue[Piece]()
        request, left = self.ask(prompt, wish, pieces.put), wish.samples
        try:
            while left:
                piece = pieces.get()
                if piece.error:
                    raise BaroError(piece.error)
                left -= bool(piece.finish)
                yield piece
        finally:
            request.cancel()

    def thought(self, rows: list[list[int]], tops: int) -> Future[list[list[Noted]]]:
        """What the model thinks of every token of the rows but the first, see `models.noted.read`."""
        future: Future = Future()
        with self.turn:
            self.jobs.append((lambda: [found for row in rows for found in read(self.model, [row], tops)], future))
            self.turn.notify()
        return future

    # --- the thread ---

    @torch.no_grad()
    def _work(self) -> None:
        with for_few_rows(self.model):
            self._serve()

    def _serve(self) -> None:
        while True:
            with self.turn:
                self.turn.wait_for(lambda: self.arrived or self.jobs or self.requests or self.closing)
                arrived, self.arrived = self.arrived, deque()
                jobs, self.jobs = self.jobs, deque()
                closing = self.closing
            for request in arrived:
                self.requests.update(dict.fromkeys(request.items, request))
                self.slots.waiting.extend(request.items)
            if closing:
                self._fail("the server is stopping.")
            for work, future in jobs:
                _settle(work, future, closing)
            if closing:
                return
            try:
                self._pass()
            except Exception as error:  # out of memory, say: those who wait are told, and the next are served
                self.slots = Slots(self.model, self.slots.slots, PREFILL)
                self._fail(f"the model failed: {type(error).__name__}: {error}")

    def _pass(self) -> None:
        """Drop who is gone, then one token for everybody."""
        self.slots.waiting = deque(item for item in self.slots.waiting if not item.dropped)
        self.slots.leave()
        self.requests = {item: request for item, request in self.requests.items() if not item.dropped}
        if not self.slots.busy:
            return
        self.slots.step()
        for item in self.slots.live:
            if not item.dropped:
                self._tell(item, self.requests[item])
        self.slots.leave()

    def _tell(self, item: Wanted, request: Request) -> None:
        unfolding, ended = request.unfoldings[item.number], item.tokens[-1] in self.ends
        text, stopped = unfolding.add(item.tokens[-1], last=item.finished(), special=ended)
        finish = "stop" if stopped or ended else "length" if item.finished() else ""
        if finish:
            item.dropped = True
            del self.requests[item]
        if text or finish:
            tokens, noted = item.tokens[unfolding.told :], item.noted[unfolding.told :]
            unfolding.told = len(item.tokens)
            request.emit(Piece(item.number, text, tokens, noted, len(item.tokens), finish))

    def _fail(self, reason: str) -> None:
        for item, request in self.requests.items():
            item.dropped = True
            request.emit(Piece(item.number, "", finish="error", error=reason))
        self.requests = {}
        self.slots.waiting.clear()


def _settle(work: Callable[[], Any], future: Future, closing: bool) -> None:
    if closing:
        future.set_exception(BaroError("the server is stopping."))
        return
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
