"""The chore of schedules: each slot is published once, or its skip is logged and noted, whatever happens."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from spoolrunner.dispatch import recurring
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.recurring import Recurring
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.protocol import signing
from spoolrunner.protocol.slots import slot_id, slot_time
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests, schedule_notes
from spoolrunner.spool.schedule_notes import Note, Skip
from spoolrunner.system.times import parse_time
from spoolrunner.telling.scheduled import (
    NoteNotUnderstood,
    NoteReadAgain,
    ScheduleAhead,
    ScheduleBegun,
    ScheduleForgotten,
    SlotPublished,
    SlotsSkipped,
)

NOW = 1_800_000_000
"""The clock's first moment, 2027-01-15T08:00:00Z: a slot of every whole hour."""
HOURLY: dict[str, Any] = {"every": "1h", "job": "app.Report", "method": "build", "params": [1]}
SLOT = NOW + 3600
FIRST, SECOND = slot_id("hourly", SLOT), slot_id("hourly", SLOT + 3600)
MISSED = "no dispatcher worked at its time, or the clock was set"
MakeChore = Callable[..., Recurring]


class Desk:
    """A dispatcher's rooms with schedules, of which one is called `hourly`."""

    def __init__(self, furnished: Callable[..., Rooms], events: list, **keys: Any) -> None:
        self.furnished = furnished
        self.events = events
        self.keys = keys
        self.phase = Phase.SERVING
        self.checked = 0
        self.begin()

    def begin(self, **schedules: dict[str, Any]) -> None:
        """A dispatcher begins, or the next one does."""
        given = schedules or {"hourly": {**HOURLY, **self.keys}}
        self.rooms = self.furnished(schedules=given)
        self.chore = Recurring(self.rooms, lambda: self.phase, self._check)
        self.chore.forget_others()

    def reload(self, **schedules: dict[str, Any]) -> None:
        """Another config.json with these schedules, which may be none, comes into force."""
        self.rooms.config.become(self.furnished(schedules=schedules).config)
        self.chore.reconfigure(self.rooms.config)

    def turn(self, seconds: float = 0.0) -> list[Any]:
        """Let time pass and the chore work; returns the events of that."""
        self.rooms.clock.advance(seconds)
        del self.events[:]
        self.chore.work(self.rooms.clock.monotonic())
        return list(self.events)

    def next_in(self) -> float:
        return self.chore.next_in(self.rooms.clock.monotonic())

    def names(self, state: State = State.PENDING) -> list[str]:
        return sorted(self.rooms.spool.names(state))

    def note(self, name: str = "hourly") -> Note | None:
        return schedule_notes.read(self.rooms.spool.layout, name)

    def move(self, job_id: str, state: State) -> None:
        """The job is run, or waits again: its file moves there."""
        layout = self.rooms.spool.layout
        source = next(one for one in State if os.path.exists(layout.job(one, job_id)))
        os.rename(layout.job(source, job_id), layout.job(state, job_id))

    def prune(self, job_id: str) -> None:
        self.move(job_id, State.DONE)
        os.unlink(self.rooms.spool.layout.job(State.DONE, job_id))

    def _check(self) -> None:
        self.checked += 1


@pytest.fixture
def desk(furnished, events) -> Callable[..., Desk]:
    """A desk that has begun, and knows of its schedule; keyword arguments are keys of it."""

    def make(**keys: Any) -> Desk:
        made = Desk(furnished, events, **keys)
        made.turn()
        return made

    return make


# -- a slot at its time


def test_a_slot_is_published_then_noted(desk) -> None:
    """At its time the job of a slot waits, under the id of the slot, and the slot is noted; the next one is an hour later."""
    here = desk()
    assert here.next_in() == 3600
    assert here.turn(3599) == []
    assert here.turn(1) == [SlotPublished(FIRST, "hourly")]
    assert here.names() == [FIRST]
    assert here.note() == Note("every 3600 s", SLOT, SLOT, FIRST)
    assert here.next_in() == 3600
    assert here.turn(1) == []
    assert here.rooms.order.due(here.rooms.clock.wall()) == 1


