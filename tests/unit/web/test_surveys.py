"""Surveys of many jobs: bounded in time, and used for a while."""

from __future__ import annotations

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.web import surveys
from spoolrunner.web.desk import Desk
from spoolrunner.web.surveys import Kept
from tests.daemon.harness import until


@pytest.fixture
def desk(home, drop):
    """A desk that is open, with some jobs that fail and wait."""
    error = {"type": "KeyError", "message": "m"}
    for name in "abc":
        drop(
            State.FAILED, name, {"attempts": [{"number": 1, "outcome": "failed", "verdict": "failed", "error": error}]}
        )
    drop(State.FAILED, "torn", b"{")
    drop(State.PENDING, "due")
    drop(State.PENDING, "late", {"next_run_at": "2999-01-01T00:00:00Z", "group": "mail"})
    drop(State.PENDING, "behind", {"after": ["due"]})
    with Desk(home()) as made:
        until(lambda: not made.index.is_counting and made.index.counts()["pending"] == 3)
        yield made


def test_what_waits(desk) -> None:
    """It is counted what is due, of which kind and group, and who waits for whom."""
    found = desk.surveys.waiting.get()
    assert (found.files, found.seen, found.due) == (3, 3, 1)
    assert (found.by_kind["app.Report.build"], found.by_group["mail"], found.behind) == (3, 1, {"due": ["behind"]})
    assert found.first[-1].id == "late"


def test_what_failed(desk) -> None:
    """Failures are in groups by kind and error, the largest first."""
    found = desk.surveys.failures.get()
    assert [(group.kind, group.error, group.files) for group in found.groups] == [
        ("app.Report.build", "KeyError", 3),
        ("", "", 1),
    ]


def test_the_time_is_bounded(desk, monkeypatch) -> None:
    """When the time is up only what was seen before is counted, and that is said."""
    desk.glances.of(State.FAILED, "a")
    monkeypatch.setattr(surveys, "_BUDGET", -1.0)
    found = desk.surveys.failures.get()
    assert (found.files, found.seen) == (4, 1)


def test_a_survey_is_used_for_a_while(clock) -> None:
    """A survey is made again only after many times the time that it took."""
    made = []

    def make() -> int:
        clock.advance(1.0)
        made.append(1)
        return len(made)

    kept = Kept(make, clock)
    assert (kept.get(), kept.get()) == (1, 1)
    clock.advance(49.0)
    assert kept.get() == 1
    clock.advance(2.0)
    assert kept.get() == 2


def test_a_survey_that_has_not_seen_all_goes_on_soon(clock) -> None:
    """While some files were not looked at, the next survey comes sooner."""
    kept = Kept(lambda: clock.advance(1.0) or clock.monotonic(), clock, lambda _: False)
    first = kept.get()
    clock.advance(16.0)
    assert kept.get() > first
