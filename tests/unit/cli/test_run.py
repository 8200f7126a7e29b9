"""`run`: signals reach the dispatcher."""

from __future__ import annotations

import subprocess
import sys

import pytest

# As Ctrl-C comes on Windows: to a thread of the system's, while the main thread waits.
PROGRAM = """
import signal, threading
from spoolrunner.cli.run import heed_signals
from spoolrunner.dispatch.inbox import make_inbox
from spoolrunner.dispatch.wishes import Wish

class Waiting:
    def __init__(self):
        self.inbox = make_inbox()
        self.request, self.listen = self.inbox.put, self.inbox.listen

waiting = Waiting()
heed_signals(waiting)
threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
while waiting.inbox.get(timeout=20) is not Wish.STOP:
    pass
print("stopped")
"""


IGNORING = """
import signal
from spoolrunner.cli.run import heed_signals
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
class Waiting:
    request = print
    def listen(self, descriptor, ready):
        pass
heed_signals(Waiting())
print([signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
def test_signals_that_were_ignored_at_the_start() -> None:
    """SIGHUP and SIGINT stay ignored, as under `nohup` and in the background of a shell; SIGTERM is never ignored."""
    done = subprocess.run([sys.executable, "-c", IGNORING], capture_output=True, text=True, timeout=40, check=False)
    assert done.stdout == "[True, True, False]\n", done.stderr


def test_a_signal_ends_the_wait_of_the_main_thread() -> None:
    """A signal that does not interrupt the main thread wakes it, and asks for the stop; on POSIX without a thread."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=40, check=False)
    assert done.stdout == "stopped\n", done.stderr
