"""What a job's process leaves in its lock file, and deaths and troubles around it: each the shortest story known."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

import pytest

from spoolrunner.attempt.runner import EXIT_LEFT
from spoolrunner.protocol.states import State
from spoolrunner.spool import lock_lines, traces
from tests.crash.actors import Fault, Operation, Plan
from tests.crash.conftest import MakeWorld
from tests.crash.failing import SHORT
from tests.crash.faults import Runner, World
from tests.crash.findings import Findings
from tests.crash.scenarios import (
    EARLY,
    EVERY_CRASH_POINT,
    LATE,
    Scenario,
    aftermath,
    judge_job,
    measure,
    pending,
    strike,
    until_settled,
    work_about_to_end,
)
from tests.crash.stories import BATCHES
from tests.crash.test_promises import does, run_to, two_for_one_attempt
from tests.tally import Tally

FULL, BROKEN = Fault(errno.ENOSPC), Fault(errno.EIO)
WHEN = "2026-11-27T12:00:00.000000Z"
START = lock_lines.start(1, (0, 0, 0), 0, "simulated", WHEN, 1.0, imports=True)
OUTCOME = lock_lines.outcome(1, "succeeded", WHEN, {})


def cuts_of(line: bytes) -> list[int]:
    """After how many bytes a line is torn: the first ones, the middle, the last ones, and not at all."""
    return [0, 1, 2, len(line) // 2, len(line) - 2, len(line) - 1, len(line)]


def outcomes(world: World, token: str = "a") -> list[str]:
    """How the attempts of the job ended."""
    return [made["outcome"] for made in world.find(token)[2]["attempts"]]


def append(world: World, data: bytes) -> None:
    """What a process wrote into the lock file as it died."""
    with open(world.layout.lock("a"), "ab") as stream:
        stream.write(data)


def said(world: World) -> str:
    """All that processes have said on standard error."""
    return "\n".join(world.said)


@pytest.mark.parametrize("orphan", [False, True], ids=["watched", "orphan"])
@pytest.mark.parametrize("written", cuts_of(OUTCOME))
def test_a_process_that_dies_within_its_outcome_line_has_left_nothing(
    make_world: MakeWorld, written: int, orphan: bool
) -> None:
    """Wherever its outcome line is torn, an attempt counts as crashed and is made again; a whole line is the outcome."""
    with make_world() as world:
        work_about_to_end(world)
        (runner,) = world.runners
        run_to(world, runner, does("work", "a"))
        if orphan:
            assert world.dispatcher is not None
            world.dispatcher.kill()
        append(world, OUTCOME[:written])
        runner.kill()
        world.recover()
        is_whole = written == len(OUTCOME)
        assert outcomes(world) == (["succeeded"] if is_whole else ["crashed", "succeeded"])
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == ([1] if is_whole else [1, 2])


@pytest.mark.parametrize("written", cuts_of(START)[:-1])
def test_a_process_that_dies_within_its_start_marker_has_not_begun(make_world: MakeWorld, written: int) -> None:
    """Wherever its start marker is torn, the attempt was not begun: another process makes it, under the same number."""
    with make_world() as world:
        pending()(world)
        world.start_dispatcher().run()
        (runner,) = world.runners
        run_to(world, runner, does("flock", "locks/a.lock"))
        stamp = world.spool.stamp(State.RUNNING, "a")
        assert stamp is not None
        marker = lock_lines.start(1, stamp, runner.pid, f"simulated-{runner.pid}", WHEN, 1.0, imports=True)
        append(world, marker[: written - len(START)])
        runner.kill()
        world.recover()
        assert outcomes(world) == ["succeeded"]
        assert world.starts("a") == [1]


@pytest.mark.parametrize("orphan", [False, True], ids=["watched", "orphan"])
def test_a_process_that_dies_after_its_outcome_line_has_left_it(make_world: MakeWorld, orphan: bool) -> None:
    """A process that is killed by its exit handlers, after it left its outcome, has succeeded and is not started again."""
    with make_world() as world:
        work_about_to_end(world)
        (runner,) = world.runners
        while not world.left:
            runner.run(1)
        if orphan:
            assert world.dispatcher is not None
            world.dispatcher.kill()
        runner.kill()
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]
        assert runner.was_killed


def test_a_process_that_left_its_outcome_but_does_not_end_is_waited_for(make_world: MakeWorld) -> None:
    """A process that has left its outcome and waits for a thread of its own is not settled before it ends."""
    with make_world() as world:
        work_about_to_end(world)
        (runner,) = world.runners
        while not world.left:
            runner.run(1)
        runner.is_frozen = True
        assert world.dispatcher is not None
        world.dispatcher.kill()
        world.start_dispatcher()
        end = world.clock.now + 20
        world.run(lambda: world.clock.now > end, seconds=30)
        assert world.find("a")[0] is State.RUNNING
        runner.is_frozen = False
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


def test_an_outcome_that_was_left_before_a_timeout_is_the_outcome(make_world: MakeWorld) -> None:
    """A process that left its outcome and is then ended because it does not end, has succeeded."""
    with make_world(timeout=30) as world:
        work_about_to_end(world)
        (runner,) = world.runners
        while not world.left:
            runner.run(1)
        runner.is_frozen = True
        world.run(lambda: runner.is_over, seconds=200)
        world.recover()
        assert runner.was_killed
        assert outcomes(world) == ["succeeded"]


def lines_of_runners(world: World, fault: Fault, seconds: float) -> Callable[[Operation], Fault | None]:
    """For so long, no process of a job can write into its lock file once its job is at work."""
    ends = world.clock.now + seconds

    def trouble(call: Operation) -> Fault | None:
        is_line = call.process.startswith("runner") and call.kind == "write" and call.path.endswith(".lock")
        return fault if is_line and world.effects and world.clock.now < ends else None

    return trouble


@pytest.mark.parametrize("fault", [FULL, BROKEN], ids=str)
def test_an_outcome_that_cannot_be_written_at_first_is_kept_until_it_can(make_world: MakeWorld, fault: Fault) -> None:
    """A process whose outcome line is refused for ten seconds keeps it that long, says so, and is not started again."""
    with make_world() as world:
        pending()(world)
        world.trouble = lines_of_runners(world, fault, 10)
        begins = world.clock.now
        world.start_dispatcher()
        world.run(world.is_idle, seconds=60)
        assert world.clock.now - begins >= 10
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]
        assert os.strerror(fault.error) in said(world)


def test_an_outcome_of_which_half_was_written_is_written_again(make_world: MakeWorld) -> None:
    """A process whose outcome line was cut short by a full disk writes it once more, behind the torn one."""
    with make_world() as world:
        work_about_to_end(world)
        met: list[Operation] = []

        def trouble(call: Operation) -> Fault | None:
            if met or not call.process.startswith("runner") or call.kind != "write":
                return None
            met.append(call)
            return SHORT

        world.trouble = trouble
        until_settled(world)
        assert [call.path for call in met] == ["locks/a.lock"]
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


@pytest.mark.parametrize("dispatcher_comes", [True, False], ids=["a dispatcher comes", "nobody comes"])
def test_an_orphan_waits_for_room_on_a_full_disk(make_world: MakeWorld, dispatcher_comes: bool) -> None:
    """An orphan keeps its outcome while the disk is full, whether a dispatcher comes meanwhile or not, and is not run again."""
    with make_world() as world:
        work_about_to_end(world)
        (orphan,) = world.runners
        assert world.dispatcher is not None
        world.dispatcher.kill()
        full_until = world.clock.now + 30
        world.trouble = lambda call: FULL if call.kind == "write" and world.clock.now < full_until else None
        if dispatcher_comes:
            world.tolerated = (OSError,)
            world.start_dispatcher()
        world.run(lambda: world.clock.now >= full_until - 1, seconds=60)
        assert not orphan.is_over
        assert world.find("a")[0] is State.RUNNING
        world.run(lambda: orphan.is_over, seconds=60)
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert outcomes(world) == ["succeeded"]
        assert world.starts("a") == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
@pytest.mark.parametrize("path", ["locks/a.lock", "locks", "running"])
def test_an_orphan_that_cannot_sync_says_so_and_ends(make_world: MakeWorld, path: str) -> None:
    """An orphan whose outcome is written but not synced says so and ends; the next dispatcher records the outcome."""
    with make_world() as world:
        work_about_to_end(world)
        assert world.dispatcher is not None
        world.dispatcher.kill()
        world.trouble = lambda call: BROKEN if (call.kind, call.path) == ("fsync", path) else None
        world.run(lambda: not world.live_runners(), seconds=60)
        assert "not synced: [Errno 5]" in said(world)
        world.trouble = None
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


# -- jobs that do something to their lock


def closes_its_descriptors(world: World, runner: Runner) -> None:
    """`os.closerange(3, 1000)`."""
    runner.close_descriptors(".lock")


def removes_its_lock_file(world: World, runner: Runner) -> None:
    """It tidies up what is not its own."""
    os.unlink(world.layout.lock("a"))


def replaces_its_lock_file(world: World, runner: Runner) -> None:
    """As above, and another file lies there then."""
    removes_its_lock_file(world, runner)
    with open(world.layout.lock("a"), "wb"):
        pass


DEEDS = [closes_its_descriptors, removes_its_lock_file]


def at_work_with(deed: Callable[[World, Runner], None]) -> Callable[[World], None]:
    """A job is at work, and has done that."""

    def prepare(world: World) -> None:
        work_about_to_end(world)
        deed(world, world.runners[0])

    return prepare


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
@pytest.mark.parametrize("deed", [*DEEDS, replaces_its_lock_file], ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("ending", ["ok", "fail"])
def test_the_outcome_of_a_job_that_lost_its_lock_is_kept(
    make_world: MakeWorld, deed: Callable[[World, Runner], None], ending: str
) -> None:
    """A job that closed its descriptors or removed its lock file is recorded as it ended, and its start is counted."""
    with make_world(max_retries=0) as world:
        work_about_to_end(world, ending)
        deed(world, world.runners[0])
        until_settled(world)
        assert outcomes(world) == ["succeeded" if ending == "ok" else "failed"]
        assert world.starts("a") == [1]
        world.recover()
        assert not world.leftovers()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
@pytest.mark.parametrize("mode", [EARLY, LATE])
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_dispatcher_that_dies_around_a_job_that_lost_its_lock_loses_nothing(
    make_world: MakeWorld, tally: Tally, deed: Callable[[World, Runner], None], mode: str
) -> None:
    """Wherever its dispatcher dies, a job that closed its descriptors or removed its lock file is run once and recorded."""

    def once(world: World) -> None:
        assert world.starts("a") == [1], f"it was run again: {world.describe()}"

    scenario = Scenario(deed.__name__, at_work_with(deed), until_settled, once, 10)
    findings = Findings()
    for at, operation in enumerate(measure(make_world, scenario), 1):
        if operation.process != "dispatcher":
            continue
        with findings.trial(f"{scenario}, {mode}, {at}, {operation}"), make_world(**scenario.settings) as world:
            strike(world, scenario, Plan(at, halts=mode == LATE))
            aftermath(world, scenario, mode)
    assert findings.tried >= 10
    findings.tell(tally, EVERY_CRASH_POINT)


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_an_orphan_that_lost_its_lock_is_adopted_and_recorded(
    make_world: MakeWorld, deed: Callable[[World, Runner], None]
) -> None:
    """A job that lost its lock before its dispatcher died is adopted by the next one, and its outcome is recorded."""
    with make_world() as world:
        work_about_to_end(world)
        (runner,) = world.runners
        deed(world, runner)
        runner.is_frozen = True
        assert world.dispatcher is not None
        world.dispatcher.kill()
        world.start_dispatcher()
        end = world.clock.now + 20
        world.run(lambda: world.clock.now > end, seconds=30)
        assert len(world.runners) == 1
        assert world.find("a")[0] is State.RUNNING
        runner.is_frozen = False
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert outcomes(world) == ["succeeded"]
        assert world.starts("a") == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed there")
def test_a_job_that_lost_its_lock_and_whose_file_is_gone_ends(make_world: MakeWorld) -> None:
    """A job that removed its lock file, and whose own file a person took away, ends: nobody waits for its outcome."""
    with make_world() as world:
        work_about_to_end(world)
        (runner,) = world.runners
        removes_its_lock_file(world, runner)
        os.unlink(world.layout.job(State.RUNNING, "a"))
        world.run(lambda: runner.is_over, seconds=60)
        assert not world.left
        world.recover()
        assert not world.leftovers()


# -- late processes, and files that were changed under them


def test_a_late_process_leaves_a_file_that_was_saved_anew_alone(make_world: MakeWorld) -> None:
    """A process of a dead dispatcher, whose job a person has saved anew since, leaves it to the process that was told that."""
    with make_world() as world:
        old, new, dispatcher = two_for_one_attempt(world)
        dispatcher.kill()
        new.kill()
        world.put(State.RUNNING, "a", world.document("a", priority=7))
        old.run()
        assert old.result == EXIT_LEFT
        assert not world.effects
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


def test_a_file_that_was_written_into_before_its_process_began_is_judged_anew(make_world: MakeWorld) -> None:
    """A process whose file was changed between claim and start does not run what it was told; the job is looked at again."""
    with make_world() as world:
        pending()(world)
        world.start_dispatcher().run()
        (runner,) = world.runners
        with open(world.layout.job(State.RUNNING, "a"), "ab") as stream:
            stream.write(b"\n")
        world.run(lambda: runner.is_over, seconds=10)
        assert runner.result == EXIT_LEFT
        assert not world.effects
        world.recover()
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


def test_a_job_whose_file_was_changed_while_it_ran_keeps_what_was_written(make_world: MakeWorld) -> None:
    """What somebody wrote into the file of a running job stays in it, and the outcome is recorded beside it."""
    with make_world() as world:
        work_about_to_end(world)
        world.put(State.RUNNING, "changed", world.document("a", priority=7))
        with open(world.layout.job(State.RUNNING, "changed"), "rb") as stream:
            data = stream.read()
        os.unlink(world.layout.job(State.RUNNING, "changed"))
        with open(world.layout.job(State.RUNNING, "a"), "r+b") as stream:
            stream.write(data)
        until_settled(world)
        assert world.find("a")[2]["priority"] == 7
        assert outcomes(world) == ["succeeded"]
        judge_job(world, "a", (State.DONE,))


# -- batches


@pytest.mark.skipif(sys.platform == "win32", reason="Windows syncs no folders")
def test_jobs_that_end_in_one_turn_are_recorded_as_one_batch(make_world: MakeWorld) -> None:
    """Of three jobs that end in one turn all records are synced before the first is renamed, and running/ once for all."""
    (scenario,) = BATCHES
    operations = [str(operation) for operation in measure(make_world, scenario)]
    records = [at for at, line in enumerate(operations) if "fsync tmp/" in line]
    renames = [at for at, line in enumerate(operations) if "replace" in line and " -> running/" in line]
    synced = [at for at, line in enumerate(operations) if line.endswith("fsync running")]
    moves = [at for at, line in enumerate(operations) if "rename running/" in line]
    assert (len(records), len(renames), len(synced), len(moves)) == (3, 3, 1, 3)
    assert max(records) < min(renames) <= max(renames) < synced[0] < min(moves)


@pytest.mark.parametrize("kind", ["write", "fsync", "close", "replace", "rename"])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_one_of_a_batch_that_cannot_be_recorded_keeps_no_other_back(
    make_world: MakeWorld, kind: str, which: int
) -> None:
    """Of three jobs that end in one turn, each is recorded and run as often as it should, whichever one the disk refuses."""
    (scenario,) = BATCHES
    with make_world() as world:
        scenario.prepare(world)
        met: list[Operation] = []

        def trouble(call: Operation) -> Fault | None:
            is_ours = call.path.startswith("running/" if kind == "rename" else "tmp/")
            if call.process != "dispatcher" or call.kind != kind or not is_ours or call.path.endswith("status.json"):
                return None
            met.append(call)
            return BROKEN if len(met) == which else None

        world.trouble = trouble
        until_settled(world)
        assert len(met) >= which
        world.trouble = None
        world.recover()
        for token, starts in (("a", [1]), ("b", [1, 2]), ("c", [1])):
            judge_job(world, token, (State.DONE,))
            assert world.starts(token) == starts
        assert [name for name in os.listdir(world.layout.tmp) if not name.startswith("person")] == []


def test_the_traces_of_a_lock_file_are_what_was_left(make_world: MakeWorld) -> None:
    """A process that has imported its job, and has ended, leaves a marker, the end of its import, and its outcome."""
    with make_world() as world:
        work_about_to_end(world)
        assert world.dispatcher is not None
        world.dispatcher.kill()
        world.run(lambda: not world.live_runners())
        left = traces.peek(world.layout.lock("a"))
        assert left.marker is not None
        assert left.marker.is_start
        assert left.marker.pid == world.runners[0].pid
        assert left.ready == world.clock.now
        assert left.outcome is not None
        assert (left.outcome.outcome, left.outcome.result) == ("succeeded", '"fine"')
