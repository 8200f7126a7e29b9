"""A program that answers a question about what the operator names."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BEGIN = "import os, sys\nfrom spoolrunner.attempt.answering import answer\n"


def run(tmp_path, program: str, lead: str = "") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", "-c", f"{BEGIN}{program}\nanswer(give{lead})"],
        input=json.dumps({"python_path": [str(tmp_path)], "what": 7}).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_answers_are_lines_and_prints_are_none(tmp_path) -> None:
    """Modules come from the python_path of the question, and what they print is no answer."""
    (tmp_path / "unit_answered.py").write_text("print('noise')", encoding="ascii")
    done = run(tmp_path, "def give(question, say):\n import unit_answered\n say(question['what'])\n say(None)")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"7\nnull\n", b"noise\n")


def test_a_lead_stands_before_each_answer(tmp_path) -> None:
    """What something else has written there before spoils no line."""
    done = run(tmp_path, "def give(question, say):\n say(1)\n say(2)", ', b"\\n"')
    assert done.stdout == b"\n1\n\n2\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_child_says_nothing(tmp_path) -> None:
    """A module that forks has one process that answers."""
    program = "def give(question, say):\n pid = os.fork()\n if pid: os.waitpid(pid, 0)\n say('once')"
    assert run(tmp_path, program).stdout == b'"once"\n'


def test_an_error_is_status_1(tmp_path) -> None:
    """What was said before it is kept."""
    done = run(tmp_path, "def give(question, say):\n say(1)\n raise ValueError")
    assert (done.returncode, done.stdout) == (1, b"1\n")


def test_a_thread_does_not_keep_it(tmp_path) -> None:
    """A thread that a module has started ends with the answer."""
    program = (
        "import threading\ndef give(question, say):\n threading.Thread(target=threading.Event().wait).start()\n say(1)"
    )
    assert run(tmp_path, program).stdout == b"1\n"
