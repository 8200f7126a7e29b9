"""A schedule, whatever happens in whatever order: each slot is run once, or its skip is noted, and never both."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections import Counter
from datetime import datetime
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from spoolrunner.config.load import parse_config
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.recurring import Recurring
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.rooms import Rooms, furnish
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests, schedule_notes
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.schedule_notes import Note
from spoolrunner.spool.settling_rules import Boot
from tests.conftest import FakeClock
from tests.unit.dispatch.conftest import QuietExecutor

PERIOD = 10
DEATHS = st.sampled_from([None, None, None, "publish", "published", "note", "noted"])
"""At which step the dispatcher dies, before it or after it."""
KEYS = st.fixed_dictionaries(
    {
        "catch_up": st.sampled_from(["skip", "once"]),
        "catch_up_within": st.sampled_from([0, 90, 600]),
        "overlap": st.sampled_from(["skip", "queue"]),
    }
)


class Killed(BaseException):
    """The dispatcher dies here."""


class SlotsMachine(RuleBasedStateMachine):
    """One spool, one schedule with a slot each ten seconds, at most one dispatcher at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.config_path = os.path.join(folder, "config.json")
        self.layout = Layout(os.path.join(folder, "spool"))
        Spool(self.layout, fsync=False).make()
        self.clock = FakeClock()
        self.rooms: Rooms | None = None
        self.chore: Recurring | None = None
        self.dies_at: str | None = None
        self.refuses = False
        self.runs: Counter[int] = Counter()
        self.skipped: set[int] = set()
        self.begun: int | None = None
        self.of_another: set[int] = set()
        """The slots whose jobs wait from before the schedule was taken out. The one that comes back is another."""
        self._write = schedule_notes.write
        self.stack.enter_context(mock.patch.object(schedule_notes, "write", self.write))

    def teardown(self) -> None:
        self.stack.close()

    # -- what the dispatcher does, and where it may die

    def write(self, layout: Layout, name: str, note: Note, *, fsync: bool) -> None:
        if self.refuses:
            raise PermissionError(13, "Permission denied", name)
        self.point("note")
        before = schedule_notes.read(layout, name)
        self._write(layout, name, note, fsync=fsync)
        if before is None:
            self.begun = note.until
        elif note.skipped != before.skipped:
            self.skipped |= set(range(note.skipped[-1].first, note.skipped[-1].last + 1, PERIOD))
        self.point("noted")

    def publish(self, job_id: str, data: bytes) -> None:
        self.point("publish")
        Spool(self.layout, fsync=False).publish(job_id, data)
        self.point("published")

    def point(self, step: str) -> None:
        if self.dies_at == step:
            raise Killed

    @rule(keys=KEYS, is_configured=st.sampled_from([True] * 9 + [False]))
    def start_anew(self, keys: dict, is_configured: bool) -> None:
        """The dispatcher is killed, if there is one, and the next one starts."""
        entry = {"every": PERIOD, "job": "jobs", "method": "echo", **keys}
        raw = {
            "allowed_jobs": {"jobs": ["echo"]},
            "fsync": False,
            "schedules": {"tick": entry} if is_configured else {},
        }
        config = parse_config(self.config_path, json.loads(json.dumps(raw)))
        reporter = Reporter(self.clock, [])
        self.rooms = furnish(config, Boot("", has_markers=False), QuietExecutor(), reporter, self.clock)
        self.rooms.spool.publish = self.publish
        self.chore = Recurring(self.rooms, lambda: Phase.SERVING, lambda: None)
        self.chore.forget_others()
        if not is_configured:  # it is another schedule when it comes back
            self.begun = None
            self.runs.clear()
            self.skipped.clear()
            self.of_another |= self.waiting()

    @precondition(lambda self: self.chore is not None)
    @rule(
        seconds=st.sampled_from([0, 1, 10, 10, 10, 25, 61, 120]),
        dies_at=DEATHS,
        refuses=st.sampled_from([False] * 4 + [True]),
    )
    def turn(self, seconds: int, dies_at: str | None, refuses: bool) -> None:
        """Time passes, the chore works, then what is due is started, as in a turn of the dispatcher."""
        assert self.chore is not None
        assert self.rooms is not None
        self.clock.advance(seconds)
        self.dies_at, self.refuses = dies_at, refuses
        try:
            if len(self.chore):
                self.chore.work(self.clock.monotonic())
                assert self.chore.next_in(self.clock.monotonic()) >= 0
        except Killed:
            self.chore = self.rooms = None
            return
        finally:
            self.dies_at, self.refuses = None, False
        for job_id in list(self.rooms.spool.names(State.PENDING)):
            self.rooms.intake.look(job_id)
        while (job_id := self.rooms.order.pop(self.clock.wall())) is not None:
            if self.rooms.intake.take(job_id) is not None:
                self.move(job_id, State.PENDING, State.RUNNING)
                self.runs[self.slot_of(job_id)] += 1

    # -- jobs, people, time

    @rule(state=st.sampled_from([State.DONE, State.FAILED]), prunes=st.booleans())
    def end_jobs(self, state: State, prunes: bool) -> None:
        """What runs comes to its end; all that is over may be pruned."""
        for name in os.listdir(self.layout.running_folder):
            self.move(name.removesuffix(".json"), State.RUNNING, state)
        for over in (State.DONE, State.FAILED) if prunes else ():
            for name in os.listdir(self.layout.folder(over)):
                os.unlink(os.path.join(self.layout.folder(over), name))

    @rule(seconds=st.sampled_from([5, 30, 700]))
    def pass_time(self, seconds: int) -> None:
        """Time passes, and nobody works."""
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-700, -100, -15, -1, 15, 100, 700]))
    def set_clock(self, seconds: int) -> None:
        self.clock.wall_now += seconds

    @rule()
    def pause_or_resume(self) -> None:
        """A person pauses the schedule, or lets it go on."""
        if not requests.resume_schedule(self.layout, "tick"):
            requests.pause_schedule(self.layout, "tick")

    # -- what must hold

    @invariant()
    def no_slot_is_run_twice(self) -> None:
        assert all(count == 1 for slot, count in self.runs.items() if slot not in self.of_another), self.runs

    @invariant()
    def no_slot_is_both_run_and_skipped(self) -> None:
        assert not (set(self.runs) - self.of_another) & self.skipped

    @invariant()
    def each_slot_behind_the_note_is_accounted_for(self) -> None:
        note = schedule_notes.read(self.layout, "tick")
        if note is None or self.begun is None:
            return
        slots = range(self.begun // PERIOD * PERIOD + PERIOD, note.until + 1, PERIOD)
        assert set(slots) <= set(self.runs) | self.skipped | self.waiting()

    @invariant()
    def no_more_than_two_are_alive(self) -> None:
        """One that runs and one behind it; after a death the overlap is judged by the note alone."""
        assert len(os.listdir(self.layout.pending)) <= 2

    # -- small things

    def waiting(self) -> set[int]:
        """The slots whose jobs are in pending/."""
        return {self.slot_of(name.removesuffix(".json")) for name in os.listdir(self.layout.pending)}

    @staticmethod
    def slot_of(job_id: str) -> int:
        return int(datetime.strptime(job_id.partition(".")[2].replace("Z", "+0000"), "%Y%m%dT%H%M%S%z").timestamp())

    def move(self, job_id: str, source: State, target: State) -> None:
        os.rename(self.layout.job(source, job_id), self.layout.job(target, job_id))


def budget(examples: int, steps: int) -> settings:
    """Always the same runs, so that a failure is a failure of the code that was changed."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(300)  # passing takes seconds; but when it fails, looking for the shortest story takes longer
def test_each_slot_is_run_once_or_skipped_in_any_order_of_events() -> None:
    """No order of time, clocks that are set, deaths, refusals, pauses and prunes loses or doubles a slot."""
    run_state_machine_as_test(SlotsMachine, settings=budget(150, 60))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_each_slot_is_run_once_or_skipped_in_many_more_orders_of_events() -> None:
    """The same over fifty times as many steps."""
    run_state_machine_as_test(SlotsMachine, settings=budget(4000, 60))
