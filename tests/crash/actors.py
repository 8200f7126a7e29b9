"""Simulated processes: threads of which one runs at a time, that can be stopped, killed or failed at each file operation."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from spoolrunner.attempt import current_job as current_module

if TYPE_CHECKING:
    from tests.crash.faults import World

PATIENCE = 20.0
"""Seconds (real ones) after which a simulated process that does not come back is a fault of the harness."""


class Killed(BaseException):
    """The process is dead: whatever it wants to do next does not happen."""


class StuckError(AssertionError):
    """The world does not come to rest."""


class Operation(NamedTuple):
    """A file operation: what was done by which process to which path (relative to the spool; with " -> " for renames)."""

    process: str
    kind: str
    path: str

    def __str__(self) -> str:
        return f"{self.process}: {self.kind} {self.path}"


class Effect(NamedTuple):
    """A start of a job that reached user code."""

    token: str
    job_id: str
    attempt: int
    pid: int


class Plan(NamedTuple):
    """Kill at operation `at` (from 1): before it, or with `torn` in the middle of it; one process, or `everybody`.

    With `halts` the world stands still after it, and the test decides who goes on first. `then` is the next kill, counted
    from this one on.
    """

    at: int
    torn: bool = False
    everybody: bool = False
    halts: bool = False
    then: Plan | None = None


class Fault(NamedTuple):
    """What a call meets instead of success: an error number, or it is cut `short` and does half of what it was asked.

    With `winerror` it is an error of Windows, whose number that is.
    """

    error: int = 0
    short: bool = False
    winerror: int = 0

    def __str__(self) -> str:
        if self.winerror:
            return f"winerror {self.winerror}"
        return "cut short" if self.short else errno.errorcode[self.error]


class SharingViolationError(PermissionError):
    """What Windows answers to a call on a file that another program has open."""

    def __init__(self, fault: Fault, path: str) -> None:
        super().__init__(fault.error, os.strerror(fault.error), path)
        self.winerror = fault.winerror


Trouble = Callable[[Operation], Fault | None]
"""Is asked before each call, reads among them, what it meets."""


_here = threading.local()


def current() -> Process | None:
    """The simulated process this thread is; None for the test itself."""
    return getattr(_here, "process", None)


class Process:
    """A simulated process that calls `body`; its exit status is what that returns."""

    def __init__(self, world: World, name: str, pid: int, body: Callable[[], Any]) -> None:
        self.world = world
        self.name = name
        self.pid = pid
        self.body = body
        self.descriptors: dict[int, str] = {}
        self.is_over = False
        self.was_killed = False
        self.is_frozen = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.operations = 0
        self._budget: int | None = None
        self._doomed = False
        self._waits_for: Callable[[], object] | None = None
        self._waits_until = 0.0
        self._go, self._back = (
            threading.Lock(),
            threading.Lock(),
        )  # a baton each way: taken by who waits, let go by the other
        self._go.acquire()
        self._back.acquire()
        self._thread: threading.Thread | None = None
        self._current_job: tuple[Any, Any] = (None, None)

    @property
    def is_runnable(self) -> bool:
        """Whether it would do something if it were let run."""
        if self.is_over or self.is_frozen:
            return False
        waits_for = self._waits_for
        return waits_for is None or bool(waits_for()) or self.world.clock.now >= self._waits_until

    @property
    def wakes_at(self) -> float | None:
        """When a process that waits goes on by itself."""
        waits = self._waits_for is not None and not self.is_over and not self.is_frozen
        return self._waits_until if waits else None

    def run(self, operations: int | None = None) -> None:
        """Let it run: to its end, to where it waits, or to just before the operation after so many more."""
        if self.is_over:
            return
        self._budget = operations
        if self._thread is None:
            self._thread = threading.Thread(target=self._main, name=self.name, daemon=True)
            self._thread.start()
        self._go.release()
        if not self._back.acquire(timeout=PATIENCE):
            raise StuckError(f"{self.name} does not come back; its last operations: {self.world.tail()}")
        if self.is_over:
            self._thread.join(PATIENCE)
            self.world.ended(self)
            if self.error is not None and not isinstance(self.error, self.world.tolerated):
                raise self.error

    def kill(self) -> None:
        """SIGKILL: it does nothing any more, and its locks are free."""
        if self.is_over:
            return
        if self._thread is None:
            self.was_killed = self.is_over = True
            self.world.ended(self)
            return
        self._doomed = True
        self.run()

    def close_descriptors(self, ending: str = "") -> None:
        """What a job may do as well: close all (or those on paths with that ending), its lock among them."""
        for descriptor, path in list(self.descriptors.items()):
            if path.endswith(ending):
                os.close(descriptor)
                del self.descriptors[descriptor]

    def point(self, kind: str, path: str, tear: Callable[[], None] | None = None) -> None:
        """The process is about to do this: stop here, die here, or go on."""
        self.check_alive()
        while self._budget is not None and self._budget <= 0:
            self._yield()
        if self._budget is not None:
            self._budget -= 1
        self.operations += 1
        world = self.world
        world.log.append(self._operation(kind, path))
        world.receive_visitor()
        plan = world.plan
        if plan is None or len(world.log) - world.plan_begins != plan.at or (plan.torn and tear is None):
            return
        if plan.torn and tear is not None:
            tear()
        world.strike(self, plan)
        self.was_killed = True
        raise Killed

    def meets(self, kind: str, path: str) -> bool:
        """The process is about to make this call: OSError if it is to fail; whether it is to be cut short."""
        self.check_alive()
        trouble = self.world.trouble
        fault = None if trouble is None else trouble(self._operation(kind, path))
        if fault is None:
            return False
        if fault.winerror:
            raise SharingViolationError(fault, path)
        if fault.error:
            raise OSError(fault.error, os.strerror(fault.error), path)
        return fault.short

    def check_alive(self) -> None:
        """Raise Killed if it is dead."""
        if self._doomed or self.was_killed or self.world.apocalypse:
            self.was_killed = True
            raise Killed

    def wait(self, condition: Callable[[], object], seconds: float) -> None:
        """Wait until the condition holds, but no longer than that in the world's time."""
        self.check_alive()
        self._waits_for, self._waits_until = condition, self.world.clock.now + seconds
        while not condition() and self.world.clock.now < self._waits_until:
            self._yield()
        self._waits_for = None

    def _operation(self, kind: str, path: str) -> Operation:
        return Operation(self.name, kind, path.replace(self.world.layout.root + os.sep, "").replace(os.sep, "/"))

    def _yield(self) -> None:
        self._current_job = current_module._current, current_module._told
        self._back.release()
        self._go.acquire()
        current_module._current, current_module._told = self._current_job
        self.check_alive()

    def _main(self) -> None:
        self._go.acquire()
        _here.process = self
        try:
            if not self._doomed:
                self.result = self.body()
        except Killed:
            self.was_killed = True
        except BaseException as error:  # it is raised again in the test's thread
            self.error = error
        finally:
            for descriptor in self.descriptors:
                os.close(descriptor)
            self.descriptors.clear()
            self.is_over = True
            self._back.release()
