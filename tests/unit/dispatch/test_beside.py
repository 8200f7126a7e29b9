"""A program beside the dispatcher: it may die, and is started again; it ends with the dispatcher."""

from __future__ import annotations

import sys
import threading

from spoolrunner.dispatch.beside import Beside
from spoolrunner.system.clock import SYSTEM
from spoolrunner.telling.troubles import BesideEnded

DEADLINE = 20.0


class Told:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.events: list[BesideEnded] = []
        self.came = threading.Event()

    def __call__(self, event) -> None:
        self.events.append(event)
        self.came.set()


def test_one_that_dies() -> None:
    """Its end is reported with how it came about and when it is started again, and stands in `trouble`."""
    told = Told()
    with Beside("the page", [sys.executable, "-c", "raise SystemExit(3)"], told, SYSTEM) as beside:
        assert told.came.wait(DEADLINE)
        assert told.events[0] == BesideEnded("the page", "it ended with exit code 3", 1.0)
        assert beside.trouble == (
            "the page is not there: it ended with exit code 3; it is started again in 1 s, and no job waits for it"
        )


def test_one_that_cannot_be_started(tmp_path) -> None:
    """A program that is not there is trouble of its own, and no error of ours."""
    told = Told()
    with Beside("the page", [str(tmp_path / "nothing")], told, SYSTEM):
        assert told.came.wait(DEADLINE)
    assert "it cannot be started" in told.events[0].how


def test_one_that_lives(tmp_path) -> None:
    """It hears by its standard input of our end, is ended by us, and nothing is reported then."""
    path = tmp_path / "began"
    program = f"import sys; open({str(path)!r}, 'w').close(); sys.stdin.read()"
    told = Told()
    with Beside("the page", [sys.executable, "-c", program], told, SYSTEM) as beside:
        waiter, deadline = threading.Event(), SYSTEM.monotonic() + DEADLINE
        while not path.exists():
            assert SYSTEM.monotonic() < deadline
            waiter.wait(0.01)
        assert beside.trouble == ""
        process = beside._process
    assert process is not None
    assert process.returncode is not None
    assert told.events == []
