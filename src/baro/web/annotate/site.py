"""The pages and what they ask for. A page never learns which model wrote an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from baro.data.choices.export import rows
from baro.data.choices.order import Showing, upcoming
from baro.data.choices.store import Store
from baro.data.records import Message
from baro.web.annotate.figures import Live
from baro.web.annotate.words import TAG_WORDS, TAGS, WORDS
from baro.web.app import Pages, create, form
from baro.web.guard import Access
from baro.web.markdown import rendered
from baro.web.words import Speech

OWNER = "owner"
Fields = Annotated[dict[str, str], Depends(form)]
Click = Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")]


class Chosen(BaseModel):
    """A click, as the page sends it."""

    person: str
    showing: int = Field(ge=0, lt=2**31)
    click: Click
    side: Literal["left", "right", "tie", "skip"]
    seconds: float = Field(ge=0, le=1e6, allow_inf_nan=False)
    tags: list[Annotated[str, Field(max_length=60)]] = Field(default=[], max_length=30)
    note: str = Field(default="", max_length=10_000)


class Back(BaseModel):
    """A click to be taken back."""

    person: str
    click: Click


@dataclass
class Work:
    """What is annotated, and how.

    Attributes:
        store: where choices go.
        repeat: the share of pairs shown twice to the same person.
        tags: reasons offered; the built-in ones are shown in the language of the page.
        command: the command that trains on the store, shown with the results.
        live: tells whether more pairs are being made, and what went wrong; None where all pairs are there.
    """

    store: Store
    repeat: float = 0.0
    tags: tuple[str, ...] = TAGS
    command: str = ""
    live: Callable[[], tuple[bool, str]] | None = None
    figures: Live = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Live(self.store)


def site(work: Work, access: Access, lang: str | None = None, home: str = "") -> FastAPI:
    """The application of `baro annotate`.

    Args:
        access: the guard's settings; gets a token for every annotator the store knows, and for those added later.
        lang: language where a visitor chose none.
        home: address that links begin with.
    """
    pages = Pages(WORDS | TAG_WORDS, lang)
    app = create(access, pages, title="baro annotate")
    for name in (OWNER, *work.store.people()):
        _let_in(work, access, name)
    _comparing(app, work, pages)
    _guideline(app, work, pages)
    _owners(app, work, pages, access, home)
    return app


def _let_in(work: Work, access: Access, name: str) -> None:
    work.store.join(name)
    access.tokens[work.store.token(name)] = name


# --- comparing -------------------------------------------------------------------------------------------------------


def _comparing(app: FastAPI, work: Work, pages: Pages) -> None:
    @app.get("/")
    def compare(request: Request) -> HTMLResponse:
        t = pages.speech(request)
        texts = t.some("kept", "undone", "nothing_to_undo", "already", "offline", "refused", "error", "done_count")
        shown = [(tag, t(tag) if tag in TAG_WORDS else tag) for tag in work.tags]
        guide = rendered(work.store.setting("guideline", "")) if work.store.setting("guideline", "") else ""
        person = request.state.person
        owner = person == OWNER
        return pages.render(request, "annotate/compare.html", texts=texts, tags=shown, guide=guide, owner=owner)

    @app.get("/api/next")
    def following(request: Request) -> dict[str, Any]:
        return _next(work, request.state.person, pages.speech(request))

    @app.post("/api/choose")
    def choose(request: Request, chosen: Chosen) -> dict[str, Any]:
        person, t = request.state.person, pages.speech(request)
        _same_person(person, chosen.person, t)
        left = work.store.left_of(chosen.showing)
        side: Any = {"left": left, "right": "b" if left == "a" else "a"}.get(chosen.side, chosen.side)
        outcome = work.store.decide(
            person,
            chosen.showing,
            side,
            chosen.click,
            seconds=chosen.seconds,
            tags=[tag for tag in chosen.tags if tag in work.tags],
            note=chosen.note.strip(),
        )
        return {"outcome": outcome, "next": _next(work, person, t)}

    @app.post("/api/undo")
    def undo(request: Request, back: Back) -> dict[str, Any]:
        person, t = request.state.person, pages.speech(request)
        _same_person(person, back.person, t)
        return {"undone": work.store.withdraw(person, back.click), "next": _next(work, person, t)}


def _same_person(person: str, page: str, t: Speech) -> None:
    """A page that was opened by one person must not write under another's name, whose link was opened since."""
    if person != page:
        raise HTTPException(409, t("other_person"))


