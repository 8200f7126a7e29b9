"""What is printed while a dispatcher works: it never waits, and says what it dropped."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading

import pytest

from spoolrunner.telling.outlet import Outlet

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes of another kind")
DEADLINE = 20.0


class Raw(io.RawIOBase):
    """What stands behind a stream: it takes all, until `answer` is something to raise, or to wait for."""

    def __init__(self) -> None:
        self.data = b""
        self.answer: list[object] = []
        self.taken = threading.Event()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int | None:
        answer = self.answer.pop(0) if self.answer else len(data)
        if isinstance(answer, threading.Event):
            self.taken.set()
            assert answer.wait(DEADLINE)
            answer = len(data)
        if isinstance(answer, Exception):
            raise answer
        self.data += bytes(data[: answer or 0])
        return answer


@pytest.fixture
def raw() -> Raw:
    return Raw()


@pytest.fixture
def outlet(raw):
    """An outlet above `raw`; it is closed after the test."""
    made = Outlet(io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"), most_bytes=100)
    yield made
    made.close()


def test_lines_are_printed_in_order(raw, outlet) -> None:
    """Each line comes whole and in its order, and nothing waits for a buffer to be full."""
    for number in range(4):
        outlet.put(f"ü{number}")
    assert outlet.close() == 0
    assert raw.data.decode() == "ü0\nü1\nü2\nü3\n"
    outlet.put("again")
    assert outlet.close() == 0
    assert raw.data.decode().endswith("ü3\nagain\n")


def test_a_reader_that_stands_still(raw, outlet) -> None:
    """`put` never waits; what is too much is dropped, and how much is printed when it goes on, where it is missing."""
    goes_on = threading.Event()
    raw.answer = [goes_on]
    outlet.put("first")
    assert raw.taken.wait(DEADLINE)
    for number in range(100):
        outlet.put(f"line {number:04}")
    goes_on.set()
    assert outlet.close() == 0
    lines = raw.data.decode().splitlines()
    assert lines[:2] == ["first", "line 0000"]
    kept = len(lines) - 2
    assert lines[-1] == f"spoolrunner: {100 - kept} lines were not printed here: too many waited to be read"
    assert lines[1:-1] == [f"line {number:04}" for number in range(kept)]


def test_a_reader_that_never_goes_on(raw, outlet) -> None:
    """The end waits its grace for it, no longer, and returns what is missing."""
    goes_on = threading.Event()
    raw.answer = [goes_on]
    outlet.put("first")
    assert raw.taken.wait(DEADLINE)
    outlet.put("second")
    outlet.put("third")
    assert outlet.close(grace=0.0) == 3
    goes_on.set()


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), BrokenPipeError(), OSError(5, "EIO"), ValueError("x")]
)
def test_what_cannot_be_written_is_lost_and_counted(raw, outlet, error) -> None:
    """An error of whatever kind loses the lines that met it, and no later one; how many is printed before the next."""
    raw.answer = [3, error]
    outlet.put("first")
    outlet.close()
    outlet.put("second")
    assert outlet.close() == 0
    said = f"spoolrunner: 1 lines were not printed here: {error}\n"
    assert raw.data.decode() == "fir\n" + said + "second\n"


def test_a_stream_that_takes_a_part_or_nothing_at_this_moment(raw, outlet) -> None:
    """What was taken in part is gone on with; a descriptor that does not wait is tried again."""
    raw.answer = [2, None, 1]
    outlet.put("first")
    assert outlet.close() == 0
    assert raw.data == b"first\n"


def test_no_thread_to_be_had(raw, outlet, monkeypatch, clock) -> None:
    """The lines wait, and are printed when there is a thread again; that is tried once a second."""
    monkeypatch.setattr("spoolrunner.system.clock.SYSTEM", clock)
    tries = []

    def none(thread) -> None:
        tries.append(thread)
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        for _ in range(5):
            outlet.put("x")
    assert len(tries) == 1
    assert outlet.trouble == "nothing is printed, which needs a thread: can't start new thread"
    clock.advance(1.0)
    outlet.put("y")
    assert outlet.trouble == ""
    assert outlet.close(DEADLINE) == 0
    assert raw.data == b"x\nx\nx\nx\nx\ny\n"


PROGRAM = """
import sys
from spoolrunner.telling.outlet import Outlet
outlet = Outlet(sys.stdout)
for number in range(20000):
    outlet.put("x" * 99)
print(outlet.close(0.1) > 0, file=sys.stderr)
"""


@posix
def test_the_process_ends_though_nobody_reads() -> None:
    """A pipe that is full holds up neither the program nor its end."""
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "True\n")
