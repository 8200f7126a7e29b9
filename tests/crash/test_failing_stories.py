"""Single failing calls by which something was, or could easily be, lost: each the shortest story known."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

import pytest

from spoolrunner.protocol.states import State
from tests.crash.actors import Fault, Operation, Trouble
from tests.crash.conftest import MakeWorld
from tests.crash.failing import HELD, HOLDABLE, SHORT
from tests.crash.faults import World
from tests.crash.scenarios import cancel_waiting, judge_job, pending, until_settled, work_about_to_end
from tests.crash.stories import retried_between

BROKEN, FORBIDDEN = Fault(errno.EIO), Fault(errno.EACCES)


def the_first(kind: str, path: str, fault: Fault, process: str = "") -> Trouble:
    """The first such call on that path (of that process) fails, and no other."""
    met: list[Operation] = []

    def trouble(call: Operation) -> Fault | None:
        if met or call.kind != kind or call.path != path or not call.process.startswith(process):
            return None
        met.append(call)
        return fault

    return trouble


def serve(world: World, trouble: Trouble | None) -> str:
    """A dispatcher brings everything to its end under that trouble; returns its log."""
    world.trouble = trouble
    dispatcher = world.start_dispatcher()
    world.run(lambda: world.is_idle() and world.is_calm(), seconds=60)
    dispatcher.kill()
    with open(os.path.join(world.layout.logs, "background_jobs.log"), encoding="utf-8") as stream:
        return stream.read()


@pytest.mark.parametrize("prepare", [cancel_waiting, retried_between], ids=["never started", "between two attempts"])
@pytest.mark.parametrize("kind", ["open", "readdir"])
def test_a_cancel_comes_before_the_start_though_control_could_not_be_read(
    make_world: MakeWorld, prepare: Callable[[World], None], kind: str
) -> None:
    """A waiting job that is to be cancelled does not start because the first look into control/ failed."""
    with make_world() as world:
        prepare(world)
        serve(world, the_first(kind, "control", BROKEN))
        assert not world.effects
        assert world.find("a")[0] is State.FAILED


def test_a_cancel_is_not_dropped_because_nobody_could_tell_whether_its_job_is_there(make_world: MakeWorld) -> None:
    """A request to cancel stays when the system refuses to say whether the job lies in pending/: it is no "no"."""
    with make_world() as world:
        cancel_waiting(world)
        log = serve(world, the_first("stat", "pending/a.json", BROKEN))
        assert "no such job" not in log
        assert not world.effects


def test_a_cancel_between_two_attempts_waits_for_a_lock_that_is_held(make_world: MakeWorld) -> None:
    """A job that is cancelled between two attempts while its lock is held does not stay in running/ for good."""
    with make_world() as world:
        retried_between(world)
        log = serve(world, the_first("flock", "locks/a.lock", FORBIDDEN))
        assert "held by another process" in log
        assert not world.effects
        assert world.find("a")[0] is State.FAILED


@pytest.mark.parametrize(
    ("kind", "path"), [("unlink", "locks/a.progress"), ("close", "logs/jobs/a.log"), ("open", "logs/jobs/a.log")]
)
def test_what_does_not_matter_to_a_job_does_not_end_its_process(make_world: MakeWorld, kind: str, path: str) -> None:
    """A job whose progress cannot be removed, or whose log cannot be opened or closed, is run once and is done."""
    with make_world() as world:
        pending("tell")(world)
        serve(world, the_first(kind, path, BROKEN, "runner"))
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]


def orphan_that_ended(world: World) -> None:
    """A dispatcher has died over a job at work, which has ended since: the next one reads its file, to record it."""
    work_about_to_end(world)
    assert world.dispatcher is not None
    world.dispatcher.kill()
    world.run(lambda: not world.live_runners())


@pytest.mark.skipif(sys.platform == "win32", reason="what may not be opened is tried again there")
def test_a_finished_job_that_may_not_be_opened_once_is_done(make_world: MakeWorld) -> None:
    """A job that ended, whose file in running/ cannot be opened at the first try, is not refused, and the trouble is said."""
    with make_world() as world:
        orphan_that_ended(world)
        log = serve(world, the_first("open", "running/a.json", FORBIDDEN, "dispatcher"))
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]
        assert "Permission denied" in log


def test_a_job_that_may_never_be_opened_again_is_refused(make_world: MakeWorld) -> None:
    """A file in running/ that cannot be opened at the second try either is refused, its bytes kept, and blocks nothing."""
    with make_world() as world:
        orphan_that_ended(world)
        before = world.files()[State.RUNNING, "a"]
        serve(
            world,
            lambda call: (
                FORBIDDEN if (call.process, call.kind, call.path) == ("dispatcher", "open", "running/a.json") else None
            ),
        )
        assert world.files() == {(State.FAILED, "a"): before}
        assert os.path.exists(world.layout.reason("a"))


def test_a_job_that_ended_is_recorded_without_a_look_at_its_file(make_world: MakeWorld) -> None:
    """A job whose file may not be opened any more after its claim is done: its dispatcher knows what it says."""
    with make_world() as world:
        pending()(world)
        asked: list[Operation] = []

        def trouble(call: Operation) -> Fault | None:
            if call.kind != "open" or call.path != "running/a.json":
                return None
            asked.append(call)
            return FORBIDDEN

        serve(world, trouble)
        judge_job(world, "a", (State.DONE,))
        assert not asked


@pytest.mark.skipif(sys.platform == "win32", reason="a lock is removed after it was closed there")
@pytest.mark.parametrize(
    ("kind", "path"),
    [("fstat", "logs/jobs/a.log"), ("unlink", "locks/a.lock"), ("stat", "pending/a.json"), ("close", "locks/a.lock")],
)
def test_what_became_of_a_job_is_told_though_something_of_it_is_left_behind(
    make_world: MakeWorld, kind: str, path: str
) -> None:
    """A job that was done is reported as done, not as removed by hand, when its log or lock cannot be tidied away."""
    with make_world() as world:
        work_about_to_end(world)
        world.trouble = the_first(kind, path, BROKEN, "dispatcher")
        until_settled(world)
        assert world.dispatcher is not None
        world.run(world.is_calm, seconds=30)
        with open(os.path.join(world.layout.logs, "background_jobs.log"), encoding="utf-8") as stream:
            log = stream.read()
        assert " completed id=a" in log.replace("  ", " ")
        assert "by hand" not in log
        world.recover()
        assert not world.leftovers()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is read there is read whole")
def test_a_lock_file_that_is_read_bit_by_bit_is_read_whole(make_world: MakeWorld) -> None:
    """A job is run once though each read of its lock file brings only a part: no marker and no outcome is overlooked."""
    with make_world() as world:
        orphan_that_ended(world)
        reads: list[Operation] = []

        def trouble(call: Operation) -> Fault | None:
            if call.kind != "read" or call.path != "locks/a.lock":
                return None
            reads.append(call)
            return SHORT

        serve(world, trouble)
        assert len(reads) > 5
        judge_job(world, "a", (State.DONE,))
        assert world.starts("a") == [1]
        assert [made["outcome"] for made in world.find("a")[2]["attempts"]] == ["succeeded"]


def held(job_id: str, kinds: tuple[str, ...], until: Callable[[], bool]) -> Trouble:
    """Another program has the job's file open, wherever it lies, until then; for the dispatcher alone."""
    paths = {f"{state}/{job_id}.json" for state in State}

    def trouble(call: Operation) -> Fault | None:
        touched = call.process == "dispatcher" and not paths.isdisjoint(call.path.split(" -> "))
        return HELD if touched and call.kind in kinds and not until() else None

    return trouble


