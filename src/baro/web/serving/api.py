"""/v1: the part of OpenAI's interface that chat programs and evaluation harnesses use."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baro.core.errors import BaroError
from baro.pipeline.speaker import Speaker, Wish
from baro.web.serving.events import Answers, Events, gone
from baro.web.serving.shape import Envelope, Whole, usage, written_down
from baro.web.serving.wire import MOST_ANSWERS, Asked, Chat, Completion, WireError, parsed


def add(app: FastAPI, speakers: Mapping[str, Speaker]) -> None:
    """Add the routes; `speakers` by the name clients call them."""
    started = int(time.time())

    def model(name: str) -> dict:
        return {
            "id": name,
            "object": "model",
            "created": started,
            "owned_by": "baro",
            "max_model_len": speakers[name].context,
        }

    @app.get("/v1/models")
    async def models() -> dict:
        return {"object": "list", "data": [model(name) for name in speakers]}

    @app.get("/v1/models/{name:path}")
    async def one(name: str) -> dict:
        _speaker(speakers, name)
        return model(name)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        asked = await parsed(request, Chat)
        speaker = _speaker(speakers, asked.model)
        with _told("messages"):
            prompt = speaker.prompt([turn.message() for turn in asked.messages])
        wish = asked.wish(tops=asked.tops, most=asked.most)
        return await _reply(request, speaker, asked, [prompt], wish)

    @app.post("/v1/completions")
    async def complete(request: Request) -> Response:
        asked = await parsed(request, Completion)
        speaker = _speaker(speakers, asked.model)
        prompts = [_ids(speaker, prompt) for prompt in asked.prompts()]
        if asked.echo:
            return await _echoed(request, speaker, asked, prompts)
        if not asked.max_tokens:
            raise WireError("'max_tokens' is 0: nothing would be written.", param="max_tokens")
        return await _reply(request, speaker, asked, prompts, asked.wish(tops=asked.logprobs, most=asked.max_tokens))


def refused(_: Request, error: Exception) -> Response:
    """The reply to a request that raised WireError."""
    assert isinstance(error, WireError)
    return JSONResponse(error.body, error.status)


def _speaker(speakers: Mapping[str, Speaker], name: str) -> Speaker:
    if name not in speakers:
        known = ", ".join(f"'{one}'" for one in speakers)
        raise WireError(
            f"there is no model '{name}' here; there is {known}.", status=404, param="model", code="model_not_found"
        )
    return speakers[name]


@contextlib.contextmanager
def _told(param: str):
    """What our rooms refuse, in the interface's shape."""
    try:
        yield
    except BaroError as error:
        raise WireError(f"{error.message} {error.hint}".strip(), param=param) from None


def _ids(speaker: Speaker, prompt: str | list[int]) -> list[int]:
    """Token ids of a plain prompt: BOS where the tokenizer puts one, no template."""
    if isinstance(prompt, str):
        if not prompt:
            raise WireError("'prompt' is empty.", param="prompt")
        return speaker.plain(prompt)
    size = speaker.model.config.get_text_config().vocab_size
    if not prompt or not all(0 <= token < size for token in prompt):
        raise WireError(f"'prompt' holds token ids from 0 to {size - 1}, at least one.", param="prompt")
    return prompt


def _begin(speaker: Speaker, asked: Asked, prompts: list[list[int]], wish: Wish) -> Answers:
    if len(prompts) * asked.n > MOST_ANSWERS:
        raise WireError(f"{len(prompts) * asked.n} answers in one request; at most {MOST_ANSWERS}.", param="n")
    with _told("prompt" if isinstance(asked, Completion) else "messages"):
        return Answers(speaker, prompts, wish)


