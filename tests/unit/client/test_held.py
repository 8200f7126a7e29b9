"""Why a waiting job is held up by others, by the files and by what the dispatcher says."""

from __future__ import annotations

import pytest

from spoolrunner.client.held import reasons
from spoolrunner.protocol import document
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests

METHOD = "app.Report.build"


@pytest.fixture
def why(spool, drop):
    """Let a job wait, and ask why."""

    def ask(said: dict | None = None, group: str | None = None, **fields) -> list[str]:
        drop(State.PENDING, "x", fields)
        checked, _ = document.parse(spool.read(State.PENDING, "x").data)
        return list(reasons(spool.layout, "x", checked, group or checked.group, said or {}))

    return ask


def test_nothing(why) -> None:
    """A job that waits for nobody is held up by nobody."""
    assert why() == []


def test_pauses(why, spool) -> None:
    """Its own method and group are named, and no other, with how to go on."""
    for what in (METHOD, "group-mail", "group-other", "app.Report.send"):
        requests.pause_part(spool.layout, what)
    assert why() == [
        f"its method is paused: {spool.layout.pause_of(METHOD)} exists; `spoolrunner resume {METHOD}` goes on"
    ]
    assert why(group="mail")[1] == (
        f"its group is paused: {spool.layout.pause_of('group-mail')} exists; `spoolrunner resume --group mail` goes on"
    )


def test_dependencies(why, drop) -> None:
    """Those that are under way, failed and nowhere are named apart; those that are done are not."""
    drop(State.DONE, "a")
    drop(State.RUNNING, "b")
    drop(State.FAILED, "c")
    assert why(after=["a"]) == []
    assert why(after=["a", "b", "c", "d"]) == [
        "it waits for b, not over yet",
        "it waits for c, which failed: it will fail as dependency_failed",
        (
            "it waits for d, in no folder of the spool; unless the dispatcher has seen it done, only "
            "`spoolrunner retry --without-after x` lets it start"
        ),
    ]
    assert why(after={"jobs": ["c"], "when": "ended"}) == []


def test_many(why, drop) -> None:
    """Of many the first are named."""
    for number in range(7):
        drop(State.PENDING, f"a{number}")
    assert why(after=[f"a{number}" for number in range(7)]) == [
        "it waits for a0, a1, a2, a3, a4 and 2 more, not over yet"
    ]


def test_a_circle(why, drop) -> None:
    """A circle that was made by hand is named, in the order in which each waits for the next."""
    drop(State.PENDING, "a", {"after": ["b"]})
    drop(State.PENDING, "b", {"after": ["x"]})
    (sentence,) = why(after=["a"])
    assert "each waits for the next one: x -> a -> b -> x; `spoolrunner retry --without-after ID`" in sentence
    assert "x -> x" in why(after=["x"])[0]


def test_one_that_has_started(why) -> None:
    """A job that has started waits for nobody."""
    assert why(after=["gone"], attempts=[{"number": 1, "outcome": "failed", "verdict": "retry"}]) == []


def test_limits(why) -> None:
    """The limit that is reached is told as the dispatcher says it, if it is one of this job's."""
    held = [
        {"by": "group", "name": "mail", "why": "busy", "until": None},
        {"by": "rate", "name": "mail", "why": "too often", "until": "then"},
        {"by": "group", "name": "other", "why": "no"},
        {"by": "method", "name": METHOD, "why": "as often as it may"},
        {"by": "after", "name": "", "why": "no"},
        {"by": "pause", "name": METHOD, "why": "no"},
    ]
    assert why({"held": held}) == ["as often as it may"]
    assert why({"held": held}, group="mail") == [
        "busy (group mail)",
        "too often (group mail), until then",
        "as often as it may",
    ]
