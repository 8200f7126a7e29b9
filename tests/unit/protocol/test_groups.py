"""The limits of groups: which limit is that of a group, and what is written there."""

from __future__ import annotations

import pytest

from spoolrunner.config.shape import LimitKeys
from spoolrunner.protocol.groups import NO_LIMIT, GroupLimit, GroupLimits, Rate, parse_rate, pattern_problem

LIMITS = GroupLimits(
    {
        "*": LimitKeys(concurrency=9),
        "customer.*": LimitKeys(concurrency=1),
        "customer.big*": LimitKeys(concurrency=3, rate="10/m"),
        "customer.big1": LimitKeys(rate="1/s"),
    }
)


@pytest.mark.parametrize(
    ("group", "limit"),
    [
        ("mail", GroupLimit(9)),
        ("customer.1", GroupLimit(1)),
        ("customer.big2", GroupLimit(3, Rate(10, 60.0))),
        ("customer.big1", GroupLimit(None, Rate(1, 1.0))),
        ("", NO_LIMIT),
    ],
)
def test_which_limit(group, limit) -> None:
    """An exact name beats every pattern, and a longer pattern a shorter one; who is in no group has none."""
    assert LIMITS.of(group) == limit


def test_without_limits() -> None:
    """Where nothing is limited no group is, and there is no window."""
    limits = GroupLimits({"mail": LimitKeys(concurrency=1)})
    assert (GroupLimits({}).of("mail"), limits.of("other"), limits.longest_window) == (NO_LIMIT, NO_LIMIT, 0.0)


def test_the_longest_window() -> None:
    """The longest window of all rates is known, whatever stands first."""
    assert LIMITS.longest_window == 60.0


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100/m", (100, 60)), ("5/10s", (5, 10)), ("1/h", (1, 3600)), ("7/2d", (7, 172800)), ("3/0.5s", (3, 0.5))],
)
def test_rates(text, rate) -> None:
    """A rate is a number of starts in a time."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("100", 'write a number of starts and a time, as in "100/m"'),
        ("m/100", "is no rate"),
        ("100/week", "is no rate"),
        ("-1/m", "is no rate"),
        ("1/m\n", "is no rate"),
        ("0/m", "out of range"),
        ("100001/m", "out of range"),
        ("1/0s", "more than 0 seconds"),
        ("1/3651d", "out of range"),
        ("1/..s", "is no"),
    ],
)
def test_what_is_no_rate(text, told) -> None:
    """What is no rate is refused with what to write instead."""
    with pytest.raises(ValueError, match=told.replace("(", "\\(")):
        parse_rate(text)


@pytest.mark.parametrize("pattern", ["mail", "customer.*", "*", "a-b_c.d*"])
def test_patterns(pattern) -> None:
    """A key of limits is a group, or a beginning and one star."""
    assert pattern_problem(pattern) == ""


@pytest.mark.parametrize("pattern", ["", "*.mail", "a*b", "a**", "a b", ".a*", "a.", "x" * 65])
def test_what_is_no_pattern(pattern) -> None:
    """A key that no group can have is refused."""
    assert pattern_problem(pattern)