def test_the_job_file_of_a_slot(desk) -> None:
    """The job file has the job, method and parameters of the schedule; its meta names schedule and slot."""
    here = desk(params={"deep": True})
    here.turn(3600.25)
    raw = json.loads(here.rooms.spool.read(State.PENDING, FIRST).data)
    assert raw == {
        "job": "app.Report",
        "method": "build",
        "params": {"deep": True},
        "meta": {"schedule": "hourly", "slot": slot_time(SLOT)},
        "created_at": "2027-01-15T09:00:00.250000Z",
    }


def test_jitter_puts_the_start_off(desk, monkeypatch) -> None:
    """With jitter the job waits for a random part of it, and is published at its time all the same."""
    monkeypatch.setattr(recurring.random, "random", lambda: 0.5)
    here = desk(jitter="10m")
    here.turn(3600)
    raw = json.loads(here.rooms.spool.read(State.PENDING, FIRST).data)
    assert raw["next_run_at"] == "2027-01-15T09:05:00.000000Z"
    assert here.rooms.order.due(here.rooms.clock.wall()) == 0


def test_with_a_signing_key_it_is_signed(furnished, events, tmp_path) -> None:
    """The dispatcher signs what it publishes, so that it takes it itself."""
    (tmp_path / "key").write_text("ab" * 32)
    rooms = furnished(schedules={"hourly": HOURLY}, signing_key="key")
    chore = Recurring(rooms, lambda: Phase.SERVING, lambda: None)
    chore.work(rooms.clock.monotonic())
    rooms.clock.advance(3600)
    chore.work(rooms.clock.monotonic())
    data = rooms.spool.read(State.PENDING, FIRST).data
    assert signing.problem(rooms.config.signing_key, FIRST, orjson.loads(data), data) is None
    assert rooms.intake.take(FIRST) is not None


def test_nothing_is_published_where_the_spool_is_another(desk) -> None:
    """Before a slot is dealt with it is seen that the spool is still the one that we serve."""
    here = desk()
    here.checked = 0
    here.turn(10)
    assert here.checked == 0
    here.turn(3590)
    assert here.checked == 1


@pytest.mark.parametrize("phase", [Phase.STOPPING, Phase.LEAVING])
def test_a_dispatcher_that_stops_publishes_nothing(desk, phase) -> None:
    """A slot that comes due while the dispatcher stops is left to the next one, and the loop does not spin over it."""
    here = desk()
    here.phase = phase
    assert here.turn(3600) == []
    assert here.names() == []
    assert here.next_in() == float("inf")


def test_without_schedules_there_is_nothing_to_do(service) -> None:
    """A dispatcher without schedules is not woken for them, and makes no folder for their notes."""
    chore, clock = service.recurring, service.rooms.clock
    assert len(chore) == 0
    for _ in range(2):
        assert chore.next_in(clock.monotonic()) == float("inf")
        chore.work(clock.monotonic())
    assert not os.path.exists(service.rooms.spool.layout.schedules)


# -- beginnings


def test_a_new_schedule_begins_with_its_next_slot(furnished, events) -> None:
    """A schedule that is seen for the first time is noted at once, and no slot before that is run."""
    here = Desk(furnished, events)
    here.rooms.clock.advance(10)
    assert here.turn() == [ScheduleBegun("hourly", "new", SLOT)]
    assert here.note() == Note("every 3600 s", NOW + 10)
    assert here.names() == []


def test_a_schedule_with_another_timing_begins_with_its_next_slot(desk) -> None:
    """A schedule whose timing was changed while nobody worked counts from its next slot on; its last job stays known."""
    here = desk()
    here.turn(3600)
    here.rooms.clock.advance(7200)
    here.begin(hourly={**HOURLY, "every": "30m"})
    assert here.turn() == [ScheduleBegun("hourly", "another", SLOT + 9000)]
    assert here.note() == Note("every 1800 s", SLOT + 7200, SLOT, FIRST)


def test_other_parameters_are_no_new_schedule(desk) -> None:
    """What a schedule runs may be changed without its slots being counted anew."""
    here = desk(catch_up="once")
    here.begin(hourly={**HOURLY, "params": [2]})
    assert here.turn(3600) == [SlotPublished(FIRST, "hourly")]


