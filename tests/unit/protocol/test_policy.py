"""Policies: pauses between retries, and what overrides what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.protocol.policy import Policy

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
