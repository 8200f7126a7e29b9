"""Calls that fail once, or for a while, in a simulated world; and what must hold of whoever makes them.

Nobody dies here. So each job must be started exactly as often as when nothing fails, the dispatcher must say what was
wrong, and go on by itself. A dispatcher may end with an error, which is its exit status and a line on standard error,
only before it has begun to serve or when it was asked to stop.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spoolrunner.errors import SpoolRunnerError
from spoolrunner.spool.paths import FOLDERS, LATER_FOLDERS
from tests.crash.actors import Fault, Operation
from tests.crash.faults import EPOCH, World
from tests.crash.findings import BeyondError
from tests.crash.scenarios import EARLY, MakeWorld, Scenario, come_to_rest, judge

EVERY_FAILING_CALL = "every failing call"
"""The name of the suite in the table at the end of a run."""
ERRORS = tuple(
    Fault(number) for number in (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EACCES, errno.EROFS, errno.EINTR)
)
SHORT = Fault(short=True)
HELD = Fault(errno.EACCES, winerror=32)
"""Another program has the file open, on Windows."""
HOLDABLE = ("open", "rename", "replace", "unlink")
"""The calls that can meet a file that is held."""
PATIENCE = 30.0
"""Seconds of the world's time, beyond what the run takes anyway, in which a dispatcher must have gone on by itself."""


class Once:
    """The n-th call (from 1) meets the fault. Remembers the calls it was asked about."""

    def __init__(self, at: int = 0, fault: Fault | None = None) -> None:
        self.calls: list[Operation] = []
        self.met: Operation | None = None
        self.seconds = 0.0
        self._at = at
        self._fault = fault

    def __call__(self, operation: Operation) -> Fault | None:
        self.calls.append(operation)
        if len(self.calls) != self._at:
            return None
        self.met = operation
        return self._fault


@dataclass(frozen=True)
class Ailment:
    """A trouble that lasts: which calls meet which error."""

    name: str
    fault: Fault
    meets: Callable[[Operation], bool]

    def __str__(self) -> str:
        return self.name


def makes_a_file(operation: Operation) -> bool:
    """Whether the call needs a new inode."""
    return operation.kind == "open" and operation.path.startswith(("tmp/", "locks/"))


def changes_the_disk(operation: Operation) -> bool:
    """Whether a file system that may only be read refuses it."""
    changing = ("write", "fsync", "syncfs", "rename", "replace", "unlink", "ftruncate")
    return operation.kind in changing or makes_a_file(operation)


AILMENTS = (
    Ailment("a full disk", Fault(errno.ENOSPC), lambda call: call.kind == "write"),
    Ailment("no inodes", Fault(errno.ENOSPC), makes_a_file),
    Ailment("a disk that does not sync", Fault(errno.EIO), lambda call: call.kind in ("fsync", "syncfs")),
    Ailment("read-only", Fault(errno.EROFS), changes_the_disk),
    Ailment("no descriptors", Fault(errno.EMFILE), lambda call: call.kind in ("open", "opendir")),
)


class Outage:
    """From the n-th call on, for so many seconds, the ailment's calls fail. Counts what is claimed while blocked."""

    def __init__(self, world: World, at: int, ailment: Ailment, seconds: float = 10.0) -> None:
        self.met: Operation | None = None
        self.seconds = seconds
        self.claims_while_blocked: list[Operation] = []
        self._world = world
        self._at = at
        self._ailment = ailment
        self._calls = 0
        self._ends = float("inf")

    def __call__(self, operation: Operation) -> Fault | None:
        self._calls += 1
        if self._calls == self._at:
            self._ends = self._world.clock.now + self.seconds
        if self._calls < self._at or self._world.clock.now >= self._ends:
            return None
        service = self._world.service
        if " -> running/" in operation.path and operation.kind == "rename" and service is not None and service.problem:
            self.claims_while_blocked.append(operation)
        if not self._ailment.meets(operation):
            return None
        self.met = self.met or operation
        return self._ailment.fault


@dataclass(frozen=True)
class Calm:
    """What a run is like in which nothing fails."""

    calls: list[Operation]
    starts: dict[str, list[int]]
    seconds: float


def measure_calm(make_world: MakeWorld, scenario: Scenario) -> Calm:
    """Act the scenario out undisturbed."""
    with make_world(**scenario.settings) as world:
        watching = Once()
        endure(world, scenario, watching)
        starts = {token: world.starts(token) for token in scenario.tokens}
        return Calm(watching.calls, starts, world.clock.now - EPOCH)


