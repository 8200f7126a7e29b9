"""The schedules of a spool at the desk: what is known of each, and running, pausing and resuming one."""

from __future__ import annotations

import json
import os

import pytest

from spoolrunner.client import schedules
from spoolrunner.client.settings import settings_in_force
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests, schedule_notes
from spoolrunner.spool.schedule_notes import Note, Skip

NOW = 1_800_000_000
"""2027-01-15T08:00:00Z"""
GIVEN = {
    "hourly": {"every": "1h", "job": "app.Report", "method": "build", "params": [1]},
    "nightly": {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "job": "app.Report", "method": "send"},
}
TIMING = "every 3600 s"
JOB = "hourly.20270115T080000Z"


@pytest.fixture
def settings(home):
    home(schedules=GIVEN)
    return settings_in_force()


def note(settings, *fields) -> None:
    schedule_notes.write(settings.layout, "hourly", Note(TIMING, *fields), fsync=False)


def test_schedules_of_which_nothing_happened_yet(settings) -> None:
    """Before a dispatcher has seen it a schedule has its words and its next three times, in its own zone."""
    hourly, nightly = schedules.schedules(settings)
    assert hourly.words == "every hour"
    assert hourly.next == ["2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z", "2027-01-15T11:00:00Z"]
    assert nightly.words == "At 03:00 every day, Europe/Berlin"
    assert nightly.next == ["2027-01-16T03:00:00+01:00", "2027-01-17T03:00:00+01:00", "2027-01-18T03:00:00+01:00"]
    for one in (hourly, nightly):
        assert (one.last_slot, one.last_job, one.last_state, one.skipped, one.problem) == (None, None, None, [], "")
        assert not one.paused


@pytest.mark.parametrize(
    ("state", "attempts", "outcome"),
    [
        (State.PENDING, [], None),
        (State.RUNNING, [], None),
        (State.DONE, [{"number": 1, "outcome": "succeeded", "verdict": "done"}], "succeeded"),
        (State.FAILED, [{"number": 1, "outcome": "timed_out", "verdict": "failed"}], "timed_out"),
    ],
)
def test_what_became_of_the_last_job(settings, drop, state, attempts, outcome) -> None:
    """The last job is looked for wherever it lies, with the outcome so far."""
    note(settings, NOW, NOW, JOB)
    drop(state, JOB, {"attempts": attempts} if attempts else None)
    found = schedules.schedules(settings)[0]
    assert (found.last_slot, found.last_job) == ("2027-01-15T08:00:00Z", JOB)
    assert (found.last_state, found.last_outcome) == (state.value, outcome)


def test_a_last_job_that_was_pruned(settings) -> None:
    """A last job that lies nowhere any more is said to be removed."""
    note(settings, NOW, NOW, JOB)
    found = schedules.schedules(settings)[0]
    assert (found.last_state, found.last_outcome) == ("removed", None)


def test_the_last_skips(settings) -> None:
    """The last slots that were skipped are there with the reason."""
    note(settings, NOW, None, None, (Skip(NOW - 3600, NOW, "the schedule is paused"),))
    assert schedules.schedules(settings)[0].skipped == [
        {"first": "2027-01-15T07:00:00Z", "last": "2027-01-15T08:00:00Z", "why": "the schedule is paused"}
    ]


def test_slots_that_were_dealt_with_do_not_come_again(settings) -> None:
    """With a clock that was set back the next slots are those after the noted one, as for the dispatcher."""
    note(settings, NOW + 7200)
    assert schedules.schedules(settings)[0].next[0] == "2027-01-15T11:00:00Z"
    schedule_notes.write(settings.layout, "hourly", Note("every 5 s", NOW + 7200), fsync=False)
    assert schedules.schedules(settings)[0].next[0] == "2027-01-15T09:00:00Z"


def test_a_note_that_cannot_be_read(settings) -> None:
    """A note that cannot be read hides no schedule; the problem is named with the file."""
    os.makedirs(settings.layout.schedule("hourly"))
    found = schedules.schedules(settings)[0]
    assert found.problem.startswith(settings.layout.schedule("hourly"))
    assert len(found.next) == 3


def test_run_is_no_slot(settings, spool) -> None:
    """Running a schedule publishes a job with an id of the usual kind, and leaves the note as it is."""
    note(settings, NOW)
    job = schedules.run(settings, "hourly")
    raw = json.loads(spool.read(State.PENDING, job.id).data)
    assert (raw["job"], raw["method"], raw["params"], raw["meta"]) == (
        "app.Report",
        "build",
        [1],
        {"schedule": "hourly"},
    )
    assert not job.id.startswith("hourly")
    assert schedule_notes.read(settings.layout, "hourly") == Note(TIMING, NOW)


def test_pause_and_resume(settings) -> None:
    """Pausing makes a file in control/, resuming removes it; both answer with its path."""
    path = settings.layout.pause_schedule("hourly")
    assert schedules.pause(settings, "hourly") == path
    assert schedules.pause(settings, "hourly") == path
    assert requests.is_schedule_paused(settings.layout, "hourly")
    assert schedules.schedules(settings)[0].paused
    assert schedules.resume(settings, "hourly") == path
    assert schedules.resume(settings, "hourly") is None
    assert not schedules.schedules(settings)[0].paused


@pytest.mark.parametrize("act", [schedules.run, schedules.pause, schedules.resume])
def test_a_schedule_that_there_is_not(settings, act) -> None:
    """A name that is none is refused, with the most similar one, and nothing is made."""
    with pytest.raises(JobFormatError, match="has no schedule 'nightli' \\(did you mean 'nightly'\\?\\)"):
        act(settings, "nightli")
    assert os.listdir(settings.layout.control) == os.listdir(settings.layout.pending) == []
