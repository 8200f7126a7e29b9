"""Single deaths and races in which one promise was, or could easily be, broken: each the shortest story known."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

import pytest

from spoolrunner.protocol.states import MAX_RELEASES, State
from spoolrunner.spool import locks
from spoolrunner.system.clock import format_time
from tests.crash.actors import Fault, Operation, Plan, Process
from tests.crash.conftest import MakeWorld
from tests.crash.faults import Runner, World
from tests.crash.scenarios import (
    ALL,
    Scenario,
    aftermath,
    by_hand,
    cancel_running,
    cancel_waiting,
    dispatch,
    ended,
    judge_job,
    measure,
    nothing,
    pending,
    plans,
    strike,
    sweep,
    until_settled,
)

FULL = Fault(errno.ENOSPC)


def run_to(world: World, process: Process, done: Callable[[Operation], bool]) -> Operation:
    """Let a process run on, operation by operation, until it has done one for which `done` holds."""
    while not process.is_over:
        process.run(1)
        if done(world.log[-1]):
            return world.log[-1]
    raise AssertionError(f"{process.name} never did that: {world.describe()}")


def does(kind: str, ending: str) -> Callable[[Operation], bool]:
    """An operation of that kind on a path (or to a target) with that ending."""
    return lambda operation: operation.kind == kind and operation.path.endswith(ending)


def two_for_one_attempt(world: World) -> tuple[Runner, Runner, Process]:
    """A dispatcher starts a process and is killed; the next one starts another for the same attempt. Returns those three."""
    pending()(world)
    first = world.start_dispatcher()
    first.run()
    first.kill()
    second = world.start_dispatcher()
    second.run()
    old, new = world.runners
    return old, new, second


def test_a_cancelled_job_that_waits_never_starts(make_world: MakeWorld) -> None:
    """A job that was cancelled while it waited never starts, wherever the dispatcher that refuses it is killed."""

    def never_started(world: World) -> None:
        assert not world.effects, f"a cancel was lost: {world.describe()}"

    ends_in = (State.FAILED, State.DONE)
    sweep(make_world, Scenario("", cancel_waiting, dispatch, never_started, 14, ends_in=ends_in), ALL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_a_reason_never_lies_beside_no_job(make_world: MakeWorld) -> None:
    """A reason that was written for a refusal that never came about does not stay in failed/ when the job was run after all."""

    def prepare(world: World) -> None:
        world.put(State.PENDING, "a", b'{"job": "nowhere.Nothing", "method": "work"}')

    with make_world() as world:
        prepare(world)
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("fsync", "failed"))
        dispatcher.kill()
        assert os.path.exists(world.layout.reason("a"))
        world.put(State.PENDING, "a", world.document("a"))  # the person has corrected the file
        aftermath(world, Scenario("", nothing, nothing, nothing, 0), ALL)


def test_what_the_runner_refused_has_its_reason_beside_it(make_world: MakeWorld) -> None:
    """A job that its own process refused lies in failed/ with the reason beside it, wherever somebody is killed."""

    def prepare(world: World) -> None:
        world.put(State.PENDING, "a", {**world.document("a"), "params": []})

    def has_reason(world: World) -> None:
        assert os.path.exists(world.layout.reason("a")), f"no reason: {world.describe()}"

    settings = {"max_retries": 2}
    sweep(make_world, Scenario("", prepare, dispatch, has_reason, 30, (), settings=settings), ALL)


@pytest.mark.parametrize("endings", [("ok",), ("fail", "ok")], ids=["first attempt", "retry"])
def test_a_job_that_never_reaches_its_first_line_is_given_up(make_world: MakeWorld, endings: tuple[str, ...]) -> None:
    """A job whose process always dies before its start marker is released five times and then counts as crashed."""
    with make_world(max_retries=1) as world:
        pending(*endings)(world)
        dispatcher = world.start_dispatcher()
        fated = len(endings)

        def stillbirths() -> int:
            for runner in world.live_runners():
                if runner.key.number == fated:
                    runner.kill()
            return len([runner for runner in world.runners if runner.key.number == fated])

        def is_decided() -> bool:
            dead = stillbirths()
            assert dead <= MAX_RELEASES + 1, f"{dead} processes were started for it: {world.describe()}"
            _, _, raw = world.find("a")
            return len(raw.get("attempts", [])) == fated

        world.run(is_decided, seconds=300)
        assert world.find("a")[2]["attempts"][-1]["outcome"] == "crashed"
        dispatcher.kill()


def test_a_record_is_made_though_a_process_of_the_same_pid_died_making_it(make_world: MakeWorld) -> None:
    """A staged record that a dead process left behind does not keep a process that was given its pid from recording.

    In a container pids begin anew with each start: the dispatcher has the same one every time, and its jobs nearly so.
    """
    with make_world() as world:
        pending()(world)
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        (runner,) = world.runners
        run_to(world, runner, does("work", "a"))
        runner.kill()
        run_to(world, dispatcher, lambda operation: operation.kind == "fsync" and operation.path.startswith("tmp/"))
        dispatcher.kill()
        world.start_dispatcher().pid = dispatcher.pid
        world.run(world.is_idle, seconds=60)
        judge_job(world, "a", (State.DONE,))


def test_an_old_marker_is_not_taken_for_one_of_a_new_job_in_the_same_inode(make_world: MakeWorld) -> None:
    """A job published under the id of one that a person removed runs, though its file was given the old one's inode number.

    The inode of the file that attempt 1 was made of is free after its record, and many file systems give numbers out
    again; here the number is made up, since when that happens is theirs to decide.
    """
    with make_world(max_retries=0) as world:
        world.put(State.PENDING, "a", world.document("old", "fail", max_retries=1))
        inode = os.stat(world.layout.job(State.PENDING, "a")).st_ino
        world.start_dispatcher(drain=True)
        world.run()  # attempt 1 has failed; it waits for its retry
        os.unlink(world.layout.job(State.PENDING, "a"))
        world.put(State.PENDING, "a", world.document("new"))
        world.inodes[os.stat(world.layout.job(State.PENDING, "a")).st_ino] = inode
        world.recover()
        judge_job(world, "new", (State.DONE,))
        assert world.starts("new") == [1]


def test_a_retry_by_hand_that_slips_in_before_a_claim_is_run_though_the_claimer_dies(make_world: MakeWorld) -> None:
    """A finished job moved to pending/ in the place of one that was looked at just now is run, wherever the claimer dies."""
    with make_world() as world:
        world.put(State.PENDING, "a", world.document("gone"))
        world.put(State.DONE, "a", world.document("a", attempts=[ended("succeeded", "done")]))
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("open", "pending/a.json"))
        dispatcher.run(0)  # it has read the file, and stands before its claim
        os.unlink(world.layout.job(State.PENDING, "a"))
        world.mv("a", State.DONE, State.PENDING)
        run_to(world, dispatcher, does("rename", "running/a.json"))
        dispatcher.kill()
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a"), f"the retry by hand was not run: {world.describe()}"


def test_a_retry_by_hand_of_a_job_that_was_cancelled_between_two_attempts_has_a_fresh_budget(
    make_world: MakeWorld,
) -> None:
    """A job that was cancelled while it waited for its retry begins afresh when a person moves it back to pending/."""
    with make_world(max_retries=1) as world:
        pending("fail", "fail", "ok")(world)
        world.start_dispatcher(drain=True)
        world.run()
        world.touch_cancel("a")
        world.start_dispatcher(drain=True)
        world.run()
        assert world.find("a")[0] is State.FAILED
        world.mv("a", State.FAILED, State.PENDING)
        world.recover()
        assert world.starts("a") == [1, 2, 3]


def test_a_runner_that_comes_late_finds_that_its_attempt_was_made(make_world: MakeWorld) -> None:
    """Of two processes for one attempt, left by two dispatchers, exactly one runs the job, whichever comes first."""
    for late_first in (False, True):
        with make_world() as world:
            old, new, _ = two_for_one_attempt(world)
            order = (new, old) if late_first else (old, new)
            for runner in order:
                runner.run()
            world.recover()
            judge_job(world, "a", (State.DONE,))
            assert world.starts("a") == [1]


def test_a_runner_that_comes_late_finds_that_its_attempt_was_begun(make_world: MakeWorld) -> None:
    """A process that comes after another one began the same attempt, and died of it, leaves without running the job."""
    with make_world() as world:
        old, new, _ = two_for_one_attempt(world)
        assert old.key == new.key
        run_to(world, old, does("work", "a"))
        old.kill()
        new.run()
        assert world.starts("a") == [1]
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1, 2]


def test_a_late_runner_meets_the_other_at_work(make_world: MakeWorld) -> None:
    """While one process is at work on a job, another one started for the same attempt leaves without running it."""
    with make_world() as world:
        old, new, second = two_for_one_attempt(world)
        run_to(world, old, does("work", "a"))
        old.is_frozen = True
        world.run(lambda: new.is_over, seconds=10)
        second.run()
        assert world.find("a")[0] is State.RUNNING
        old.is_frozen = False
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


def test_of_two_processes_at_their_first_lines_the_one_with_the_lock_runs(make_world: MakeWorld) -> None:
    """Between its lock and its marker a process is alone: one that comes meanwhile for the same attempt leaves."""
    with make_world() as world:
        old, new, _ = two_for_one_attempt(world)
        run_to(world, old, does("flock", ".lock"))
        old.is_frozen = True
        world.run(lambda: new.is_over, seconds=10)
        assert not world.effects
        old.is_frozen = False
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
def test_a_lock_on_a_file_that_was_removed_meanwhile_guards_nothing(make_world: MakeWorld) -> None:
    """A process whose lock file was removed before it had the lock tries again, and finds the job run by another."""
    with make_world() as world:
        pending()(world)
        first = world.start_dispatcher()
        first.run()
        (old,) = world.runners
        run_to(world, old, does("open", ".lock"))
        old.is_frozen = True
        first.kill()
        dispatcher = world.start_dispatcher()
        world.run(lambda: not os.listdir(world.layout.locks), seconds=10)
        assert world.spool.exists(State.DONE, "a")
        world.put(State.PENDING, "a", world.document("b"))
        world.run(lambda: len(world.runners) == 3, seconds=10)
        run_to(world, world.runners[2], does("work", "b"))
        world.runners[2].is_frozen = True
        old.is_frozen = False
        world.run(lambda: old.is_over, seconds=10)
        dispatcher.run()
        world.runners[2].is_frozen = False
        world.recover()
        assert world.starts("a") == [1]
        assert world.starts("b") == [1]
        judge_job(world, "b", (State.DONE,))


def test_a_job_that_closed_its_lock_still_runs(make_world: MakeWorld) -> None:
    """A job that closed all its descriptors, its lock among them, is not taken for dead while its process lives."""
    with make_world() as world:
        pending()(world)
        first = world.start_dispatcher()
        first.run()
        (runner,) = world.runners
        run_to(world, runner, does("work", "a"))
        runner.close_descriptors(".lock")
        runner.is_frozen = True
        first.kill()
        world.start_dispatcher()
        end = world.clock.now + 20
        world.run(lambda: world.clock.now > end, seconds=30)
        assert world.find("a")[0] is State.RUNNING
        runner.is_frozen = False
        world.recover()
        assert world.starts("a") == [1]
        judge_job(world, "a", (State.DONE,))


def test_two_files_of_one_id_run_one_after_the_other(make_world: MakeWorld) -> None:
    """A second file of an id that runs waits until the first has settled, and neither is written over the other."""
    with make_world() as world:
        world.put(State.PENDING, "a", world.document("first"))
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        (runner,) = world.runners
        run_to(world, runner, does("work", "first"))
        runner.is_frozen = True
        world.put(State.PENDING, "a", world.document("second"))
        end = world.clock.now + 20
        world.run(lambda: world.clock.now > end, seconds=30)
        assert world.find("second")[0] is State.PENDING
        runner.is_frozen = False
        world.recover()
        assert {name for _, name in world.files()} == {"a", "a~2"}
        for token in ("first", "second"):
            judge_job(world, token, (State.DONE,))


def test_what_was_finished_is_finished_though_the_name_is_taken(make_world: MakeWorld) -> None:
    """A job whose name is taken in done/ ends beside the other under a name of its own, wherever somebody is killed."""

    def prepare(world: World) -> None:
        world.put(State.DONE, "a", world.document("b", attempts=[ended("succeeded", "done")]))
        pending()(world)

    sweep(make_world, Scenario("", prepare, dispatch, nothing, 30, ("a", "b")), ALL)


def test_a_job_edited_between_look_and_claim_is_judged_anew(make_world: MakeWorld) -> None:
    """A file that a person saves between the dispatcher's look and its claim is run as it was saved, or refused."""
    with make_world() as world:
        pending()(world)
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("open", "pending/a.json"))
        dispatcher.run(0)
        world.put(State.PENDING, "a", {**world.document("a"), "method": "forbidden"})
        world.recover()
        assert world.find("a")[0] is State.FAILED
        assert not world.effects


