"""The standard descriptors of a command: there, and able to take every character."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="descriptors are closed by a shell")
PROGRAM = """
import os, sys
from spoolrunner.system import streams
streams.make_ready()
opened = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
print("printed \\udcfc", flush=True)
print("complained \\udcfc", file=sys.stderr, flush=True)
assert sys.stdin.read() == ""
assert all(os.get_inheritable(number) for number in range(3))
os.write(opened, b"%d" % opened)
"""


@posix
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">&- 2>&-"])
def test_closed_descriptors_are_opened(tmp_path, closed) -> None:
    """No file that is opened later gets a standard number, and what is printed goes to none."""
    path = tmp_path / "x"
    line = f'"$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-c", PROGRAM, path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(path.read_text()) > 2
    assert ("printed \\udcfc" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))
    assert ("complained \\udcfc" in done.stderr) == ("2>&-" not in closed)


BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
FULL = """
import sys
from spoolrunner.system import streams
streams.make_ready()
print("x")
print(streams.flush(), file=sys.stderr)
print("y")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is there on Linux")
def test_output_that_cannot_be_written_is_reported_and_dropped() -> None:
    """`flush` says so, and nothing is left that Python would complain of while it ends."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", FULL], stdout=full, stderr=subprocess.PIPE, env=BUFFERED, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "[Errno 28] No space left on device\n")
