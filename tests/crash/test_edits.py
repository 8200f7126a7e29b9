"""A job is edited while a dispatcher works and people move files: at every operation of both nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

import pytest

from spoolrunner.cli import edit as verb
from spoolrunner.client.edit import Answer, edit
from spoolrunner.errors import SpoolRunnerError
from spoolrunner.protocol.states import State
from tests.crash.actors import Process, StuckError
from tests.crash.conftest import MakeWorld
from tests.crash.failing import EVERY_FAILING_CALL, Once, faults_of
from tests.crash.faults import World
from tests.crash.findings import Findings
from tests.crash.scenarios import (
    ALL,
    EARLY,
    EVERY_CRASH_POINT,
    LATE,
    Scenario,
    by_hand,
    command,
    ended,
    judge_job,
    nothing,
    pending,
    sweep,
)
from tests.crash.stories import EITHER
from tests.crash.test_cuts_of_worlds import roomy, sweep_cuts
from tests.crash.test_hands import puts_another_of_its_name, saves_it_anew, takes_it_away
from tests.crash.test_promises import does, run_to
from tests.tally import Tally

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot exchange two files")
Hand = Callable[[World], None]
EDIT = command(verb, "a", "--priority", "5", "--params", '{"token": "a", "endings": ["ok", "ok"]}')
MOST_OPERATIONS = 60


def is_whole(world: World) -> None:
    """The job has the priority and parameters that it had, or those of the edit; when that was answered it has these."""
    _, _, raw = world.find("a")
    assert (raw.get("priority"), len(raw["params"]["endings"])) in ((None, 1), (5, 2)), world.describe()
    (command,) = [process for process in world.processes if process.name == "command"]
    if command.result == 0:
        assert raw["priority"] == 5, f"an edit that was answered is gone: {world.describe()}"


KILLED = [
    Scenario("edit by the command", pending(), EDIT, is_whole, 30, ends_in=EITHER),
    Scenario(
        "edit of a job to be retried",
        by_hand(State.FAILED, ended("failed", "failed")),
        EDIT,
        is_whole,
        30,
        ends_in=EITHER,
    ),
]


@pytest.mark.parametrize("mode", [ALL, EARLY, LATE])
@pytest.mark.parametrize("scenario", KILLED, ids=str)
def test_a_killed_edit_leaves_the_job_whole(make_world: MakeWorld, tally: Tally, scenario: Scenario, mode: str) -> None:
    """Wherever the edit or the dispatcher beside it is killed, the job is there once, as it was or as edited, and is run."""
    sweep(make_world, scenario, mode, tally)


@pytest.mark.parametrize("scenario", [KILLED[0], pytest.param(KILLED[1], marks=pytest.mark.long)], ids=str)
def test_a_power_cut_leaves_the_job_whole(make_world: MakeWorld, tally: Tally, scenario: Scenario) -> None:
    """Wherever the power goes while a job is edited and run: it is there once, as it was or as edited, and an answer holds."""
    sweep_cuts(make_world, roomy(scenario), tally)


def run_for(process: Process, operations: int) -> None:
    """Let it run for so many operations, then stand still."""
    if operations:
        process.run(operations)
    process.is_frozen = True


def edited_meanwhile(world: World, edited: int, dispatched: int, hand: Hand, answers: list[Answer]) -> None:
    """The editor stands still after so many operations; then the dispatcher works, a hand comes, and the editor goes on."""
    pending()(world)
    editor = world.start("editor", lambda: answers.append(edit(world.config, "a", priority=5)))
    run_for(editor, edited)
    run_for(world.start_dispatcher(), dispatched)
    hand(world)
    editor.is_frozen = False
    editor.run()
    for process in world.processes:
        process.is_frozen = False
    world.recover()


def operations_of_an_edit(make_world: MakeWorld) -> int:
    """How many there are."""
    with make_world() as world:
        pending()(world)
        world.start("editor", lambda: edit(world.config, "a", priority=5)).run()
        assert {operation.kind for operation in world.log} >= {"write", "flock", "exchange", "unlink"}
        return len(world.log)


@pytest.mark.parametrize("hand", [nothing, saves_it_anew, puts_another_of_its_name, takes_it_away])
def test_whatever_happens_meanwhile_nothing_is_lost_or_doubled(make_world: MakeWorld, tally: Tally, hand: Hand) -> None:
    """At each moment of an edit a dispatcher comes as far as any of its operations, and then a person moves the file."""
    findings = Findings()
    ends = set()
    for edited in range(operations_of_an_edit(make_world) + 1):
        for dispatched in range(0, MOST_OPERATIONS, 5):
            answers: list[Answer] = []
            with findings.trial(f"{hand.__name__}: {edited}, {dispatched}"), make_world() as world:
                edited_meanwhile(world, edited, dispatched, hand, answers)
                if hand is takes_it_away and os.path.exists(os.path.join(world.folder, "shelf")):
                    assert not any(b'"token":"a"' in data for data in world.files().values()), world.describe()
                    continue
                judge_job(world, "a", EITHER)
                assert len(world.starts("a")) == 1, world.describe()
                if any(b'"another"' in data for data in world.files().values()):
                    judge_job(world, "another", EITHER)
                ends.add((answers[0].problem or "done").partition(";")[0])
                assert bool(answers[0].problem) == ("priority" not in world.find("a")[2]) or hand is saves_it_anew
    findings.tell(tally, EVERY_CRASH_POINT)
    assert "done" in ends
    assert len(ends) > 1, ends


def test_a_second_job_that_was_exchanged_by_mistake_is_put_back(make_world: MakeWorld) -> None:
    """Published after the last look and before the exchange, a second job of the id is where it was, and both run once."""
    with make_world() as world:
        pending()(world)
        answers: list[Answer] = []
        editor = world.start("editor", lambda: answers.append(edit(world.config, "a", priority=5)))
        while not world.log or world.log[-1].kind != "flock":
            editor.run(1)
        editor.run(0)  # just before the exchange
        dispatcher = world.start_dispatcher()
        while world.log[-1].kind != "rename":
            dispatcher.run(1)
        dispatcher.run(0)
        puts_another_of_its_name(world)
        editor.run()
        assert answers == [Answer([], "its file was changed by somebody else meanwhile")]
        assert [operation.kind for operation in world.log].count("exchange") == 2
        world.recover()
        judge_job(world, "a", EITHER)
        judge_job(world, "another", EITHER)
        assert (len(world.starts("a")), len(world.starts("another"))) == (1, 1)


def test_an_edit_of_which_any_call_fails_leaves_the_job_whole(make_world: MakeWorld, tally: Tally) -> None:
    """Whatever call of an edit fails, and however: the job is as it was or as edited, nothing is left, and it runs once."""
    watching = Once()
    with make_world() as world:
        pending()(world)
        world.trouble = watching
        world.start("editor", lambda: edit(world.config, "a", priority=5)).run()
    findings = Findings()
    for at, call in enumerate(watching.calls, 1):
        for fault in faults_of(call):
            with findings.trial(f"{fault} at {at}, {call}"), make_world() as world:
                fail_once(world, Once(at, fault))
    findings.tell(tally, EVERY_FAILING_CALL)
    assert findings.tried > 100


def fail_once(world: World, trouble: Once) -> None:
    """An edit meets it, and what follows is sound."""
    answers: list[Answer] = []
    pending()(world)
    world.tolerated, world.trouble = (OSError, SpoolRunnerError), trouble
    editor = world.start("editor", lambda: answers.append(edit(world.config, "a", priority=5)))
    world.run(lambda: editor.is_over)
    assert trouble.met is not None
    world.trouble = None
    _, _, raw = world.find("a")
    assert raw.get("priority") in (None, 5)
    if answers and not answers[0].problem:
        assert raw["priority"] == 5
    is_unsure = trouble.met.kind == "stat" and trouble.met.path.startswith("tmp/")  # of what the exchange took out
    if trouble.met.kind not in ("unlink", "close") and not is_unsure:
        assert os.listdir(world.layout.tmp) == []
    world.recover()
    judge_job(world, "a", EITHER)
    assert len(world.starts("a")) == 1


def test_nobody_begins_while_an_edit_puts_right_what_it_did(make_world: MakeWorld) -> None:
    """Between the exchange of a second job and its way back neither the claimed job nor what stands in can begin or end."""
    with make_world(max_retries=3) as world:
        pending()(world)
        answers: list[Answer] = []
        editor = world.start("editor", lambda: answers.append(edit(world.config, "a", priority=5)))
        run_to(world, editor, does("flock", "locks/a.lock"))
        editor.run(0)
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("rename", "running/a.json"))
        dispatcher.run(0)
        puts_another_of_its_name(world)
        run_to(world, editor, does("exchange", "pending/a.json"))
        editor.is_frozen = True
        with contextlib.suppress(StuckError):
            world.run(lambda: bool(world.effects), seconds=5.0)
        assert world.effects == []
        editor.is_frozen = False
        editor.run()
        world.recover()
        assert answers == [Answer([], "its file was changed by somebody else meanwhile")]
        for token in ("a", "another"):
            judge_job(world, token, EITHER)
            assert len(world.starts(token)) == 1
