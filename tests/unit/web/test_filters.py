"""The filters of a list, as they stand in its address."""

from __future__ import annotations

import pytest

from spoolrunner.client.glance import Glance
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.web import filters

SEEN = Glance(
    "a",
    State.FAILED,
    0.0,
    1,
    job="app.Report",
    method="build",
    group="mail",
    errors=("failed", "m.Bad", "Bad"),
    error="x y",
)


def test_the_words_of_the_command_line() -> None:
    """Empty words ask nothing; a kind is job and method in one word; the query says the same again."""
    found = filters.read({"kind": "app.Report.build", "group": " ", "newer": "1d", "older": "90", "other": "x"})
    assert found.given == {"job": "app.Report", "method": "build", "newer": "1d", "older": "90"}
    assert (found.newer, found.older, found.kind) == (86400.0, 90.0, "app.Report.build")
    assert found.query(**{"from": "x/y"}) == "?job=app.Report&method=build&older=90&newer=1d&from=x%2Fy"
    assert filters.read({}).query() == ""


@pytest.mark.parametrize("text", ["soon", "-1", "1e99d", "nan"])
def test_an_age_that_is_none(text) -> None:
    """What is no duration is refused, with the name of the filter."""
    with pytest.raises(JobFormatError, match="newer"):
        filters.read({"newer": text})


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"job": "app.Report"}, True),
        ({"job": "app"}, False),
        ({"method": "send"}, False),
        ({"group": "mail"}, True),
        ({"error": "Bad"}, True),
        ({"error": "m.Bad"}, True),
        ({"error": "bad"}, False),
        ({"match": "a"}, True),
    ],
)
def test_what_fits(query, fits, config) -> None:
    """A job fits when it fits every filter, as on the command line."""
    assert filters.read(query).fits(SEEN, config(), may_read=True) is fits


def test_a_text_is_looked_for_in_the_file(drop, config) -> None:
    """`match` finds parameters; where these are hidden it finds only what is shown."""
    drop(State.FAILED, "a", {"params": ["secret"]})
    wanted = filters.read({"match": "secret"})
    settings = config()
    assert wanted.fits(SEEN, settings, may_read=True)
    assert not wanted.fits(SEEN, settings, may_read=False)
    assert filters.read({"match": "x y"}).fits(SEEN, settings, may_read=False)
