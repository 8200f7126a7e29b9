"""The steps of the model are those of the code: both are led along the same story, and do the same to the same files.

The model is led by goals, one after the other, each reached by a shortest way; the code runs in a world of simulated
processes that notes their file operations (`tests/crash/faults.py`). What is compared is the order of the operations of
each process.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from spoolrunner import enqueue
from spoolrunner.client.edit import edit
from spoolrunner.protocol.states import State as Folder
from tests.crash.conftest import new_world
from tests.crash.faults import JOBS, World
from tests.crash.scenarios import TELLING, ended
from tests.crash.test_promises import does, run_to
from tests.model.checker import search
from tests.model.rules import ALL, Rule
from tests.model.state import DONE, FAILED, NAMES, NOBODY, PENDING, RUNNING, State
from tests.model.steps import RENAME, Act
from tests.model.world import is_at_rest
from tests.model.worlds import FINISHED, TRIED, of
from tests.model.worlds import World as Bounded

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows syncs no folders, and removes locks after closing them"
)
Goal = Callable[[State], bool]

LEFT_OUT = re.compile(
    r"dispatcher\.lock|control/stop|logs|"  # what the model takes for granted, and what only people read
    r"locks/a\.progress|steps/|"  # what a job tells of its progress, and keeps of its steps; no move depends on it
    r"open (pending/a\.json|control)|"  # when a dispatcher looks is up to hints and scans
    r"open \w+/(a|ID)\.failed\.[N0-9]+\.json"  # where it looks whether it was published, and the look at it then
)


@dataclass
class Story:
    """The same thing told to both: a world of the model with its goals, and what the code is led to do."""

    name: str
    bounded: Bounded
    goals: tuple[Goal, ...]
    act: Callable[[World], None]

    def __str__(self) -> str:
        return self.name


# -- what the model does


def told_by_model(story: Story, rules: frozenset[Rule] = ALL) -> dict[str, list[str]]:
    """The operations of each process of the model on its way from goal to goal."""
    model, state = story.bounded.model(rules), story.bounded.first(rules)
    found: dict[str, list[str]] = {}
    for goal in story.goals:
        trace = search(model, state, until=goal).trace
        assert trace, f"the model does not come to goal {story.goals.index(goal) + 1}"
        for move in trace:
            done = [_renamed(state, move.state) if name == RENAME else name for name in move.operations]
            if done:
                found.setdefault(move.actor.partition(" ")[0], []).extend(done)
            state = move.state
    return {
        actor: [name for name in own if not LEFT_OUT.search(name.replace("ID", "a"))] for actor, own in found.items()
    }


def _renamed(before: State, after: State) -> str:
    """The rename that makes the one state of the other."""
    pairs = list(zip(before.disk.places, after.disk.places, strict=True))
    (source,) = [NAMES[place] for place, (was, now) in enumerate(pairs) if was is not None and now is None]
    (target,) = [NAMES[place] for place, (was, now) in enumerate(pairs) if was is None and now is not None]
    return f"rename {source}.json -> {target}.json"


# -- what the code does


def told_by_code(story: Story) -> dict[str, list[str]]:
    """The operations of each simulated process, in the words of the model."""
    found: dict[str, list[str]] = {}
    with new_world(max_retries=1, **({"allowed_jobs": TELLING} if story.bounded.bounds.tells else {})) as world:
        story.act(world)
        status = {path.partition(" -> ")[0] for _, _, path in world.log if path.endswith("-> status.json")}
        for operation in world.log:
            line = f"{operation.kind} {operation.path}"
            if operation.path.partition(" -> ")[0] not in status and not LEFT_OUT.search(line):
                found.setdefault(operation.process.partition(" ")[0], []).append(_worded(line))
    return found


def _worded(line: str) -> str:
    line = re.sub(r"tmp/\S+", "tmp/X", line)
    line = line.replace("pending/a.failed.1.json", "pending/ID.failed.N.json").replace(
        "a.failed.2.json", "ID.failed.N.json"
    )
    line = re.sub(r"/a(~2)?\.(json|lock|reason)", r"/ID\1.\2", line).replace("cancel-a", "cancel-ID")
    line = re.sub(r"^start a \d+$", "start ID", line)
    return re.sub(r"^exit a$", "exit ID", re.sub(r"^(effect|work) a$", r"\1", line))


# -- goals


def lies_in(place: int, history: str) -> Goal:
    """All is done, and the job lies there with that history."""

    def goal(state: State) -> bool:
        file = state.disk.places[place]
        return file is not None and file.history == history and is_at_rest(state)

    return goal


def is_marked(state: State) -> bool:
    """A runner has left its start marker."""
    lock = state.disk.lock
    return lock is not None and lock.marker is not None and lock.marker.process != NOBODY


def is_claimed(state: State) -> bool:
    """The job has just been claimed."""
    return state.disk.places[RUNNING] is not None


def has_left_its_outcome(state: State) -> bool:
    """The runner has left its outcome line, and no more."""
    lock = state.disk.lock
    return lock is not None and lock.outcome is not None and any(state.runners)


def is_recorded(state: State) -> bool:
    """The dispatcher has put its record in the place of the document, and no more."""
    file = state.disk.places[RUNNING]
    return file is not None and file.history == "d"


def has_lost_its_runner(state: State) -> bool:
    """The runner is dead."""
    return state.runner_kills == 0


def has_lost_its_dispatcher(state: State) -> bool:
    """The dispatcher is dead, and there is no other yet."""
    return state.dispatchers == (None,) and state.dispatcher_kills == 0


def has_told(state: State) -> bool:
    """The job of on_failure is in pending/."""
    return bool(state.disk.notices)


def is_to_be_cancelled(state: State) -> bool:
    """A person has asked for it."""
    return state.disk.cancel != NOBODY


def is_swapped(state: State) -> bool:
    """A person has saved the file anew after the dispatcher's look."""
    (dispatcher,) = state.dispatchers
    looked_at = None if dispatcher is None else dispatcher.file
    return state.acts == 0 and looked_at is not None and looked_at != state.disk.places[PENDING]


