"""Schedules under kills, failing calls and power cuts: no slot is run twice, and none is neither run nor said to be skipped."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from spoolrunner.protocol.slots import slot_id, slot_time
from spoolrunner.protocol.states import State
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.schedule_notes import Note
from tests.crash import failing
from tests.crash.conftest import MakeWorld
from tests.crash.failing import AILMENTS, Ailment, everything_said
from tests.crash.faults import EPOCH, JOBS, World
from tests.crash.findings import DoubleError, LostError
from tests.crash.scenarios import ALL, MODES, Scenario, dispatch, judge_job, nothing, sweep, try_all
from tests.crash.test_cuts_of_worlds import act_out, sweep_cuts, sweep_deaths_and_cuts
from tests.crash.test_failing_calls import OUTAGE_SAMPLE, sweep_outages, try_faults
from tests.crash.test_two_kills import sweep_pairs
from tests.crash.unsynced import REMAINS, Remains
from tests.tally import Tally

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the errors, and the syncs of folders, are those of POSIX")
PERIOD = 600
NOW = int(EPOCH)
assert NOW % PERIOD == 0, "a slot is due at the moment at which every world begins"
LATE_PERIOD = 420
LATE_SLOT = NOW - NOW % LATE_PERIOD
"""Four minutes before every world begins."""
ENTRY: dict[str, Any] = {"job": JOBS, "method": "work", "params": {"token": "a", "endings": ["ok"]}}


def known(period: int, until: int) -> Callable[[World], None]:
    """A dispatcher has dealt with all slots until that moment, and is gone."""

    def prepare(world: World) -> None:
        note = Note(f"every {period} s", until)
        schedule_notes.write(world.layout, "often", note, fsync=True)

    return prepare


def settings(period: int, **keys: Any) -> dict[str, Any]:
    """What config.json has, with retries for what is interrupted."""
    return {"schedules": {"often": {**ENTRY, "every": period, **keys}}, "max_retries": 4}


def was_run_once(slot: int) -> Callable[[World], None]:
    """The job of the slot came to its end, once, also when its file is pruned; the slot is noted and not said to be skipped."""

    def judge(world: World) -> None:
        state, name, _ = world.find("a")
        assert (state, name) == (State.DONE, slot_id("often", slot))
        judge_job(world, "a", (State.DONE,))
        note = schedule_notes.read(world.layout, "often")
        assert note is not None
        assert note.slot == note.until == slot
        if f"slot {slot_time(slot)} is skipped" in everything_said(world):
            raise LostError(f"a slot that was run is said to be skipped: {world.describe()}")
        os.unlink(world.layout.job(state, name))
        world.start_dispatcher(drain=True)
        world.run()
        if world.files():
            raise DoubleError(f"the slot came again: {world.describe()}")

    return judge


def check_skipped(world: World, first: int, last: int) -> None:
    """Those slots are said to be skipped: in the log and the note or, when a cut has taken what was not synced, in the note."""
    note = schedule_notes.read(world.layout, "often")
    assert note is not None
    which = f"slot {slot_time(first)} is" if first == last else f"from {slot_time(first)} to {slot_time(last)} are"
    is_logged = f"{which} skipped" in everything_said(world) or world.boot + world.mount > 2
    if not is_logged or not any(skip.first <= first and last <= skip.last for skip in note.skipped):
        raise LostError(f"a slot is neither run nor said to be skipped: {note}; {everything_said(world)}")


def was_skipped(*slots: int) -> Callable[[World], None]:
    """Each of the slots is said to be skipped, and no job was run for them."""

    def judge(world: World) -> None:
        check_skipped(world, slots[0], slots[-2])
        check_skipped(world, slots[-1], slots[-1])
        assert not world.files()
        note = schedule_notes.read(world.layout, "often")
        assert note is not None
        assert note.until == slots[-1]

    return judge


def was_caught_up(*slots: int) -> Callable[[World], None]:
    """The last of the slots was run once, and the others are said to be skipped."""

    def judge(world: World) -> None:
        check_skipped(world, slots[0], slots[-2])
        was_run_once(slots[-1])(world)

    return judge


def was_begun(world: World) -> None:
    """A new schedule is noted, and nothing before that was run."""
    note = schedule_notes.read(world.layout, "often")
    assert note is not None
    assert note.until >= NOW
    assert not world.files()


def was_forgotten(world: World) -> None:
    """The note of a schedule that config.json has no more is gone."""
    assert schedule_notes.names(world.layout) == []


MISSED = [LATE_SLOT - 2 * LATE_PERIOD, LATE_SLOT - LATE_PERIOD, LATE_SLOT]
BEFORE = LATE_SLOT - 3 * LATE_PERIOD
DUE = Scenario("a slot that is due", known(PERIOD, NOW - PERIOD), dispatch, was_run_once(NOW), 40, (), settings(PERIOD))
CAUGHT_UP = Scenario(
    "a slot that is caught up", known(LATE_PERIOD, BEFORE), dispatch, was_caught_up(*MISSED), 46, (),
    settings(LATE_PERIOD, catch_up="once"),
)  # fmt: skip
SKIPPED = Scenario(
    "slots that are skipped", known(LATE_PERIOD, BEFORE), dispatch, was_skipped(*MISSED), 12, (), settings(LATE_PERIOD)
)
NEW = Scenario("a schedule that is new", nothing, dispatch, was_begun, 6, (), settings(PERIOD))
GONE = Scenario("a schedule that was taken out", known(PERIOD, NOW - PERIOD), dispatch, was_forgotten, 3, ())
STORIES = [DUE, CAUGHT_UP, SKIPPED, NEW, GONE]
SHORT_FORM = [DUE, SKIPPED, GONE]
"""What the others meet, these meet as well."""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", STORIES, ids=str)
def test_each_slot_is_accounted_for_whoever_is_killed(
    make_world: MakeWorld, tally: Tally, scenario: Scenario, mode: str
) -> None:
    """Wherever a dispatcher or a job is killed, each slot is run once or said to be skipped, also when done/ is pruned."""
    sweep(make_world, scenario, mode, tally)


@pytest.mark.parametrize("scenario", [DUE, CAUGHT_UP], ids=str)
def test_a_sample_of_two_kills(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """A second kill at a later moment changes nothing: a sample of pairs."""
    sweep_pairs(make_world, scenario, ALL, tally, every=60)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", [DUE, CAUGHT_UP], ids=str)
def test_two_kills(make_world: MakeWorld, tally: Tally, scenario: Scenario, mode: str) -> None:
    """A second kill at a later moment changes nothing."""
    sweep_pairs(make_world, scenario, mode, tally)


@POSIX
@pytest.mark.parametrize("scenario", SHORT_FORM, ids=str)
def test_a_call_that_fails_once(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Whichever call fails once, each with one error in turn, each slot is accounted for once, and it is said."""
    try_faults(make_world, scenario, all_faults=False).tell(tally, "every failing call")


