"""The page of `baro board` and what it asks for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from baro.web import app as base
from baro.web.board import acts, runs
from baro.web.board.words import SPOKEN, WORDS
from baro.web.guard import Access

REPORT = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; sandbox allow-scripts"
)
"""The report is one file with its own style and script; apart from the page's origin it may run them."""

BUDGET = 0.5
"""Seconds of reading for one request; what is left is read with the next, which the page sends at once."""


class Of(BaseModel):
    """A curve's file, and the version the page has of it."""

    model_config = ConfigDict(extra="forbid")
    run: str
    stage: str
    seen: str = ""


class Curves(BaseModel):
    """Curves that are wanted: every key of every stage."""

    model_config = ConfigDict(extra="forbid")
    of: list[Of] = Field(max_length=400)
    keys: list[str] = Field(max_length=40)
    points: int = Field(default=600, ge=10, le=5000)
    smooth: float = Field(default=0.0, ge=0, lt=1)


class Which(BaseModel):
    """A run."""

    model_config = ConfigDict(extra="forbid")
    run: str


class Board:
    """The runs that are watched; new ones below the roots are found as they come."""

    def __init__(self, roots: list[Path]) -> None:
        self.roots, self.runs = roots, dict[str, runs.Run]()
        self.look()

    def look(self) -> None:
        """Find the runs there are now."""
        found = runs.find(self.roots)
        kept = {name: run for name, run in self.runs.items() if found.get(name) == run.folder}
        self.runs = {name: kept.get(name) or runs.Run(name, folder) for name, folder in found.items()}

    def __getitem__(self, name: str) -> runs.Run:
        if name not in self.runs:
            raise HTTPException(404, f"there is no run {name!r}")
        return self.runs[name]

    def curves(self, wanted: Curves) -> dict:
        """The curves asked for, as far as they can be read in time; `behind` where some were not.

        Reading comes before drawing and begins with what was read least, so that no run waits for the others for ever.
        """
        stages = [(one, self[one.run].figures_of(one.stage)) for one in wanted.of]
        known = [(one, figures) for one, figures in stages if figures is not None]
        until = time.monotonic() + BUDGET
        for figures in sorted((figures for _, figures in known), key=lambda each: each.offset):
            if time.monotonic() < until:
                figures.refresh()
            else:
                figures.look()
        found = []
        for one, figures in known:
            row: dict[str, Any] = {"run": one.run, "stage": one.stage, "version": figures.version}
            if figures.version != one.seen:
                points, smooth = wanted.points, wanted.smooth
                drawn = {key: figures.curve(key, points=points, smooth=smooth) for key in wanted.keys}
                row |= {"keys": sorted(figures.columns), "curves": {k: v for k, v in drawn.items() if v and v["x"]}}
            found.append(row)
        return {"stages": found, "behind": any(figures.behind for _, figures in known)}


def create(access: Access, roots: list[Path]) -> FastAPI:
    """The application over the runs below `roots`. Errors: ConfigError when one is missing."""
    pages, board = base.Pages(WORDS), Board(roots)
    made = base.create(access, pages, title="baro board")

    @made.get("/")
    def page(request: Request) -> Response:
        return pages.render(request, "board.html", words=pages.speech(request).some(*SPOKEN))

    @made.get("/api/runs")
    def every() -> dict:
        board.look()
        return {"runs": [run.summary() for run in board.runs.values()]}

    @made.post("/api/curves")
    def curves(wanted: Curves) -> dict:
        return board.curves(wanted)

    @made.get("/api/run")
    def details(run: str, stage: str) -> dict:
        one = board[run]
        return {"alarms": one.alarms(), "samples": one.samples(stage), **one.settings(stage)}

    @made.get("/api/samples")
    def samples(run: str, stage: str, step: int) -> dict:
        return board[run].samples(stage, step)

    @made.get("/api/settings")
    def settings(run: str, stage: str) -> dict:
        return board[run].settings(stage)

    @made.get("/report")
    def report(run: str) -> Response:
        return FileResponse(board[run].report(), media_type="text/html", headers={"content-security-policy": REPORT})

    @made.post("/api/stop")
    def stop(which: Which) -> dict:
        acts.stop(board[which.run])
        return {"stopping": True}

    @made.post("/api/resume")
    def resume(which: Which) -> dict:
        return {"pid": acts.resume(board[which.run])}

    return made
