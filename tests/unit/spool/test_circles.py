"""Jobs that wait for each other."""

from __future__ import annotations

import json

from spoolrunner.protocol.states import State
from spoolrunner.spool.circles import find


def test_none(spool, drop) -> None:
    """Where each waits for another one there is no circle, whatever they have in common."""
    drop(State.PENDING, "a", {"after": ["c"]})
    drop(State.PENDING, "b", {"after": ["c", "a"]})
    assert find(spool, "x", ["a", "b"]) == []


def test_a_circle_in_a_batch(spool, drop) -> None:
    """A circle is seen through the jobs that are published with it."""
    drop(State.DONE, "x")
    assert find(spool, "x", ["b"], {"a": ["x"], "b": ["a"]}) == ["x", "b", "a", "x"]


def test_of_one_that_has_started(spool, drop) -> None:
    """What has started waits for nobody: there is no circle through it."""
    attempt = {"number": 1, "outcome": "failed", "verdict": "retry"}
    drop(State.PENDING, "a", json.dumps({"job": "a", "method": "b", "after": ["x"], "attempts": [attempt]}).encode())
    assert find(spool, "x", ["a"]) == []
