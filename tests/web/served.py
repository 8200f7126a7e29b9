"""The page as a server on the loopback, in a thread of the test, and a reader that speaks HTTP to it as it is told to."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import uvicorn

from spoolrunner.web.answers import Web
from spoolrunner.web.app import make_app
from spoolrunner.web.desk import Desk
from spoolrunner.web.settings import Settings
from tests.daemon.harness import until

DEADLINE = 25.0
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
Fields = Mapping[str, Any] | Iterable[tuple[str, Any]]


class Answer(NamedTuple):
    """What came back."""

    asked: str
    status: int
    headers: dict[str, str]
    text: str

    @property
    def location(self) -> str:
        """Where a redirect leads, from the root of the page, with its query."""
        found = urlsplit(urljoin(f"http://x{self.asked}", self.headers["location"]))
        return f"{found.path}?{found.query}" if found.query else found.path

    @property
    def leads_to(self) -> str:
        """The same without the query."""
        return self.location.partition("?")[0]

    def json(self) -> Any:
        return json.loads(self.text)

    def said(self) -> str:
        """The words of the note on the page, without their elements."""
        found = re.search(r'<p id="said"[^>]*>(.*?)</p>', self.text, re.DOTALL)
        return "" if found is None else re.sub(r"<[^>]*>", "", found.group(1))


class Served:
    """A page that is served. `log` holds who did what, by which command line, with how many files."""

    def __init__(self, config: str, settings: Settings | None = None) -> None:
        self.tokens: list[str] = []
        self.log: list[tuple[str, str, int]] = []
        self.desk = Desk(config)
        self.app = make_app(
            self.desk, settings or Settings(), self.tokens.append, log=lambda *told: self.log.append(told) or ""
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.cookie = ""
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="error", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()

    @property
    def web(self) -> Web:
        """What its answers are made from."""
        return self.app._inner.state.web

    def die(self) -> None:
        """End at once, as by a power cut of its machine."""
        self._server.force_exit = True
        self.close()

    def web_routes(self) -> list[Any]:
        """Every route of the page."""
        return list(self.app._inner.routes)

    def wait_for(self, counts: dict[str, int]) -> None:
        """Wait until the page has counted so many files in folders."""
        until(lambda: not self.desk.index.is_counting and counts.items() <= self.desk.index.counts().items())

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE)
        self._socket.close()
        assert not self._thread.is_alive()

    def come_in(self) -> None:
        """Open the printed address, and keep its cookie."""
        answer = self.get(f"/?token={self.tokens[-1]}")
        assert answer.status == 200
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, fields: Fields = (), headers: Mapping[str, str] = SAME_ORIGIN) -> Answer:
        """Send a form as a browser does."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(list(getattr(fields, "items", lambda: fields)())), {**kind, **headers})

    def follow(self, path: str, fields: Fields = ()) -> Answer:
        """Send a form, and open the page to which it leads."""
        answer = self.post(path, fields)
        assert answer.status == 303, (answer.status, answer.text[:2000])
        return self.get(answer.location)

    def ask(self, method: str, path: str, body: str | bytes = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request and read its whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        sent = {"Host": self.host, **({"Cookie": self.cookie} if self.cookie else {}), **(headers or {})}
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            data = body.encode() if isinstance(body, str) else body
            for name, value in {
                **sent,
                **({"Content-Length": str(len(data))} if data or method == "POST" else {}),
            }.items():
                connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(path, answer.status, found, answer.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    @contextmanager
    def stream(self) -> Iterator[Iterator[str]]:
        """Open /events and yield its lines as they come."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
            connection.sendall(f"GET /events HTTP/1.1\r\nHost: {self.host}\r\nCookie: {self.cookie}\r\n\r\n".encode())
            with connection.makefile("r", encoding="utf-8", newline="\n") as lines:
                yield (line.rstrip("\r\n") for line in lines)