def test_a_schedule_that_was_taken_out_is_forgotten(desk) -> None:
    """The note of a schedule that config.json has no more is removed at the start; one that comes back is new."""
    here = desk(catch_up="once")
    here.turn(3600)
    here.prune(FIRST)
    here.begin(other=HOURLY)
    assert here.events[-1] == ScheduleForgotten("hourly")
    assert here.note() is None
    here.begin()
    assert ScheduleBegun("hourly", "new", SLOT + 3600) in here.turn()
    assert here.names() == []


# -- another config.json comes into force


def test_a_schedule_that_comes_with_another_config_begins(furnished, events) -> None:
    """A schedule that a dispatcher reads while it works counts from its next slot on, and needs no restart."""
    here = Desk(furnished, events)
    here.reload()
    assert here.turn() == []
    assert here.next_in() == float("inf")
    here.reload(hourly=HOURLY)
    assert here.next_in() == 0
    assert here.turn(10) == [ScheduleBegun("hourly", "new", SLOT)]
    assert here.turn(3600) == [SlotPublished(FIRST, "hourly")]


def test_a_schedule_that_goes_is_forgotten_at_once(desk) -> None:
    """The note of a schedule that another config.json has no more is removed, and no slot of it is published."""
    here = desk()
    here.turn(3600)
    here.reload(other=HOURLY)
    events = here.turn()
    assert ScheduleForgotten("hourly") in events
    assert here.note() is None
    here.turn(3600)
    assert here.names() == [FIRST, slot_id("other", SLOT + 3600)]


def test_a_schedule_that_stays_goes_on(desk) -> None:
    """What a schedule has done stays known while its timing is the same: its next slot runs what it says now."""
    here = desk()
    here.turn(3600)
    here.reload(hourly={**HOURLY, "params": [2]})
    assert here.turn() == []
    here.prune(FIRST)
    assert here.turn(3600) == [SlotPublished(SECOND, "hourly")]
    assert orjson.loads(here.rooms.spool.read(State.PENDING, SECOND).data)["params"] == [2]


def test_a_schedule_with_another_timing_begins_anew_at_once(desk) -> None:
    """A schedule whose timing is another counts from its next slot on; its last job stays known."""
    here = desk()
    here.turn(3600)
    here.reload(hourly={**HOURLY, "every": "30m"})
    assert here.turn() == [ScheduleBegun("hourly", "another", SLOT + 1800)]
    assert here.note() == Note("every 1800 s", SLOT, SLOT, FIRST)


@pytest.mark.parametrize("then", [{}, {"hourly": HOURLY}, {"hourly": {**HOURLY, "every": "30m"}}])
def test_a_job_that_was_kept_starts_after_the_change(desk, monkeypatch, then) -> None:
    """A job that was kept until its slot is noted starts once it is, or once its schedule is no more; it is published once."""
    here = desk()
    with monkeypatch.context() as patch:
        refuse(patch)
        here.turn(3600)
        here.reload(**then)
        here.turn()
    here.turn(10)
    assert here.rooms.register.reasons(FIRST, here.rooms.clock.monotonic()) == []
    assert here.rooms.order.due(here.rooms.clock.wall()) == 1
    assert here.names() == [FIRST]


def test_nothing_starts_before_the_changed_schedules_were_gone_through(service, furnished, drop) -> None:
    """With other schedules the first start waits for their notes: the job of a slot may lie there that is not noted."""
    service.open()
    service.turn()
    service.rooms.config.become(furnished(schedules={"hourly": HOURLY}).config)
    service.recurring.reconfigure(service.rooms.config)
    drop(State.PENDING, "x")
    service.rooms.intake.look("x")
    service._start(service.rooms.clock.monotonic())
    assert len(service.rooms.running) == 0
    service.turn()
    assert "x" in service.rooms.running


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b'{"timing": 1, "until": "x"}', b'{"timing": "x", "until": 5}']
)
def test_a_note_that_says_nothing_is_replaced(desk, data) -> None:
    """A note that cannot be understood is named in the log, and the schedule begins anew: better a slot lost than run twice."""
    here = desk(catch_up="once")
    with open(here.rooms.spool.layout.schedule("hourly"), "wb") as stream:
        stream.write(data)
    here.begin()
    told = here.turn(3600)
    assert [type(event) for event in told] == [NoteNotUnderstood, ScheduleBegun]
    assert here.note() == Note("every 3600 s", SLOT)


