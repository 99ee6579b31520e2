"""OpenAI's own client against a real server."""

import json
import socket
import threading
import time

import httpx
import openai
import pytest

from baro.data.choices.store import Store
from baro.data.records import Message, Prompt
from baro.evals.answers import answers
from baro.pipeline.speaker import Speaker
from baro.web import start
from baro.web.serving import events
from baro.web.serving.app import create, named

ASK = [{"role": "user", "content": "Colour of the cat?"}]


@pytest.fixture(scope="module")
def speaker(tiny_model):
    with Speaker(str(tiny_model), name="tiny", dtype="float32") as made:
        yield made


@pytest.fixture(scope="module")
def address(speaker, tmp_path_factory, served):
    store = Store(tmp_path_factory.mktemp("choices") / "choices.db")
    with served(lambda access: create(access, {"tiny": speaker}, store), rate=1e6, burst=1e6) as found:
        yield found


@pytest.fixture(scope="module")
def caller(address):
    return openai.OpenAI(base_url=f"{address.home}/v1", api_key="secret", max_retries=0)


def test_models_are_listed(caller):
    assert [model.id for model in caller.models.list()] == ["tiny"]
    assert caller.models.retrieve("tiny").owned_by == "baro"
    with pytest.raises(openai.NotFoundError, match="no model 'other' here; there is 'tiny'"):
        caller.models.retrieve("other")


def test_a_chat_gives_the_answer_that_sampling_gives(caller, speaker):
    (row,) = answers(
        speaker.model,
        speaker.tokenizer,
        [Prompt((Message("user", ASK[0]["content"]),))],
        temperature=0,
        max_new_tokens=12,
    )
    found = caller.chat.completions.create(model="tiny", messages=ASK, temperature=0, max_completion_tokens=12)
    assert found.object == "chat.completion"
    assert found.choices[0].message.content == row[0].text
    assert found.choices[0].message.role == "assistant"
    assert found.choices[0].finish_reason == ("stop" if row[0].answer.ended else "length")
    assert found.usage.prompt_tokens == len(row[0].prompt_tokens)
    assert found.usage.completion_tokens == len(row[0].answer.tokens)
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def test_a_stream_adds_up_to_the_whole(caller):
    options = {"model": "tiny", "messages": ASK, "seed": 3, "n": 2, "max_tokens": 15}
    whole = caller.chat.completions.create(**options)
    texts, finishes, usage, roles = {0: "", 1: ""}, {}, None, 0
    for chunk in caller.chat.completions.create(stream=True, stream_options={"include_usage": True}, **options):
        assert chunk.object == "chat.completion.chunk"
        usage = chunk.usage or usage
        for choice in chunk.choices:
            roles += choice.delta.role == "assistant"
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                finishes[choice.index] = choice.finish_reason
    assert texts == {choice.index: choice.message.content for choice in whole.choices}
    assert finishes == {choice.index: choice.finish_reason for choice in whole.choices}
    assert usage == whole.usage
    assert roles == 2
    assert texts[0] != texts[1]


def test_log_probabilities_belong_to_the_tokens(caller):
    found = caller.chat.completions.create(
        model="tiny", messages=ASK, temperature=0, max_tokens=8, logprobs=True, top_logprobs=2
    )
    content = found.choices[0].logprobs.content
    assert "".join(token.token for token in content) == found.choices[0].message.content
    for token in content:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 2
        assert token.logprob == pytest.approx(token.top_logprobs[0].logprob), "greedy takes the most probable"
        assert bytes(token.bytes).decode() == token.token


