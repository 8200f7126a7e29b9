"""The slots of a schedule around now, and what became of them."""

from __future__ import annotations

import json
import os

from spoolrunner.client.settings import settings_in_force
from spoolrunner.client.slots_around import MOST, slots_around
from spoolrunner.protocol.slots import slot_id, slot_time
from spoolrunner.protocol.states import State

HOUR = 3600


def test_what_became_of_each(home, spool, drop, clock) -> None:
    """A slot stands as the folder in which its job lies, as skipped, as to come; one that left nothing is unknown."""
    home(schedules={"s": {"every": "1h", "job": "app.Report", "method": "build"}})
    now = int(clock.wall())  # a full hour
    drop(State.DONE, slot_id("s", now - 2 * HOUR))
    drop(State.RUNNING, slot_id("s", now))
    os.makedirs(spool.layout.schedules)
    skip = {"first": slot_time(now - HOUR), "last": slot_time(now - HOUR), "why": "x"}
    raw = {"timing": "every 3600 s", "until": slot_time(now), "slot": None, "job": None, "skipped": [skip]}
    with open(spool.layout.schedule("s"), "w", encoding="ascii") as stream:
        json.dump(raw, stream)
    found = slots_around(settings_in_force(), "s", now - 3.5 * HOUR, now + 2.5 * HOUR)
    assert [(slot.at - now, slot.stands) for slot in found] == [
        (-3 * HOUR, ""),
        (-2 * HOUR, "done"),
        (-HOUR, "skipped"),
        (0, "running"),
        (HOUR, "pending"),
        (2 * HOUR, "pending"),
    ]


def test_very_many_slots_and_a_torn_note(home, spool, clock) -> None:
    """Only so many slots are returned, those next to now; a note that cannot be read tells nothing, and breaks nothing."""
    home(schedules={"s": {"every": "1m", "job": "app.Report", "method": "build"}})
    os.makedirs(spool.layout.schedules)
    with open(spool.layout.schedule("s"), "w", encoding="ascii") as stream:
        stream.write("torn")
    now = clock.wall()
    found = slots_around(settings_in_force(), "s", now - 86400, now + 86400)
    assert len(found) == 2 * MOST
    assert (found[0].at, found[-1].at) == (now - 60 * (MOST - 1), now + 60 * MOST)