def _next(work: Work, person: str, t: Speech) -> dict[str, Any]:
    """The next pair as HTML, or why there is none; with how much is done and the click that can be taken back."""
    showing = upcoming(work.store, person, repeat=work.repeat)
    done, last = work.store.done(person)
    found: dict[str, Any] = {"done": done, "last": last}
    if showing is not None:
        return found | {"state": "pair", "showing": showing.number, **_as_html(showing, t)}
    making, problem = work.live() if work.live else (False, "")
    state = "waiting" if making else "finished"
    return found | {"state": state, "problem": t("live_error", reason=problem) if problem else ""}


def _as_html(showing: Showing, t: Speech) -> dict[str, str]:
    pair = showing.pair
    answers = {"a": pair.a, "b": pair.b}
    left, right = (_turns_html(answers[side], t, alone=True) for side in showing.sides)
    return {"prompt": _turns_html(pair.prompt, t, alone=len(pair.prompt) == 1), "left": left, "right": right}


def _turns_html(turns: tuple[Message, ...], t: Speech, *, alone: bool) -> str:
    """Turns one below the other, each under its speaker's name unless there is just one."""
    if alone and len(turns) == 1:
        return str(rendered(turns[0].content)) or f'<p class="dim">{t("empty_answer")}</p>'
    parts = [f'<p class="speaker">{t(turn.role)}</p>{rendered(turn.content)}' for turn in turns]
    return "".join(parts)


# --- the guideline ---------------------------------------------------------------------------------------------------


def _guideline(app: FastAPI, work: Work, pages: Pages) -> None:
    @app.get("/guideline")
    def guideline(request: Request) -> HTMLResponse:
        text, owner = work.store.setting("guideline", ""), request.state.person == OWNER
        return pages.render(request, "annotate/guideline.html", text=text, html=rendered(text), owner=owner)

    @app.post("/guideline")
    def written(request: Request, fields: Fields) -> Response:
        _owner(request, pages)
        work.store.set("guideline", fields.get("text", "").replace("\r\n", "\n"))
        return RedirectResponse("/guideline", 303)


# --- what only the owner sees ----------------------------------------------------------------------------------------


def _owners(app: FastAPI, work: Work, pages: Pages, access: Access, home: str) -> None:
    @app.get("/results")
    def results(request: Request) -> HTMLResponse:
        _owner(request, pages)
        found = work.figures.now()
        return pages.render(request, "annotate/results.html", f=found, work=work, owner=True)

    @app.get("/results/figures")
    def part(request: Request) -> HTMLResponse:
        _owner(request, pages)
        return pages.render(request, "annotate/figures.html", f=work.figures.now(), work=work)

    @app.get("/people")
    def people(request: Request) -> HTMLResponse:
        _owner(request, pages)
        kept = work.store.kept()
        counts = {name: sum(one.annotator == name for one in kept) for name in work.store.people()}
        links = [(name, f"{home}/?token={work.store.token(name)}", count) for name, count in counts.items()]
        return pages.render(request, "annotate/people.html", links=links, owner=True)

    @app.post("/people")
    def join(request: Request, fields: Fields) -> Response:
        _owner(request, pages)
        _let_in(work, access, fields.get("name", "").strip())
        return RedirectResponse("/people", 303)

    @app.get("/export.jsonl")
    def export(
        request: Request, ties: Literal["drop", "keep"] = "drop", per: Literal["choice", "pair"] = "choice"
    ) -> StreamingResponse:
        _owner(request, pages)
        headers = {"content-disposition": 'attachment; filename="choices.jsonl"'}
        return StreamingResponse(_lines(work.store, ties, per), media_type="application/jsonl", headers=headers)


def _lines(store: Store, ties: Any, per: Any) -> Iterator[str]:
    for row in rows(store, ties=ties, per=per):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _owner(request: Request, pages: Pages) -> None:
    if request.state.person != OWNER:
        raise HTTPException(403, pages.speech(request)("forbidden"))
