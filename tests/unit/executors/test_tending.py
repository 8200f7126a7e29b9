"""How a template keeps its post, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there are no templates on Windows", allow_module_level=True)

PROGRAM = """
import os, signal, sys
from spoolrunner.executors import tending
number = int(sys.argv[1])
signal.signal(number, signal.SIG_DFL)
tending.outlive_stops()
os.kill(os.getpid(), number)
child = os.fork()
if child == 0:
    tending.set_mask(*tending.HEED_STOPS)
    print("nothing was inherited", flush=True)
    os.kill(os.getpid(), number)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_stops(number) -> None:
    """The signals of a stop end no template; they end its jobs, and what came to the template comes to none of them."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(int(number))], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"nothing was inherited\n{-number}\n", done.stderr
    assert done.returncode == 0
