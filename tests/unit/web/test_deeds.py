"""What is done with many files: counted first, in a thread of its own, and said as it stands."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from spoolrunner.client import bulk
from spoolrunner.protocol.states import State
from spoolrunner.web import deeds as deeds_module
from spoolrunner.web.chosen import asked
from spoolrunner.web.deeds import MOST, Deed, Deeds, Step
from spoolrunner.web.forms import Form

PATIENCE = 30.0


@pytest.fixture
def made(desk):
    return desk()


def deed(made, verb: str, folder: State, told: Callable[[int], str] = lambda _: "", **fields: str) -> Deed:
    wish = asked(verb, folder, Form(list(fields.items())), made.clock.wall())
    return Deed(wish, told, may_read=True)


def lies(spool, state: State) -> list[str]:
    return sorted(name.removesuffix(".json") for name in os.listdir(spool.layout.folder(state)))


def test_retry(made, drop, spool) -> None:
    """Files that were counted are moved, and how many is told."""
    for name in "abc":
        drop(State.FAILED, name)
    told: list[int] = []
    over = threading.Event()
    one = deed(made, "retry", State.FAILED, lambda count: told.append(count) or "", count="3")
    assert Deeds(over.set).begin(one, made, PATIENCE)
    assert over.wait(PATIENCE)
    assert (one.step, told, lies(spool, State.PENDING)) == (Step.OVER, [3], ["a", "b", "c"])
    assert one.note().text == "3 files moved from failed/ to pending/."
    assert (one.note().command, one.note().is_refusal) == ("spoolrunner retry --all", False)


@pytest.mark.parametrize("count", ["2", "4", ""])
def test_another_number(made, drop, spool, count) -> None:
    """If another number matches than the page has shown, or it has shown none, nothing is touched and it is asked."""
    for name in "abc":
        drop(State.FAILED, name)
    told: list[int] = []
    one = deed(made, "discard", State.FAILED, lambda count: told.append(count) or "", count=count)
    Deeds().begin(one, made, PATIENCE)
    assert (one.step, told, lies(spool, State.FAILED)) == (Step.ASKING, [], ["a", "b", "c"])
    assert one.found is not None
    assert one.found.total == 3
    assert one.note().is_refusal


def test_one_that_cannot_be_moved(made, drop, spool) -> None:
    """A file whose name is taken is named and keeps nothing else away."""
    drop(State.FAILED, "a")
    drop(State.FAILED, "b")
    drop(State.PENDING, "a")
    one = deed(made, "retry", State.FAILED, count="2")
    Deeds().begin(one, made, PATIENCE)
    assert (lies(spool, State.FAILED), lies(spool, State.PENDING)) == (["a"], ["a", "b"])
    assert one.note().text.startswith(
        "1 file moved from failed/ to pending/. Not touched: a: pending/ has a file of this id"
    )
    assert one.note().is_refusal


def test_a_log_that_is_full(made, drop) -> None:
    """What was done is done also when nobody can write down who did it, and that is said."""
    drop(State.FAILED, "a")
    one = deed(made, "retry", State.FAILED, lambda _: "the log cannot be written: No space left", count="1")
    Deeds().begin(one, made, PATIENCE)
    assert one.note().text == "1 file moved from failed/ to pending/. The log cannot be written: No space left."


def test_discard_and_cancel(made, drop, spool) -> None:
    """A discard removes; a cancel without a dispatcher leaves a request for each."""
    drop(State.DONE, "a")
    drop(State.PENDING, "b")
    Deeds().begin(deed(made, "discard", State.DONE, count="1"), made, PATIENCE)
    one = deed(made, "cancel", State.PENDING, count="1")
    Deeds().begin(one, made, PATIENCE)
    assert (lies(spool, State.DONE), os.listdir(spool.layout.control)) == ([], ["cancel-b"])
    assert one.note().text == "1 file asked to be cancelled."


def test_an_error(made, drop, monkeypatch) -> None:
    """What ends it is said, and what was done before stands."""
    drop(State.FAILED, "a")

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bulk, "retry", broken)
    one = deed(made, "retry", State.FAILED, count="1")
    Deeds().begin(one, made, PATIENCE)
    assert one.note().text == "Nothing was touched. It ended by an error: [Errno 28] No space left on device."
    assert one.note().is_refusal


def test_one_that_takes_long(made, drop, monkeypatch) -> None:
    """A request does not wait for ever; the note says how far it is; no more than MOST are under way."""
    drop(State.FAILED, "a")
    go, begun = threading.Event(), threading.Event()

    def slow(_config, jobs):
        yield jobs[0].name, None
        begun.set()
        assert go.wait(PATIENCE)

    monkeypatch.setitem(deeds_module._DO, "retry", slow)
    deeds = Deeds()
    first = deed(made, "retry", State.FAILED, count="1")
    assert deeds.begin(first, made, 0.0)
    assert begun.wait(PATIENCE)
    assert first.note().text == "1 of 1 file moved to pending/ so far; it goes on by itself."
    others = [deed(made, "retry", State.FAILED, count="1") for _ in range(MOST)]
    assert [deeds.begin(one, made, 0.0) for one in others] == [True] * (MOST - 1) + [False]
    go.set()
    assert all(one.settled.wait(PATIENCE) for one in [first, *others[:-1]])
    assert first.note().text == "1 file moved from failed/ to pending/."
