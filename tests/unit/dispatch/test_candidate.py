"""From the bytes of a file in pending/ to a candidate for a start. What follows from what is wrong is for test_intake."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.candidate import FaultyValueError, checked, policy_for
from spoolrunner.dispatch.lanes import LaneKey
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol import document
from spoolrunner.protocol.states import State
from spoolrunner.system.clock import format_time

POLICIES = {"app.Report": {"build": {}, "send": {"group": "mail"}}}


@pytest.fixture
def look(config, spool, drop, clock):
    """What a file with these keys is to the dispatcher."""

    def at(content: dict | bytes | None = None, **keys):
        drop(State.PENDING, "x", content if isinstance(content, bytes) else keys)
        return checked(config(allowed_jobs=POLICIES), "x", spool.read(State.PENDING, "x"), clock.wall())

    return at


def test_lanes(look) -> None:
    """A job is in the lane of its method and of its group, by its policy or its file."""
    assert look().lane == LaneKey("app.Report", "build", "")
    assert look(group="customer.1").lane == LaneKey("app.Report", "build", "customer.1")
    assert look(method="send").lane == LaneKey("app.Report", "send", "mail")


def test_expiry(look, clock) -> None:
    """Only a job that has not started can expire, and not before its time."""
    late = format_time(clock.wall() + 10)
    tried = [{"number": 1, "outcome": "failed", "verdict": "retry"}]
    assert not look(expires_at=late).has_expired(clock.wall() + 9)
    assert look(expires_at=late).has_expired(clock.wall() + 11)
    assert not look(expires_at=late, attempts=tried).has_expired(clock.wall() + 11)
    assert not look().has_expired(clock.wall() + 1e9)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"priority": "x"}, FaultyValueError),
        ({"timeout": "8d"}, FaultyValueError),
        ({"method": "send", "group": "other"}, FaultyValueError),
        ({"method": "shred"}, NotAllowedError),
    ],
)
def test_what_is_wrong(look, keys, error) -> None:
    """A wrong value, one beyond the operator's limits, and a job that is not allowed are told apart."""
    with pytest.raises(error):
        look(**keys)


def test_what_may_still_be_being_written(look) -> None:
    """What is no JSON may be a file that is half there: that is no wrong value."""
    with pytest.raises(JobFormatError) as caught:
        look(b"{")
    assert not isinstance(caught.value, FaultyValueError)


def test_policy_for(config) -> None:
    """The policy is that of the method, with what the document overrides."""
    content = document.check({"job": "app.Report", "method": "send", "timeout": 5})
    policy = policy_for(config(allowed_jobs=POLICIES), content)
    assert (policy.timeout, policy.group) == (5.0, "mail")
