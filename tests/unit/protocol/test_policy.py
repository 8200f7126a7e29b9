"""Policies: pauses between retries, and what overrides what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.policy import Limits, Policy, job_policy

PLAIN = Policy(max_retries=2, retry_interval=10.0, retry_backoff="fixed", retry_jitter=0.0)


@pytest.mark.parametrize(
    ("backoff", "pauses"),
    [("exponential", [10.0, 20.0, 40.0, 80.0, 100.0, 100.0]), ("fixed", [10.0] * 6)],
)
def test_pause(backoff, pauses) -> None:
    """The pause is doubled with each retry if exponential, and stays the same if fixed; it never passes its maximum."""
    policy = PLAIN.override(retry_backoff=backoff, retry_max_interval=100.0)
    assert [policy.pause(retry, 0.0) for retry in range(1, 7)] == pauses


@given(
    st.integers(1, 1_000_000),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1),
    st.floats(0, 3650 * 86400),
    st.sampled_from(["exponential", "fixed"]),
)
def test_jitter_only_shortens(retries, dice, jitter, interval, backoff) -> None:
    """Jitter takes off at most its share, and the pause is between 0 and the maximum for any number of retries."""
    policy = Policy(retry_interval=interval, retry_jitter=jitter, retry_backoff=backoff, retry_max_interval=1000.0)
    whole, pause = policy.pause(retries, 0.0), policy.pause(retries, dice)
    assert whole * (1 - jitter) * (1 - 1e-9) <= pause <= whole <= 1000.0


def test_override() -> None:
    """Only what is not None is overridden, and zero is something."""
    assert PLAIN.override(max_retries=0, timeout=None, priority=None) == Policy(
        max_retries=0, retry_interval=10.0, retry_backoff="fixed", retry_jitter=0.0
    )
    assert PLAIN.override(timeout=None) is PLAIN


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        ({}, None),
        ({"timeout": 5.0, "concurrency": 1}, None),
        ({"memory": 64 << 20}, (64 << 20, None, None, False)),
        ({"cpu_time": 1.5, "open_files": 64}, (None, 1.5, 64, False)),
        ({"no_new_privileges": True}, (None, None, None, True)),
    ],
)
def test_what_the_system_keeps(changes, limits) -> None:
    """The limits of a process are those that the system keeps, and None where it has none to keep."""
    assert PLAIN.override(**changes).process_limits == limits


LIMITS = Limits(timeout=600.0, max_retries=5)


@pytest.mark.parametrize("wanted", [{}, {"timeout": None, "max_retries": None, "priority": None}, {"job": "x"}])
def test_a_document_without_wishes(wanted) -> None:
    """A document that asks for nothing has the policy of its method, even where that is beyond the limits of documents."""
    policy = PLAIN.override(timeout=86400.0, max_retries=50)
    assert job_policy(wanted, policy, LIMITS) is policy


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        ({"timeout": "10m"}, {"timeout": 600.0}),
        ({"timeout": 1}, {"timeout": 1.0}),
        ({"max_retries": 0}, {"max_retries": 0}),
        ({"max_retries": 5}, {"max_retries": 5}),
        ({"priority": -7}, {"priority": -7}),
        ({"timeout": 0.5, "max_retries": 1, "priority": 0}, {"timeout": 0.5, "max_retries": 1, "priority": 0}),
    ],
)
def test_what_a_document_may_ask_for(wanted, changes) -> None:
    """What a document asks for within the limits replaces what its method has, and nothing else is changed."""
    assert job_policy(wanted, PLAIN.override(priority=3), LIMITS) == PLAIN.override(**{"priority": 3, **changes})


@pytest.mark.parametrize(
    ("wanted", "key", "problem"),
    [
        ({"timeout": "11m"}, "timeout", "'11m' is more than the operator allows (600 s, timeout_limit)"),
        ({"timeout": 601}, "timeout", "601 is more than the operator allows (600 s, timeout_limit)"),
        ({"timeout": 0}, "timeout", "must be more than 0 seconds"),
        ({"timeout": "0s"}, "timeout", "must be more than 0 seconds"),
        ({"timeout": -1}, "timeout", "-1 is out of range: a duration lies between 0 and 3650d"),
        ({"max_retries": 6}, "max_retries", "6 is more than the operator allows (5, max_retries_limit)"),
    ],
)
def test_what_a_document_may_not_ask_for(wanted, key, problem) -> None:
    """What is beyond a limit is refused with its key, the value and the limit."""
    with pytest.raises(JobFormatError) as caught:
        job_policy(wanted, PLAIN, LIMITS)
    assert (caught.value.key, caught.value.problem) == (key, problem)


@pytest.mark.parametrize("key", ["timeout", "max_retries", "priority"])
@pytest.mark.parametrize("value", [True, False, "soon", "", [], {}, [1], float("nan"), float("inf")])
def test_a_value_of_a_wrong_kind(key, value) -> None:
    """A raw document whose values have other types than a checked one is refused by the key, never with another error."""
    with pytest.raises(JobFormatError) as caught:
        job_policy({key: value}, PLAIN, LIMITS)
    assert caught.value.key == key


@pytest.mark.parametrize(("key", "value"), [("max_retries", -1), ("max_retries", 1.0), ("priority", 1.0)])
def test_a_number_of_a_wrong_kind(key, value) -> None:
    """A number that is negative, or no integer, is refused where an integer is counted with."""
    with pytest.raises(JobFormatError) as caught:
        job_policy({key: value}, PLAIN, LIMITS)
    assert caught.value.key == key
