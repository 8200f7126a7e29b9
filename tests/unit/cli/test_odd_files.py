"""Whatever lies in a spool, each command shows it or says what it is, and shows the others beside it."""

from __future__ import annotations

import json
import os
import sys

import pytest

from spoolrunner.protocol.states import State

GOOD = "a-good-one"
AGE = 1e8
ESCAPE = "\x1b[31m"
ODD_DOCUMENTS = [
    b"",
    b"5",
    b"[]",
    b"null",
    b'{"job": 5, "method": [], "attempts": 7}',
    b'{"job": {"a": 1}, "attempts": [null, 5, "x"]}',
    b'{"attempts": [{"number": "\\u001b[31m", "error": "boom", "outcome": {"a": 1}}]}',
    b'{"attempts": [{"number": [1], "error": {"type": 5, "message": null, "traceback": 7}}]}',
    b'{"attempts": [{"error": {"message": {"a": "\\u001b[31m"}, "traceback": "\\u001b[31m\\r\\n\\u2028x"}}]}',
    b'{"\\u001b[31m": 1, "result": "\\u202e", "priority": "high", "next_run_at": [], "meta": 5}',
    b'{"params": [' + b"[" * 60 + b"]" * 60 + b"]}",
    b'{"params": 123456789012345678901234567890}',
    b"\xff\xfe{\x00}\x00",
    b'{"job": "' + b"x" * 3_000_000 + b'", "attempts": [{}]}',
]
ODD_NAMES = ["x" * 245, "a\nb", "a\x1b[31mb", "-x", "~2", "x~9999999999999999999", "con", "é", "a b", "x.json"]


@pytest.fixture
def museum(spool, drop) -> list[str]:
    """A spool with a good job in each state, and beside it files of every shape; returns the ids."""
    ids = [GOOD]
    for state in State:
        drop(state, GOOD, age=AGE)
        for number, data in enumerate(ODD_DOCUMENTS):
            drop(state, f"document-{number}", data, AGE)
            ids.append(f"document-{number}")
        for name in ODD_NAMES:
            if sys.platform != "win32" or name.isalnum():
                drop(state, name, age=AGE)
                ids.append(name)
        folder = spool.layout.folder(state)
        os.mkdir(os.path.join(folder, "folder.json"))
        ids.append("folder")
        if sys.platform != "win32":
            os.mkfifo(os.path.join(folder, "pipe.json"))
            os.symlink("nowhere", os.path.join(folder, "link.json"))
            os.symlink("loop.json", os.path.join(folder, "loop.json"))
            drop(state, os.fsdecode(b"b\xfccher"), age=AGE)
            ids += ["pipe", "link", "loop", os.fsdecode(b"b\xfccher")]
    beside(spool, spool.layout.reason)
    beside(spool, spool.layout.progress)
    beside(spool, spool.layout.log)
    return ids


def beside(spool, path) -> None:
    """Put things of every shape where a file beside a job is looked for."""
    for number, data in enumerate(
        [*ODD_DOCUMENTS, b'{"outcome": [], "what": {"a": 1}, "fraction": "much", "text": 5}']
    ):
        with open(path(f"document-{number}"), "wb") as stream:
            stream.write(data)
    os.mkdir(path("folder"))
    if sys.platform != "win32":
        os.mkfifo(path("pipe"))
        os.symlink("nowhere", path("link"))


def check(told) -> None:
    """No control character of a file reached the output."""
    assert "\x1b" not in told.out + told.err
    assert "\u202e" not in told.out + told.err


def test_list_shows_all_of_them(museum, command) -> None:
    """Each job has its line, the good ones among them, in every state and as JSON."""
    for state in State:
        for words in (["list", state.value, "--limit", "0"], ["list", "--limit", "0"]):
            told = command(*words)
            check(told)
            assert told.code == 0
            lines = [line.split("\t")[0] for line in told.out.splitlines()]
            assert {GOOD, "folder", "document-4", "document-13"} <= set(lines)
    found = json.loads(command("list", "--json").out)
    assert [job["id"] for job in found if job["state"] == "done"] == sorted(set(museum))
    assert len(found) == 4 * len(set(museum))


def test_show_shows_each_of_them(museum, command) -> None:
    """`show` prints what it knows of each, and a name in a document as it prints its value."""
    for job_id in museum:
        if "/" not in job_id and job_id:
            for words in (["show", "--", job_id], ["show", "--json", "--", job_id]):
                told = command(*words)
                check(told)
                assert told.code == 0, (job_id, told)


def test_logs_prints_what_is_a_file(museum, command) -> None:
    """`logs` prints the log of a job if it is a file, and says what else it is; it waits for nothing."""
    assert command("logs", "document-1").out == "5\n"
    assert command("logs", "folder").code == 1
    if sys.platform != "win32":
        assert "a pipe, not a file" in command("logs", "pipe").err
    for job_id in filter(None, museum):
        check(command("logs", "--", job_id))


def test_status_counts_them(museum, command) -> None:
    """Every name is counted."""
    told = command("status", "--no-dispatcher-ok")
    check(told)
    assert told.code == 0
    assert f"done        {len(set(museum))}" in told.out


def test_prune_removes_what_it_can(museum, command, spool) -> None:
    """One file that cannot be removed keeps none of the others; the command says so and ends with 1."""
    os.mkdir(spool.layout.reason(GOOD))
    told = command("prune", keep_done="0s", keep_failed="0s")
    check(told)
    left = command("list", "done", "--limit", "0")
    assert GOOD not in left.out
    assert "document-" not in left.out
    assert f"{GOOD}: " in told.err
    assert told.code == 1


def test_retry_all_leaves_what_was_cancelled_and_what_cannot_be_read(museum, command, drop, spool) -> None:
    """`retry --all` moves what failed, and leaves, with a count of each, what was cancelled and what would be refused again."""
    for state in State:
        for name in os.listdir(spool.layout.folder(state)):
            if name.startswith(GOOD):
                os.unlink(os.path.join(spool.layout.folder(state), name))
    drop(State.FAILED, "failed", {"attempts": [{"number": 1, "outcome": "failed"}]})
    drop(State.FAILED, "stopped", {"attempts": [{"number": 1, "outcome": "cancelled"}]})
    drop(State.FAILED, "unwanted")
    with open(spool.layout.reason("unwanted"), "wb") as stream:
        stream.write(b'{"outcome": "cancelled", "what": "x"}')
    told = command("retry", "--all")
    check(told)
    assert os.path.exists(spool.layout.job(State.PENDING, "failed"))
    assert {"stopped.json", "unwanted.json"} <= set(os.listdir(spool.layout.folder(State.FAILED)))
    assert "2 cancelled jobs left" in told.err
    assert "rejected jobs left" in told.err
