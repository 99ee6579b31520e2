"""The address a server takes and the link it prints."""

import socket
import threading
import urllib.request
from urllib.error import HTTPError

import pytest

from baro.core.errors import ConfigError
from baro.web import start
from baro.web.app import Pages, create


def test_a_free_port_of_loopback_by_default():
    address = start.bind()
    try:
        assert address.socket.getsockname() == ("127.0.0.1", address.port)
        assert address.hosts == {f"{name}:{address.port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        assert address.link("abc") == f"http://127.0.0.1:{address.port}/?token=abc"
    finally:
        address.socket.close()


def test_other_machines_need_a_name_and_are_told_what_that_means():
    with pytest.raises(ConfigError, match=r"other machines reach this server.*--allow-host"):
        start.bind("0.0.0.0")
    address = start.bind("0.0.0.0", allow_host=["lab.example"])
    address.socket.close()
    assert f"lab.example:{address.port}" in address.hosts
    assert f"0.0.0.0:{address.port}" not in address.hosts
    assert address.home == f"http://lab.example:{address.port}"


@pytest.mark.parametrize("name", ["*", "", "0.0.0.0", "http://lab.example"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ConfigError, match="allow-host"):
        start.bind("0.0.0.0", allow_host=[name])


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot be used"):
            start.bind(port=taken.getsockname()[1])


def test_tokens_are_long_and_new_each_time():
    assert len({start.token() for _ in range(10)}) == 10
    assert all(len(start.token()) >= 43 for _ in range(10))


def test_it_serves_over_a_real_socket(monkeypatch):
    import uvicorn

    servers, ready = [], threading.Event()
    original = uvicorn.Server.__init__
    monkeypatch.setattr(
        uvicorn.Server, "__init__", lambda self, config: (servers.append(self), original(self, config))[1]
    )
    address = start.bind()
    made = create(address.access({"abc": "owner"}), Pages({}))
    made.get("/")(lambda: {"fine": True})
    thread = threading.Thread(target=start.run, args=(made, address, ready.set), daemon=True)
    thread.start()
    assert ready.wait(10)
    request = urllib.request.Request(address.home, headers={"Authorization": "Bearer abc"})
    with urllib.request.urlopen(request, timeout=5) as reply:
        assert reply.read() == b'{"fine":true}'
        assert "server" not in {name.lower() for name in reply.headers}
    with pytest.raises(HTTPError, match="403"):
        urllib.request.urlopen(address.home, timeout=5)
    servers[0].should_exit = True
    thread.join(10)
    assert not thread.is_alive()
