"""The protocol as a model: with its rules every promise is kept in every state, and without any one of them it is not."""

from __future__ import annotations

import pytest

from tests.model.checker import Found, search
from tests.model.rules import ALL, Promise, Rule
from tests.model.state import RUNNING
from tests.model.steps import Act
from tests.model.worlds import BREAKS, EDIT_GAP, LONG, SECOND_LINE, SHORT, TAKEOVER, World
from tests.tally import Tally

LEAST_STATES = 180
"""What the smallest world is known to have at least: a model that makes no steps must not pass."""
MOST_STATES = 3_000_000
LOST = {Promise.NEVER_LOST}
UNCOUNTED = {Promise.COUNTED}
DOUBLE = {Promise.ONE_FOLDER, Promise.ONE_PROCESS, Promise.NOT_AGAIN}


def explore(tally: Tally, suite: str, world: World) -> None:
    """No state of the world breaks a promise."""
    found = search(world.model(), world.first(), most=MOST_STATES)
    broken = found.promise
    tally.add(
        f"model, {suite}",
        tried=found.states,
        lost=broken in LOST,
        double=broken in DOUBLE,
        beyond=broken in UNCOUNTED,
    )
    assert not broken, str(found)
    assert found.states >= LEAST_STATES, f"only {found.states} states"


def without(world: World, *rules: Rule) -> Found:
    """What the checker finds in a world without these rules."""
    left = ALL - set(rules)
    return search(world.model(left), world.first(left), most=MOST_STATES)


@pytest.mark.parametrize("world", SHORT, ids=str)
def test_every_promise_is_kept(tally: Tally, world: World) -> None:
    """In no state that can be reached, by whatever order of steps, deaths and acts of people, is a promise broken."""
    explore(tally, "states", world)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("world", LONG, ids=str)
def test_every_promise_is_kept_in_larger_worlds(tally: Tally, world: World) -> None:
    """Nor is one broken when more goes wrong: more deaths, and any acts of people, in any order."""
    explore(tally, "states of larger worlds", world)


@pytest.mark.parametrize("rule", BREAKS, ids=lambda rule: rule.name)
def test_a_missing_rule_is_seen(rule: Rule) -> None:
    """Without this rule the checker finds a trace that breaks the promise which the rule is there for."""
    world, promise = BREAKS[rule]
    found = without(world, rule)
    print(f"Without: {rule}\n{found}")
    assert found.promise == promise, str(found)
    assert found.trace


@pytest.mark.parametrize("rule", SECOND_LINE, ids=lambda rule: rule.name)
def test_a_rule_that_stands_behind_another_is_needed_without_that(rule: Rule) -> None:
    """What the first of two rules alone would not keep is kept while the second is in force, and broken without it."""
    first_line, world, promise = SECOND_LINE[rule]
    assert not without(world, first_line).promise
    found = without(world, first_line, rule)
    print(f"Without: {first_line}, and {rule}\n{found}")
    assert found.promise == promise, str(found)


def test_what_a_killed_edit_can_do() -> None:
    """Killed between the exchange and the look at what it took out, an edit leaves a second job of the id in tmp/; only then.

    It takes a second job that was published after the last look before the exchange, microseconds ago. docs/editing.md says so.
    """
    found = search(EDIT_GAP.model(), EDIT_GAP.first(), most=MOST_STATES)
    print(found)
    assert found.promise in (Promise.NEVER_LOST, Promise.ONE_FOLDER)
    says = [move.says for move in found.trace[-3:]]
    assert says == [Act.SECOND, "exchanges the two", "is killed"]


def test_each_rule_has_its_counterexample() -> None:
    """The tables name every rule of the model once, in a world whose promises are kept with all rules."""
    assert set(BREAKS) | set(SECOND_LINE) == ALL
    assert not set(BREAKS) & set(SECOND_LINE)
    assert {world for world, _ in BREAKS.values()} <= set(SHORT)


def test_a_trace_can_be_read_and_is_shortest() -> None:
    """A trace tells who does what and what is on the disk after it; of two ways to a state it is the shorter."""
    found = search(TAKEOVER.model(), TAKEOVER.first(), until=lambda state: state.disk.places[RUNNING] is not None)
    assert str(found).splitlines()[1:] == [
        "  1. dispatcher 0 starts",
        "     pending/ID.json = job 0 inode 1 []",
        "  2. dispatcher 0 looks at the waiting job",
        "  3. dispatcher 0 looks for an old start marker",
        "  4. dispatcher 0 claims",
        "     running/ID.json = job 0 inode 1 []",
    ]