def faults_of(call: Operation) -> Iterator[Fault]:
    """What a call may meet: every error, and reads and writes are cut short as well."""
    yield from ERRORS
    if call.kind in ("read", "write"):
        yield SHORT
    if call.kind in HOLDABLE:
        yield HELD


def endure(world: World, scenario: Scenario, trouble: Once | Outage) -> None:
    """Act the scenario out with the trouble, by a dispatcher that serves; then it must come to rest by itself."""
    scenario.prepare(world)
    world.serves = True
    world.tolerated = (OSError, SpoolRunnerError)
    world.trouble = trouble
    scenario.act(world)
    check_survival(world)
    come_to_rest(world, EARLY)
    world.trouble = None
    come_to_rest(world, EARLY)  # what could not be removed while it lasted


def check_survival(world: World) -> None:
    """The dispatcher did not die of it once it served, unless it was asked to stop."""
    made, service = world.dispatcher, world.service
    if made is not None and made.error is not None and service is not None:
        assert service.phase.is_ending, f"the dispatcher died of it: {made.error!r}"


def judge_trouble(world: World, scenario: Scenario, trouble: Once | Outage, fault: Fault, calm: Calm) -> None:
    """Nothing is lost, nothing is started in vain, it was said, and it did not take for ever."""
    judge(world, scenario)
    was_refused_to_a_person = trouble.met is not None and (
        trouble.met.process == "command" or is_unread_stop(trouble.met, fault)
    )
    for token, starts in calm.starts.items():
        if world.starts(token) != starts and not was_refused_to_a_person:
            raise BeyondError(f"{token} was started {world.starts(token)}, not {starts}; {world.describe()}")
    took, limit = world.clock.now - EPOCH, calm.seconds + trouble.seconds + PATIENCE
    assert took <= limit, f"it took {took:g} s, more than {limit:g} s"
    said = everything_said(world)
    assert "by hand" not in said, f"a person was blamed for it: {said}"
    if fault.error and trouble.met is not None and not may_be_silent(trouble.met, fault):
        assert os.strerror(fault.error) in said, f"nobody said it; {world.describe()}"


def everything_said(world: World) -> str:
    """The dispatcher's log, and what processes said on standard error."""
    with open(os.path.join(world.layout.logs, "background_jobs.log"), encoding="utf-8") as stream:
        return stream.read() + "\n".join(world.said)


def is_unread_stop(call: Operation, fault: Fault) -> bool:
    """Whether it is a stop that its maker does not let the dispatcher read: it is one that does not leave the jobs running."""
    return (
        fault.error == errno.EACCES and call.path == "control/stop" and call.kind in ("open", "fstat", "read", "close")
    )


def may_be_silent(call: Operation, fault: Fault) -> bool:
    """Whether the answer to the failure of this call is another than to say so."""
    return (
        fault.winerror != 0  # it was let go when it was tried again
        or is_unread_stop(call, fault)
        or call.path.startswith("logs/jobs/")  # a job's own log: its output is lost at worst
        or (
            call.kind == "stat" and call.path.startswith("logs/")
        )  # whether a log was moved: it is written all the same
        or call.path.endswith(".progress")  # told in the job's own log
        or (call.kind == "close" and call.path.endswith(".lock"))  # the lock is free all the same
        or call.kind == "flock"  # the same as a lock that is held: tried again
        or (call.process.startswith("runner") and call.path.startswith("control/"))  # whether a cancel was asked for
        or (call.kind == "unlink" and call.path.startswith("control/"))  # tried again at the next look into control/
        or (call.process == "command" and call.kind == "stat")  # the person is told that it did not happen
        or (
            call.process == "command" and call.path.endswith(".reason")
        )  # as a rule it is not there, be it opened or not
        # The file may be one that its writer has not opened to us yet: looked at again, and refused if it stays so.
        or (fault.error == errno.EACCES and call.kind == "open" and call.path.startswith("pending/"))
        # A folder that is opened to be synced, which a guest of a spool for a group may not: all disks are synced instead.
        or (fault.error == errno.EACCES and call.kind == "open" and _is_folder(call.path))
    )


def _is_folder(path: str) -> bool:
    """Whether it is a folder of the spool, or the spool itself, in which a folder was made."""
    return path in (*FOLDERS, *LATER_FOLDERS) or os.path.basename(path) == "spool"
