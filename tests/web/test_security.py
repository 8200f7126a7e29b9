"""The guard: names, origins, sizes, and the headers of each answer; a GET changes nothing."""

from __future__ import annotations

import os
import re
import socket
from html.parser import HTMLParser

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.web.security import MOST_BODY
from spoolrunner.web.settings import Settings

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"\u202e\x1b[31m"
PAGES = [
    "/",
    "/pending/",
    "/running/",
    "/done/",
    "/failed/",
    "/all/",
    "/schedules/",
    "/logs/",
    "/settings/",
    "/keys/",
    "/x",
]
ERROR = {"type": EVIL, "message": EVIL, "traceback": EVIL}
ATTEMPT = {
    "number": 1,
    "outcome": "failed",
    "verdict": "failed",
    "started_at": "2026-11-27T11:58:06Z",
    "ended_at": "2026-11-27T11:58:07Z",
    "error": ERROR,
}


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "evil:80", "[::2]:80", "a b"]
)
def test_other_names(serve, host) -> None:
    """A name that is not ours is refused with 421, for a known browser, too: it may have been led here by DNS."""
    page = serve()
    for path in ("/", "/health", "/static/page.css", "/login"):
        answer = page.ask("GET", path, headers={"Host": host})
        assert answer.status in (421, 400), path
    answer = page.ask("POST", "/control/pause", headers={"Host": host, "Sec-Fetch-Site": "same-origin"})
    assert answer.status in (421, 400)
    assert page.log == []


def test_own_names(serve) -> None:
    """The names of the loopback are ours, with any port, and those that the operator allows."""
    page = serve(Settings(allowed_hosts=frozenset({"jobs.example"})))
    for host in (
        "localhost",
        "localhost:1",
        "LOCALHOST:1",
        "127.0.0.1",
        "[::1]:80",
        "[::1]",
        "jobs.example",
        "Jobs.Example:443",
    ):
        assert page.ask("GET", "/", headers={"Host": host}).status == 200, host