def test_a_note_that_is_refused_once_is_read_again(desk, monkeypatch) -> None:
    """A note that cannot be opened for a moment is read again at once; one that stays so is replaced."""
    here = desk()
    real, calls = schedule_notes.read, []

    def refused(layout, name: str) -> Note | None:
        calls.append(name)
        if len(calls) == 1:
            raise PermissionError(errno.EACCES, "denied", name)
        return real(layout, name)

    monkeypatch.setattr(schedule_notes, "read", refused)
    here.begin()
    assert [type(event) for event in here.turn(3600)] == [NoteReadAgain, SlotPublished]


# -- after a death


def test_a_job_that_was_published_and_not_noted_is_found(desk) -> None:
    """The dispatcher died between publishing and noting: the next one finds the job, wherever it lies, and notes the slot."""
    for state in State:
        here = desk(catch_up="once")
        before = here.note()
        here.turn(3600)
        job_id = here.note().job
        here.move(job_id, state)
        schedule_notes.write(here.rooms.spool.layout, "hourly", before, fsync=False)
        here.begin()
        assert here.turn() == [SlotPublished(job_id, "hourly", "its job was published before")]
        assert here.note().job == job_id
        assert sum(here.names(one).count(job_id) for one in State) == 1
        here.prune(job_id)


def test_a_job_that_was_published_and_not_noted_is_found_days_later(desk) -> None:
    """It is found also when more slots were missed since; those are skipped, and it is not said to be skipped."""
    here = desk()
    before = here.note()
    here.turn(3600)
    schedule_notes.write(here.rooms.spool.layout, "hourly", before, fsync=False)
    here.begin()
    told = here.turn(3 * 3600 + 1800)
    assert told[0] == SlotPublished(FIRST, "hourly", "its job was published before")
    assert [(event.first, event.last) for event in told[1:]] == [(SLOT + 3600, SLOT + 7200), (SLOT + 10800,) * 2]
    assert here.names() == [FIRST]


def test_what_was_noted_does_not_come_again_when_its_file_is_pruned(desk) -> None:
    """A slot that was run is not run again by the next dispatcher, though its job is in no folder any more."""
    here = desk(catch_up="once")
    here.turn(3600)
    here.prune(FIRST)
    here.begin()
    assert here.turn(60) == []
    assert here.names() == []


def test_a_job_of_that_id_made_by_another_program_counts(desk) -> None:
    """Another program that publishes the id of a slot, an external cron for one, has run the slot."""
    here = desk()
    layout = here.rooms.spool.layout
    with open(layout.job(State.FAILED, FIRST), "wb") as stream:
        stream.write(b"{}")
    assert here.turn(3600) == [SlotPublished(FIRST, "hourly", "its job was published before")]
    assert here.names() == []


# -- slots that were missed


def test_missed_slots_are_skipped_and_said(desk) -> None:
    """After hours without a dispatcher nothing is run with `skip`; the log has every slot, and the note the last skip."""
    here = desk()
    here.begin()
    told = here.turn(5 * 3600 + 600)
    late = f'it was missed by 10 m: {MISSED}; "catch_up" is "skip"'
    last = SLOT + 4 * 3600
    assert told == [
        SlotsSkipped("hourly", SLOT, last - 3600, 4, "a later slot is due by now"),
        SlotsSkipped("hourly", last, last, 1, late),
    ]
    skips = (Skip(SLOT, last - 3600, "a later slot is due by now"), Skip(last, last, late))
    assert here.note() == Note("every 3600 s", last, None, None, skips)
    assert here.names() == []


