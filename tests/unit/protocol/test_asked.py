"""What a job raises to say what is to become of it."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from spoolrunner import Discard, JobFormatError, Retry, SpoolRunnerError


@pytest.mark.parametrize(
    ("after", "seconds"),
    [(None, None), (0, 0.0), (1.5, 1.5), ("5m", 300.0), (timedelta(minutes=2), 120.0)],
)
def test_retry(after, seconds) -> None:
    """A pause may be given as in a job file, or as a timedelta; without one the usual pause counts."""
    asked = Retry("closed", after=after)
    assert (str(asked), asked.after) == ("closed", seconds)


@pytest.mark.parametrize("after", ["soon", -1, True, "11000d", [], timedelta(seconds=-1), float("nan")])
def test_no_pause(after) -> None:
    """What is no duration is an error at once, under its name."""
    with pytest.raises(JobFormatError, match=r"^after: "):
        Retry(after=after)


@pytest.mark.parametrize("kind", [Retry, Discard])
def test_neither_is_an_error_of_ours(kind) -> None:
    """Code that handles the errors of this package does not catch them; they have a name that can be imported."""
    assert not issubclass(kind, SpoolRunnerError)
    assert str(kind()) == ""
    copied = pickle.loads(pickle.dumps(kind("why")))
    assert (type(copied), str(copied)) == (kind, "why")