def test_a_job_put_off_between_look_and_claim_does_not_start_early(make_world: MakeWorld) -> None:
    """A file that a person saves with a later next_run_at between the dispatcher's look and its claim waits for that time."""
    with make_world() as world:
        pending()(world)
        dispatcher = world.start_dispatcher()
        run_to(world, dispatcher, does("open", "pending/a.json"))
        dispatcher.run(0)
        due_at = world.clock.now + 60
        world.put(State.PENDING, "a", world.document("a", next_run_at=format_time(due_at)))
        world.run(lambda: world.effects, seconds=90)
        assert world.clock.now >= due_at


def test_a_cancel_never_outlives_its_job(make_world: MakeWorld) -> None:
    """When a job that was to be cancelled lies where it stays, the request is gone, wherever somebody was killed."""
    scenario = Scenario("", cancel_running, until_settled, nothing, 15, ends_in=(State.FAILED, State.DONE))
    ended_ones = 0
    for plan in plans(measure(make_world, scenario), ALL):
        with make_world() as world:
            strike(world, scenario, plan)
            state, _, _ = world.find("a")
            if state in (State.DONE, State.FAILED):
                ended_ones += 1
                assert not os.path.exists(world.layout.cancel("a")), f"it would hit a later job: {world.describe()}"
    assert ended_ones


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_a_record_is_on_the_disk_before_the_job_moves(make_world: MakeWorld) -> None:
    """Nothing is renamed whose bytes were not synced since they were written, and each new name is synced into its folder."""
    with make_world() as world:
        pending("fail", "ok")(world)
        world.recover()
        dirty: set[str] = set()
        owed: set[str] = set()
        for _, kind, path in world.log:
            source, _, target = path.partition(" -> ")
            if kind == "write":
                dirty.add(path)
            elif kind == "fsync":
                dirty.discard(path)
                owed.discard(path)
            elif kind in ("rename", "replace") and target != "status.json":
                assert source not in dirty, f"{path} without a sync"
                assert os.path.dirname(source) not in owed, f"{path} before {os.path.dirname(source)} was synced"
                if kind == "replace":
                    owed.add(os.path.dirname(target))
        assert not owed


