"""The guard in front of the page: by which name it is asked, by whom, from where, how much; and the headers of each answer.

An ASGI application around another. It refuses with plain text, but for the form by which one comes in. Rules: docs/web.md.
"""

from __future__ import annotations

from base64 import b64decode
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spoolrunner.telling.line_format import printable
from spoolrunner.web.access import Access
from spoolrunner.web.settings import LOOPBACK, Settings

MOST_BODY = 2 << 20
"""Bytes of a request's body: a form with ten thousand ids fits."""
SAFE = ("GET", "HEAD")
_OPEN = ("/health", "/login", "/static/")
"""What is answered to everybody who knows the name of the machine: a word on whether all is well, the form, the stylesheet."""
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_NOBODY = ""
_MOST_OF_NAME = 64
"""Characters of the name that a proxy gives."""


class _Refusal(NamedTuple):
    status: int
    text: str


class Guard:
    """Lets through to `inner` what may be asked; `scope["state"]["who"]` says who asks, and is "" for one who is not known.

    What is not known is let through to the form for coming in alone: `scope["path"]` is /login then, and
    `scope["state"]["came_for"]` what was asked for.
    """

    def __init__(self, inner: ASGIApp, settings: Settings, access: Access) -> None:
        self._inner = inner
        self._settings = settings
        self._access = access
        self._hosts = {*LOOPBACK, *(name.lower() for name in settings.allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it through."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        path = self._without_prefix(scope["path"])
        sending = _with_headers(send, is_static=path.startswith("/static/"))
        who = self._who(scope, headers)
        refusal = self._refusal(scope, headers, path, who)
        if refusal is not None:
            await PlainTextResponse(refusal.text + "\n", refusal.status)(scope, receive, sending)
            return
        if path == self._settings.prefix != "":
            await RedirectResponse(f"{path}/", 307)(scope, receive, sending)
            return
        state = {**scope.get("state", {}), "who": who, "came_for": path}
        if (who == _NOBODY and not path.startswith(_OPEN)) or _brings_token(scope, path):
            path = "/login"
        inner = {**scope, "path": path, "state": state}
        await self._inner(inner, _bounded(receive), sending)

    def _without_prefix(self, path: str) -> str:
        """The path as the page knows it, whether the proxy has taken its prefix away or not."""
        prefix = self._settings.prefix
        return path[len(prefix) :] if prefix and path.startswith(prefix + "/") else path

    def _refusal(self, scope: Scope, headers: Headers, path: str, who: str) -> _Refusal | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name_of(hosts[0]) not in self._hosts:
            return _Refusal(421, "This page does not answer to that name; `--allow-host NAME` lets it.")
        if scope["method"] in SAFE:
            return None
        if not _is_from_here(headers, hosts[0], has_secret=self._has_secret(headers)):
            return _Refusal(403, "This request does not come from the page itself, so nothing was done.")
        size = headers.get("content-length", "0")
        if not size.isdecimal() or int(size) > MOST_BODY:
            return _Refusal(413, f"More than {MOST_BODY} bytes; nothing was done.")
        if path == "/login":
            return None
        if who == _NOBODY:
            return _Refusal(
                401, "Nobody has come in with this request; open the address that was printed at the start."
            )
        if self._settings.is_read_only:
            return _Refusal(403, "This page was started with --read-only, so nothing was done.")
        return None

    def _who(self, scope: Scope, headers: Headers) -> str:
        """The name for the log of who asks; "" when nobody is known."""
        header = self._settings.proxy_header
        if header is not None and (named := headers.get(header, "").strip()):
            return f"web: {printable(named[:_MOST_OF_NAME])}"
        session = _cookie(headers, self._access.cookie)
        if (session is not None and self._access.knows_session(session)) or self._has_secret(headers):
            peer = scope.get("state", {}).get("peer", "")
            return f"web: {peer}" if peer else "web"
        return _NOBODY

    def _has_secret(self, headers: Headers) -> bool:
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                secret = b64decode(secret, validate=True).decode("utf-8").partition(":")[2]
            except ValueError:
                return False
        elif kind.lower() != "bearer":
            return False
        return self._access.knows_bearer(secret.strip())


def _brings_token(scope: Scope, path: str) -> bool:
    """Whether it is the address that was printed: the token is to go out of the browser's line, whoever asks."""
    return path == "/" and scope["query_string"].startswith(b"token=")


def _name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


def _is_from_here(headers: Headers, host: str, *, has_secret: bool) -> bool:
    """Whether an unsafe request was made by the page: by what the browser says, else by its origin, else by a secret."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == host.lower()
    return has_secret


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def _with_headers(send: Send, *, is_static: bool) -> Send:
    """`send` that gives each answer the headers of safety."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers["cache-control"] = "no-cache" if is_static else "no-store"
        await send(message)

    return sending


def _bounded(receive: Receive) -> Receive:
    """`receive` that ends a body which goes on beyond the bound, whatever its length was said to be."""
    left = MOST_BODY

    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return receiving