@pytest.mark.parametrize(
    ("headers", "is_taken"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"}, False),
        ({"Origin": "http://{host}"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://{host}.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({}, False),
        ({"Authorization": "Bearer {token}"}, True),
        ({"Authorization": "Bearer {token}", "Origin": "http://evil.example"}, False),
        ({"Authorization": "Bearer x"}, False),
    ],
)
def test_where_a_request_comes_from(serve, spool, headers, is_taken) -> None:
    """Something is done only for the page itself, by the browser's word or the origin, or for a program with a secret."""
    page = serve()
    sent = {name: value.format(host=page.host, token=page.tokens[-1]) for name, value in headers.items()}
    answer = page.ask("POST", "/control/pause", headers=sent)
    assert (answer.status == 303, os.path.exists(spool.layout.pause)) == (is_taken, is_taken)
    assert answer.status in (303, 403)


def test_nobody_does_anything(serve, spool) -> None:
    """Without a cookie nothing is done, also from the page itself."""
    page = serve()
    page.cookie = ""
    assert page.post("/control/pause").status == 401
    assert not os.path.exists(spool.layout.pause)


def test_read_only(serve, drop, spool) -> None:
    """A page that only shows has no button on any screen, and takes no action."""
    drop(State.FAILED, "a")
    drop(State.PENDING, "b")
    page = serve(Settings(is_read_only=True), schedules={"s": {"every": "1h", "job": "app.Report", "method": "build"}})
    for path in [*PAGES, "/job/a", "/job/b"]:
        text = re.sub(r"<dialog.*?</dialog>", "", page.get(path).text, flags=re.DOTALL)
        assert 'method="post"' not in text, path
    assert page.post("/control/pause").status == 403
    assert page.post("/failed/retry", {"count": "1"}).status == 403
    assert not os.path.exists(spool.layout.pause)


@pytest.mark.parametrize("path", [*PAGES, "/health", "/static/page.css", "/failed/a.json", "/job/a.json", "/login"])
def test_headers(serve, drop, path) -> None:
    """Each answer forbids scripts and frames of others, guessing of types, keeping, and telling where one came from."""
    drop(State.FAILED, "a")
    answer = serve().get(path)
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == ("no-cache" if "static" in path else "no-store")
    assert "server" not in answer.headers or "uvicorn" in answer.headers["server"]  # `serve` of the verb leaves it out


def tree(root: str) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its inode and size."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
    return {path: (os.lstat(path).st_ino, os.lstat(path).st_size) for path in paths}


def test_get_changes_nothing(serve, drop, spool) -> None:
    """No GET, on no address that there is, changes a file; those of actions are not there for GET."""
    drop(State.FAILED, "a")
    drop(State.PENDING, "b")
    page = serve(schedules={"s": {"every": "1h", "job": "app.Report", "method": "build"}})
    before = tree(spool.layout.root)
    paths = {getattr(route, "path", "") for route in page.web_routes()}
    for path in sorted(paths | set(PAGES)):
        if path not in ("/events", "/static"):
            made = path.format(job_id="a", name="s", verb="x")
            assert page.get(f"{made}?id=a&count=1&sure=yes&said=x").status != 500, made
    assert tree(spool.layout.root) == before
    assert page.log == []
    for path in ("/control/pause", "/failed/retry", "/job/a/discard", "/schedules/s/run"):
        assert page.get(path).status in (404, 405), path


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(serve, method) -> None:
    """Nothing listens to other methods."""
    page = serve()
    assert page.ask(method, "/control/pause", headers={"Sec-Fetch-Site": "same-origin"}).status in (404, 405)


def test_a_body_that_is_too_long(serve, spool) -> None:
    """A body beyond the bound is refused by its length, and cut off where it lies about it."""
    page = serve()
    long = b"what=" + b"x" * MOST_BODY
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    assert page.ask("POST", "/control/pause", long, kind).status == 413
    with socket.create_connection(("127.0.0.1", page.port), 20) as raw:
        head = f"POST /control/pause HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\nSec-Fetch-Site: same-origin\r\n"
        raw.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(MOST_BODY // 65536 + 2):
                raw.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            raw.sendall(b"0\r\n\r\n")
            assert b" 400 " in raw.recv(4096)[:20]
        except ConnectionError:
            pass  # it was cut off
    assert not os.path.exists(spool.layout.pause)


def test_a_prefix(serve, drop) -> None:
    """Below a prefix all works, whether the proxy takes it away or not, and each link and the cookie stay below it."""
    drop(State.FAILED, "a")
    page = serve(Settings(prefix="/jobs"))
    assert page.get("/jobs/failed/").status == page.get("/failed/").status == 200
    assert page.get("/jobsx/failed/").status == 404
    assert page.get("/jobs").location == "/jobs/"
    page.cookie = ""
    answer = page.get(f"/jobs/?token={page.tokens[-1]}")
    assert "Path=/jobs/" in answer.headers["set-cookie"]
    page.cookie = answer.headers["set-cookie"].partition(";")[0]
    for path in ("/jobs/", "/jobs/failed/", "/jobs/job/a", "/jobs/schedules/", "/jobs/logs/"):
        links = re.findall(r'(?:href|action|src|formaction)="([^"]*)"', page.get(path).text)
        assert links
        assert [link for link in links if link.startswith(("/", "http"))] == []
    answer = page.post("/jobs/control/pause")
    assert (answer.status, answer.leads_to) == (303, "/jobs/")


def evil_spool(drop, spool) -> None:
    """Jobs of whose every text is an attack."""
    raw = {
        "job": EVIL,
        "method": EVIL,
        "group": EVIL,
        "params": {EVIL: EVIL},
        "meta": {"schedule": EVIL, EVIL: EVIL},
        "after": [EVIL],
    }
    for state in State:
        drop(state, f"evil-{state.value}", {**raw, "attempts": [ATTEMPT], "result": EVIL})
        drop(state, f"torn-{state.value}", EVIL.encode("utf-8", "surrogatepass"))
        drop(state, "<svg onload=alert(1)>", raw)
    with open(spool.layout.reason("evil-failed"), "w", encoding="utf-8") as stream:
        stream.write('{"outcome": "%s", "what": "%s"}' % (("<b>x",) * 2))
    for name in ("evil-failed", "evil-running"):
        with open(spool.layout.log(name), "w", encoding="utf-8") as stream:
            stream.write(EVIL)
    with open(os.path.join(spool.layout.logs, "background_jobs.log"), "w", encoding="utf-8") as stream:
        stream.write(f'2026-11-27T11:58:06.000000Z failed id="{EVIL}" class=<b>x note="<i>{EVIL}"\n')


@pytest.mark.parametrize(
    "path", [*PAGES, *(f"/job/evil-{state}" for state in State), "/job/torn-failed", f"/job/{'%3Cb%3E'}"]
)
def test_what_others_wrote_is_text(serve, drop, spool, path) -> None:
    """No page has an element, an attribute or a control character that came from a file; nor a script within it."""
    evil_spool(drop, spool)
    page = serve()
    text = page.get(path + ("?match=%3Cscript%3E&group=%22%3E%3Cb%3E" if path.endswith("/") else "")).text
    seen = Elements()
    seen.feed(text)
    assert seen.names & {"img", "style", "iframe", "object", "embed", "base", "b>x", "foreignobject"} == set()
    assert {name for name in seen.attributes if name.startswith("on") or name in ("style", "srcdoc")} == set()
    assert [script for script in seen.scripts if not re.fullmatch(r"[./]*static/page\.js", script)] == []
    assert [link for link in seen.links if re.match(r"[a-z]+:|//", link, re.IGNORECASE)] == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)


class Elements(HTMLParser):
    """The elements and attributes of a page, as a browser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        given = dict(attrs)
        if tag == "script":
            self.scripts.append(given.get("src") or "inline")
        self.links += [given[name] or "" for name in ("href", "src", "action", "formaction") if name in given]


def test_json_is_json(serve, drop, spool) -> None:
    """Data is told to be data, whatever is in it."""
    evil_spool(drop, spool)
    page = serve()
    for path in ("/.json", "/failed/.json", "/job/evil-failed.json", "/all/.json", "/logs/.json", "/settings/.json"):
        answer = page.get(path)
        assert answer.headers["content-type"] == "application/json", path
        assert answer.json() is not None


def test_a_full_page_is_small(serve, drop) -> None:
    """A list of a hundred ordinary rows, and the overview, are below 60 kB without compression, with one stylesheet."""
    for number in range(130):
        raw = {
            "params": ["x" * 200],
            "attempts": [
                {
                    **ATTEMPT,
                    "error": {
                        "type": "ValueError",
                        "message": "no answer from images.internal:8080 within 10 s (render)",
                    },
                }
            ],
        }
        drop(State.FAILED, f"20261123-174501-{number:06}-7f3a", {**raw, "group": "customer.204"})
        drop(State.DONE, f"20261123-174502-{number:06}-7f3a", {**raw, "result": {"bytes": 48120, "format": "webp"}})
    page = serve()
    page.wait_for({"failed": 130, "done": 130})
    for path in ("/", "/failed/", "/done/", "/all/"):
        answer = page.get(path)
        assert len(answer.text.encode()) < 60_000, path
        assert answer.text.count('rel="stylesheet"') == 1
    assert len(page.get("/static/page.css").text) < 16_000