def test_one_missed_slot_is_caught_up(desk) -> None:
    """With `once` the last of the missed slots is run, if it is not older than `catch_up_within`."""
    here = desk(catch_up="once", catch_up_within="30m")
    here.begin()
    told = here.turn(5 * 3600 + 1800)
    last = SLOT + 4 * 3600
    assert told == [
        SlotsSkipped("hourly", SLOT, last - 3600, 4, "a later slot is due by now"),
        SlotPublished(slot_id("hourly", last), "hourly"),
    ]
    assert here.names() == [slot_id("hourly", last)]
    here.prune(here.names()[0])
    here.begin()
    (told,) = here.turn(3601)
    assert 'that is more than "catch_up_within"' in told.why


def test_a_minute_late_is_on_time(desk) -> None:
    """A restart over the time of a slot does not make it a missed one."""
    here = desk()
    here.begin()
    assert here.turn(3660) == [SlotPublished(FIRST, "hourly")]


def test_a_second_more_is_not(desk) -> None:
    """A slot that is later than that was missed."""
    here = desk()
    here.begin()
    (told,) = here.turn(3661)
    assert isinstance(told, SlotsSkipped)


def test_many_short_slots_make_no_burst(desk) -> None:
    """Of a schedule whose slots follow each other within the minute, only the last of those that are due is run."""
    here = desk(every="10s")
    told = here.turn(45)
    assert [type(event) for event in told] == [SlotsSkipped, SlotPublished]
    assert told[0].number == 3
    assert here.names() == [slot_id("hourly", NOW + 40)]


# -- the clock is set


def test_a_clock_that_is_set_forward_is_a_time_without_a_dispatcher(desk) -> None:
    """The slots that a clock jumped over are skipped, and that is said; the next one comes at its time."""
    here = desk()
    here.rooms.clock.wall_now += 5 * 3600 + 600
    told = here.turn()
    assert [event.why.partition(":")[0] for event in told] == ["a later slot is due by now", "it was missed by 10 m"]
    assert here.turn(3000) == [SlotPublished(slot_id("hourly", NOW + 6 * 3600), "hourly")]


def test_a_clock_that_is_set_back_repeats_nothing(desk) -> None:
    """Slots that were dealt with do not come again, though their jobs are gone; that it waits is said, with what to do."""
    here = desk(catch_up="once")
    here.turn(3600)
    here.prune(FIRST)
    here.rooms.clock.wall_now -= 3600
    assert here.turn() == [ScheduleAhead("hourly", SLOT)]
    (sentence,) = here.chore.trouble
    assert "remove schedules/hourly.json" in sentence
    assert here.turn(1800) == []
    assert here.turn(1800) == []
    assert here.chore.trouble == []
    assert here.turn(3600) == [SlotPublished(SECOND, "hourly")]


def test_a_clock_that_is_set_back_for_the_next_dispatcher(desk) -> None:
    """The same for a dispatcher that starts with the clock set back."""
    here = desk(catch_up="once")
    here.turn(7200)
    here.rooms.clock.wall_now -= 7200
    here.begin()
    assert here.turn() == [ScheduleAhead("hourly", SLOT + 3600)]
    assert here.turn(3600) == []


@pytest.mark.parametrize("state", State)
def test_a_clock_that_is_set_back_between_publish_and_note(desk, state) -> None:
    """A dispatcher died before its note, and the clock was set back since: the slot is noted, and does not come again."""
    here = desk(catch_up="once")
    before = here.note()
    here.turn(3600)
    here.move(FIRST, state)
    schedule_notes.write(here.rooms.spool.layout, "hourly", before, fsync=False)
    here.rooms.clock.wall_now -= 1800
    here.begin()
    assert here.turn() == [
        SlotPublished(FIRST, "hourly", "its job was published before"),
        ScheduleAhead("hourly", SLOT),
    ]
    assert here.note().job == FIRST
    here.prune(FIRST)
    assert here.turn(1800) == []
    assert here.turn(3600) == [SlotPublished(SECOND, "hourly")]


def test_an_hour_forth_and_back(desk) -> None:
    """A clock that goes forth and back again runs no slot twice, and each is run or said to be skipped."""
    here = desk(catch_up="once")
    here.rooms.clock.wall_now += 2 * 3600
    told = here.turn()
    assert [type(event) for event in told] == [SlotsSkipped, SlotPublished]
    here.prune(SECOND)
    here.rooms.clock.wall_now -= 2 * 3600
    assert here.turn() == [ScheduleAhead("hourly", SLOT + 3600)]
    assert here.turn(3600) == []
    assert here.turn(3600) == []
    assert here.turn(3600) == [SlotPublished(slot_id("hourly", SLOT + 7200), "hourly")]


