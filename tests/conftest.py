"""What many tests share: a clock that stands still, a spool in a temporary folder, a configuration, files dropped into it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from spoolrunner.config.load import Config, parse_config
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system.clock import Clock, format_time
from tests.tally import Tally

settings.register_profile("spoolrunner", deadline=None, max_examples=60, database=None)
settings.load_profile("spoolrunner")

_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """The counts of the reliability suites live as long as the run. What the tests start keeps its bytecode.

    Otherwise each of the many dispatchers would compile all modules at its start, which takes half of the time of their tests.
    """
    config.stash[_TALLY] = Tally()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what the reliability suites tried."""
    lines = config.stash[_TALLY].lines()
    if lines:
        terminalreporter.section("tried and found")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def tally(pytestconfig: pytest.Config) -> Tally:
    """Counts what a suite tried and found, for the table at the end of the run."""
    return pytestconfig.stash[_TALLY]


class FakeClock(Clock):
    """A clock that moves when it is told to. Its wall time begins at 2027-01-15T08:00:00Z."""

    def __init__(self) -> None:
        self.wall_now = 1_800_000_000.0
        self.monotonic_now = 5_000.0

    def wall(self) -> float:
        return self.wall_now

    def monotonic(self) -> float:
        return self.monotonic_now

    def text(self) -> str:
        return format_time(self.wall_now)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let that much time pass on both clocks."""
        self.wall_now += seconds
        self.monotonic_now += seconds


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until it is advanced."""
    return FakeClock()


@pytest.fixture
def spool(tmp_path) -> Spool:
    """An empty spool, which syncs nothing to be fast."""
    made = Spool(Layout(str(tmp_path / "spool")), fsync=False)
    made.make()
    return made


@pytest.fixture
def config(tmp_path) -> Callable[..., Config]:
    """Make a configuration whose config.json would lie in tmp_path; the keys are those of the file."""

    def make(**keys: Any) -> Config:
        raw = {"allowed_jobs": {"app.Report": ["build", "send"]}, "fsync": False, **keys}
        return parse_config(str(tmp_path / "config.json"), raw)

    return make


@pytest.fixture
def arrived_as_written(monkeypatch) -> None:
    """Let each file have come to its folder at its time of change, which a test can set; the true time nobody can set."""
    monkeypatch.setattr(arrival, "came_at_ns", lambda status: status.st_mtime_ns)


@pytest.fixture
def drop(spool, clock) -> Callable[..., str]:
    """Put a file into a state folder of `spool`: a document (by its keys) or bytes; returns its path."""

    def put(state: State, job_id: str, content: dict[str, Any] | bytes | None = None, age: float = 0.0) -> str:
        if not isinstance(content, bytes):
            content = json.dumps({"job": "app.Report", "method": "build", **(content or {})}).encode()
        path = spool.layout.job(state, job_id)
        with open(path, "wb") as stream:
            stream.write(content)
        os.utime(path, (clock.wall() - age, clock.wall() - age))
        return path

    return put
