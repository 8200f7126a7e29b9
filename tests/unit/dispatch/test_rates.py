"""The sliding window of starts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.dispatch.rates import Rates
from spoolrunner.protocol.groups import Rate

EVER = float("-inf")


@given(st.integers(1, 4), st.integers(1, 9), st.lists(st.integers(0, 40), max_size=20), st.integers(40, 60))
def test_a_window(most, seconds, starts, now) -> None:
    """In whatever order starts are noted: another one may come when fewer than so many lie within the window."""
    rates, rate = Rates(), Rate(most, float(seconds))
    for at in starts:
        rates.note("g", rate, float(at))
    is_allowed = sum(at > now - seconds for at in starts) < most
    assert (rates.free_at("g", rate) <= now) == is_allowed


def test_groups_have_windows_of_their_own() -> None:
    """The starts of one group do not count for another."""
    rates = Rates()
    rates.note("g", Rate(1, 10.0), 5.0)
    assert (rates.free_at("g", Rate(1, 10.0)), rates.free_at("h", Rate(1, 10.0))) == (15.0, EVER)


def test_nothing_piles_up() -> None:
    """No more starts are kept than the rate allows, and groups whose window is empty are forgotten."""
    rates, rate = Rates(), Rate(2, 10.0)
    for at in range(100):
        rates.note("g", rate, float(at))
    rates.note("h", rate, 200.0)
    assert len(rates._starts["g"]) == 2
    rates.forget_before(150.0)
    assert len(rates) == 1
