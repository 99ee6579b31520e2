"""Pieces of answers on their way from the speaker's thread to a client that may be slow, or gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from baro.pipeline.speaker import Piece, Request, Speaker, Wish

PATIENCE = 30.0
"""Seconds a client may leave what is sent to it lying."""


class Answers:
    """The answers to one or several prompts, as an async iterator of lists of (prompt's index, piece).

    What has come together is given out together. Close it (`aclosing`), and what is unfinished is cancelled.

    Errors: as `Speaker.ask`; nothing has been asked then.
    """

    def __init__(self, speaker: Speaker, prompts: list[list[int]], wish: Wish) -> None:
        self.loop, self.pieces = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Piece]]()
        self.left, self.requests = len(prompts) * wish.samples, list[Request]()
        try:
            for index, prompt in enumerate(prompts):
                self.requests.append(speaker.ask(prompt, wish, self._emit(index)))
        except Exception:
            self.cancel()
            raise

    def _emit(self, index: int) -> Callable[[Piece], None]:
        def emit(piece: Piece) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
                self.loop.call_soon_threadsafe(self.pieces.put_nowait, (index, piece))

        return emit

    def cancel(self) -> None:
        """Nobody waits any more."""
        for request in self.requests:
            request.cancel()

    async def together(self) -> AsyncGenerator[list[tuple[int, Piece]]]:
        """See the class."""
        try:
            while self.left:
                found = [await self.pieces.get()]
                while not self.pieces.empty():
                    found.append(self.pieces.get_nowait())
                self.left -= sum(bool(piece.finish) for _, piece in found)
                yield found
        finally:
            self.cancel()


async def gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Events(Response):
    """Server-sent events.

    Args:
        lines: texts, each whole events.
    """

    media_type = "text/event-stream"

    def __init__(self, lines: AsyncGenerator[str]) -> None:
        super().__init__()
        self.lines = lines
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end, until the client leaves, or until it takes nothing any more for PATIENCE seconds."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        writing, leaving = asyncio.create_task(self._write(send)), asyncio.create_task(gone(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, leaving):
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        async with contextlib.aclosing(self.lines) as lines:
            async for text in lines:
                async with asyncio.timeout(PATIENCE):
                    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
