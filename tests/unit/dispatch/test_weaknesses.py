"""What weakens the promise: said once when it is found, and kept in mind for as long as it is so."""

from __future__ import annotations

from spoolrunner.dispatch.weaknesses import Weaknesses
from spoolrunner.system import durable
from spoolrunner.telling.events import Weakness

NOW = 5_000.0


def test_folders_without_exclusive_renames_are_reported_once(events, monkeypatch) -> None:
    """Where only a check guards a rename, an operator is told so, once, in the log and in status.json."""
    chore = Weaknesses(lambda _: [], events.append)
    chore.work(NOW)
    monkeypatch.setattr(durable, "_unchecked", {"/spool/done"})
    chore.work(NOW)
    chore.work(NOW)
    assert [event.what for event in events] == chore.sentences
    assert len(events) == 1
    assert events[0].what.startswith("/spool/done: ")


def test_an_installation_is_looked_at_again(config, events) -> None:
    """With another configuration what is new is reported, what is over is forgotten, and what was met with stays."""
    found = ["a", "b"]
    made = Weaknesses(lambda _: list(found), events.append)
    made.look(config())
    made.add("met")
    found[:] = ["b", "c"]
    made.look(config())
    assert events == [Weakness("a"), Weakness("b"), Weakness("met"), Weakness("c")]
    assert made.sentences == ["b", "c", "met"]
