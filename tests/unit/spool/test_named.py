"""Which names waiting jobs wait for."""

from __future__ import annotations

import json

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool.named import is_named, named_by_waiting, names_in, names_of

LEAST = {"job": "app.Report", "method": "build"}
ATTEMPT = {"number": 1, "outcome": "failed", "verdict": "retry"}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, []),
        ({"params": ["after"]}, []),
        ({"after": ["a", "b~2"]}, ["a", "b~2"]),
        ({"after": {"jobs": ["a"], "when": "ended"}}, ["a"]),
        ({"after": ["a"], "attempts": [ATTEMPT]}, []),
        ({"after": 5}, []),
    ],
)
def test_names_in(fields, names) -> None:
    """A waiting job names what it waits for; one that has started, or that is no job, names nothing."""
    assert names_in(json.dumps({**LEAST, **fields}).encode()) == names


def test_names_of_files(spool, drop) -> None:
    """All that wait are asked; one that cannot be read, or is gone, names nothing."""
    drop(State.PENDING, "x", {"after": ["a"]})
    drop(State.PENDING, "y", {"after": {"jobs": ["b"]}})
    drop(State.PENDING, "torn", b'{"after"')
    drop(State.FAILED, "z", {"after": ["c"]})
    assert named_by_waiting(spool) == {"a", "b"}
    assert names_of(spool, "gone") == []


def test_is_named() -> None:
    """A job that had to take another name is meant by its id, too."""
    assert [is_named(name, frozenset({"a", "b~2"})) for name in ("a", "a~2", "b", "b~2", "b~3")] == [
        True,
        True,
        False,
        True,
        False,
    ]