@pytest.mark.parametrize(
    ("cron", "begin", "published"),
    [
        ("30 2 * * *", "2026-03-28T12:00:00Z", ["0329T010000Z", "0330T003000Z"]),
        ("30 2 * * *", "2026-10-24T12:00:00Z", ["1025T003000Z", "1026T013000Z"]),
        ("*/30 2 * * *", "2026-03-28T12:00:00Z", ["0330T000000Z", "0330T003000Z"]),
        ("*/30 2 * * *", "2026-10-24T12:00:00Z",
         ["1025T000000Z", "1025T003000Z", "1025T010000Z", "1025T013000Z", "1026T010000Z", "1026T013000Z"]),
    ],
)  # fmt: skip
def test_the_nights_in_which_the_clock_is_set(furnished, events, cron, begin, published) -> None:
    """Through both nights in Berlin each slot is published once: a time that is missing, one that comes twice, and `*/30`."""
    here = Desk(furnished, events)
    here.rooms.clock.wall_now = parse_time(begin)
    here.begin(night={"cron": cron, "timezone": "Europe/Berlin", "job": "app.Report", "method": "build"})
    for _ in range(2 * 48 - 10):
        here.turn(1800)
        for job_id in here.names():
            here.move(job_id, State.DONE)
    assert here.names(State.DONE) == [f"night.2026{slot}" for slot in published]


# -- pause and overlap


def test_slots_while_paused_are_skipped(desk) -> None:
    """While control/pause-schedule-NAME is there each slot is skipped and said; after that the next one is run."""
    here = desk()
    requests.pause_schedule(here.rooms.spool.layout, "hourly")
    assert here.turn(3600) == [SlotsSkipped("hourly", SLOT, SLOT, 1, "the schedule is paused")]
    assert here.turn(3600) == [SlotsSkipped("hourly", SLOT + 3600, SLOT + 3600, 1, "the schedule is paused")]
    assert here.note().skipped == (Skip(SLOT, SLOT + 3600, "the schedule is paused"),)
    assert requests.resume_schedule(here.rooms.spool.layout, "hourly")
    assert here.turn(3600) == [SlotPublished(slot_id("hourly", SLOT + 7200), "hourly")]


@pytest.mark.parametrize("state", [State.PENDING, State.RUNNING])
def test_no_slot_beside_an_earlier_one(desk, state) -> None:
    """With `skip` a slot whose predecessor waits or runs is skipped, and the log names that job."""
    here = desk()
    here.turn(3600)
    here.move(FIRST, state)
    (told,) = here.turn(3600)
    assert told.why == f"{FIRST} of an earlier slot still {'waits' if state is State.PENDING else 'runs'}"
    here.move(FIRST, State.DONE)
    assert here.turn(3600) == [SlotPublished(slot_id("hourly", SLOT + 7200), "hourly")]


def test_one_slot_waits_behind_another(desk) -> None:
    """With `queue` the next slot waits behind the one that runs, and no second one does."""
    here = desk(overlap="queue")
    here.turn(3600)
    here.move(FIRST, State.RUNNING)
    assert here.turn(3600) == [SlotPublished(SECOND, "hourly")]
    (told,) = here.turn(3600)
    assert told.why == f"{SECOND} of an earlier slot still waits"
    assert here.names() == [SECOND]


# -- what is refused


