"""Figures of a span of time: added up, and as JSON and back."""

from __future__ import annotations

import math
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.telling.figures import BOUNDS, Figures, add_json, quantile

COUNTS = st.integers(0, 10**6)
HISTOGRAMS = st.lists(COUNTS, min_size=len(BOUNDS) + 1, max_size=len(BOUNDS) + 1)
SECONDS = st.integers(0, 10**9).map(lambda number: number / 1000)


@st.composite
def figures(draw) -> Figures:
    made = Figures()
    made.started, made.retried = draw(COUNTS), draw(COUNTS)
    made.ended = draw(st.dictionaries(st.sampled_from(["succeeded", "failed", "crashed"]), st.integers(1, 99)))
    made.waited, made.ran = draw(HISTOGRAMS), draw(HISTOGRAMS)
    made.waited_s, made.ran_s = draw(SECONDS), draw(SECONDS)
    return made


def values(found: Figures) -> tuple:
    return tuple(getattr(found, name) for name in Figures.__slots__)


@given(figures())
def test_json_and_back(made) -> None:
    """What is written reads as it was."""
    found = Figures()
    assert add_json(found, made.as_json())
    assert values(found) == values(made)


@given(figures(), figures())
def test_figures_add_up(one, other) -> None:
    """The sum of two has all that both have."""
    total = Figures()
    total.add(one)
    total.add(other)
    assert total.count == one.count + other.count
    assert total.retried == one.retried + other.retried
    assert sum(total.ran) == sum(one.ran) + sum(other.ran)
    assert sum(total.waited) == sum(one.waited) + sum(other.waited)
    assert total.ran_s == one.ran_s + other.ran_s


def test_what_is_zero_is_left_out() -> None:
    """A line of a quiet minute is short."""
    made = Figures()
    assert made.as_json() == {}
    made.started = 1
    made.ran[bisect_right(BOUNDS, 0.2)] = 2
    assert made.as_json() == {"started": 1, "ran": {"0.3": 2}}


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"started": -1},
        {"started": 1.5},
        {"started": True},
        {"ended": []},
        {"ended": {"failed": "x"}},
        {"ran": {"7": 1}},
        {"waited": 3},
        {"ran_s": "much"},
        {"ran_s": None},
    ],
)
def test_what_we_have_not_written(raw) -> None:
    """A line that somebody else has written is no figures."""
    found = Figures()
    assert not add_json(found, raw)
    assert values(found) == values(Figures())


def test_quantiles() -> None:
    """The bound below which a share lies; none where nothing is counted, infinite beyond the last."""
    histogram = [0] * (len(BOUNDS) + 1)
    assert quantile(histogram, 0.5) is None
    for seconds in (0.005, 0.5, 0.5, 7.0):
        histogram[bisect_right(BOUNDS, seconds)] += 1
    assert [quantile(histogram, share) for share in (0.0, 0.25, 0.5, 0.75, 0.76, 1.0)] == [
        0.01,
        0.01,
        1.0,
        1.0,
        10.0,
        10.0,
    ]
    histogram[-1] = 100
    assert quantile(histogram, 0.9) == math.inf
