"""`after`: with its rules every promise is kept in every state, and without any one of them it is not."""

from __future__ import annotations

from itertools import product

import pytest

from spoolrunner.protocol.states import State as Folder
from spoolrunner.spool.standing import Stands, standing
from spoolrunner.system.clock import format_time
from tests.model.dependencies import (
    ALL,
    DONE,
    FAILED,
    GONE,
    PENDING,
    RUNNING,
    Act,
    D,
    E,
    File,
    Found,
    Promise,
    Rule,
    World,
    search,
    stands,
)
from tests.tally import Tally

BOTH = frozenset({D, E})
WAITS = World("one waits, and dispatchers die", (File(D, PENDING),), kills=2)
TWO = World("two are waited for", (File(D, PENDING), File(E, PENDING)), BOTH, kills=1)
PEOPLE = World(
    "two are waited for, and people come",
    (File(D, PENDING), File(E, PENDING)),
    BOTH,
    (Act.RETRY, Act.REMOVE),
    fails=False,
)
EARLIER = World("an earlier job of the id is done", (File(D, DONE, 1), File(D, PENDING)), kills=1)
AGAIN = World("another job of the id comes", (File(D, PENDING),), acts=(Act.SECOND, Act.RETRY), kills=1)
DECLARED = World("a person says that it is done", (File(D, PENDING),), acts=(Act.DECLARE, Act.RETRY_J), kills=1)
LAST = World("people retry both", (File(D, PENDING),), acts=(Act.RETRY, Act.RETRY_J, Act.DECLARE), kills=1)
PRUNED = World("it is pruned", (File(D, DONE, 1),), acts=(Act.PRUNE, Act.RETRY_J), kills=1)
EDITED = World("the waiting file is changed", (File(D, PENDING), File(E, PENDING)), acts=(Act.EDIT,), kills=1)
ENDED = World("how it ends does not matter", (File(D, PENDING),), acts=(Act.RETRY, Act.SECOND), kills=1, ended=True)
_MOST = (Act.RETRY, Act.REMOVE, Act.SECOND, Act.RETRY_J, Act.PRUNE)
ALL_ACTS = World("anything may come", (File(D, PENDING), File(E, DONE, 1)), BOTH, _MOST, kills=1)
"""But that a person retries D and then moves it to done/ by hand, both within one look: J may be failed for that."""
WORLDS = (WAITS, TWO, PEOPLE, EARLIER, AGAIN, DECLARED, LAST, PRUNED, EDITED, ENDED)

BREAKS: dict[Rule, tuple[World, Promise]] = {
    Rule.UNDERWAY_FIRST: (EARLIER, Promise.NOT_EARLY),
    Rule.LOOKED_AGAIN: (AGAIN, Promise.NOT_EARLY),
    Rule.NEWEST_COUNTS: (EARLIER, Promise.NOT_EARLY),
    Rule.SEEN_KEPT: (PEOPLE, Promise.COMES_TO_AN_END),
    Rule.ROUNDS: (DECLARED, Promise.COMES_TO_AN_END),
    Rule.STARTED_FREE: (PRUNED, Promise.COMES_TO_AN_END),
    Rule.ASKED_COMPARED: (EDITED, Promise.NOT_EARLY),
    Rule.PRUNE_KEEPS: (PRUNED, Promise.COMES_TO_AN_END),
    Rule.ENDED_TAKES_FAILED: (ENDED, Promise.NOT_FAILED_FOR_NOTHING),
    Rule.FAILURE_REFUSES: (WAITS, Promise.COMES_TO_AN_END),
}


def explore(tally: Tally, world: World) -> None:
    found = search(world)
    tally.add("model, after", tried=found.states, lost=bool(found.promise))
    assert not found.promise, str(found)
    assert found.states > 20


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_every_promise_is_kept(tally: Tally, world: World) -> None:
    """In no state that can be reached does a job start early, fail for nothing, or wait for ever without a cause."""
    explore(tally, world)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_promise_is_kept_whatever_comes(tally: Tally) -> None:
    """Nor when every act of people may come in any order."""
    explore(tally, ALL_ACTS)


def without(world: World, *rules: Rule) -> Found:
    return search(world, ALL - set(rules))


@pytest.mark.parametrize("rule", BREAKS, ids=lambda rule: rule.name)
def test_a_missing_rule_is_seen(rule: Rule) -> None:
    """Without this rule a trace breaks the promise which the rule is there for."""
    world, promise = BREAKS[rule]
    found = without(world, rule)
    print(f"Without: {rule}\n{found}")
    assert found.promise == promise, str(found)
    assert found.trace


def test_being_told_is_what_rounds_stand_behind() -> None:
    """Without being told a job comes to its end by the rounds alone, later; without both it never does."""
    assert not without(WAITS, Rule.TOLD).promise
    assert without(WAITS, Rule.TOLD, Rule.ROUNDS).promise == Promise.COMES_TO_AN_END


def test_each_rule_has_its_counterexample() -> None:
    """Every rule is in a table."""
    assert set(BREAKS) | {Rule.TOLD} == ALL


STANDS = {RUNNING: Stands.UNDERWAY, DONE: Stands.DONE, FAILED: Stands.FAILED, GONE: Stands.NOWHERE}


@pytest.mark.parametrize("places", list(product((PENDING, RUNNING, DONE, FAILED, GONE), repeat=2)), ids="-".join)
@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["second last", "first last"])
def test_the_code_stands_where_the_model_does(spool, drop, clock, places, order) -> None:
    """Wherever two publications of an id lie, the code says of it what the model says."""
    files = []
    for number, (place, ended) in enumerate(zip(places, order, strict=True)):
        over = place in (DONE, FAILED)
        files.append(File(D, place, ended if over else 0))
        if place == GONE or (number and place == places[0] and not over):
            continue  # one folder holds one file of a name
        name = "x~2" if number and over else "x"
        attempt = {"number": 1, "outcome": "failed", "verdict": "failed", "ended_at": format_time(clock.wall() + ended)}
        drop(Folder(place), name, {"attempts": [attempt]} if over else {})
    assert standing(spool, "x").stands is STANDS[stands(tuple(files), D)]