def is_touched(state: State) -> bool:
    """A person has touched the file while it runs."""
    file = state.disk.places[RUNNING]
    return file is not None and file.touched


def has_adopted(state: State) -> bool:
    """The next dispatcher has found that the job runs."""
    (dispatcher,) = state.dispatchers
    return dispatcher is not None and dispatcher.mine is not None and dispatcher.mine.adopted


def is_edited(state: State) -> bool:
    """An edit has been answered, and the editor is gone."""
    return state.stories[0].edited > 0 and state.editor is None


def and_then(*goals: Goal) -> tuple[Goal, ...]:
    """These goals, one after the other."""
    return goals


# -- what the code is led to do


def finish(world: World) -> None:
    """A dispatcher and its jobs, until nothing waits and nothing runs."""
    if world.dispatcher is None or world.dispatcher.is_over:
        world.start_dispatcher()
    world.run(lambda: world.is_idle() and not os.listdir(world.layout.locks), seconds=600)


def waits(world: World, *endings: str, history: tuple[str, ...] = ()) -> None:
    """A job waits."""
    outcomes = {"done": "succeeded", "retry": "failed"}
    attempts = [ended(outcomes[verdict], verdict, number) for number, verdict in enumerate(history, 1)]
    world.put(Folder.PENDING, "a", world.document("a", *endings, **({"attempts": attempts} if attempts else {})))


def publish(world: World) -> None:
    """A producer publishes a job, which is run."""
    producer = world.start(
        "producer", lambda: enqueue(JOBS, "work", {"token": "a", "endings": ["ok"]}, id="a", config=world.config_path)
    )
    producer.run()
    finish(world)


def fail_once(world: World) -> None:
    """A job fails, and is tried again."""
    waits(world, "fail", "ok")
    finish(world)


def fail_for_good(world: World) -> None:
    """A job fails for the last time, which is told of; what becomes of the job that tells is the same as with any other."""
    waits(world, "fail", history=("retry",))
    dispatcher = world.start_dispatcher()
    dispatcher.run()
    world.runners[0].run()
    run_to(world, dispatcher, does("unlink", "locks/a.lock"))
    dispatcher.run(0)
    dispatcher.kill()