def test_a_full_disk_stops_claiming_and_ends_by_itself(make_world: MakeWorld) -> None:
    """While nothing can be written no job is claimed; when the disk has room again, everything goes on by itself."""
    with make_world() as world:
        pending("fail", "ok")(world)
        full_until = world.clock.now + 30
        world.trouble = lambda op: FULL if op.kind == "fsync" and world.clock.now < full_until else None
        dispatcher = world.start_dispatcher()
        world.run(lambda: len(world.effects) == 1, seconds=60)
        world.run(world.is_idle, seconds=120)
        dispatcher.kill()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1, 2]


def test_a_blocked_dispatcher_waits(make_world: MakeWorld) -> None:
    """A dispatcher that cannot write waits between its probes, though there are requests and hints it has not looked at."""
    with make_world() as world:
        world.put(State.RUNNING, "torn", b"{")
        full_until = world.clock.now + 30
        world.trouble = lambda op: FULL if op.kind == "fsync" and world.clock.now < full_until else None
        dispatcher = world.start_dispatcher()
        dispatcher.run()
        world.touch_cancel("nobody")
        world.hint("new")
        world.run(world.is_idle, seconds=60)
        dispatcher.kill()


def test_the_harness_sees_a_dead_process_do_nothing(make_world: MakeWorld) -> None:
    """After its death a simulated process changes nothing, not even in its cleanup handlers, and its locks are free."""
    with make_world() as world:
        pending()(world)
        world.kill_at(Plan(10_000))
        world.start_dispatcher(drain=True)
        world.run()
        at = next(n for n, op in enumerate(world.log, 1) if op.kind == "replace" and op.path.endswith("running/a.json"))
    with make_world() as world:
        pending()(world)
        world.kill_at(Plan(at, halts=True))
        world.start_dispatcher(drain=True)
        world.run()
        assert world.fired is not None
        staged = world.fired.path.partition(" -> ")[0]
        assert os.path.exists(os.path.join(world.layout.root, staged)), "a cleanup handler ran"
        lock = locks.acquire(world.layout.lock("a"))
        assert lock is not None, "the dead process holds its lock"
        lock.close()