def refuse(monkeypatch, code: int = errno.EACCES) -> None:
    """Writing a note fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(schedule_notes, "write", fail)


def test_a_job_whose_slot_cannot_be_noted_is_not_started(desk, monkeypatch) -> None:
    """A job whose slot cannot be noted waits, named with the reason, until it can; it is published once."""
    here = desk()
    with monkeypatch.context() as patch:
        refuse(patch)
        here.turn(3600)
        assert here.names() == [FIRST]
        register, now = here.rooms.register, here.rooms.clock.monotonic()
        (entry,) = register.reasons(FIRST, now)
        assert entry.why is Why.SLOT_NOT_NOTED
        assert entry.problem.startswith("Permission denied; its slot cannot be noted")
        here.rooms.intake.look(FIRST)
        assert here.rooms.order.due(here.rooms.clock.wall()) == 0
        assert 0 < here.next_in() <= 2
        here.turn(3)
    here.turn(10)
    assert here.note().job == FIRST
    assert here.rooms.register.reasons(FIRST, here.rooms.clock.monotonic()) == []
    assert here.rooms.order.due(here.rooms.clock.wall()) == 1
    assert here.names() == [FIRST]


def test_a_schedule_that_is_refused_keeps_no_other(furnished, events, monkeypatch) -> None:
    """A schedule whose note is a folder is put off alone; the others are published at their time."""
    here = Desk(furnished, events)
    here.begin(a=HOURLY, b=HOURLY)
    here.turn()
    layout = here.rooms.spool.layout
    os.unlink(layout.schedule("a"))
    os.mkdir(layout.schedule("a"))
    here.turn(3600)
    assert here.note("b").job == slot_id("b", SLOT)
    assert [entry.job_id for entry in here.rooms.register.all(0.0)] == [slot_id("a", SLOT)]
    os.rmdir(layout.schedule("a"))
    here.turn(600)
    assert here.note("a").job == slot_id("a", SLOT)
    assert list(here.rooms.register.all(0.0)) == []


def test_a_full_disk_is_for_all(desk, monkeypatch) -> None:
    """An error of the disk is raised, so that the dispatcher blocks; afterwards the slot is noted, before anything starts."""
    here = desk()
    with monkeypatch.context() as patch:
        refuse(patch, errno.ENOSPC)
        with pytest.raises(OSError, match="No space"):
            here.turn(3600)
    assert here.turn() == []
    assert here.note().job == FIRST
    assert here.rooms.order.due(here.rooms.clock.wall()) == 0  # found by the scan that follows a recovery
    assert here.turn(3600)[0].why.startswith(FIRST)


def test_a_job_that_cannot_be_published_is_tried_again(desk, monkeypatch) -> None:
    """A slot whose job is refused is put off and tried again; it is late then, and treated as such."""
    here = desk()
    with monkeypatch.context() as patch:
        patch.setattr(here.rooms.spool, "publish", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
        here.turn(3600)
        assert here.names() == []
        assert [entry.job_id for entry in here.rooms.register.all(0.0)] == [FIRST]
    assert here.turn(10) == [SlotPublished(FIRST, "hourly")]
    assert list(here.rooms.register.all(0.0)) == []


def test_a_removed_folder_is_made_again(desk) -> None:
    """A folder schedules/ that was removed is made again, with what is known."""
    here = desk()
    layout = here.rooms.spool.layout
    os.unlink(layout.schedule("hourly"))
    os.rmdir(layout.schedules)
    here.turn(3600)
    assert here.note() == Note("every 3600 s", SLOT, SLOT, FIRST)


def test_notes_that_cannot_be_removed_keep_nothing(desk, monkeypatch) -> None:
    """A note of a schedule of before that cannot be removed is named in the log, and nothing fails."""
    here = desk()
    os.unlink(here.rooms.spool.layout.schedule("hourly"))
    os.mkdir(here.rooms.spool.layout.schedule("hourly"))
    here.begin(other=HOURLY)
    assert "hourly.json" in here.events[-1].problem


def test_a_thousand_schedules_take_turns(furnished, events, monkeypatch) -> None:
    """Many schedules that are due at once are dealt with in slices of time, and none is forgotten."""
    here = Desk(furnished, events)
    here.begin(**{f"s{number}": HOURLY for number in range(50)})
    here.turn()
    clock = here.rooms.clock
    ticks = iter(range(10**6))
    monkeypatch.setattr(clock, "monotonic", lambda: 5000.0 + 0.004 * next(ticks))
    turns = 0
    clock.wall_now += 3600
    while len(here.names()) < 50:
        here.chore.work(clock.monotonic())
        assert here.next_in() == 0.0 or len(here.names()) == 50
        turns += 1
        assert turns < 100
    assert turns > 3
