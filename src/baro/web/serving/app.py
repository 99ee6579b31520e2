"""The server of `baro serve`: the interface for programs, and the page for people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from baro.core.errors import ConfigError
from baro.data.choices.store import Store
from baro.pipeline.speaker import Speaker
from baro.web import app as base
from baro.web.guard import Access
from baro.web.serving import api, page


def create(access: Access, speakers: Mapping[str, Speaker], store: Store | None = None) -> FastAPI:
    """The application. Its speakers are closed when it ends.

    Args:
        store: where a person's choices between answers are kept; without it the page offers none.
    """
    pages = base.Pages(page.WORDS)
    made = base.create(access, pages, title="baro serve")
    made.router.lifespan_context = _lifespan(speakers)
    made.add_exception_handler(api.WireError, api.refused)
    api.add(made, speakers)
    page.add(made, pages, speakers, store)
    return made


def named(models: list[str], **options) -> dict[str, Speaker]:
    """Load the models; each is called by its folder's name, with more of its path where two would be called the same.

    Errors: as `Speaker`; ConfigError when a model is given twice.
    """
    places = [Path(path).resolve().parts if Path(path).exists() else tuple(path.split("/")) for path in models]
    if len(set(places)) < len(places):
        raise ConfigError("a model is given twice.", where="baro serve")
    found = {}
    for path, parts in zip(models, places, strict=True):
        others = [other for other in places if other != parts]
        size = next(n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in others))
        name = "/".join(parts[-size:])
        found[name] = Speaker(path, name=name, **options)
    return found


def _lifespan(speakers: Mapping[str, Speaker]):
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for speaker in speakers.values():
            await run_in_threadpool(speaker.close)

    return lifespan
