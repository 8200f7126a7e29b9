"""What a producer gives as `after`: jobs or ids, none that is nowhere, and no circle."""

from __future__ import annotations

import pytest

from spoolrunner.client.after import as_written, check, names
from spoolrunner.client.job import Job
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("a", ["a"]),
        (Job("a", "/spool"), ["a"]),
        ([Job("a", "/spool"), "b"], ["a", "b"]),
        ((name for name in "ab"), ["a", "b"]),
        ([], []),
        ({"jobs": ["a", Job("b", "/spool")], "when": "ended"}, {"jobs": ["a", "b"], "when": "ended"}),
        ({"jobs": "a"}, {"jobs": ["a"]}),
        ({"when": "ended"}, {"when": "ended"}),
    ],
)
def test_as_written(given, written) -> None:
    """Jobs become ids, one of them a list; what is missing is for the check of the document to name."""
    assert as_written(given, "/spool") == written
    assert names(["a"]) == names({"jobs": ["a"]}) == ["a"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (5, "after: int is no job: give jobs, or their ids"),
        (b"a", "after: bytes is no job"),
        ([5], r"after\[0\]: int is no job"),
        (["a", "a/b"], r"after\[1\]: 'a/b' is no id"),
        ([Job("a", "/other")], r"after\[0\]: job 'a' is of another spool, /other"),
    ],
)
def test_what_is_no_job(given, told) -> None:
    """What cannot be waited for is refused with its place."""
    with pytest.raises(JobFormatError, match=told):
        as_written(given, "/spool")


@pytest.mark.parametrize("state", State)
def test_where_it_may_lie(spool, drop, state) -> None:
    """A job may wait for one in any folder, or that is published just before it."""
    drop(state, "a")
    check(spool, "x", ["a", "b"], {"b": []})


def test_nowhere(spool) -> None:
    """A job that is nowhere is refused with what to do."""
    with pytest.raises(JobFormatError, match="after: 'a' lies in no folder of the spool: enqueue it first"):
        check(spool, "x", ["a"], {})


def test_where_we_may_not_look(spool, monkeypatch) -> None:
    """A producer who is let into pending/ alone cannot know, and is believed."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(spool, "exists", refuse)
    check(spool, "x", ["a"], {})


def test_itself(spool, drop) -> None:
    """A job cannot wait for itself, also where an earlier one of its id is done."""
    drop(State.DONE, "x")
    with pytest.raises(JobFormatError, match="'x' is this job itself"):
        check(spool, "x", ["x"], {})


def test_a_circle(spool, drop) -> None:
    """Where ids are used again a circle could come about: it is named."""
    drop(State.DONE, "x")
    drop(State.PENDING, "a", {"after": ["b", "c"]})
    drop(State.PENDING, "b", {"after": ["x"]})
    drop(State.DONE, "c")
    with pytest.raises(JobFormatError, match="a circle, in which each waits for the next one: x -> a -> b -> x"):
        check(spool, "x", ["c", "a"], {})