def test_by_hand_means_afresh(make_world: MakeWorld) -> None:
    """A retry by hand of a job that used up its budget may fail as often again before it is given up."""
    with make_world(max_retries=1) as world:
        by_hand(State.FAILED, ended("failed", "retry"), ended("failed", "failed", 2))(world)
        world.put(State.FAILED, "b", world.document("b", "fail", attempts=[ended("failed", "failed")]))
        world.mv("b", State.FAILED, State.PENDING)
        world.recover()
        assert world.starts("a") == [3]
        assert world.starts("b") == [2, 3]


def test_a_dispatcher_that_was_stopped_during_a_scan_soon_scans_again(make_world: MakeWorld) -> None:
    """A dispatcher without file events that stood still for ten minutes amid a scan soon finds a new job."""
    with make_world() as world:
        pending()(world)
        dispatcher = world.start_dispatcher()
        dispatcher.run(3)  # it stands before its look at the job that its first scan has found
        world.clock.now += 600
        world.put(State.PENDING, "b", world.document("b"))
        world.run(world.is_idle, seconds=900)


def test_a_start_is_counted_though_somebody_wrote_into_the_file_since(make_world: MakeWorld) -> None:
    """A start whose process died is counted though a program that had the file open wrote into it after the start."""
    with make_world() as world:
        pending()(world)
        world.start_dispatcher().run()
        (runner,) = world.runners
        editor = os.open(world.layout.job(State.RUNNING, "a"), os.O_WRONLY | os.O_APPEND)
        run_to(world, runner, does("work", "a"))
        os.write(editor, b"\n")
        os.close(editor)
        os.utime(world.layout.job(State.RUNNING, "a"), (1_600_000_000, 1_600_000_000))  # whatever the clock's grain is
        runner.kill()
        world.recover()
        assert world.starts("a") == [1, 2]
        judge_job(world, "a", (State.DONE,))


