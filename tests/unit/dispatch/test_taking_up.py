"""Before the work begins, or goes on: the folders are made sure of, and what lies in running/ is taken up."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from spoolrunner.dispatch.taking_up import recover, stand
from spoolrunner.protocol.states import State
from spoolrunner.telling.logfiles import LogFiles
from spoolrunner.telling.recovered import SecondNameRemoved


@pytest.mark.parametrize("is_ours", [True, False])
def test_what_runs_in_a_spool_that_was_removed_is_forgotten(rooms, begin, is_ours) -> None:
    """Where another spool lies now nothing of it can be settled; in ours it is watched over as before."""
    begin("x")
    stand(rooms, SimpleNamespace(restore=lambda: is_ours), LogFiles(rooms.spool.layout, 1 << 20))
    assert ("x" in rooms.running) is is_ours


def test_a_spool_that_cannot_be_written(rooms, monkeypatch) -> None:
    """The error of the trial is raised."""
    monkeypatch.setattr(type(rooms.spool), "can_write", lambda _: OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        stand(rooms, SimpleNamespace(restore=lambda: True), LogFiles(rooms.spool.layout, 1 << 20))


@pytest.mark.parametrize("has_vouched", [True, False])
def test_second_names_are_looked_for_after_a_power_cut_alone(rooms, drop, places, events, has_vouched) -> None:
    """Two names of one file are one job; none comes about while this dispatcher has the spool. It vouches at the end."""
    os.link(drop(State.PENDING, "x"), rooms.spool.layout.running("x"))
    vouched = []
    forgotten = []
    holder = SimpleNamespace(has_vouched=has_vouched, vouch=lambda: vouched.append(places()))
    recover(rooms, holder, lambda: forgotten.append(len(vouched)))
    assert forgotten == [0]
    assert (SecondNameRemoved in {type(event) for event in events}) is not has_vouched
    assert len(vouched) == 1
