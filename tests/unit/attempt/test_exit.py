"""How the process of a job ends: each claim in a process of its own, since nothing comes after it."""

from __future__ import annotations

import subprocess
import sys

import pytest


def ended(work: str) -> subprocess.CompletedProcess[str]:
    """A process that ends after a function with this body."""
    program = f"""
import atexit, os, sys, threading
from spoolrunner.attempt.exit import exit_after
def work():
    {work}
exit_after(work)
print("never reached", flush=True)
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("status", [0, 7, 75])
def test_the_status_of_the_work(status) -> None:
    """The process ends with the status that the work returned, and nothing after it runs."""
    done = ended(f"return {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_what_was_printed_gets_out() -> None:
    """What Python still holds of the output is written."""
    assert ended("print('out', end=''); print('err', end='', file=sys.stderr); return 0").stdout == "out"


def test_exit_handlers_run() -> None:
    """Handlers of atexit run, the last one first, as at the end of an interpreter."""
    assert ended("atexit.register(print, 1); atexit.register(print, 2); return 0").stdout.split() == ["2", "1"]


def test_threads_are_waited_for() -> None:
    """A thread that the job started comes to its end; a daemon thread does not keep the process."""
    work = """
    released = threading.Event()
    threading.Thread(target=lambda: (released.wait(20), print("thread"))).start()
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    threading.Timer(0.05, released.set).start()
    return 3"""
    done = ended(work.strip())
    assert (done.returncode, done.stdout.split()) == (3, ["thread"])


@pytest.mark.parametrize(("call", "status"), [("sys.exit(5)", 5), ("sys.exit()", 1), ("sys.exit('sorry')", 1)])
def test_a_system_exit_is_the_status(call, status) -> None:
    """SystemExit ends the process with its code, or with 1 when that is no number; without a traceback."""
    done = ended(call)
    assert (done.returncode, done.stderr) == (status, "")


def test_an_error_is_shown() -> None:
    """Work that raises ends the process with 1, and the traceback stands on standard error."""
    done = ended("raise ValueError('no such thing')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("ValueError: no such thing\n")


def test_an_exit_handler_that_fails_does_not_change_the_status() -> None:
    """An exit handler that raises is shown, and the status stays that of the work."""
    done = ended("atexit.register(lambda: 1 / 0); return 4")
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (4, True)
