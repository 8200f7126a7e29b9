"""The bytes of the files of jobs, as plain text."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.protocol.states import State


def test_raw_files(serve, drop, spool) -> None:
    """Files are told as plain text, byte by byte, whatever is in them; one that moved leads to where it lies."""
    data = '{"job": "<script>", "x": "ü"}'
    drop(State.DONE, "a", data.encode())
    os.makedirs(spool.layout.steps)
    for path in (spool.layout.log("a"), spool.layout.step_file("a")):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("<html>\n" * 20_000)
    page = serve()
    answer = page.get("/done/a.json")
    assert (answer.text, answer.headers["content-type"]) == (data, "text/plain; charset=utf-8")
    assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/logs/jobs/a.log", "/steps/a.jsonl"):
        answer = page.get(path)
        assert (len(answer.text), answer.headers["content-type"]) == (140_000, "text/plain; charset=utf-8")
    answer = page.get("/failed/a.json")
    assert (answer.status, answer.location) == (303, "/done/a.json")
    assert page.get("/done/b.json").status == page.get("/done/a.reason").status == 404


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in the file system")
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "loop"])
def test_what_is_no_file(serve, spool, kind, tmp_path) -> None:
    """A link is not followed, a pipe not waited for, a folder not opened, wherever it lies."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    paths = [spool.layout.job(State.FAILED, "a"), spool.layout.reason("a"), spool.layout.log("a")]
    paths.append(os.path.join(spool.layout.logs, "background_jobs.log"))
    for path in paths:
        if kind == "link":
            os.symlink(secret, path)
        elif kind == "loop":
            os.symlink(path, path)
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            os.mkdir(path)
    page = serve()
    for path in (
        "/failed/a.json",
        "/failed/a.reason",
        "/logs/jobs/a.log",
        "/logs/background_jobs.log",
        "/job/a",
        "/logs/",
        "/",
        "/failed/",
    ):
        answer = page.get(path)
        assert answer.status in (200, 404, 503), path
        assert "secret<" not in answer.text, path
        assert answer.text != "secret", path


@pytest.mark.parametrize(
    "path",
    [
        "/failed/..%2fdone%2fa.json",
        "/logs/jobs/..%2fbackground_jobs.log",
        "/logs/jobs/../../done/a.json",
        "/logs/status.json",
        "/logs/minutes-20261128.jsonl",
        "/steps/..%2f..%2fconfig.json",
        "/failed/.json.json",
        "/static/..%2fdesk.py",
        "/static/../desk.py",
        "/dispatcher.lock",
        "/control/pause",
    ],
)
def test_no_way_out_of_the_folders(serve, drop, path) -> None:
    """No address leads to another file than the one it names."""
    drop(State.DONE, "a")
    answer = serve().get(path)
    assert answer.status in (404, 405)
