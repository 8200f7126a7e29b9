"""When control/ is looked at."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from spoolrunner.dispatch.obeying import PERIOD, Obeying
from spoolrunner.dispatch.phases import Phase


@pytest.fixture
def parts() -> SimpleNamespace:
    looks: list[Phase] = []
    control = SimpleNamespace(is_due=True, obey=looks.append)
    cancelling = SimpleNamespace(left=frozenset(), due_in=float("inf"), next_in=lambda now: cancelling.due_in)
    return SimpleNamespace(control=control, cancelling=cancelling, scan=SimpleNamespace(done=0), looks=looks, checks=[])


@pytest.fixture
def obeying(parts) -> Obeying:
    check = lambda: parts.checks.append(1)  # noqa: E731 -- as short as it can be
    return Obeying(parts.control, parts.cancelling, parts.scan, lambda: Phase.SERVING, check)


def test_an_event(obeying, parts) -> None:
    """What may have happened there is looked at now, behind a look at the spool itself."""
    assert obeying.next_in(0.0) == 0.0
    obeying.work(0.0)
    assert (parts.looks, len(parts.checks)) == ([Phase.SERVING], 1)


def test_nothing(obeying, parts) -> None:
    """Without anything new it is not looked at."""
    parts.control.is_due = False
    obeying.work(0.0)
    assert (parts.looks, obeying.next_in(0.0)) == ([], float("inf"))


def test_a_scan(obeying, parts) -> None:
    """After each scan it is looked at once: an event may have been lost."""
    parts.control.is_due = False
    parts.scan.done = 1
    obeying.work(0.0)
    obeying.work(0.0)
    assert len(parts.looks) == 1


def test_a_cancel_that_was_put_off(obeying, parts) -> None:
    """Its time is waited for, and it comes before the next start."""
    parts.control.is_due = False
    parts.cancelling.due_in = 0.5
    assert (obeying.next_in(0.0), obeying.is_due(0.0)) == (0.5, False)
    parts.cancelling.due_in = 0.0
    assert obeying.is_due(0.5)


def test_cancels_that_were_not_come_to(obeying, parts) -> None:
    """They are gone on with in each turn, and hold up no start."""
    parts.control.is_due, parts.cancelling.left, parts.cancelling.due_in = False, frozenset({"x"}), 0.0
    assert (obeying.next_in(0.0), obeying.is_due(0.0)) == (0.0, False)
    obeying.work(0.0)
    assert len(parts.looks) == 1


def test_while_blocked(obeying, parts) -> None:
    """Once a second, without a look at the spool: what is asked for may be the end."""
    assert obeying.next_while_blocked(10.0) == 0.0
    obeying.work_while_blocked(10.0)
    obeying.work_while_blocked(10.0)
    assert (len(parts.looks), obeying.next_while_blocked(10.0), parts.checks) == (1, PERIOD, [])
