"""How open pages hear of changes: the stream, its bounds, and pages that are asked for again by their tag."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

from sse_starlette import ServerSentEvent

from spoolrunner.protocol.states import State
from spoolrunner.web import live
from tests.daemon.harness import until
from tests.web.served import DEADLINE


def heard(lines, word: str) -> None:
    """Read a stream up to an event of that name."""
    assert any(line == f"event: {word}" for line in lines), "the stream ended before"


def test_stream(serve, drop, spool) -> None:
    """A sign of life comes at once, and word of a change soon after a file came, moved, or went."""
    page = serve()
    with page.stream() as lines:
        heard(lines, "beat")
        path = drop(State.PENDING, "a")
        heard(lines, "changed")
        os.rename(path, spool.layout.job(State.FAILED, "a"))
        heard(lines, "changed")
        os.unlink(spool.layout.job(State.FAILED, "a"))
        heard(lines, "changed")


def test_heartbeat(serve, monkeypatch) -> None:
    """While nothing happens there is a sign of life by which a page knows that it is heard."""
    monkeypatch.setattr(live, "HEARTBEAT", 1)
    page = serve()
    with page.stream() as lines:
        heard(lines, "beat")
        heard(lines, "beat")


def test_only_for_those_who_came_in(serve) -> None:
    """Who has not come in hears nothing."""
    page = serve()
    page.cookie = ""
    assert page.get("/events").status == 401
    assert page.get("/where?id=a").status == 401


def test_bound(serve, monkeypatch) -> None:
    """No more than so many listen; one more is told when to come again, and a place is free when another leaves."""
    monkeypatch.setattr(live, "MOST_STREAMS", 2)
    page = serve()
    pulse = page.web.pulse
    with ExitStack() as opened:
        for _ in range(2):
            heard(opened.enter_context(page.stream()), "beat")
        answer = page.get("/events")
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    until(lambda: pulse.streams == 0)
    with page.stream() as lines:
        heard(lines, "beat")


def test_one_who_does_not_read(serve, monkeypatch) -> None:
    """A reader that takes nothing is dropped, and the page goes on for all others."""
    monkeypatch.setattr(live, "PATIENCE", 0.2)

    async def flood(pulse, _ending):
        pulse.streams += 1
        try:
            while True:
                yield ServerSentEvent(event="changed", data="x" * 1_000_000)
        finally:
            pulse.streams -= 1

    monkeypatch.setattr(live, "_listening", flood)
    page = serve()
    pulse = page.web.pulse
    with socket.create_connection(("127.0.0.1", page.port), DEADLINE) as deaf:
        deaf.sendall(f"GET /events HTTP/1.1\r\nHost: {page.host}\r\nCookie: {page.cookie}\r\n\r\n".encode())
        until(lambda: pulse.streams == 1)
        until(lambda: pulse.streams == 0)
        assert page.get("/").status == 200


def test_end_of_the_server(serve, tmp_path) -> None:
    """The page's own process ends at once when it is told to, though pages listen, and without a word of complaint."""
    serve().close()  # config.json lies there
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "spoolrunner", "web", "--bind", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        token = process.stdout.readline().rpartition("token=")[2].strip()
        headers = {"Authorization": f"Bearer {token}"}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        connection.request("GET", "/events", headers=headers)
        stream = connection.getresponse()
        assert stream.readline() == b"event: beat\r\n"
        process.terminate()
        assert process.wait(DEADLINE) == 0
        assert process.stderr.read() == ""
        connection.close()


def test_a_hundred_pages(serve, drop) -> None:
    """A hundred open pages all hear of a change, and none keeps another one waiting."""
    page = serve()
    with ExitStack() as opened:
        streams = [opened.enter_context(page.stream()) for _ in range(100)]
        for lines in streams:
            heard(lines, "beat")
        drop(State.PENDING, "a")
        for lines in streams:
            heard(lines, "changed")
        assert page.get("/").status == 200
        assert page.web.pulse.streams == 100


def test_tag(serve, drop) -> None:
    """A page that did not change is not drawn again; one that did is."""
    page = serve()
    until(lambda: not page.desk.index.is_counting)
    first = page.get("/failed/")
    tag = first.headers["etag"]

    def again() -> int:
        return page.get("/failed/", If_None_Match=tag).status

    if again() != 304:  # the tag changes twice a minute by itself, which may have been just now
        tag = page.get("/failed/").headers["etag"]
        assert again() == 304
    drop(State.FAILED, "a")
    until(lambda: again() == 200)


def test_no_tag_of_what_failed(serve) -> None:
    """An answer that is no page has no tag, so that it is not taken for one."""
    page = serve()
    assert "etag" not in page.get("/nowhere").headers
    page.cookie = ""
    assert "etag" not in page.get("/").headers


def test_where(serve, drop) -> None:
    """Rows that left a list can be asked for: where each lies now, or that it is nowhere."""
    drop(State.DONE, "a")
    drop(State.PENDING, "b")
    page = serve()
    assert page.get("/where?id=a&id=b&id=c").json() == {"a": "done", "b": "pending", "c": None}
    assert page.get("/where").json() == {}
    assert page.get("/where?id=..%2Fa").status == 400