def test_a_cancel_that_was_carried_out_under_another_name_hits_no_later_job(make_world: MakeWorld) -> None:
    """A cancelled job whose name was taken in failed/ leaves no request to a later job of its id, wherever somebody died."""

    def prepare(world: World) -> None:
        world.put(State.FAILED, "a", world.document("earlier", attempts=[ended("failed", "failed")]))
        cancel_waiting(world)

    scenario = Scenario("", prepare, dispatch, nothing, 14, ("a", "earlier"), ends_in=(State.FAILED,))
    hits = 0
    for plan in plans(measure(make_world, scenario), ALL):
        with make_world() as world:
            strike(world, scenario, plan)
            world.plan = None
            if world.find("a")[0] is State.FAILED:
                hits += 1
                world.put(State.PENDING, "a", world.document("later"))
                world.recover()
                judge_job(world, "later", (State.DONE,))
    assert hits


def test_a_cancel_between_two_attempts_is_carried_out_wherever_the_dispatcher_is_killed(make_world: MakeWorld) -> None:
    """A job that is cancelled while it waits for its retry is not tried again, wherever the dispatcher is killed."""

    def prepare(world: World) -> None:
        world.put(State.PENDING, "a", world.document("a", attempts=[ended("failed", "retry")]))
        world.touch_cancel("a")

    def never_started(world: World) -> None:
        assert not world.effects, f"a cancel was lost: {world.describe()}"
        assert world.find("a")[2]["attempts"][-1]["verdict"] == "failed"

    sweep(make_world, Scenario("", prepare, dispatch, never_started, 14, ends_in=(State.FAILED,)), ALL)
