"""A spool in a world of simulated processes: each can be stopped, killed or let run on at any of its file operations.

A process is a thread; only one runs at a time, and control changes hands at file operations and at waits alone, so that
every run of a test is the same run. The modules of the package see another `os` in which the operations that change the
disk are counted; a killed process gets `Killed` from the operation it is at and from every later one, with no effect, so
that no cleanup handler of the code does for it what SIGKILL would have left undone. Time is the world's own. Nothing is
synced: what is tested is the death of processes, not of machines.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import pkgutil
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import orjson

import spoolrunner
from spoolrunner import clock, config, dispatcher, durable, executors, job, locks, processes, runner
from spoolrunner import current as current_module
from spoolrunner.clock import Clock
from spoolrunner.executors import AttemptKey, Exited
from spoolrunner.layout import Layout
from spoolrunner.spool import Spool
from spoolrunner.states import FINAL, State
from spoolrunner.watch import Hints

EPOCH = 1_500_000_000.0
"""When every world begins: before any file of it was made, so that what is due does not depend on the machine's clock."""
FIRST_PID = 5_000_000
"""Above what Linux gives out, so that no simulated process is mistaken for a real one."""
PATIENCE = 20.0
"""Seconds (real ones) after which a simulated process that does not come back is a fault of the harness."""
SPINS = 5_000
"""Turns of a dispatcher at one moment of time after which it counts as spinning."""


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

    With `halts` the world stands still after it, and the test decides who goes on first.
    """

    at: int
    torn: bool = False
    everybody: bool = False
    halts: bool = False


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
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._current_job: Any = None

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
            if self.error is not None:
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
        world.log.append(Operation(self.name, kind, path.replace(world.layout.root + os.sep, "")))
        if world.refuses(world.log[-1]):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        plan = world.plan
        if plan is None or len(world.log) - world.plan_begins != plan.at or (plan.torn and tear is None):
            return
        if plan.torn and tear is not None:
            tear()
        world.fired = world.log[-1]
        world.victims.append(self.name)
        world.apocalypse = plan.everybody
        self.was_killed = True
        raise Killed

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

    def _yield(self) -> None:
        self._current_job = current_module._current
        self._back.release()
        self._go.acquire()
        current_module._current = self._current_job
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


class FakeClock(Clock):
    """The world's time, moved by the test: both clocks in one, unless the wall clock was set `ahead` of it, or back."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.ahead = 0.0

    def wall(self) -> float:
        return self.now + self.ahead

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        process = current()
        assert process is not None, "only simulated processes sleep"
        process.wait(lambda: False, seconds)


