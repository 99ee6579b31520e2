"""From a command to a running server: the address, the link that lets a person in, and the loop."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from baro.core.errors import ConfigError
from baro.web.guard import Access

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Address:
    """A bound socket and the names it may be called by.

    Attributes:
        socket: bound, not yet listening.
        port: the port, also where 0 was asked for.
        hosts: exact Host headers.
        home: the address printed in links, without path.
    """

    socket: socket.socket
    port: int
    hosts: frozenset[str]
    home: str

    def access(self, tokens: dict[str, str], **limits: float) -> Access:
        """The guard's settings for this address; `limits` as in Access."""
        return Access(self.hosts, tokens, f"baro-{self.port}", **limits)  # type: ignore[arg-type]

    def link(self, token: str, path: str = "/") -> str:
        """The link that lets its reader in."""
        return f"{self.home}{path}?token={token}"


def token() -> str:
    """A new secret, 256 bits."""
    return secrets.token_urlsafe(32)


def bind(host: str = "127.0.0.1", port: int = 0, allow_host: Iterable[str] = ()) -> Address:
    """Take the address.

    Args:
        host: where to listen; other than loopback it needs `allow_host`.
        port: 0 for a free one.
        allow_host: names by which other machines call this one; a request to any other name is refused.

    Raises:
        ConfigError: the host needs allow_host, or the address cannot be had.
    """
    names = list(allow_host)
    if host not in LOOPBACK and not names:
        raise ConfigError(
            f"host {host} lets other machines reach this server. Whoever has the link can then read and write here, "
            "and the link travels unencrypted.",
            where="--host",
            hint="If that is meant, name what they call this machine: --allow-host NAME. Safer: ssh -L and 127.0.0.1.",
        )
    for name in names:
        if "/" in name or name in ("*", "0.0.0.0", "::", ""):
            raise ConfigError(
                f"{name!r} is not the name of a host.", where="--allow-host", hint="Give a name or address."
            )
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except (OSError, OverflowError) as error:
        taken.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{host}:{port} cannot be used: {reason}.", where="--port", hint="Leave --port out for a free one."
        ) from error
    found = taken.getsockname()[1]
    known = [*LOOPBACK, *names, *([] if host in ("0.0.0.0", "::") else [host])]
    hosts = [f"{_bracketed(name)}:{found}" for name in known]
    hosts += [_bracketed(name) for name in known if found == 80]  # browsers leave the usual port out
    shown = names[0] if host not in LOOPBACK else host
    return Address(taken, found, frozenset(hosts), f"http://{_bracketed(shown)}:{found}")


def run(app, address: Address, announce: Callable[[], None] | None = None) -> None:
    """Serve until a signal asks to stop; requests being answered get five seconds.

    Args:
        app: what `app.create` returned.
        announce: called once the server accepts connections; prints the link.
    """
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets=None) -> None:
            await super().startup(sockets=sockets)
            if announce is not None:
                announce()

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses hold tokens
        server_header=False,
        proxy_headers=False,
        limit_concurrency=512,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=1 << 16,
    )
    server, before = Server(config), None
    if threading.current_thread() is threading.main_thread():
        # uvicorn finishes, then raises the signal anew: either signal is then the end of `run`, not of the process
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.run(sockets=[address.socket])
    except KeyboardInterrupt:
        pass
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ip_address(host).version == 6 else host
    except ValueError:
        return host
