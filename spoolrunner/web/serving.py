"""Running the page: uvicorn on a socket that is open already, until it is asked to stop.

serve(Desk("config.json"), Settings(), parse_bind("127.0.0.1:8417"), announce=print)
"""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from spoolrunner.client import acted
from spoolrunner.web.app import make_app
from spoolrunner.web.desk import Desk
from spoolrunner.web.listening import Bind, address, check_bind, listen
from spoolrunner.web.settings import Settings

_MOST_CONNECTIONS = 400
"""Connections at a time; more are answered with 503."""
_KEEP = 20
"""Seconds for which a connection is kept without a request."""
_LONGEST_HEAD = 32 << 10
"""Bytes of the head of a request: the address of a list with its filters is far below."""
HEAD_TIME = 20.0
"""Seconds within which the head of a request has to come."""
_LAST = 3
"""Seconds for which open answers are given time at the end; streams never end by themselves."""


def serve(
    desk: Desk, settings: Settings, bind: Bind, announce: Callable[[str], object], *, until_stdin_closes: bool = False
) -> None:
    """Answer until the process is asked to stop (SIGINT, SIGTERM) or, if that is wanted, until standard input is at its end.

    `announce` is given the address to be opened, and a new one each time that it was used. BindError when that place cannot, or
    must not, be answered at.
    """
    check_bind(bind, has_password=settings.password is not None, has_proxy_header=settings.proxy_header is not None)
    with listen(bind) as found:
        app = make_app(desk, settings, lambda token: announce(address(bind, found, settings.prefix, token)), desk.clock)
        server = make_server(app)
        if until_stdin_closes:
            threading.Thread(target=_end_with_stdin, args=(server,), name="standard input", daemon=True).start()
        asyncio.run(server.serve(sockets=[found]))


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for the application, with bounds on sizes and times."""
    return _Server(
        uvicorn.Config(
            _with_peer(app),
            http=_Protocol,
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=_KEEP,
            h11_max_incomplete_event_size=_LONGEST_HEAD,
            timeout_graceful_shutdown=_LAST,
        )
    )


def _end_with_stdin(server: uvicorn.Server) -> None:
    """Whoever started this process holds the other end of its standard input; when that is gone, he is."""
    while sys.stdin.buffer.read(4096):
        continue
    server.should_exit = True


class _Server(uvicorn.Server):
    """A server that ends when it is asked to, and is not ended by the signal once more after that."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Heed SIGINT and SIGTERM while the block runs."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Protocol(H11Protocol):
    """HTTP whose requests have to come within a time; over a socket in the file system the user at the other end is known."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family == getattr(socket, "AF_UNIX", None):
            self.client = (_peer(connection), 0)
        self._await_request()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self._is_between_requests():
            self._await_request()
        super().data_received(data)
        if not self._is_between_requests():
            self._cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _is_between_requests(self) -> bool:
        return bool(getattr(self.cycle, "response_complete", True))

    def _await_request(self) -> None:
        self._deadline = self.loop.call_later(HEAD_TIME, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if self._is_between_requests():
            self.transport.close()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _peer(connection: Any) -> str:
    """The user at the other end as `uid 1000`; "" where the system does not say."""
    if sys.platform != "linux":
        return ""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return acted.by_socket(uid)


def _with_peer(app: ASGIApp) -> ASGIApp:
    """`app` that finds the user at the other end in its state, where the system says who that is."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client") and scope["client"][0].startswith(acted.UID):
            scope = {**scope, "state": {**scope.get("state", {}), "peer": scope["client"][0]}}
        await app(scope, receive, send)

    return asked