def lose_the_dispatcher_after_telling(world: World) -> None:
    """A dispatcher dies when it has told of a failure, and has not moved the job."""
    waits(world, "fail", history=("retry",))
    dispatcher = world.start_dispatcher()
    dispatcher.run()
    world.runners[0].run()
    run_to(world, dispatcher, does("rename", "pending/a.failed.2.json"))
    dispatcher.run(0)
    dispatcher.kill()
    successor = world.start_dispatcher()
    run_to(world, successor, does("unlink", "locks/a.lock"))
    successor.run(0)
    successor.kill()


def retry_by_hand(world: World) -> None:
    """A finished job has been moved back to pending/."""
    waits(world, "ok", history=("done",))
    finish(world)


def begin(world: World, kind: str, ending: str) -> None:
    """A dispatcher starts the job, whose process stands just behind an operation of that kind."""
    waits(world)
    world.start_dispatcher().run()
    (runner,) = world.runners
    run_to(world, runner, does(kind, ending))
    runner.run(0)
    runner.is_frozen = True


def crash(world: World) -> None:
    """The process of a job dies at its first line."""
    begin(world, "write", "locks/a.lock")
    world.runners[0].kill()
    finish(world)


def crash_after_outcome(world: World) -> None:
    """The process of a job dies between its outcome line and its end."""
    begin(world, "write", "locks/a.lock")
    (runner,) = world.runners
    runner.is_frozen = False
    run_to(world, runner, does("work", "a"))
    run_to(world, runner, does("write", "locks/a.lock"))
    runner.run(0)
    runner.kill()
    finish(world)


def lose_the_dispatcher_after_record(world: World) -> None:
    """A dispatcher dies between its record and the sync of running/."""
    waits(world)
    dispatcher = world.start_dispatcher()
    dispatcher.run()
    world.runners[0].run()
    run_to(world, dispatcher, does("replace", "running/a.json"))
    dispatcher.run(0)
    dispatcher.kill()
    finish(world)


def lose_the_dispatcher(world: World) -> None:
    """A dispatcher dies just after a claim."""
    waits(world)
    dispatcher = world.start_dispatcher()
    run_to(world, dispatcher, does("rename", "running/a.json"))
    dispatcher.kill()
    finish(world)


def adopt(world: World) -> None:
    """A dispatcher dies while a job is at its first line, and the next one adopts it."""
    begin(world, "write", "locks/a.lock")
    assert world.dispatcher is not None
    world.dispatcher.kill()
    world.start_dispatcher().run()
    world.runners[0].is_frozen = False
    finish(world)


def cancel_running(world: World) -> None:
    """A job is cancelled at its first line."""
    begin(world, "write", "locks/a.lock")
    world.touch_cancel("a")
    finish(world)


def touch_running(world: World) -> None:
    """A person touches the file of a job that is at its first line."""
    begin(world, "write", "locks/a.lock")
    os.utime(world.layout.running("a"), (1.0, 1.0))
    world.runners[0].is_frozen = False
    finish(world)


def cancel_waiting(world: World) -> None:
    """A job is cancelled while it waits."""
    waits(world)
    world.touch_cancel("a")
    finish(world)


def cancel_between(world: World) -> None:
    """A job is cancelled while it waits for its second attempt."""
    waits(world, history=("retry",))
    world.touch_cancel("a")
    finish(world)


def save_between(world: World) -> None:
    """A person saves the file anew between the look of a dispatcher and its claim."""
    waits(world)
    dispatcher = world.start_dispatcher()
    run_to(world, dispatcher, does("open", "pending/a.json"))
    run_to(world, dispatcher, does("open", "locks/a.lock"))
    dispatcher.run(0)
    waits(world)
    finish(world)


def edit_waiting(world: World) -> None:
    """A person gives a waiting job another priority, and it is run."""
    waits(world)
    world.start("editor", lambda: edit(world.config, "a", priority=5)).run()
    finish(world)


