"""What a process does at signals: as a fresh Python, whatever who started it had set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

if sys.platform != "win32":
    import pty

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there a program inherits no such thing")

PREPARED = """
import os, signal, sys
for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
TELL = """
import signal
handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
print(sorted((int(number), str(handler)) for number, handler in handlers.items()))
print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""
SET = "from spoolrunner.system.dispositions import set_defaults; set_defaults()\n"


def told(*command: str) -> str:
    """What a program prints."""
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=30, check=True).stdout


def test_nothing_is_inherited() -> None:
    """Ignored and blocked signals of whoever started a program are as in a fresh Python."""
    fresh = told("-c", TELL)
    assert told("-c", PREPARED, TELL) != fresh
    assert told("-c", PREPARED, SET + TELL).split(" at 0x")[0] == fresh.split(" at 0x")[0]


def test_the_module_is_light() -> None:
    """Each job's process pays for it with spawn, and neither signal nor enum is imported."""
    program = "import sys; from spoolrunner.system import dispositions; print({'signal', 'enum'} & set(sys.modules))"
    assert told("-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}") == "set()\n"


@pytest.mark.parametrize("leads", [True, False])
def test_who_leads_the_session_of_a_terminal(leads) -> None:
    """Only the leader of a session that has a terminal does: a shell's child does not, nor does a session without one."""
    program = "from spoolrunner.system.dispositions import leads_terminal; print(leads_terminal())"
    if not leads:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert ended.stdout == "False\n"
        return
    child = (
        f"import subprocess, sys; {program}; sys.stdout.flush(); subprocess.run([sys.executable, '-c', {program!r}])"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", child])
    with open(terminal, encoding="utf-8") as stream:
        assert [stream.readline().strip() for _ in range(2)] == ["True", "False"]
    os.waitpid(pid, 0)
