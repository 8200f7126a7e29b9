"""The scenarios that are swept: every way a job can take, each begun where it gets interesting and acted out to its end."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from spoolrunner.cli import cancel, retry
from spoolrunner.protocol.states import State
from spoolrunner.spool import reason_files
from tests.crash.faults import World
from tests.crash.scenarios import (
    STEPPING,
    TELLING,
    Scenario,
    asked_to_stop,
    by_hand,
    cancel_running,
    cancel_waiting,
    command,
    dispatch,
    ended,
    foreign,
    kept_its_bytes,
    made_each_step_once,
    nothing,
    pending,
    publish,
    publish_one,
    until_settled,
    until_stopped,
    was_run_again,
    was_told_of,
    what_was_renamed_is_there,
    with_a_successor,
    work_about_to_end,
    work_in_progress,
)

UNLISTED = orjson.dumps({"job": "nowhere.Nothing", "method": "work"})
TORN = b'{"job": "tests.crash'

PUBLISHING = [
    Scenario("publish", nothing, publish_one, what_was_renamed_is_there, 6, ()),
    Scenario("publish a batch", nothing, publish(*"abc"), what_was_renamed_is_there, 14, ()),
    Scenario(
        "publish a batch that is synced at once", nothing, publish(*"abcdefghi"), what_was_renamed_is_there, 30, ()
    ),
]
RUNNING = [
    Scenario("one attempt that succeeds", pending(), dispatch, nothing, 30),
    Scenario("a failure, to be tried again", pending("fail", "ok"), dispatch, nothing, 30, settings={"max_retries": 2}),
    Scenario(
        "the last failure",
        pending("fail"),
        dispatch,
        nothing,
        30,
        settings={"max_retries": 0},
        ends_in=(State.FAILED,),
    ),
    Scenario(
        "a retry by hand from done/", by_hand(State.DONE, ended("succeeded", "done")), dispatch, was_run_again, 33
    ),
    Scenario(
        "a retry by hand from failed/",
        by_hand(State.FAILED, ended("crashed", "retry"), ended("failed", "failed", 2)),
        dispatch,
        was_run_again,
        33,
    ),
    Scenario("settling", work_about_to_end, until_settled, nothing, 10),
    Scenario(
        "a failure that is told of",
        pending("fail"),
        dispatch,
        was_told_of,
        36,
        settings={"max_retries": 0, "allowed_jobs": TELLING},
        ends_in=(State.FAILED,),
    ),
    Scenario(
        "a job that makes steps and fails",
        pending("fail", "ok", method="stepped"),
        dispatch,
        made_each_step_once,
        45,
        settings={"max_retries": 2, "allowed_jobs": STEPPING},
    ),
    Scenario("a timeout", work_in_progress, until_settled, nothing, 10, settings={"timeout": 3, "max_retries": 2}),
]
REFUSING = [
    Scenario("refused by the whitelist", foreign(State.PENDING, UNLISTED), dispatch, kept_its_bytes(UNLISTED), 12, ()),
    Scenario("unfit as a name", foreign(State.PENDING, TORN, "a b"), dispatch, kept_its_bytes(TORN, "a b"), 12, ()),
    Scenario("not JSON", foreign(State.PENDING, TORN), dispatch, kept_its_bytes(TORN), 12, ()),
    Scenario("torn in running/", foreign(State.RUNNING, TORN), dispatch, kept_its_bytes(TORN), 12, ()),
    Scenario(
        "expired",
        pending(expires_at="2001-01-01T00:00:00Z"),
        dispatch,
        nothing,
        12,
        ends_in=(State.FAILED,),
    ),
]
ENDING = [
    Scenario(
        "cancel of a running job",
        cancel_running,
        until_settled,
        nothing,
        15,
        ends_in=(State.FAILED, State.DONE),
    ),
    Scenario(
        "params that do not fit",
        lambda world: world.put(State.PENDING, "a", {**world.document("a"), "params": []}),
        dispatch,
        nothing,
        30,
        ends_in=(State.FAILED,),
    ),
]


def failed_before(world: World) -> None:
    """A job that used up its budget lies in failed/."""
    world.put(State.FAILED, "a", world.document("a", attempts=[ended("failed", "failed")]))


def expired_before(world: World) -> None:
    """A job that expired lies in failed/, with the reason beside it."""
    pending(expires_at="2001-01-01T00:00:00Z")(world)
    dispatch(world)


def two_wait(world: World) -> None:
    """Two jobs wait; the second is the more urgent one and fails once."""
    pending()(world)
    world.put(State.PENDING, "b", world.document("b", "fail", "ok", priority=5))


def retried_between(world: World) -> None:
    """A job waits for its second attempt, and is to be cancelled."""
    world.put(State.PENDING, "a", world.document("a", attempts=[ended("failed", "retry")]))
    world.touch_cancel("a")


def at_work(*names: str) -> Callable[[World], None]:
    """A dispatcher has started these jobs, which are at work and will end at once; b fails, and c may not be tried again."""

    def prepare(world: World) -> None:
        for name in names:
            endings, retries = ("fail", "ok") if name == "b" else ("ok",), 0 if name == "c" else 2
            world.put(State.PENDING, name, world.document(name, *endings, max_retries=retries))
        world.start_dispatcher().run()
        for made in world.runners:
            while not any(effect.pid == made.pid for effect in world.effects):
                made.run(1)

    return prepare


def one_after_another(*endings: str) -> Callable[[World], None]:
    """Two jobs wait, and the second one also for the first."""

    def prepare(world: World) -> None:
        world.put(State.PENDING, "b", world.document("b", after=["a"]))
        world.put(State.PENDING, "a", world.document("a", *endings))

    return prepare


def started_in_order(world: World) -> None:
    """The second job did not start before the first one was done."""
    order = [effect.token for effect in world.effects]
    assert "a" not in order[order.index("b") :], order


def failed_for_it(world: World) -> None:
    """The second job never ran, and its reason names the first."""
    assert not world.starts("b")
    reason = reason_files.read(world.layout, "b") or {}
    assert (reason.get("outcome"), reason.get("what")) == (
        "dependency_failed",
        "after: a failed, so this one can never start",
    )


EITHER = (State.DONE, State.FAILED)
WAITING = [
    Scenario("one job after another", one_after_another(), dispatch, started_in_order, 50, ("a", "b")),
    Scenario("one job after another that fails once", one_after_another("fail", "ok"), dispatch, started_in_order, 40,
             ("a", "b"), settings={"max_retries": 2}),
    Scenario("one job after a failure", one_after_another("fail"), dispatch, failed_for_it, 40, ("a", "b"),
             settings={"max_retries": 0}, ends_in=(State.FAILED,)),
]  # fmt: skip
BATCHES = [
    Scenario("three jobs that end in one turn", at_work("a", "b", "c"), until_settled, nothing, 30, ("a", "b", "c"),
             ends_in=EITHER),
]  # fmt: skip
ASKED = [
    Scenario("retry by the command", failed_before, command(retry, "a"), nothing, 30,
             ends_in=EITHER),
    Scenario("retry by the command of an expired job", expired_before, command(retry, "a"),
             nothing, 30, ends_in=EITHER),
    Scenario("retry without after by the command", one_after_another(),
             command(retry, "b", "--without-after"), nothing, 15, ("a", "b"), ends_in=EITHER),
    Scenario("cancel by the command", pending(), command(cancel, "a", "--no-wait"), nothing, 15,
             ends_in=EITHER),
    Scenario("cancel of a waiting job", cancel_waiting, dispatch, nothing, 14, ends_in=EITHER),
    Scenario("cancel between two attempts", retried_between, dispatch, nothing, 14, ends_in=(State.FAILED,)),
    Scenario("stop", asked_to_stop(""), until_stopped, nothing, 10, settings={"max_retries": 2}),
    Scenario("stop, and leave running", asked_to_stop("leave-running"), until_stopped, nothing, 3,
             settings={"max_retries": 2}),
    Scenario("a successor stands by", pending(), with_a_successor, nothing, 30, settings={"max_retries": 2}),
    Scenario("a job that tells its progress", pending("tell"), dispatch, nothing, 33),
    Scenario("two jobs and one slot", two_wait, dispatch, nothing, 60, ("a", "b"),
             settings={"concurrency": 1, "max_retries": 2}),
]  # fmt: skip
EVERYTHING = PUBLISHING + RUNNING + WAITING + BATCHES + REFUSING + ENDING + ASKED
