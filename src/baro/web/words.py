"""Interface texts in English and Korean. Each page brings its own table; the words all pages share are here."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

Table = dict[str, tuple[str, str]]
LANGUAGES = ("en", "ko")
COOKIE = "baro-language"

SHARED: Table = {
    "skip": ("Skip to the content", "본문으로 건너뛰기"),
    "language": ("Language", "언어"),
    "theme": ("Light or dark", "밝게 또는 어둡게"),
    "loading": ("One moment …", "잠시만 기다려 주십시오 …"),
    "offline": (
        "The server does not answer. Nothing is lost; this page tries again by itself.",
        "서버가 응답하지 않습니다. 잃은 것은 없으며, 이 화면이 스스로 다시 시도합니다.",
    ),
    "refused": (
        "The server no longer accepts this page. Open the link printed at its start again.",
        "서버가 이 화면을 더는 받지 않습니다. 시작할 때 나온 링크를 다시 여십시오.",
    ),
    "error": ("That did not work: {reason}", "처리하지 못했습니다: {reason}"),
    "not_found": ("There is no such page.", "그런 화면은 없습니다."),
    "home": ("Back to the start", "처음으로"),
}


class Speech:
    """The texts of one request: `t("key", count=3)`."""

    def __init__(self, table: Table, language: str) -> None:
        self.table, self.language = SHARED | table, language

    def __call__(self, key: str, **values: Any) -> str:
        """The text of `key` in the language; KeyError for a key no table has."""
        text = self.table[key][LANGUAGES.index(self.language)]
        return text.format(**values) if values else text

    def some(self, *keys: str) -> dict[str, str]:
        """Several texts, for a page's script; placeholders stay in."""
        return {key: self(key) for key in keys}


def language(request: Request, default: str | None = None) -> str:
    """en or ko: what the address asks for (?lang=ko), else the cookie, else `default`, else the browser's wish."""
    wishes = request.headers.get("accept-language", "en").lower()
    first = next((wish.strip()[:2] for wish in wishes.split(",") if wish.strip()[:2] in LANGUAGES), "en")
    for choice in (request.query_params.get("lang"), request.cookies.get(COOKIE), default):
        if choice in LANGUAGES:
            return str(choice)
    return first
