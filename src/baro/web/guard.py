"""Who may talk to the server, checked before any route sees a request, and what every reply tells the browser.

A page of any site can send requests to 127.0.0.1, and by DNS rebinding even read the replies, so loopback alone
protects nobody. Every request, whatever its path, needs all three:

    Host    exactly one of the names the server was started for (no suffixes: `x.localhost` is not `localhost`)
    Origin  where the browser sends one, exactly one of ours; a change made with a cookie must come with one
    token   in the link that was printed (first visit), in the cookie that visit sets, or as `Authorization: Bearer`
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
SAFE = ("GET", "HEAD", "OPTIONS")
PATIENCE = 20.0
"""Seconds a client may take to send its body."""
ENTER = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="0;url={path}"><title>baro</title><p><a href="{path}">baro</a></p>"""
REFUSED = "403: {reason}\n\nOpen the link that was printed when the server was started (it carries a token).\n"


@dataclass
class Access:
    """What is accepted.

    Attributes:
        hosts: the exact Host headers, ports included.
        tokens: token → the person it was given to; may grow while the server runs.
        cookie: name of the cookie; holds the port, because browsers share cookies between the ports of a host.
        rate, burst: requests a second of one person, and how many may come at once.
        most_bytes: longest body.
    """

    hosts: frozenset[str]
    tokens: dict[str, str]
    cookie: str
    rate: float = 50.0
    burst: float = 200.0
    most_bytes: int = 1 << 20
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    def person(self, token: str) -> str | None:
        """Whose token it is; every known token is compared, in constant time each."""
        found = None
        for known, person in self.tokens.items():
            if hmac.compare_digest(known.encode(), token.encode("utf-8", "replace")):
                found = person
        return found

    def within_rate(self, person: str) -> bool:
        """Take one from the person's bucket; False when it is empty."""
        now = time.monotonic()
        left, then = self.buckets.get(person, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.rate)
        self.buckets[person] = (max(left - 1, 0.0) if left >= 1 else left, now)
        return left >= 1


class Guard:
    """The application behind its checks; the person is `request.state.person` inside."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, let in, or hand on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            reply = self.refusal(scope) or await self.entrance(scope)
            if reply is None:
                body = await self.body(scope, receive)
                if not isinstance(body, Response):
                    await self.app(scope, body, _with_headers(send))
                    return
                reply = body
            await reply(scope, receive, _with_headers(send))
        else:  # no route speaks websocket
            await send({"type": "websocket.close", "code": 1008})

    def refusal(self, scope: Scope) -> Response | None:
        """403 or 429, or None; notes the person in the scope."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or hosts[0] not in self.access.hosts:
            return _refused("this server does not answer to that Host.")
        allowed = {f"http://{host}" for host in self.access.hosts}
        if len(origins) > 1 or not set(origins) <= allowed:
            return _refused("requests from that Origin are not accepted.")
        bearer, cookie = _bearer(headers), _cookie(headers, self.access.cookie)
        linked = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", "")
        token = linked if linked and scope["method"] == "GET" else bearer or cookie
        person = self.access.person(token)
        if person is None:
            return _refused("the token is missing or wrong.")
        if scope["method"] not in SAFE and not bearer and not origins:
            return _refused("a change needs an Origin or an Authorization header.")
        if not self.access.within_rate(person):
            return PlainTextResponse("429: too many requests.\n", 429, {"retry-after": "1"})
        scope.setdefault("state", {})["person"] = person
        return None

    async def entrance(self, scope: Scope) -> Response | None:
        """The first visit by link: sets the cookie and leads to the same page without the token.

        A page leads on, not a redirect: after a redirect that began on another site (a link in a mail) the browser
        would keep a SameSite=Strict cookie back.
        """
        words = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = dict(words).get("token")
        if token is None or scope["method"] != "GET":
            return None
        rest = urlencode([word for word in words if word[0] != "token"])
        path = "/" + quote(scope["path"].lstrip("/"))  # two slashes would name another host
        page = HTMLResponse(ENTER.format(path=path + (f"?{rest}".replace("&", "&amp;") if rest else "")))
        page.set_cookie(self.access.cookie, token, httponly=True, samesite="strict", max_age=30 * 24 * 3600)
        return page

    async def body(self, scope: Scope, receive: Receive) -> Receive | Response:
        """The whole body, read before the application starts: no slow or vanished client ever holds it up."""
        headers, most = Headers(scope=scope), self.access.most_bytes
        if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > most:
            return PlainTextResponse("413: the body is too long.\n", 413)
        parts, size, more = list[bytes](), 0, True
        try:
            async with asyncio.timeout(PATIENCE):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return PlainTextResponse("", 400)
                    parts.append(message.get("body", b""))
                    size, more = size + len(parts[-1]), message.get("more_body", False)
                    if size > most:
                        return PlainTextResponse("413: the body is too long.\n", 413)
        except TimeoutError:
            return PlainTextResponse("408: the body took too long.\n", 408)
        whole: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        return again


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return wrapped


def _refused(reason: str) -> Response:
    return PlainTextResponse(REFUSED.format(reason=reason), 403)


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(headers: Mapping[str, str], name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
