"""An attempt that runs: what it holds, and what is known of its end. test_running has what is done to it."""

from __future__ import annotations

from spoolrunner.dispatch.running_attempt import LET_GO_SECONDS, Clearing, RunningAttempt, Termination
from spoolrunner.executors.base import AttemptKey
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import Outcome


def attempt(**fields) -> RunningAttempt:
    policy = fields.pop("policy", Policy())
    return RunningAttempt(AttemptKey("x", 2), "app.Report", "build", policy, 9.0, 1.0, "then", 4, **fields)


def test_what_it_holds() -> None:
    """It holds the key of its method and, if it is in a group, that of the group."""
    assert attempt().holds == (("method", "app.Report", "build"),)
    assert attempt(policy=Policy(group="mail")).holds == (("method", "app.Report", "build"), ("group", "mail"))


def test_who() -> None:
    """It is named for events, and one without a file that was looked at is adopted."""
    assert attempt().who == ("x", "app.Report", "build", 2, 4)
    assert attempt().adopted


def test_is_being_ended() -> None:
    """It is being ended when it was told so, or when what it left is."""
    assert not attempt().is_being_ended
    assert attempt(termination=Termination(Outcome.CANCELLED, "", 0.0, 1.0)).is_being_ended
    assert attempt(clearing=Clearing(1.0)).is_being_ended


def test_is_held_too_long() -> None:
    """Its lock may outlive its process for a moment, counted from when that was first seen."""
    held = attempt()
    assert not held.is_held_too_long(5.0)
    assert not held.is_held_too_long(5.0 + LET_GO_SECONDS / 2)
    assert held.is_held_too_long(5.0 + LET_GO_SECONDS)
