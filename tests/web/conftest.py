"""A guarded application without a network, and every route it has."""

from __future__ import annotations

import re

import pytest
from starlette.routing import Mount
from starlette.testclient import TestClient

HOST = "127.0.0.1:8000"
HOME = f"http://{HOST}"


@pytest.fixture(scope="session")
def access():
    """(tokens, **limits) → the settings of a guard for HOST."""
    from baro.web.guard import Access

    def build(tokens=None, **limits):
        hosts = frozenset({HOST, "localhost:8000", "[::1]:8000"})
        return Access(hosts, tokens or {"secret": "owner"}, "baro-8000", **limits)

    return build


@pytest.fixture(scope="session")
def routes():
    """Application → [(method, path)] of every route the router knows, parameters filled in."""

    def found(app) -> list[tuple[str, str]]:
        every = []
        for route in app.routes:
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            if isinstance(route, Mount):
                every += [("GET", f"{path}/base.css"), ("GET", f"{path}/../app.py")]
            else:
                every += [(method, path) for method in route.methods]
        return every

    return found


@pytest.fixture(scope="session")
def client():
    """(app, **headers) → a client that calls the server by its right name; `token` as a Bearer token."""

    def build(app, token: str | None = None, **headers: str) -> TestClient:
        if token:
            headers["authorization"] = f"Bearer {token}"
        return TestClient(app, base_url=HOME, headers=headers, follow_redirects=False, raise_server_exceptions=False)

    return build


@pytest.fixture(scope="session")
def refusals(routes, client):
    """(app, token) → the requests with a wrong Host, Origin or token that were NOT answered 403; must be empty.

    Every route the router knows is tried, with its own methods.
    """

    def tried(app, token: str) -> list[str]:
        right = {"host": HOST, "origin": HOME, "authorization": f"Bearer {token}"}
        wrong = {
            "no token": {"authorization": ""},
            "wrong token": {"authorization": f"Bearer {token}x"},
            "token of another scheme": {"authorization": f"Basic {token}"},
            "wrong cookie": {"authorization": "", "cookie": f"baro-8000={token[:-1]}"},
            "cookie of another port": {"authorization": "", "cookie": f"baro-8001={token}"},
            "rebound host": {"host": "evil.example:8000"},
            "host without port": {"host": "127.0.0.1"},
            "host of another port": {"host": "127.0.0.1:8001"},
            "suffix of a host": {"host": "evil.localhost:8000"},
            "other origin": {"origin": "http://evil.example"},
            "origin of another port": {"origin": "http://127.0.0.1:8001"},
            "secure origin": {"origin": f"https://{HOST}"},
            "null origin": {"origin": "null"},
        }
        plain, found = client(app), []
        for method, path in routes(app):
            for what, change in wrong.items():
                reply = plain.request(method, path, headers={k: v for k, v in (right | change).items() if v})
                if reply.status_code != 403:
                    found.append(f"{method} {path}, {what}: {reply.status_code}")
            if method not in ("GET", "HEAD"):
                reply = plain.request(method, path, headers={"host": HOST, "cookie": f"baro-8000={token}"})
                if reply.status_code != 403:
                    found.append(f"{method} {path}, cookie without origin: {reply.status_code}")
            reply = plain.request(method, path, headers=right)
            if reply.status_code == 403:
                found.append(f"{method} {path}: refused although all is right")
        return found

    return tried