@POSIX
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("scenario", STORIES, ids=str)
def test_every_call_may_fail_with_every_error(
    make_world: MakeWorld, tally: Tally, monkeypatch: pytest.MonkeyPatch, scenario: Scenario
) -> None:
    """Whichever call fails once, with whichever error, each slot is accounted for once, and it is said.

    Where there is no note a look at its name says so, whatever opening it met.
    """
    if scenario is NEW:
        real = failing.may_be_silent
        monkeypatch.setattr(
            failing, "may_be_silent", lambda call, fault: real(call, fault) or call.path == "schedules/often.json"
        )
    try_faults(make_world, scenario, all_faults=True).tell(tally, "every failing call")


@POSIX
@pytest.mark.parametrize("ailment", AILMENTS, ids=str)
def test_a_sample_of_outages(make_world: MakeWorld, tally: Tally, ailment: Ailment) -> None:
    """An outage of ten seconds that begins at any call loses and doubles no slot: a sample."""
    sweep_outages(make_world, DUE, ailment, tally, every=OUTAGE_SAMPLE)


@POSIX
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("ailment", AILMENTS, ids=str)
@pytest.mark.parametrize("scenario", [DUE, CAUGHT_UP], ids=str)
def test_every_outage(make_world: MakeWorld, tally: Tally, scenario: Scenario, ailment: Ailment) -> None:
    """An outage of ten seconds that begins at whichever call loses and doubles no slot."""
    sweep_outages(make_world, scenario, ailment, tally)


@POSIX
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "scenario",
    [pytest.param(s, id=s.name, marks=[] if s in SHORT_FORM else [pytest.mark.long]) for s in STORIES],
)
def test_a_cut_loses_and_doubles_no_slot(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Wherever the power goes, and whatever is left of what was not synced, each slot is accounted for once."""
    sweep_cuts(make_world, scenario, tally)


@POSIX
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", [DUE, CAUGHT_UP], ids=str)
def test_deaths_and_later_cuts(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Nor is one lost or doubled by a cut after a death."""
    sweep_deaths_and_cuts(make_world, scenario, tally, every=1)


# -- these tests see failures


def test_a_slot_that_is_not_noted_is_found_twice(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the note of a slot is not written, the slot is found to come again after its job was pruned."""
    real = schedule_notes.write

    def without(layout: Any, name: str, note: Note, *, fsync: bool) -> None:
        if note.slot is None:
            real(layout, name, note, fsync=fsync)

    monkeypatch.setattr(schedule_notes, "write", without)
    lenient = replace(DUE, judge=_judged_without_note)
    with pytest.raises(DoubleError):
        try_all(make_world, lenient, ALL)


def _judged_without_note(world: World) -> None:
    state, name, _ = world.find("a")
    os.unlink(world.layout.job(state, name))
    world.start_dispatcher(drain=True)
    world.run()
    if world.files():
        raise DoubleError("the slot came again")


def run_prune_and_cut(world: World, remains: Remains) -> None:
    """The slot's job is run, its file pruned, and that synced; then the power goes, and a dispatcher comes."""
    act_out(world, DUE, None)
    path = world.layout.job(State.DONE, slot_id("often", NOW))
    os.unlink(path)
    assert world.disk is not None
    world.disk.changed(path)
    for state in State:
        world.disk.synced_folder(world.layout.folder(state))
    world.cut_power(remains)
    assert not world.files()
    world.start_dispatcher(drain=True)
    world.run()
    if world.files():
        raise DoubleError(f"the slot came again: {world.describe()}")


@POSIX
@pytest.mark.parametrize("remains", REMAINS, ids=str)
def test_a_cut_after_the_prune_brings_no_slot_back(make_world: MakeWorld, remains: Remains) -> None:
    """A slot that was run and whose job is pruned for good does not come again after a cut."""
    with make_world(**DUE.settings) as world:
        run_prune_and_cut(world, remains)


@POSIX
def test_a_note_that_is_not_synced_is_found(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """When notes are not synced, a cut is found to bring a slot back that was run."""
    real = schedule_notes.write
    with make_world(**DUE.settings) as world:
        monkeypatch.setattr(
            schedule_notes, "write", lambda layout, name, note, *, fsync: real(layout, name, note, fsync=False)
        )
        with pytest.raises(DoubleError):
            run_prune_and_cut(world, REMAINS[-1])
