"""The spool as a whole, with and without a dispatcher."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.client import overview as module
from spoolrunner.client.overview import dispatcher_of, is_paused, overview
from spoolrunner.dispatch.holder import busy
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests
from spoolrunner.spool.dispatcher_lock import DispatcherLock
from spoolrunner.system import machine, processes


def test_without_a_dispatcher(spool, drop) -> None:
    """What only a dispatcher knows is left out while none runs, even if an old status.json says so."""
    for state, name in [(State.PENDING, "a"), (State.PENDING, "b"), (State.DONE, "c")]:
        drop(state, name)
    with open(spool.layout.status, "w", encoding="ascii") as stream:
        json.dump({"state": "running", "due": 5, "running": [{"id": "x"}]}, stream)
    found = overview(spool.layout)
    assert found.counts == {"pending": 2, "running": 0, "done": 1, "failed": 0}
    assert (found.dispatcher, found.due, found.running, found.trouble) == (None, None, [], [])
    assert dispatcher_of(spool.layout) is None


def test_with_a_dispatcher(spool, drop, monkeypatch) -> None:
    """With a dispatcher its word counts, and each running job comes with its progress.

    How many run is what lies in running/ at this moment, in the count and in the list, whatever was told a second ago.
    """
    drop(State.RUNNING, "x")
    drop(State.RUNNING, "y", b"torn")
    drop(State.PENDING, "z")
    monkeypatch.setattr(module, "dispatcher_of", lambda layout: {"pid": 5, "host": "h", "since": "then"})
    assert (overview(spool.layout).dispatcher or {})["state"] == "starting"
    with open(spool.layout.status, "w", encoding="ascii") as stream:
        told = [{"id": name, "job": "a.B", "method": "c", "started_at": "then"} for name in ("gone", "x")]
        status = {"state": "running", "due": 5, "running": told, "trouble": ["disk full"], "updated_at": "now"}
        json.dump(status, stream)
    with open(spool.layout.progress("x"), "wb") as stream:
        stream.write(b'{"fraction": 1}')
    found = overview(spool.layout)
    assert found.dispatcher == {"pid": 5, "host": "h", "since": "then", "state": "running"}
    assert (found.due, found.trouble, found.told_at) == (1, ["disk full"], "now")
    assert found.counts["running"] == len(found.running) == 2
    assert found.running[0] == {**told[1], "progress": {"fraction": 1}}
    unknown = {"job": "", "method": "", "attempt": None, "started_at": None, "progress": None}
    assert found.running[1] == {"id": "y", **unknown}


@pytest.mark.parametrize(
    "status",
    [
        5,
        {"running": 5, "due": "x", "postponed": {}, "trouble": "x", "updated_at": 7, "state": None},
        {"running": [5, {}, {"id": 5}], "postponed": [None, {"id": "x"}], "trouble": [5, None], "totals": []},
    ],
)
def test_a_status_file_of_another_shape(spool, drop, monkeypatch, status) -> None:
    """What is in status.json that we do not write counts as not told."""
    monkeypatch.setattr(module, "dispatcher_of", lambda layout: {"pid": 5, "host": "h", "since": "then"})
    drop(State.PENDING, "x")
    with open(spool.layout.status, "w", encoding="ascii") as stream:
        json.dump(status, stream)
    found = overview(spool.layout)
    assert (found.due, found.running, found.postponed, found.trouble) == (None, [], [], [])
    assert (found.dispatcher or {})["state"] == "starting"


@pytest.mark.parametrize("held", [{}, {"boot": "b"}, {"pid": "x", "start": "y"}, {"pid": 5}, {"pid": 5, "start": None}])
def test_a_holder_that_has_not_said_who_it_is(spool, held) -> None:
    """What stands in dispatcher.lock before its holder has written about itself is no dispatcher, and no error."""
    with open(spool.layout.dispatcher_lock, "w", encoding="ascii") as stream:
        stream.write("\0" + json.dumps(held))
    assert dispatcher_of(spool.layout) is None
    assert isinstance(str(busy(spool.layout)), str)


def test_strays_are_named(spool, drop) -> None:
    """What lies in a folder of jobs and is no job by its name is named in the overview."""
    with open(os.path.join(spool.layout.pending, "X.JSON"), "wb"):
        pass
    assert overview(spool.layout).strays == ["pending/X.JSON is no job: the ending must be .json, in small letters"]


@pytest.mark.parametrize("said", [{}, {"pid": 1, "host": "box", "since": "then", "namespace": "another"}])
def test_a_dispatcher_is_who_holds_the_lock(spool, said) -> None:
    """Whoever holds the lock serves the spool, in whatever namespace its pid counts, and though it has said nothing yet."""
    lock = DispatcherLock(spool.layout.dispatcher_lock)
    assert lock.acquire(said)
    assert dispatcher_of(spool.layout) == {"pid": None, "host": "", "since": "", **said}
    lock.forsake()
    assert dispatcher_of(spool.layout) is None


def test_a_dispatcher_that_was_copied_serves_nothing(spool) -> None:
    """A lock file that names a process which lives, but is not locked, is that of a copy."""
    with open(spool.layout.dispatcher_lock, "w", encoding="ascii") as stream:
        start = processes.started(os.getpid(), machine.boot_id())
        stream.write("\0" + json.dumps({"pid": os.getpid(), "start": start, "host": machine.host(), "since": "then"}))
    assert dispatcher_of(spool.layout) is None


def test_paused(spool) -> None:
    """A spool is paused while control/pause lies there."""
    assert is_paused(spool.layout) is overview(spool.layout).paused is False
    requests.pause(spool.layout)
    assert is_paused(spool.layout) is overview(spool.layout).paused is True
    os.unlink(spool.layout.pause)
    assert is_paused(spool.layout) is False
