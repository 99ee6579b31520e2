"""The application every page is built on: guarded routes, files of the package, templates in two languages."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

import baro
from baro.core.errors import BaroError
from baro.web.guard import Access, Guard
from baro.web.words import COOKIE, LANGUAGES, Speech, Table, language

__all__ = ["Pages", "create", "form"]

HERE = Path(str(resources.files("baro.web")))
YEAR = 365 * 24 * 3600


def create(access: Access, pages: Pages, *, title: str = "baro") -> FastAPI:
    """An application with the guard before every route, the package's static files, and errors a person can read.

    Routes are added by the caller. Errors: a BaroError becomes 400, whatever else HTTP says keeps its status; as JSON
    `{"error": text}`, or as a page where the client asks for one.
    """
    made = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    made.add_middleware(Guard, access=access)
    made.add_api_route("/colours.css", _colours, methods=["GET"])
    made.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    def failed(request: Request, error: Exception) -> Response:
        status, reason, headers = 400, str(error), None
        if isinstance(error, HTTPException):
            status, reason, headers = error.status_code, str(error.detail), error.headers
        elif isinstance(error, RequestValidationError):
            status = 422
            reason = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        if "text/html" in request.headers.get("accept", ""):
            t = pages.speech(request)
            shown = t("not_found") if status == 404 else t("error", reason=reason)
            return pages.render(request, "message.html", status=status, message=shown)
        return JSONResponse({"error": reason}, status, headers)

    for kind in (BaroError, HTTPException, RequestValidationError):
        made.add_exception_handler(kind, failed)
    return made


def _colours() -> Response:
    from baro.pipeline.report.build import colours

    return Response(colours(), media_type="text/css")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form sent as a page sends it (urlencoded), the first of each name."""
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise HTTPException(400, "the form is not UTF-8.") from error
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True, max_num_fields=100).items()}


class Pages:
    """Templates of the package, each with its table of words.

    Args:
        table: texts of these pages, key → (English, Korean).
        default: language where neither the address nor a cookie says one; None asks the browser.
    """

    def __init__(self, table: Table, default: str | None = None) -> None:
        self.table, self.default = table, default
        self.environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def speech(self, request: Request) -> Speech:
        """The texts in this request's language."""
        return Speech(self.table, language(request, self.default))

    def render(self, request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page.

        Inside, `t` gives texts, `language` and `theme` say what is shown, `person` who asked, `data(x)` writes a value
        as JSON for a script to read.
        """
        t, theme = self.speech(request), request.cookies.get("baro-theme", "")
        text = self.environment.get_template(template).render(
            t=t,
            language=t.language,
            theme=theme if theme in ("light", "dark") else "",
            person=getattr(request.state, "person", ""),
            version=baro.__version__,
            path=request.url.path,
            data=_as_json,
            **values,
        )
        reply = HTMLResponse(text, status)
        if request.query_params.get("lang") in LANGUAGES:
            reply.set_cookie(COOKIE, t.language, max_age=YEAR, samesite="strict")
        return reply


def _as_json(value: Any) -> Markup:
    """JSON that ends no script element."""
    text = json.dumps(value, ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