@pytest.mark.parametrize("kinds", [("rename", "replace", "unlink"), HOLDABLE], ids=["read", "locked"])
@pytest.mark.parametrize("is_running", [False, True], ids=["waiting", "running"])
def test_a_held_file_keeps_no_other_job_waiting(
    make_world: MakeWorld, kinds: tuple[str, ...], is_running: bool
) -> None:
    """A job whose file another program holds for minutes is put off, is done in the end, and the others go on meanwhile."""
    with make_world() as world:
        (work_about_to_end if is_running else pending())(world)
        lets_go_at = world.clock.now + 200
        world.trouble = held("a", kinds, lambda: world.clock.now >= lets_go_at)
        others = [f"z{number}" for number in range(5)]
        for other in others:
            world.put(State.PENDING, other, world.document(other))
        dispatcher = world.dispatcher or world.start_dispatcher()
        world.run(lambda: all(os.path.exists(world.layout.job(State.DONE, other)) for other in others), seconds=30)
        assert world.clock.now < lets_go_at
        assert world.find("a")[0] is (State.RUNNING if is_running else State.PENDING)
        world.run(lambda: world.is_idle() and world.is_calm(), seconds=400)
        dispatcher.kill()
        with open(os.path.join(world.layout.logs, "background_jobs.log"), encoding="utf-8") as stream:
            said = stream.read().count("another program has it open")
        assert 1 <= said < 20
        for job_id in ("a", *others):
            judge_job(world, job_id, (State.DONE,))
            assert world.starts(job_id) == [1]
