"""What a job's process is told of its job, and its way across the process boundary."""

from __future__ import annotations

import marshal
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.protocol.policy import Policy
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.system import clock

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=20,
)


def words(assignment: Assignment) -> dict:
    """All that it says."""
    return {name: getattr(assignment, name) for name in Assignment.__slots__}


@given(
    st.one_of(st.lists(JSON, max_size=4), st.dictionaries(st.text(max_size=5), JSON, max_size=4)),
    st.none() | st.dictionaries(st.text(max_size=5), JSON, max_size=4),
    st.floats(0, 1e9),
)
def test_the_way_across(params, meta, timeout) -> None:
    """Whatever a document may hold comes out on the other side as it went in, to the type of each value."""
    told = Assignment("x~2", 3, Stamp(2**63, 5, 10**18), "app.A", "b", params, timeout, None, meta, "/spool:x~2:3")
    again = Assignment.from_bytes(told.to_bytes())
    assert words(again) == words(told)
    assert repr(again.params) == repr(params)
    assert repr(again.meta) == repr(meta)


@pytest.mark.parametrize("hooks", [None, ("", "", "", {"TRACEPARENT": "00-1"}), ("a.b", "a.c", "a.d", {})])
def test_hooks_arrive(hooks) -> None:
    """What is called around the job is told as it is."""
    told = Assignment("x", 1, Stamp(5, 6, 7), "a", "b", [], 1.0)
    told.hooks = hooks
    assert Assignment.from_bytes(told.to_bytes()).hooks == hooks


def test_a_stamp_arrives_as_a_plain_one() -> None:
    """The stamp on the other side equals the dispatcher's, and needs none of its classes."""
    stamp = Stamp(5, 6, 7)
    again = Assignment.from_bytes(Assignment("x", 1, stamp, "a", "b", [], 1.0).to_bytes()).stamp
    assert type(again) is tuple
    assert again == stamp == (stamp.inode, stamp.size, stamp.mtime_ns)


@pytest.mark.parametrize(
    "policy", [Policy(), Policy(memory=64 << 20, cpu_time=1.5, open_files=64), Policy(no_new_privileges=True)]
)
def test_limits_arrive_as_the_policy_has_them(policy) -> None:
    """The limits on the other side are those of the policy, and None where there is none."""
    told = Assignment("x", 1, (1, 2, 3), "a", "b", [], 1.0, policy.process_limits)
    assert Assignment.from_bytes(told.to_bytes()).limits == policy.process_limits


def test_an_assignment_of_another_version() -> None:
    """An assignment with a word too many or too few is an error, not a process that makes half of what it is told."""
    second, values = marshal.loads(Assignment("x", 1, (1, 2, 3), "a", "b", [], 1.0).to_bytes())
    for others in ((*values, 1), values[:6]):
        with pytest.raises((TypeError, ValueError)):
            Assignment.from_bytes(marshal.dumps((second, others)))


def test_the_text_of_the_second_goes_with_it(monkeypatch) -> None:
    """The process is told how the second is written in which it was started: it need not go through the calendar."""
    data = Assignment("x", 1, (1, 2, 3), "a", "b", [], 1.0).to_bytes()
    monkeypatch.setattr(clock, "_last_second", (0, "1970-01-01T00:00:00"))
    Assignment.from_bytes(data)
    second, text = clock._last_second
    assert 0 <= time.time() - second < 60
    assert text == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def test_what_is_no_json_is_told_at_once() -> None:
    """What cannot go across is an error of who sends it."""
    with pytest.raises(ValueError, match="unmarshallable"):
        Assignment("x", 1, (1, 2, 3), "a", "b", [object()], 1.0).to_bytes()