class Inbox:
    """A dispatcher's inbox, in the world's time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._values: deque[Any] = deque()
        self._spins = (0.0, 0)

    def put(self, value: Any) -> None:
        self._values.append(value)

    def get(self, timeout: float) -> Any:
        process = current()
        assert process is not None, "only simulated dispatchers wait for their inbox"
        process.wait(lambda: self._values, timeout)
        return self.get_nowait()

    def get_nowait(self) -> Any:
        if self._values:
            return self._values.popleft()
        now = self._world.clock.now
        at, count = self._spins
        self._spins = (now, count + 1 if at == now else 0)
        if count > SPINS:
            raise StuckError(f"the dispatcher spins; its last operations: {self._world.tail()}")
        raise queue.Empty

    def empty(self) -> bool:
        return not self._values


class FakeWatch:
    """No events but those the test gives as hints: the scan must do without."""

    has_events = False
    reason = ""

    def __init__(self, arrivals: str, control: str, wake: Callable[[], None]) -> None:
        self.arrivals, self.control = Hints(wake), Hints(wake)

    def start(self) -> None: ...

    def restart(self) -> None: ...

    def stop(self) -> None: ...


class FakeExecutor:
    """Starts simulated runners. They stand before their first operation until the world lets them run."""

    def __init__(self, world: World, settings: bytes, report: Callable[[Exited], None]) -> None:
        self._world = world
        self._settings = settings
        self._report = report
        self._of: dict[AttemptKey, Process] = {}

    def prepare(self) -> None: ...

    def start(self, key: AttemptKey) -> None:
        if key not in self._of:
            process = current()
            if process is not None:
                process.point("start", f"{key.job_id} {key.number}")
            self._of[key] = self._world.start_runner(self._settings, key)
            self._of[key].watchers.append(lambda status: self._tell(key, status))

    def pid(self, key: AttemptKey) -> int | None:
        return self._of[key].pid

    def adopt(self, key: AttemptKey, pid: int) -> None:
        process = self._world.runner_of(pid)
        self._of[key] = process
        process.watchers.append(lambda _: self._tell(key, None))

    def ask_to_end(self, key: AttemptKey) -> None:
        self._of[key].kill()

    def kill(self, key: AttemptKey) -> None:
        self._of[key].kill()

    def is_gone(self, key: AttemptKey) -> bool:
        return self._of[key].is_over

    def forget(self, key: AttemptKey) -> None:
        self._of.pop(key, None)

    def renew(self) -> None: ...

    def close(self) -> None: ...

    def _tell(self, key: AttemptKey, status: int | None) -> None:
        process = self._of.get(key)
        if process is not None:
            self._report(Exited(key, status))


class Runner(Process):
    """A simulated runner; `watchers` are told its exit status."""

    def __init__(self, world: World, pid: int, settings: bytes, key: AttemptKey) -> None:
        made = runner.Settings.from_bytes(settings)
        super().__init__(
            world, f"runner {key.job_id}/{key.number}", pid, lambda: runner.run(made, Layout(made.root), *key)
        )
        self.key = key
        self.watchers: list[Callable[[int | None], None]] = []


class _Status:
    """A stat result with another inode number."""

    def __init__(self, real: os.stat_result, inode: int) -> None:
        self._real = real
        self.st_ino = inode

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class FaultyOs:
    """`os` as the modules of the package see it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def getpid(self) -> int:
        process = current()
        return os.getpid() if process is None else process.pid

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        process = self._at("open", path)
        descriptor = os.open(path, flags, mode)
        if process is not None:
            process.descriptors[descriptor] = os.fspath(path)
        return descriptor

    def close(self, descriptor: int) -> None:
        process = current()
        if process is not None:
            process.check_alive()
            process.descriptors.pop(descriptor, None)
        os.close(descriptor)

    def write(self, descriptor: int, data: Any) -> int:
        process = current()
        if process is None:
            return os.write(descriptor, data)
        process.check_alive()
        if descriptor not in process.descriptors:
            return len(data)  # its standard error: nobody listens
        if self._is_journal(process.descriptors[descriptor]):
            return os.write(descriptor, data)
        half = bytes(data)[: len(data) // 2]
        process.point("write", process.descriptors[descriptor], lambda: os.write(descriptor, half) and None)
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._at_descriptor("fsync", descriptor)

    def ftruncate(self, descriptor: int, length: int) -> None:
        self._at_descriptor("ftruncate", descriptor)
        os.ftruncate(descriptor, length)

    def rename(self, source: str, target: str) -> None:
        self._at("rename", f"{source} -> {target}")
        os.rename(source, target)

    def replace(self, source: str, target: str) -> None:
        self._at("replace", f"{source} -> {target}")
        os.replace(source, target)

    def link(self, source: str, target: str, **options: Any) -> None:
        self._at("link", f"{source} -> {target}")
        os.link(source, target, **options)

    def unlink(self, path: str) -> None:
        self._at("unlink", path)
        os.unlink(path)

    remove = unlink

    def fstat(self, descriptor: int) -> Any:
        return self._told(os.fstat(descriptor))

    def stat(self, path: str, *, follow_symlinks: bool = True) -> Any:
        return self._told(os.stat(path, follow_symlinks=follow_symlinks))

    def dup2(self, descriptor: int, onto: int) -> int:
        return onto  # the test's own output stays what it is

    def register_at_fork(self, **hooks: Any) -> None:
        """Simulated processes do not fork."""

    def exclusive_rename(self, real: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def rename(source: str, target: str) -> None:
            self._at("rename", f"{source} -> {target}")
            real(source, target)

        return rename

    def try_lock(self, real: Callable[[int], bool]) -> Callable[[int], bool]:
        def lock(descriptor: int) -> bool:
            self._at_descriptor("flock", descriptor)
            return real(descriptor)

        return lock

    def _at(self, kind: str, path: Any) -> Process | None:
        process = current()
        if process is None:
            return None
        process.check_alive()
        text = os.fspath(path)
        if text.startswith(self._world.layout.root) and not self._is_journal(text):
            process.point(kind, text)
        return process

    def _at_descriptor(self, kind: str, descriptor: int) -> None:
        process = current()
        if process is not None:
            process.check_alive()
            if descriptor in process.descriptors and not self._is_journal(process.descriptors[descriptor]):
                process.point(kind, process.descriptors[descriptor])

    def _is_journal(self, path: str) -> bool:
        """Nothing depends on the dispatcher's own log, so it is no place to be killed at."""
        return path.startswith(os.path.join(self._world.layout.logs, "background_jobs"))

    def _told(self, status: os.stat_result) -> Any:
        told = self._world.inodes.get(status.st_ino)
        return status if told is None else _Status(status, told)


JOBS = "tests.crash.jobs_under_test"
DEFAULTS: dict[str, Any] = {
    "allowed_jobs": {JOBS: ["work"]},
    "python_path": [],
    "concurrency": 4,
    "max_retries": 1,
    "retry_interval": 5,
    "retry_backoff": "fixed",
    "retry_jitter": 0,
    "timeout": 600,
    "kill_grace": 1,
    "stop_grace": 1,
}


class World:
    """One spool in `folder`, and everything that happens to it. `settings` are keys of config.json."""

    def __init__(self, folder: str, **settings: Any) -> None:
        self.folder = folder
        raw = {**DEFAULTS, **settings}
        self.config_path = os.path.join(folder, "config.json")
        with open(self.config_path, "wb") as stream:
            stream.write(orjson.dumps(raw))
        self.config = config.parse(self.config_path, raw)
        self.layout: Layout = self.config.layout
        self.spool = Spool(self.layout, True)
        self.spool.make()
        self.clock = FakeClock()
        self.log: list[Operation] = []
        self.plan: Plan | None = None
        self.plan_begins = 0
        self.fired: Operation | None = None
        self.victims: list[str] = []
        self.apocalypse = False
        self.inodes: dict[int, int] = {}
        self.refuses: Callable[[Operation], bool] = lambda operation: False
        self.effects: list[Effect] = []
        self.inside: dict[str, int] = {}
        self.processes: list[Process] = []
        self.runners: list[Runner] = []
        self.dispatcher: Process | None = None
        self.rooms: dispatcher.Dispatcher | None = None
        self._pids = FIRST_PID

    # -- the stage

    @contextlib.contextmanager
    def installed(self) -> Iterator[World]:
        """Put the package into this world, for the time of the block."""
        global stage  # noqa: PLW0603 -- the jobs under test look for their world here
        faulty = FaultyOs(self)
        with contextlib.ExitStack() as stack:

            def put(owner: Any, name: str, value: Any) -> None:
                stack.enter_context(mock.patch.object(owner, name, value))

            for module in _modules():
                if getattr(module, "os", None) is os:
                    put(module, "os", faulty)
            exclusive = faulty.exclusive_rename(durable._exclusive_rename())
            put(durable, "_exclusive_rename", lambda: exclusive)
            put(locks, "_try_lock", faulty.try_lock(locks._try_lock))
            put(locks, "time", self.clock)
            put(current_module, "_current", None)
            put(clock, "SYSTEM", self.clock)
            put(processes, "started", self._started)
            put(processes, "holders", lambda path: [])
            put(processes, "holder_of_removed", lambda path: None)
            put(executors, "make", lambda plan, report: self._executor(plan.settings, report))
            put(dispatcher, "Watch", FakeWatch)
            put(dispatcher, "warnings", lambda layout: [])
            stage = self
            try:
                yield self
            finally:
                self.kill_all()
                stage = None

    def kill_at(self, plan: Plan | None) -> None:
        """Count from now on, and kill where the plan says."""
        self.plan, self.plan_begins, self.fired = plan, len(self.log), None

    def counted(self) -> int:
        """The operations since `kill_at`."""
        return len(self.log) - self.plan_begins

    def tail(self, count: int = 12) -> str:
        """The last operations, for a message."""
        return "\n  ".join(["", *map(str, self.log[-count:])])

    # -- processes

    def start(self, name: str, body: Callable[[], Any]) -> Process:
        """A new process, which has not run yet."""
        self._pids += 1
        process = Process(self, name, self._pids, body)
        self.processes.append(process)
        return process

    def start_runner(self, settings: bytes, key: AttemptKey) -> Runner:
        """A new process of a job, which has not run yet."""
        self._pids += 1
        made = Runner(self, self._pids, settings, key)
        self.processes.append(made)
        self.runners.append(made)
        return made

    def runner_of(self, pid: int) -> Runner:
        """The runner that has, or had, this pid."""
        return next(found for found in self.runners if found.pid == pid)

    def start_dispatcher(self, *, drain: bool = False) -> Process:
        """A new dispatcher, which has not run yet."""

        def body() -> None:
            rooms = dispatcher.Dispatcher(self.config, self.clock)
            rooms._inbox = inbox  # type: ignore[assignment]
            self.rooms = rooms
            try:
                rooms.run(drain=drain)
            finally:  # what the end of a process does to its files
                rooms._tenure.lock._lock.release(force=True)

        inbox = Inbox(self)
        self.rooms = None
        self.dispatcher = self.start("dispatcher", body)
        return self.dispatcher

    def ended(self, process: Process) -> None:
        """A process is over: what it was inside of it is no more, and whoever waits for it is told."""
        self.inside = {token: pid for token, pid in self.inside.items() if pid != process.pid}
        if isinstance(process, Runner):
            watchers, process.watchers = process.watchers, []
            for watcher in watchers:
                watcher(-9 if process.was_killed else process.result)

    def kill_all(self) -> None:
        """As a power cut does, but for what is on the disk."""
        for process in self.processes:
            process.kill()
        self.apocalypse = False

    def live_runners(self) -> list[Runner]:
        """The runners that are not over, the oldest first."""
        return [process for process in self.runners if not process.is_over]

    def run(self, until: Callable[[], object] | None = None, seconds: float = 3600.0) -> None:
        """Let everybody run, and time pass while all wait, until the condition holds (default: all processes are over)."""
        end = self.clock.now + seconds
        while not (until or self._all_over)():
            ready = [process for process in self.processes if process.is_runnable]
            for process in ready:
                process.run()
                if self.apocalypse:
                    self.kill_all()
                    return
                if self.fired and self.plan and self.plan.halts:
                    return
            if not ready:
                times = [process.wakes_at for process in self.processes if process.wakes_at is not None]
                if not times or min(times) > end:
                    raise StuckError(f"the world came to rest, but not where it should: {self.describe()}")
                self.clock.now = min(times)

    def recover(self) -> None:
        """A fresh dispatcher, until nothing waits and nothing runs; then another, which finds what was left behind."""
        while not self.is_idle():
            if self.dispatcher is None or self.dispatcher.is_over:
                self.start_dispatcher()
            self.run(lambda: self.is_idle() or self.dispatcher is None or self.dispatcher.is_over)
        if self.dispatcher is not None:
            self.dispatcher.kill()
        self.start_dispatcher(drain=True)
        self.run()

    def is_idle(self) -> bool:
        """Whether pending/, running/ and control/ are empty and no runner lives."""
        folders = (self.layout.folder(State.PENDING), self.layout.folder(State.RUNNING), self.layout.control)
        return not any(os.listdir(folder) for folder in folders) and not self.live_runners()

    def _all_over(self) -> bool:
        return all(process.is_over for process in self.processes)

    def _started(self, pid: int, boot: str) -> str | None:
        for process in self.processes:
            if process.pid == pid:
                return None if process.is_over else f"simulated-{pid}"
        return None

    def _executor(self, settings: bytes, report: Callable[[Exited], None]) -> FakeExecutor:
        return FakeExecutor(self, settings, report)

    # -- jobs

    def begin(self, token: str, job_id: str, attempt: int) -> None:
        """A job's first line: the effect that must be counted."""
        process = current()
        assert process is not None, "a job runs in a process"
        process.point("effect", token)
        assert token not in self.inside, f"{token} is run by two processes at once{self.tail()}"
        self.inside[token] = process.pid
        self.effects.append(Effect(token, job_id, attempt, process.pid))

    def middle(self, token: str) -> None:
        """A job is at work, and can be stopped there."""
        process = current()
        assert process is not None, "a job runs in a process"
        process.point("work", token)

    def starts(self, token: str) -> list[int]:
        """The attempt numbers of the starts of a job that reached user code."""
        return [effect.attempt for effect in self.effects if effect.token == token]

    # -- what people and producers do

    def document(self, token: str, *endings: str, **fields: Any) -> dict[str, Any]:
        """A job document: its attempts end like `endings`, the last for all later ones ("ok", "fail")."""
        params = {"token": token, "endings": list(endings or ("ok",))}
        return {"job": JOBS, "method": "work", "params": params, "meta": {"token": token}, **fields}

    def put(self, state: State, job_id: str, raw: dict[str, Any] | bytes) -> None:
        """Make a job file, whole, as a careful person does."""
        path = self.layout.job(state, job_id)
        staged = os.path.join(self.layout.tmp, f"person-{len(os.listdir(self.layout.tmp))}")
        with open(staged, "wb") as stream:
            stream.write(raw if isinstance(raw, bytes) else orjson.dumps(raw))
        os.rename(staged, path)

    def touch_cancel(self, job_id: str) -> None:
        """Ask for a job to be cancelled."""
        with open(self.layout.cancel(job_id), "wb"):
            pass

    def hint(self, job_id: str) -> None:
        """An event tells a living dispatcher of a file in pending/."""
        if self.rooms is not None and self.dispatcher is not None and not self.dispatcher.is_over:
            self.rooms._watch.arrivals.add(f"{job_id}.json")

    def mv(self, job_id: str, source: State, target: State) -> None:
        """`mv -n source/ID.json target/`."""
        there = self.layout.job(target, job_id)
        assert not os.path.lexists(there)
        os.rename(self.layout.job(source, job_id), there)

    # -- what is there

    def files(self) -> dict[tuple[State, str], bytes]:
        """Every job file, by state and name."""
        found = {}
        for state in State:
            for name in sorted(self.spool.names(state)):
                with open(self.layout.job(state, name), "rb") as stream:
                    found[state, name] = stream.read()
        return found

    def find(self, token: str) -> tuple[State, str, dict[str, Any]]:
        """Where the job is and what it says; AssertionError unless it is in exactly one place and whole."""
        mark = orjson.dumps({"token": token})[1:-1]
        places = [key for key, data in self.files().items() if mark in data.replace(b'": "', b'":"')]
        assert len(places) == 1, f"{token} is in {len(places)} places: {places}{self.tail()}"
        (state, name) = places[0]
        with open(self.layout.job(state, name), "rb") as stream:
            _, raw = job.parse(stream.read())
        return state, name, raw

    def describe(self) -> str:
        """The spool and the last operations, for a message."""
        files = ", ".join(f"{state}/{name}" for state, name in self.files())
        control = os.listdir(self.layout.control)
        killed = f"; killed at {self.fired}" if self.fired else ""
        return f"{files or 'no files'}; control {control}; effects {self.effects}{killed}{self.tail()}"

    def leftovers_of_running(self) -> list[str]:
        """Locks and requests that belong to no job any more."""
        found = [f"locks/{name}" for name in os.listdir(self.layout.locks)]
        return found + [f"control/{name}" for name in os.listdir(self.layout.control)]

    def leftovers(self) -> list[str]:
        """What lies about that belongs to no job any more: locks, requests, reasons without a job; tmp/ aside."""
        found = self.leftovers_of_running()
        failed = os.listdir(self.layout.folder(State.FAILED))
        reasons = [name for name in failed if name.endswith(".reason")]
        return found + [f"failed/{name}" for name in reasons if name.replace(".reason", ".json") not in failed]


stage: World | None = None


def eras(attempts: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The attempts of a document, cut after each final verdict."""
    found: list[list[dict[str, Any]]] = [[]]
    for attempt in attempts:
        found[-1].append(attempt)
        if attempt["verdict"] in FINAL:
            found.append([])
    return [era for era in found if era]


def _modules() -> list[Any]:
    for info in pkgutil.walk_packages(spoolrunner.__path__, "spoolrunner."):
        if "cli" not in info.name and "__main__" not in info.name:
            importlib.import_module(info.name)
    return [module for name, module in sorted(sys.modules.items()) if name.split(".")[0] == "spoolrunner"]
