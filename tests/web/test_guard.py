"""Who gets in, and what every reply carries (I70)."""

import asyncio

import pytest
from fastapi import Request

from baro.web.app import Pages, create

TOKEN = "s3cret-token"


@pytest.fixture
def app(access):
    made = create(access({TOKEN: "owner", "guest-token": "guest"}), Pages({}))

    @made.get("/")
    def home(request: Request):
        return {"person": request.state.person}

    @made.post("/change")
    async def change(request: Request):
        return {"length": len(await request.body())}

    @made.get("/broken")
    def broken():
        raise RuntimeError("secret detail")

    return made


@pytest.mark.invariant("I70")
def test_a_wrong_host_origin_or_token_is_refused_on_every_route(app, refusals, routes):
    assert {"/", "/change", "/static/base.css"} <= {path for _, path in routes(app)}
    assert refusals(app, TOKEN) == []


@pytest.mark.invariant("I70")
def test_a_path_without_a_route_tells_a_stranger_nothing(app, client):
    assert client(app).get("/nothing").status_code == 403
    assert client(app, TOKEN).get("/nothing").status_code == 404


def test_two_host_headers_are_refused(app, client):
    headers = [("host", "127.0.0.1:8000"), ("host", "evil.example"), ("authorization", f"Bearer {TOKEN}")]
    assert client(app).get("/", headers=headers).status_code == 403


def test_the_link_sets_a_strict_cookie_and_leads_on_without_the_token(app, client):
    person = client(app)
    entered = person.get(f"/?token={TOKEN}&lang=ko")
    cookie = entered.headers["set-cookie"].lower()
    assert entered.status_code == 200
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert 'url=/?lang=ko"' in entered.text
    assert TOKEN not in entered.text
    assert person.get("/").json() == {"person": "owner"}
    changed = person.post("/change", content=b"abc", headers={"origin": "http://127.0.0.1:8000"})
    assert changed.json() == {"length": 3}


def test_the_link_cannot_lead_to_another_site(app, client):
    for path in ("//evil.example/", "/%2F/evil.example", "/\\evil.example", '/"><script>'):
        text = client(app).get(f"http://127.0.0.1:8000{path}?token={TOKEN}").text
        assert "url=//" not in text
        assert "<script" not in text
        assert "\\" not in text


def test_a_token_in_the_address_of_a_change_does_not_count(app, client):
    reply = client(app).post(f"/change?token={TOKEN}", headers={"origin": "http://127.0.0.1:8000"})
    assert reply.status_code == 403


def test_every_reply_carries_the_policy(app, client):
    for reply in (client(app).get("/"), client(app, TOKEN).get("/"), client(app, TOKEN).get("/static/base.css")):
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in reply.headers
    assert client(app, TOKEN).get("/").headers["cache-control"] == "no-store"


def test_a_fault_of_ours_shows_nothing_of_its_inside(app, client):
    reply = client(app, TOKEN).get("/broken")
    assert reply.status_code == 500
    assert "secret detail" not in reply.text


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2fguard.py", "/etc/passwd", "%00", "....//app.py"])
@pytest.mark.invariant("I70")
def test_static_files_stay_in_their_folder(app, client, path):
    assert client(app, TOKEN).get(f"/static/{path}").status_code in (400, 404)


def test_a_long_body_is_refused_before_it_is_kept(access, client):
    made = create(access({TOKEN: "owner"}, most_bytes=1000), Pages({}))
    made.post("/change")(lambda: {})
    person = client(made, TOKEN)
    assert person.post("/change", content=b"x" * 1000).status_code == 200
    assert person.post("/change", content=b"x" * 1001).status_code == 413
    assert person.post("/change", content=iter([b"x" * 600] * 2)).status_code == 413  # without a length


def test_a_slow_body_is_given_up(app, monkeypatch):
    monkeypatch.setattr("baro.web.guard.PATIENCE", 0.05)
    headers = [(b"host", b"127.0.0.1:8000"), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/change", "query_string": b"", "headers": headers}
    sent = []

    async def receive():
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408


def test_each_person_has_a_rate_of_their_own(access, client):
    made = create(access({TOKEN: "owner", "other": "other"}, rate=0.001, burst=3), Pages({}))
    made.get("/")(lambda: {})
    assert [client(made, TOKEN).get("/").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert client(made, "other").get("/").status_code == 200


def test_websockets_are_closed(app, client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client(app, TOKEN).websocket_connect("/"):
        pass