def test_a_stop_text_ends_the_answer(caller):
    whole = caller.completions.create(model="tiny", prompt="The cat is", temperature=0, max_tokens=12).choices[0].text
    stop = whole[2:4]
    cut = caller.completions.create(model="tiny", prompt="The cat is", temperature=0, max_tokens=12, stop=[stop])
    assert cut.choices[0].text == whole[: whole.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_several_prompts_as_text_or_ids_keep_their_order(caller, speaker):
    texts = ["The cat is", "The dog", "The hat is red. The"]
    ids = [speaker.plain(text) for text in texts]
    by_text = caller.completions.create(model="tiny", prompt=texts, temperature=0, n=2, max_tokens=5)
    by_ids = caller.completions.create(model="tiny", prompt=ids, temperature=0, n=2, max_tokens=5)
    assert [choice.index for choice in by_text.choices] == list(range(6))
    assert [c.text for c in by_text.choices] == [c.text for c in by_ids.choices]
    alone = caller.completions.create(model="tiny", prompt=texts[2], temperature=0, max_tokens=5)
    assert by_text.choices[4].text == by_text.choices[5].text == alone.choices[0].text
    assert by_text.usage.prompt_tokens == sum(map(len, ids))


def test_an_echo_tells_the_likelihood_of_the_prompt(caller, speaker):
    """What harnesses ask for: what is read and what is written agree with each other."""
    written = caller.completions.create(model="tiny", prompt="The cat", temperature=0, max_tokens=6, logprobs=1)
    ids = speaker.plain("The cat")
    read = caller.completions.create(
        model="tiny", prompt=[ids + _ids(speaker, written)], max_tokens=0, echo=True, logprobs=1
    ).choices[0]
    assert read.logprobs.token_logprobs[0] is None
    found = read.logprobs.token_logprobs[len(ids) :]
    assert found == pytest.approx(written.choices[0].logprobs.token_logprobs, abs=2e-3)
    assert read.logprobs.tokens[len(ids) :] == written.choices[0].logprobs.tokens
    assert read.text.endswith(written.choices[0].text)
    starts = read.logprobs.text_offset
    assert starts == sorted(starts)
    longer = caller.completions.create(model="tiny", prompt=[ids], max_tokens=1, echo=True, logprobs=1)
    assert len(longer.choices[0].logprobs.tokens) in (len(ids), len(ids) + 1)  # an end token has no text


def _ids(speaker, completion) -> list[int]:
    texts = {speaker.tokenizer.decode([token]): token for token in range(len(speaker.tokenizer))}
    return [texts[token] for token in completion.choices[0].logprobs.tokens]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "no"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ASK, "temprature": 1}, "did you mean 'temperature'"),
        ({"messages": ASK, "temperature": -1}, "temperature"),
        ({"messages": ASK, "temperature": float("nan")}, "temperature"),
        ({"messages": ASK, "n": 1000}, "n:"),
        ({"messages": ASK, "tools": [{"type": "function"}]}, "'tools' is not supported"),
        ({"messages": ASK, "presence_penalty": 0.5}, "'presence_penalty' is not supported"),
        ({"messages": ASK, "stop": [""]}, "'stop'"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "content"),
        ({"messages": [{"role": "user", "content": "x " * 500}]}, "context is"),
        ([], "JSON object"),
        ("{", "not JSON"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_ignored(address, body, message):
    if isinstance(body, dict):
        body = {"model": "tiny"} | body
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"authorization": "Bearer secret"}
    reply = httpx.post(f"{address.home}/v1/chat/completions", content=content, headers=headers)
    error = reply.json()["error"]
    assert reply.status_code in (400, 404)
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"


def test_what_changes_nothing_is_accepted(caller):
    found = caller.chat.completions.create(
        model="tiny",
        messages=[{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, *ASK],
        max_tokens=3,
        user="someone",
        presence_penalty=0,
        response_format={"type": "text"},
        stop=None,
    )
    assert found.choices


def test_without_the_token_nothing_is_said(address):
    stranger = openai.OpenAI(base_url=f"{address.home}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(openai.PermissionDeniedError):
        stranger.models.list()


def test_thirty_two_streams_at_once(caller, speaker):
    alone = _said(caller, 7)
    found, errors = {}, []

    def say(number: int) -> None:
        try:
            found[number] = _said(caller, number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=say, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(found) == 32
    assert found[7] == alone


def _said(caller, seed: int) -> str:
    stream = caller.chat.completions.create(model="tiny", messages=ASK, seed=seed, max_tokens=30, stream=True)
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_who_hangs_up_is_written_nothing_more(caller, speaker):
    stream = caller.chat.completions.create(model="tiny", messages=ASK, n=16, stream=True)
    next(iter(stream))
    stream.close()
    _until(lambda: not (speaker.slots.busy or speaker.requests))


def test_who_takes_nothing_is_dropped_and_harms_nobody(address, caller, speaker, monkeypatch):
    """Clients that ask for long streams and never read; the server stops waiting for them."""
    monkeypatch.setattr(events, "PATIENCE", 0.3)
    wish = {"stream": True, "n": 128, "temperature": 10, "logprobs": True, "top_logprobs": 20}
    body = json.dumps({"model": "tiny", "messages": ASK} | wish)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{address.port}\r\nAuthorization: Bearer secret\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    sleepers = []
    for _ in range(3):
        sleeper = socket.socket()
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sleeper.connect(("127.0.0.1", address.port))
        sleeper.sendall((head + body).encode())
        sleepers.append(sleeper)
    began = time.monotonic()
    assert _said(caller, 1)
    assert time.monotonic() - began < 20
    _until(lambda: not (speaker.slots.busy or speaker.requests))
    time.sleep(0.5)
    for sleeper in sleepers:
        sleeper.settimeout(10)
        assert b"[DONE]" not in _everything(sleeper), "hung up on before the end"
        sleeper.close()


def _everything(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


def _until(condition, seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.invariant("I70")
def test_every_route_is_guarded(speaker, access, refusals, routes, tmp_path):
    app = create(access({"s3cret": "owner"}), {"tiny": speaker}, Store(tmp_path / "choices.db"))
    paths = {path for _, path in routes(app)}
    assert {"/v1/chat/completions", "/v1/completions", "/v1/models", "/choices", "/"} <= paths
    assert refusals(app, "s3cret") == []


def test_models_of_the_same_name_are_told_apart(tmp_path, monkeypatch):
    from baro.web.serving import app

    monkeypatch.setattr(app, "Speaker", lambda path, name, **_: name)
    for place in ("one/ppo", "two/ppo", "one/sft"):
        (tmp_path / place).mkdir(parents=True)
    assert list(named([str(tmp_path / p) for p in ("one/ppo", "two/ppo", "one/sft")])) == ["one/ppo", "two/ppo", "sft"]
    with pytest.raises(Exception, match="twice"):
        named([str(tmp_path / "one/ppo")] * 2)


def test_start_is_the_servers_own():
    assert start.bind().home.startswith("http://127.0.0.1:")
