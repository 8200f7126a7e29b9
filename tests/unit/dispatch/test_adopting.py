"""Adopting what an earlier dispatcher started; when that is done is in test_ended."""

from __future__ import annotations

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import traces
from spoolrunner.telling.events import Adopted


@pytest.fixture
def adopt(rooms, drop, mark):
    """Adopt the process of a job with this content, whose marker names attempt `number`."""

    def begin(content: dict, number: int = 1):
        drop(State.RUNNING, "x", content)
        mark("x", number=number)
        marker = traces.peek(rooms.spool.layout.lock("x")).marker
        rooms.ended.adoption.adopt("x", marker)
        (attempt,) = rooms.running.all()
        return attempt

    return begin


def test_an_adopted_attempt(adopt, executor, events) -> None:
    """It has the key of its marker, the start of its marker, and the policy of its document."""
    attempt = adopt({"timeout": 90, "max_retries": 2})
    assert tuple(attempt.key) == ("x", 1)
    assert attempt.adopted
    assert attempt.started_at == "2027-01-15T07:59:00.000000Z"
    assert (attempt.policy.timeout, attempt.starts) == (90, 3)
    assert executor.told == [("adopt", "x")]
    assert [type(event) for event in events] == [Adopted]


def test_a_document_that_breaks_a_rule(adopt, rooms) -> None:
    """A process is watched over whatever its document says: it runs under the policy that holds for all."""
    attempt = adopt({"timeout": "never"})
    assert attempt.policy == rooms.config.default_policy


def test_a_job_that_left_the_whitelist(adopt, rooms) -> None:
    """So is one whose method is no longer allowed; its names are those of its document."""
    attempt = adopt({"job": "of_long_ago", "method": "work"})
    assert attempt.policy == rooms.config.default_policy
    assert (attempt.job, attempt.method) == ("of_long_ago", "work")
