"""The template: what it looks at, and how it ends when its dispatcher does. What it does for jobs is in test_fork."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from spoolrunner.executors.frames import Frames, framed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def template_process(theirs, **more):
    """A template whose dispatcher is this test."""
    with theirs:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", "from spoolrunner.executors.forkserver import main; main()"],
            stdin=theirs.fileno(),
            stderr=subprocess.PIPE,
            **more,
        )


def end_of(process) -> tuple[int, bytes]:
    """Its exit status and what it said on standard error."""
    try:
        _, said = process.communicate(timeout=25)
    finally:
        process.kill()
    return process.returncode, said


@pytest.mark.parametrize("sent", [b"", framed(b"settings", [], {})[:9]])
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
    question = framed(runner_settings(made, boot="").to_bytes(), [], {})
    ours, theirs = socket.socketpair()
    process = template_process(theirs)
    ours.sendall(question)
    ours.settimeout(25)
    said = ours.recv(65536, socket.MSG_PEEK)
    ours.close()
    assert [event for event, *_ in Frames().take(said)] == ["ready"]
    assert end_of(process) == (0, b"")
