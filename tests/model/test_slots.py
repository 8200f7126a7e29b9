"""Schedules as a model: with its rules each slot is published once or its skip logged; without any one of them it is not."""

from __future__ import annotations

import re
import sys
from collections import deque

import pytest

from spoolrunner.spool import schedule_notes
from spoolrunner.spool.schedule_notes import Note
from tests.crash.conftest import new_world
from tests.crash.faults import EPOCH, JOBS
from tests.model.slots import ALL, Bounds, Found, Promise, Rule, State, moves, search
from tests.tally import Tally

LEAST_STATES = 60
"""What the smallest world is known to have at least: a model that makes no steps must not pass."""
KILLS = Bounds(kills=2)
REFUSALS = Bounds(kills=1, refusals=1)
CUTS = Bounds(kills=1, cuts=1)
CLOCK = Bounds(clock_sets=2, kills=1)
HANDS = Bounds(kills=2, by_hand=1)
CONFIGS = Bounds(kills=3, reconfigured=2)
WORLDS = {
    "dispatchers die": KILLS,
    "the note cannot be written": REFUSALS,
    "the power fails": CUTS,
    "the clock is set": CLOCK,
    "people move the job": HANDS,
    "config.json is edited": CONFIGS,
}
LONG = {
    "much of all": Bounds(kills=2, cuts=1, clock_sets=1, refusals=1, by_hand=1),
    "two cuts, the clock is set twice": Bounds(cuts=2, clock_sets=2, refusals=1),
    "config.json is edited, the power fails": Bounds(kills=2, cuts=1, reconfigured=2, refusals=1),
}
BREAKS = {
    Rule.NOTE_LAST: (KILLS, Promise.NEVER_LOST),
    Rule.FOUND_EVERYWHERE: (HANDS, Promise.NEVER_TWICE),
    Rule.NOTED_BEFORE_START: (REFUSALS, Promise.NEVER_TWICE),
    Rule.BEGUN_WITH_NEXT: (CLOCK, Promise.NEVER_TWICE),
    Rule.SKIPS_NOTED_FIRST: (KILLS, Promise.NOT_BOTH),
    Rule.SKIP_LOGGED_FIRST: (KILLS, Promise.NEVER_LOST),
    Rule.NEVER_BACK: (CLOCK, Promise.NOT_BOTH),
    Rule.BEGINNING_NOTED: (KILLS, Promise.NEVER_LOST),
    Rule.FORGOTTEN_WITH_CONFIG: (CONFIGS, Promise.NEVER_TWICE),
    Rule.PUBLISH_SYNCED: (CUTS, Promise.NEVER_LOST),
    Rule.NOTE_SYNCED: (CUTS, Promise.NEVER_LOST),
}
"""rule -> the world in which the checker finds what it is there for, and the promise that is broken without it."""


def explore(tally: Tally, bounds: Bounds) -> None:
    """No state of the world breaks a promise."""
    found = search(ALL, bounds)
    tally.add(
        "model, slots of schedules",
        tried=found.states,
        lost=found.promise in (Promise.NEVER_LOST, Promise.NOT_BOTH),
        double=found.promise == Promise.NEVER_TWICE,
    )
    assert not found.promise, str(found)
    assert found.states >= LEAST_STATES, f"only {found.states} states"


@pytest.mark.parametrize("name", WORLDS)
def test_each_slot_is_accounted_for_once(tally: Tally, name: str) -> None:
    """In no state that can be reached is a slot published twice, lost, or both published and skipped."""
    explore(tally, WORLDS[name])


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", LONG)
def test_each_slot_is_accounted_for_once_in_larger_worlds(tally: Tally, name: str) -> None:
    """Nor is it when more goes wrong at once."""
    explore(tally, LONG[name])


@pytest.mark.parametrize("rule", BREAKS, ids=lambda rule: rule.name)
def test_a_missing_rule_is_seen(rule: Rule) -> None:
    """Without this rule the checker finds a trace that breaks the promise which the rule is there for."""
    bounds, promise = BREAKS[rule]
    found: Found = search(ALL - {rule}, bounds)
    print(f"Without: {rule.value}\n{found}")
    assert found.promise == promise, str(found)
    assert found.trace


def test_each_rule_has_its_counterexample() -> None:
    """The table names every rule of the model."""
    assert set(BREAKS) == ALL
    assert {bounds for bounds, _ in BREAKS.values()} <= set(WORLDS.values())


# -- the steps of the model are those of the code


def told_by_model() -> list[str]:
    """The operations on the way from a noted schedule with three slots that are due to the note of the last."""
    first = State(3, Bounds(), note=0, owed=frozenset({1, 2, 3}))
    came: dict[State, list[str]] = {first: []}
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        if state.note == 3 and state.made == {3} and state.dispatcher is not None and not state.dispatcher.at:
            return came[state]
        for move in moves(ALL, state):
            if move.actor == "dispatcher" and move.state not in came:
                came[move.state] = [*came[state], *move.operations]
                waiting.append(move.state)
    raise AssertionError("the model does not come there")


def told_by_code() -> list[str]:
    """The operations of a dispatcher that finds three slots due, of which it catches up with the last."""
    period, now = 420, int(EPOCH)
    last = now - now % period
    entry = {
        "every": period,
        "catch_up": "once",
        "job": JOBS,
        "method": "work",
        "params": {"token": "a", "endings": ["ok"]},
    }
    with new_world(schedules={"often": entry}) as world:
        note = Note(f"every {period} s", last - 3 * period)
        schedule_notes.write(world.layout, "often", note, fsync=True)
        world.start_dispatcher(drain=True)
        world.run()
        lines = [f"{operation.kind} {operation.path}" for operation in world.log if operation.process == "dispatcher"]
    begin = lines.index("open schedules/often.json") + 1  # it was read
    end = len(lines) - lines[::-1].index("fsync schedules") + 1
    lines = [line for line in lines[begin:end] if "locks/" not in line]
    lines = [re.sub(r"tmp/\S+", "tmp/X", line) for line in lines]
    return [re.sub(r"often\.\d+T\d+Z", "ID", line).replace("often.json", "NAME.json") for line in lines]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_the_steps_of_the_model_are_those_of_the_code() -> None:
    """Skips are noted, the last slot is published, then noted: model and code do the same to the same files, in one order."""
    assert told_by_code() == told_by_model()