async def _reply(request: Request, speaker: Speaker, asked: Asked, prompts: list[list[int]], wish: Wish) -> Response:
    answers, envelope = _begin(speaker, asked, prompts, wish), Envelope(speaker, chat=isinstance(asked, Chat))
    if asked.stream:
        return Events(_events(answers, envelope, asked, prompts, wish))
    wholes = await _gathered(request, answers, len(prompts), asked.n)
    choice = envelope.message if envelope.chat else envelope.text
    choices = [choice(index, whole, wish.tops) for index, whole in enumerate(wholes)]
    return JSONResponse(envelope.whole(choices, _usage(prompts, wholes)))


async def _gathered(request: Request, answers: Answers, prompts: int, n: int) -> list[Whole]:
    """Every answer whole; cancelled when the client leaves."""
    wholes = [Whole() for _ in range(prompts * n)]

    async def gather() -> None:
        async with contextlib.aclosing(answers.together()) as pieces:
            async for some in pieces:
                for index, piece in some:
                    if piece.error:
                        raise WireError(piece.error, status=500)
                    wholes[index * n + piece.number].add(piece)

    work, leaving = asyncio.create_task(gather()), asyncio.create_task(gone(request.receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (work, leaving):
            task.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)
        answers.cancel()
    if work.cancelled():
        raise WireError("the client has left.", status=499)
    work.result()
    return wholes


async def _events(
    answers: Answers, envelope: Envelope, asked: Asked, prompts: list[list[int]], wish: Wish
) -> AsyncGenerator[str]:
    n, written, offsets = asked.n, dict[int, int](), dict[int, int]()
    if envelope.chat:
        first = {"role": "assistant", "content": ""}
        for index in range(len(prompts) * n):
            yield envelope.event([{"index": index, "delta": first, "logprobs": None, "finish_reason": None}])
    async with contextlib.aclosing(answers.together()) as pieces:
        async for some in pieces:
            lines = list[str]()
            for row, piece in some:
                if piece.error:
                    yield ("".join(lines) + written_down(WireError(piece.error, status=500).body))
                    return
                index = row * n + piece.number
                for choice in envelope.delta(index, piece, wish.tops, offsets.get(index, 0)):
                    lines.append(envelope.event([choice]))
                offsets[index] = offsets.get(index, 0) + len(piece.text)
                written[index] = piece.count
            yield "".join(lines)
    if asked.stream_options.include_usage:
        yield envelope.event([], usage(sum(map(len, prompts)), sum(written.values())))
    yield "data: [DONE]\n\n"


async def _echoed(request: Request, speaker: Speaker, asked: Completion, prompts: list[list[int]]) -> Response:
    """The prompts with what the model thinks of them, and what follows: what harnesses measure likelihood by."""
    if asked.stream:
        raise WireError("'echo' and 'stream' do not go together.", param="echo")
    over = max(map(len, prompts))
    if over > speaker.context:
        raise WireError(f"a prompt has {over} tokens and the context is {speaker.context}.", param="prompt")
    written = [Whole(finish="length") for _ in range(len(prompts) * asked.n)]
    if asked.max_tokens:
        answers = _begin(speaker, asked, prompts, asked.wish(tops=asked.logprobs, most=asked.max_tokens))
        written = await _gathered(request, answers, len(prompts), asked.n)
    thoughts = None
    if asked.logprobs is not None:
        thoughts = await asyncio.wrap_future(speaker.thought(prompts, asked.logprobs))
    envelope, choices = Envelope(speaker, chat=False), []
    for index, after in enumerate(written):
        prompt = prompts[index // asked.n]
        before = speaker.tokenizer.decode(prompt)
        noted = [None, *thoughts[index // asked.n], *after.noted] if thoughts is not None else []
        whole = Whole(before + after.text, prompt + after.tokens, noted, after.count, after.finish)
        choices.append(envelope.text(index, whole, asked.logprobs))
    return JSONResponse(envelope.whole(choices, _usage(prompts, written)))


def _usage(prompts: list[list[int]], wholes: list[Whole]) -> dict[str, int]:
    return usage(sum(map(len, prompts)), sum(whole.count for whole in wholes))