STORIES = (
    Story(
        "published and run", of("", pending=None, publishes=True, fails=False), and_then(lies_in(DONE, "d")), publish
    ),
    Story("fails once", of(""), and_then(lies_in(DONE, "rd")), fail_once),
    Story("fails for good", of("", pending=TRIED, tells=True), and_then(lies_in(FAILED, "rf")), fail_for_good),
    Story(
        "the dispatcher dies when it has told of a failure",
        of("", pending=TRIED, tells=True, dispatcher_kills=1),
        and_then(has_told, has_lost_its_dispatcher, lies_in(FAILED, "rf")),
        lose_the_dispatcher_after_telling,
    ),
    Story("retried by hand", of("", pending=FINISHED, fails=False), and_then(lies_in(DONE, "dd")), retry_by_hand),
    Story(
        "its process dies",
        of("", runner_kills=1, fails=False),
        and_then(is_marked, has_lost_its_runner, lies_in(DONE, "rd")),
        crash,
    ),
    Story(
        "its process dies after its outcome line",
        of("", runner_kills=1, fails=False),
        and_then(has_left_its_outcome, has_lost_its_runner, lies_in(DONE, "d")),
        crash_after_outcome,
    ),
    Story(
        "the dispatcher dies after the record",
        of("", dispatcher_kills=1, fails=False),
        and_then(is_recorded, has_lost_its_dispatcher, lies_in(DONE, "d")),
        lose_the_dispatcher_after_record,
    ),
    Story(
        "the dispatcher dies after the claim",
        of("", dispatcher_kills=1, fails=False),
        and_then(is_claimed, has_lost_its_dispatcher, lies_in(DONE, "d")),
        lose_the_dispatcher,
    ),
    Story(
        "adopted",
        of("", dispatcher_kills=1, fails=False),
        and_then(is_marked, has_lost_its_dispatcher, has_adopted, lies_in(DONE, "d")),
        adopt,
    ),
    Story(
        "cancelled while it runs",
        of("", Act.CANCEL, fails=False),
        and_then(is_marked, is_to_be_cancelled, lies_in(FAILED, "f")),
        cancel_running,
    ),
    Story(
        "touched while it runs",
        of("", Act.TOUCH, fails=False),
        and_then(is_marked, is_touched, lies_in(DONE, "d")),
        touch_running,
    ),
    Story(
        "cancelled while it waits",
        of("", Act.CANCEL),
        and_then(is_to_be_cancelled, lies_in(FAILED, "")),
        cancel_waiting,
    ),
    Story(
        "cancelled between two attempts",
        of("", Act.CANCEL, pending=TRIED, fails=False),
        and_then(is_to_be_cancelled, lies_in(FAILED, "f")),
        cancel_between,
    ),
    Story("edited", of("", edits=1, fails=False), and_then(is_edited, lies_in(DONE, "d")), edit_waiting),
    Story(
        "saved before the claim", of("", Act.SAVE, fails=False), and_then(is_swapped, lies_in(DONE, "d")), save_between
    ),
)


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_the_model_does_what_the_code_does(story: Story) -> None:
    """Along the same story every process of the model makes the file operations of the real one, in the same order."""
    assert told_by_model(story) == told_by_code(story)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("published and run", Rule.MARK_FIRST),
        ("fails once", Rule.CLAIM_MARK_STALE),
        ("retried by hand", Rule.CLAIM_MARK_SYNCED),
        ("the dispatcher dies after the record", Rule.RECORD_SYNCED_AGAIN),
        ("fails for good", Rule.TELL_BEFORE_MOVE),
        ("fails for good", Rule.TELL_AFTER_RECORD),
        ("the dispatcher dies when it has told of a failure", Rule.TELL_LOOKED_FOR),
        ("cancelled while it runs", Rule.CANCEL_BEFORE_MOVE),
        ("cancelled while it waits", Rule.REASON_FIRST),
        ("saved before the claim", Rule.PUT_BACK_LOCKED),
    ],
    ids=str,
)
def test_another_order_would_be_seen(name: str, rule: Rule) -> None:
    """A model without one of the rules, which does things in another order, is told from the code."""
    (story,) = [one for one in STORIES if one.name == name]
    assert told_by_model(story, ALL - {rule}) != told_by_code(story)
