"""The page as a program: its address, its socket, its end; and beside a dispatcher, which it cannot hurt."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys

import psutil
import pytest
from starlette.responses import PlainTextResponse

from spoolrunner.web import serving
from tests.daemon.harness import until

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="no sockets in the file system, no such signals")
DEADLINE = 30.0


class OverUnix(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=DEADLINE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self._path)


@pytest.fixture
def run(tmp_path, spool):
    """Start a command of ours with a configuration; what it prints is in a file. It is ended with the test."""
    (tmp_path / "config.json").write_text(
        json.dumps({"allowed_jobs": {"time": ["sleep"]}, "fsync": False, "spool": os.path.basename(spool.layout.root)})
    )
    started: list[subprocess.Popen] = []

    def begin(*words: str) -> tuple[subprocess.Popen, str]:
        printed = str(tmp_path / f"printed-{len(started)}")
        with open(printed, "w", encoding="utf-8") as stream:
            command = [sys.executable, "-m", "spoolrunner", "--config", str(tmp_path / "config.json"), *words]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
        started.append(process)
        return process, printed

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(DEADLINE)


def text_of(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def address_in(printed: str) -> str:
    until(lambda: "token=" in text_of(printed), DEADLINE)
    return next(word for word in text_of(printed).split() if word.startswith("http://"))


def get(address: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    host, _, path = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=DEADLINE)
    try:
        connection.request(method, f"/{path}", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@unix_only
def test_the_verb(run) -> None:
    """It prints the address, which opens the page; when that is used, it prints the next; it ends with 0 at SIGTERM."""
    process, printed = run("web", "--bind", "127.0.0.1:0", "--read-only")
    address = address_in(printed)
    assert get(address)[0] == 200
    until(lambda: text_of(printed).count("token=") == 2, DEADLINE)
    assert get(address)[0] == 401
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0


@unix_only
def test_a_socket_in_the_file_system(run, tmp_path, spool) -> None:
    """The socket is for its owner alone; who is at its other end stands in the log; it goes with the page."""
    path = str(tmp_path / "page.sock")
    process, printed = run("web", "--bind", f"unix:{path}")
    token = address_in(printed).partition("token=")[2]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    connection = OverUnix(path)
    connection.request("POST", "/control/pause", headers={"Authorization": f"Bearer {token}"})
    assert connection.getresponse().status == 303
    connection.close()
    assert os.path.exists(spool.layout.pause)
    assert f"uid {os.geteuid()}: spoolrunner pause" in text_of(os.path.join(spool.layout.logs, "background_jobs.log"))
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == 0
    assert not os.path.exists(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bind", "0.0.0.0:0"], "--password-file"),
        (["--bind", "x"], "no place to answer at"),
        (["--prefix", "x"], "--prefix"),
        (["--password-file", "nothing"], "nothing"),
    ],
)
def test_what_is_refused(run, words, said) -> None:
    """A place that others reach without a password, or an option that means nothing, ends it with 2 and what to do."""
    process, printed = run("web", *words)
    assert process.wait(DEADLINE) == 2
    assert said in text_of(printed)


@unix_only
def test_a_password_file(run, tmp_path) -> None:
    """The password is read from a file that nobody else may read."""
    path = tmp_path / "password"
    path.write_text("wort\n")
    path.chmod(0o644)
    process, printed = run("web", "--bind", "127.0.0.1:0", "--password-file", str(path))
    assert process.wait(DEADLINE) == 2
    assert "chmod go-rwx" in text_of(printed)
    path.chmod(0o600)
    _, printed = run("web", "--bind", "127.0.0.1:0", "--password-file", str(path))
    address = address_in(printed).partition("?")[0]
    assert get(address, Authorization="Bearer wort")[0] == 200
    assert get(address, Authorization="Bearer x")[0] == 401


def pages_of(process: subprocess.Popen) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE and "web" in child.cmdline()
    ]


@unix_only
def test_beside_a_dispatcher(run, spool) -> None:
    """`run --web` has the page beside it: its death is told and mended and hurts no job; it ends with the dispatcher."""
    process, printed = run("run", "--web", "127.0.0.1:0", "--hide-params")
    assert get(address_in(printed))[0] == 200
    (page,) = pages_of(process)
    assert "--hide-params" in page.cmdline()
    page.kill()
    until(lambda: "the page is not there: it was ended by signal 9" in text_of(printed), DEADLINE)
    with open(os.path.join(spool.layout.tmp, "x"), "w", encoding="ascii") as stream:
        stream.write('{"job": "time", "method": "sleep", "params": [0]}')
    os.rename(os.path.join(spool.layout.tmp, "x"), os.path.join(spool.layout.pending, "x.json"))
    until(lambda: os.listdir(spool.layout.folder("done")) == ["x.json"], DEADLINE)
    until(lambda: text_of(printed).count("token=") >= 3, DEADLINE)
    (page,) = pages_of(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0
    until(lambda: not page.is_running(), DEADLINE)


@unix_only
def test_the_page_hears_of_a_dispatcher_that_is_killed(run) -> None:
    """A dispatcher that is killed leaves no page behind that holds its place."""
    process, printed = run("run", "--web", "127.0.0.1:0")
    address_in(printed)
    (page,) = pages_of(process)
    process.kill()
    process.wait(DEADLINE)
    until(lambda: not page.is_running() or page.status() == psutil.STATUS_ZOMBIE, DEADLINE)


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\nHost: loc", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /"]
)
def test_a_request_that_does_not_come(monkeypatch, begun) -> None:
    """Whoever connects and sends no whole request, at first or later, is let go after a while."""
    monkeypatch.setattr(serving, "HEAD_TIME", 0.3)
    monkeypatch.setattr(serving, "_KEEP", 1)

    async def ok(scope, receive, send) -> None:
        await PlainTextResponse("ok")(scope, receive, send)

    async def talk() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = serving.make_server(ok)
            serves = asyncio.create_task(server.serve(sockets=[listening]))
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(begun)
            answer = await asyncio.wait_for(reader.read(), DEADLINE)
            writer.close()
            server.should_exit = True
            await serves
            return answer

    assert (b"200 OK" in asyncio.run(talk())) is (b"health" in begun)
