"""The routes: who may, what is told, what is kept."""

import json

import pytest


def click(number: int) -> str:
    return f"{number:032x}"


def choose(person, name, showing, side="left", number=1, **more):
    body = {"person": name, "showing": showing, "click": click(number), "side": side, "seconds": 1.5} | more
    return person.post("/api/choose", content=json.dumps(body), headers={"content-type": "application/json"})


@pytest.mark.invariant("I70")
def test_every_route_checks_host_origin_and_token(site, refusals, routes):
    app, owner, _ = site()
    paths = {path for _, path in routes(app)}
    assert {"/", "/api/next", "/api/choose", "/api/undo", "/results", "/people", "/export.jsonl", "/guideline"} <= paths
    assert refusals(app, owner) == []


def test_a_choice_is_kept_by_what_stood_on_the_side(site, store, pair, client):
    store.add(pair(n) for n in range(20))
    app, _, kim = site()
    person, chosen = client(app, kim), []
    for number in range(20):
        shown = person.get("/api/next").json()
        assert shown["state"] == "pair"
        side = "left" if "First" in shown["left"] else "right"  # always the answer called a
        chosen.append(side)
        reply = choose(person, "kim", shown["showing"], side, number)
        assert reply.json()["outcome"] == "kept"
    assert {kept.choice for kept in store.kept()} == {"a"}
    assert set(chosen) == {"left", "right"}
    assert reply.json()["next"]["state"] == "finished"


def test_a_page_never_learns_who_wrote_what(site, store, pair, client):
    store.add(pair(n, models=("secret-alpha", "secret-beta")) for n in range(3))
    app, _, kim = site()
    person = client(app, kim)
    for path in ("/", "/api/next", "/guideline"):
        assert "secret" not in person.get(path).text


def test_what_only_the_owner_sees(site, store, pair, client):
    store.add([pair(1)])
    app, owner, kim = site()
    for path in ("/results", "/results/figures", "/people", "/export.jsonl"):
        assert client(app, owner).get(path).status_code == 200
        assert client(app, kim).get(path).status_code == 403
    origin = {"origin": "http://127.0.0.1:8000"}
    for path in ("/people", "/guideline"):
        assert client(app, kim, **origin).post(path, data={"name": "x", "text": "x"}).status_code == 403
    assert set(store.people()) == {"kim", "owner"}


def test_a_page_of_another_person_writes_nothing(site, store, pair, client):
    """Two links opened in one browser share its cookie: the older page must not write under the newer name."""
    store.add([pair(1)])
    app, _, kim = site()
    person = client(app, kim)
    showing = person.get("/api/next").json()["showing"]
    assert choose(person, "lee", showing).status_code == 409
    assert person.post("/api/undo", json={"person": "lee", "click": click(1)}).status_code == 409
    assert store.kept() == []


@pytest.mark.parametrize(
    "change",
    [
        {"side": "both"},
        {"click": "../../x"},
        {"click": ""},
        {"seconds": -1},
        {"seconds": "NaN"},
        {"note": "x" * 10_001},
        {"tags": ["x"] * 31},
        {"showing": 10**30},
        {"showing": "1; DROP TABLE choices"},
    ],
)
def test_what_no_page_sends_is_refused(site, store, pair, client, change):
    store.add([pair(1)])
    app, _, kim = site()
    person = client(app, kim)
    showing = person.get("/api/next").json()["showing"]
    reply = choose(person, "kim", **{"showing": showing} | change)
    assert 400 <= reply.status_code < 500
    assert "Traceback" not in reply.text
    assert store.kept() == []


def test_notes_are_data(site, store, pair, client):
    store.add([pair(1)])
    app, owner, kim = site(tags=("<b>tag</b>",))
    person = client(app, kim)
    showing = person.get("/api/next").json()["showing"]
    choose(person, "kim", showing, tags=["<b>tag</b>", "unknown"], note="  <script>x</script>'); --  ")
    assert choose(person, "kim", showing, number=2, note="\ud800").status_code == 422
    (kept,) = store.kept()
    assert kept.tags == ("<b>tag</b>",)
    assert kept.note.startswith("<script>x</script>")
    page = client(app, owner).get("/results").text
    assert "<b>tag</b>" not in page
    assert "&lt;b&gt;tag" in page


def test_undo_shows_the_same_pair_again(site, store, pair, client):
    store.add(pair(n) for n in range(3))
    app, _, kim = site()
    person = client(app, kim)
    first = person.get("/api/next").json()
    assert first["last"] == ""
    after = choose(person, "kim", first["showing"]).json()["next"]
    assert after["last"] == click(1)
    back = person.post("/api/undo", json={"person": "kim", "click": after["last"]}).json()
    assert back["undone"]
    assert {k: back["next"][k] for k in ("showing", "left", "right", "done")} == {
        k: first[k] for k in ("showing", "left", "right", "done")
    }


def test_a_new_person_gets_in_at_once(site, store, client):
    app, owner, _ = site()
    boss = client(app, owner, origin="http://127.0.0.1:8000")
    assert boss.post("/people", data={"name": "박하나"}).status_code == 303
    assert store.token("박하나") in boss.get("/people").text
    assert client(app, store.token("박하나")).get("/").status_code == 200
    assert boss.post("/people", data={"name": "a\nb"}).status_code == 400


def test_the_guideline_is_markdown_that_does_nothing(site, client):
    app, owner, kim = site()
    boss = client(app, owner, origin="http://127.0.0.1:8000")
    boss.post("/guideline", data={"text": "# Be *fair*\n<script>x</script>"})
    page = client(app, kim).get("/guideline").text
    assert "Be <em>fair</em>" in page
    assert "<script>x" not in page
    assert "textarea" not in page


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_pages_speak_both_languages(site, client, lang):
    app, owner, _ = site(lang=lang)
    boss = client(app, owner)
    expected = {"en": "Which answer is better?", "ko": "어느 답변이 더 낫습니까?"}
    assert expected[lang] in boss.get("/").text
    other = "ko" if lang == "en" else "en"
    switched = boss.get(f"/?lang={other}")
    assert expected[other] in switched.text
    assert expected[other] in boss.get("/").text  # the choice is remembered


def test_the_results_show_figures_and_the_way_on(site, store, pair, client):
    for number in range(12):
        for name, choice in (("kim", "a"), ("lee", "a" if number % 4 else "b")):
            store.record(pair(number), name, choice, f"{name}{number}", seconds=3)
    app, owner, _ = site(command="baro reward dataset=choices.db model_name_or_path=MODEL")
    page = client(app, owner).get("/results").text
    for part in ("alpha", "beta", "Krippendorff", "75 %", "baro reward dataset=choices.db", "kim"):
        assert part in page
    rows = [json.loads(line) for line in client(app, owner).get("/export.jsonl").text.splitlines()]
    assert len(rows) == 24
