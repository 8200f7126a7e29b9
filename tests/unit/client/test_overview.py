"""The spool as a whole, with and without a dispatcher."""

from __future__ import annotations

import json
import os

from spoolrunner.client import overview as module
from spoolrunner.client.overview import dispatcher_of, is_paused, overview
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests


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


def test_with_a_dispatcher(spool, monkeypatch) -> None:
    """With a dispatcher its word counts, and each running job comes with its progress."""
    monkeypatch.setattr(module, "dispatcher_of", lambda layout: {"pid": 5, "host": "h", "since": "then"})
    assert (overview(spool.layout).dispatcher or {})["state"] == "starting"
    with open(spool.layout.status, "w", encoding="ascii") as stream:
        json.dump({"state": "running", "due": 5, "running": [{"id": "x"}], "trouble": ["disk full"]}, stream)
    with open(spool.layout.progress("x"), "wb") as stream:
        stream.write(b'{"fraction": 1}')
    found = overview(spool.layout)
    assert found.dispatcher == {"pid": 5, "host": "h", "since": "then", "state": "running"}
    assert (found.due, found.trouble, found.running) == (5, ["disk full"], [{"id": "x", "progress": {"fraction": 1}}])


def test_paused(spool) -> None:
    """A spool is paused while control/pause lies there."""
    assert is_paused(spool.layout) is overview(spool.layout).paused is False
    requests.pause(spool.layout)
    assert is_paused(spool.layout) is overview(spool.layout).paused is True
    os.unlink(spool.layout.pause)
    assert is_paused(spool.layout) is False
