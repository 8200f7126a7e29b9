"""The template and the executor are two programs that share only words; here they are compared."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import orjson
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def test_both_ends_speak_the_same_words() -> None:
    """Every word of the protocol is spelled alike in the template and in its executor."""
    from spoolrunner.executors import fork, forkserver

    for word in ("STARTED", "EXITED", "READY", "THREADS", "SKIPPED", "START", "WHO", "RETIRE"):
        assert getattr(forkserver, word) == getattr(fork, word)


def test_code_files_leave_python_itself_out(tmp_path, monkeypatch) -> None:
    """Files of the standard library are not compared before each job, and those of an application are."""
    import json

    from spoolrunner.executors import forkserver

    (tmp_path / "of_an_application.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import of_an_application

    found = forkserver._code_files([json, sys, of_an_application])
    assert found == {str(tmp_path / "of_an_application.py"): forkserver._stamp(str(tmp_path / "of_an_application.py"))}


def test_a_file_that_is_gone_has_another_stamp(tmp_path) -> None:
    """A removed file never looks like the one that was imported."""
    from spoolrunner.executors import forkserver

    path = tmp_path / "x.py"
    path.write_text("")
    assert forkserver._stamp(str(path)) != (0, 0)
    path.unlink()
    assert forkserver._stamp(str(path)) == (0, 0)


def template_process(theirs):
    """A template whose dispatcher is this test."""
    with theirs:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", "from spoolrunner.executors.forkserver import main; main()"],
            stdin=theirs.fileno(),
            stderr=subprocess.PIPE,
        )


def end_of(process) -> tuple[int, bytes]:
    """Its exit status and what it said on standard error."""
    try:
        _, said = process.communicate(timeout=25)
    finally:
        process.kill()
    return process.returncode, said


@pytest.mark.parametrize("sent", [b"", b'20\n{"sett'])
def test_a_template_ends_when_its_dispatcher_died_before_it_had_said_all(sent) -> None:
    """A dispatcher that is killed while it starts its template leaves no process behind that reads for ever."""
    ours, theirs = socket.socketpair()
    process = template_process(theirs)
    ours.sendall(sent)
    ours.close()
    assert end_of(process) == (0, b"")


def test_a_template_ends_in_silence_when_nobody_read_what_it_said(config) -> None:
    """A dispatcher that is killed with something unread resets the connection: that is an end like any other."""
    from spoolrunner.executors.plan import runner_settings

    made = config()
    os.makedirs(made.layout.tmp)
    question = b'{"settings":' + runner_settings(made, boot="").to_bytes() + b',"preload":[]}'
    ours, theirs = socket.socketpair()
    process = template_process(theirs)
    ours.sendall(b"%d\n" % len(question) + question)
    said = ours.recv(65536, socket.MSG_PEEK)
    ours.close()
    assert orjson.loads(said)[0] == "ready"
    assert end_of(process) == (0, b"")
