"""A spool in a world of simulated processes: each can be stopped, killed or let run on at any of its file operations.

A process is a thread; only one runs at a time, and control changes hands at file operations and at waits alone, so that
every run of a test is the same run. The modules of the package see another `os` in which the operations that change the
disk are counted; a killed process gets `Killed` from the operation it is at and from every later one, with no effect, so
that no cleanup handler of the code does for it what SIGKILL would have left undone. Time is the world's own. Nothing is
synced: what is tested is the death of processes, not of machines.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import pkgutil
import queue
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import orjson

import spoolrunner
from spoolrunner.attempt import current_job as current_module
from spoolrunner.attempt import runner
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.settings import Settings
from spoolrunner.config import exposure
from spoolrunner.config.load import parse_config
from spoolrunner.dispatch.loop import Dispatcher
from spoolrunner.dispatch.service import Service
from spoolrunner.dispatch.surroundings import Surroundings
from spoolrunner.dispatch.watch import Hints
from spoolrunner.errors import JobFormatError
from spoolrunner.executors.base import AttemptKey, Exited
from spoolrunner.protocol import document
from spoolrunner.protocol.states import FINAL, State
from spoolrunner.spool import locks, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.traces import Marker
from spoolrunner.system import clock, durable, processes
from spoolrunner.system.clock import Clock
from spoolrunner.system.machine import Machine
from spoolrunner.telling import logfiles
from tests.crash.actors import Operation, Plan, Process, StuckError, Trouble, current
from tests.crash.findings import BeyondError, DoubleError, LostError
from tests.crash.interposed import FaultyOs
from tests.crash.unsynced import Disk, Remains

EPOCH = 1_500_000_000.0
"""When every world begins: before any file of it was made, so that what is due does not depend on the machine's clock."""
FIRST_PID = 5_000_000
"""Above what Linux gives out, so that no simulated process is mistaken for a real one."""
RESTART_PAUSE = 1.0
"""Seconds of the world's time after which a dispatcher that ended with an error is started again, as by a service manager."""
SPINS = 5_000
"""Turns of a dispatcher at one moment of time after which it counts as spinning."""


class Effect(NamedTuple):
    """A start of a job that reached user code."""

    token: str
    job_id: str
    attempt: int
    pid: int


@dataclass
class Left:
    """An outcome line that a job's process has written whole. `is_synced`: it, or the record of it, outlives a power cut."""

    token: str
    attempt: int
    outcome: str
    is_synced: bool = False


class Visit(NamedTuple):
    """A person comes just before operation `at` (from 1) and does something to the spool by hand."""

    at: int
    hand: Callable[[World], None]


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

    def listen(self, descriptor: int, ready: Callable[[], None], *, writes: bool = False) -> None:
        raise NotImplementedError("simulated executors listen to nothing")

    def ignore(self, descriptor: int) -> None: ...


class FakeWatch:
    """No events but those the test gives as hints: the scan must do without."""

    has_events = False
    reason = ""

    def __init__(self, arrivals: str, control: str, wake: Callable[[], None]) -> None:
        self.arrivals, self.control = Hints(wake), Hints(wake)

    def start(self) -> None: ...

    def restart(self) -> None: ...

    def stop(self) -> None: ...


class FakeMachine(Machine):
    """The machine that the simulated processes live on."""

    def __init__(self, world: World) -> None:
        self._world = world

    def boot_id(self) -> str:
        return f"boot-{self._world.boot}"

    def mounting(self, path: str) -> str:
        return f"mount-{self._world.mount}"

    def started(self, pid: int, boot: str) -> str | None:
        return self._world.started(pid)


class FakeExecutor:
    """Starts simulated runners. They stand before their first operation until the world lets them run."""

    def __init__(self, world: World, settings: bytes, report: Callable[[Exited], None]) -> None:
        self._world = world
        self._settings = settings
        self._report = report
        self._of: dict[AttemptKey, Process] = {}

    is_ready = True
    trouble: tuple[str, ...] = ()

    def prepare(self) -> None: ...

    def next_in(self, now: float) -> float:
        return math.inf

    def work(self, now: float) -> None: ...

    def start(self, assignment: Assignment) -> None:
        key = AttemptKey(assignment.job_id, assignment.number)
        if key not in self._of:
            process = current()
            assert process is not None, "only simulated dispatchers start jobs"
            process.point("start", f"{key.job_id} {key.number}")
            self._of[key] = self._world.start_runner(self._settings, assignment.to_bytes(), process)
            self._of[key].watchers.append(lambda status: self._tell(key, status))

    def pid(self, key: AttemptKey) -> int | None:
        return self._of[key].pid if key in self._of else None

    def adopt(self, key: AttemptKey, marker: Marker) -> None:
        process = self._world.runner_of(marker.pid)
        self._of[key] = process
        process.watchers.append(lambda _: self._tell(key, None))

    def lives(self, marker: Marker) -> bool:
        return self._world.started(marker.pid) == marker.process_started

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:
        holders = [made.pid for made in self._world.live_runners() if made.holds_removed(lock_path)]
        return (holders[0], str(self._world.started(holders[0]))) if holders else None

    def kill_holders(self, lock_path: str) -> None: ...

    def end_left(self, key: AttemptKey) -> int:
        return 0

    def end_left_by(self, job_id: str, marker: Marker) -> bool:
        return False

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
    """A simulated runner that `parent` started; `watchers` are told its exit status."""

    def __init__(self, world: World, pid: int, settings: bytes, assignment: bytes, parent: Process) -> None:
        made, told = Settings.from_bytes(settings), Assignment.from_bytes(assignment)

        def body() -> int:
            status = runner.run(made, Layout(made.root), told, world.callees, parent.pid)
            self.point("exit", told.job_id)  # handlers of the job's run, and threads are waited for
            return status

        super().__init__(world, f"runner {told.job_id}/{told.number}", pid, body)
        self.key = AttemptKey(told.job_id, told.number)
        self.token = token_of(told.meta, told.params)
        self.parent = parent
        self.watchers: list[Callable[[int | None], None]] = []

    @property
    def is_orphan(self) -> bool:
        """Whether the process that started it is gone."""
        return self.parent.is_over

    def holds_removed(self, path: str) -> bool:
        """Whether it has the file open that was at that path and was removed from there."""
        held = [descriptor for descriptor, opened in self.descriptors.items() if opened == path]
        return any(os.fstat(descriptor).st_nlink == 0 for descriptor in held)


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
        self.config = parse_config(self.config_path, raw)
        self.layout: Layout = self.config.layout
        self.spool = Spool(self.layout, True)
        self.spool.make()
        self.clock = FakeClock()
        self.log: list[Operation] = []
        self.plan: Plan | None = None
        self.plan_begins = 0
        self.fired: Operation | None = None
        self.fired_at = 0
        self.visit: Visit | None = None
        self.serves = False
        """Whether `scenarios.dispatch` starts a dispatcher that goes on until it is stopped, not one that drains."""
        self.struck: list[Operation] = []
        self.apocalypse = False
        self.inodes: dict[int, int] = {}
        self.callees: runner.Callees = runner.NONE_KNOWN
        """What the template of this world has imported ahead: by default nothing, so that each runner imports."""
        self.trouble: Trouble | None = None
        self.tolerated: tuple[type[BaseException], ...] = ()
        """What a process may end with, as the command line does: it says so, and its exit status is 1."""
        self.said: list[str] = []
        self.effects: list[Effect] = []
        self.steps: list[str] = []
        """The steps that jobs have made, in their order; what is over is not to be made again, after a power cut neither."""
        self.left: list[Left] = []
        """What processes of jobs have left; it must be recorded as it was left."""
        self.boot = self.mount = 1
        self.disk: Disk | None = None
        """What is known of the syncs in this world; None while nobody asks."""
        self.taken: list[str] = []
        """The jobs, by token, of which a power cut took a start or an outcome: one of each a cut may be made again."""
        self.inside: dict[str, int] = {}
        self.together: list[str] = []
        self.processes: list[Process] = []
        self.runners: list[Runner] = []
        self.dispatcher: Process | None = None
        self.serving: Dispatcher | None = None
        self._pids = FIRST_PID

    # -- the stage

    @contextlib.contextmanager
    def installed(self) -> Iterator[World]:
        """Put the package into this world, for the time of the block."""
        global stage  # noqa: PLW0603 -- the jobs under test look for their world here
        faulty = FaultyOs(self)
        with contextlib.ExitStack() as stack:

            def put(owner: Any, name: str, value: Any) -> None:
                stack.enter_context(mock.patch.object(owner, name, value, create=name in ("open", "print")))

            for module in _modules():
                if getattr(module, "os", None) is os:
                    put(module, "os", faulty)
            if sys.platform != "win32":  # where os.rename itself refuses a taken name
                exclusive = faulty.exclusive_rename(durable._exclusive_rename())
                put(durable, "_exclusive_rename", lambda: exclusive)
                exchange = faulty.exchange(durable._exchange())
                put(durable, "_exchange", lambda: exchange)
            syncs = durable._sync_file_system() is not None
            put(durable, "_sync_file_system", lambda: faulty.sync_file_system if syncs else None)
            put(locks, "_try_lock", faulty.try_lock(locks._try_lock))
            put(requests, "open", faulty.open_file)
            put(current_module, "open", faulty.open_file)
            # Said by a thread in a real dispatcher, which is none of the simulated processes.
            put(logfiles, "Outlet", lambda _: SimpleNamespace(put=self.said.append, close=lambda: 0))
            put(locks, "time", self.clock)
            put(current_module, "_current", None)
            put(current_module, "_told", None)
            put(clock, "SYSTEM", self.clock)
            put(processes, "started", lambda pid, boot: self.started(pid))
            put(processes, "known_by", lambda pid, boot: self.started(pid))  # as a runner asks for itself
            stage = self
            try:
                yield self
            finally:
                self.kill_all()
                if self.disk is not None:
                    self.disk.close()
                stage = None

    def kill_at(self, plan: Plan | None) -> None:
        """Count from now on, and kill where the plan says."""
        self.plan, self.plan_begins, self.fired = plan, len(self.log), None

    def receive_visitor(self) -> None:
        """Before each operation: whoever is due comes and does it."""
        visit = self.visit
        if visit is not None and self.counted() == visit.at:
            self.visit = None
            visit.hand(self)

    def strike(self, victim: Process, plan: Plan) -> None:
        """The plan's moment has come for `victim`, at the last operation; the next one is counted from here."""
        self.fired, self.fired_at = self.log[-1], len(self.log)
        self.struck.append(self.fired)
        self.apocalypse = plan.everybody
        if plan.then is not None:
            self.plan, self.plan_begins = plan.then, len(self.log)

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

    def start_runner(self, settings: bytes, assignment: bytes, parent: Process) -> Runner:
        """A new process of a job, which has not run yet."""
        self._pids += 1
        made = Runner(self, self._pids, settings, assignment, parent)
        self.processes.append(made)
        self.runners.append(made)
        return made

    def runner_of(self, pid: int) -> Runner:
        """The runner that has, or had, this pid."""
        return next(found for found in self.runners if found.pid == pid)

    @property
    def service(self) -> Service | None:
        """What the last dispatcher does, once it has taken the spool."""
        return None if self.serving is None else self.serving.service

    def start_dispatcher(self, *, drain: bool = False, standby: bool = False) -> Process:
        """A new dispatcher, which has not run yet."""

        def body() -> None:
            self.serving = Dispatcher(self.config, surroundings=surroundings)
            self.serving.run(drain=drain, standby=standby)

        surroundings = Surroundings(
            clock=self.clock,
            machine=FakeMachine(self),
            watch=FakeWatch,
            executor=lambda plan, report: FakeExecutor(self, plan.settings, report),
            inbox=Inbox(self),
            weaknesses=exposure.loose,
            try_renames=lambda layout: None,  # what it leaves when it is killed is in its unit tests
        )
        self.serving = None
        self.dispatcher = self.start("dispatcher", body)
        return self.dispatcher

    def ended(self, process: Process) -> None:
        """A process is over: what it was inside of it is no more, and whoever waits for it is told."""
        self.inside = {token: pid for token, pid in self.inside.items() if pid != process.pid}
        if isinstance(process, Runner):
            watchers, process.watchers = process.watchers, []
            for watcher in watchers:
                watcher(-9 if process.was_killed else 1 if process.error else process.result)
        if process.error is not None:
            self.said.append(str(process.error))

    def kill_all(self) -> None:
        """As a power cut does, but for what is on the disk."""
        for process in self.processes:
            process.kill()
        self.apocalypse = False

    # -- what is left, and what outlives the power

    def was_left(self, process: Process, line: bytes) -> None:
        """A process has written a line into a lock file."""
        if isinstance(process, Runner) and b'"kind":"outcome"' in line:
            outcome = orjson.loads(line.strip().rpartition(b"\n")[2])["outcome"]  # its marker may stand before it
            self.left.append(Left(process.token, process.key.number, outcome))

    def was_synced(self, process: Process, descriptor: int, path: str) -> None:
        """A process has synced a file or a folder; the sync of running/ is the last step to a durable outcome."""
        if self.disk is None:
            return
        is_folder = os.path.isdir(path)
        if is_folder:
            self.disk.synced_folder(path)
        else:
            self.disk.synced_file(descriptor)
        if path == self.layout.running_folder:
            made = [(process.token, process.key.number)] if isinstance(process, Runner) else self._recorded()
            for left in self.left:
                left.is_synced |= (left.token, left.attempt) in made

    def watch_syncs(self) -> None:
        """From now on it is known what is synced; all that is there now is."""
        if self.disk is not None:
            self.disk.close()
        self.disk = Disk(self.layout)

    def cut_power(self, remains: Remains, *, reboots: bool = True) -> None:
        """Everybody dies, and of what was not synced only that remains; the machine is then started again.

        Without `reboots` it is the file system alone that failed, and is mounted again.
        """
        self.kill_all()
        assert self.disk is not None, "nobody has watched the syncs"
        self.inodes |= {new: self.inodes.get(old, old) for new, old in self.disk.cut(remains).items()}
        self.boot += reboots
        self.mount += 1
        self.taken += [left.token for left in self.left if not left.is_synced]
        self.left = [left for left in self.left if left.is_synced]
        safe = {(left.token, left.attempt) for left in self.left} | set(self._recorded())
        taken = [effect for effect in self.effects if (effect.token, effect.attempt) not in safe]
        for token in {effect.token for effect in taken}:
            if sum(effect.token == token for effect in taken) > 1:
                raise BeyondError(f"a cut took more than one start of {token}: {taken}{self.tail()}")
        self.effects = [effect for effect in self.effects if effect not in taken]
        self.taken += [effect.token for effect in taken]
        self.watch_syncs()

    def _recorded(self) -> list[tuple[str, int]]:
        """The attempts that stand in documents, each as (token, number)."""
        found = []
        for data in self.files().values():
            try:
                _, raw = document.parse(data)
            except JobFormatError:
                continue
            token = token_of(raw.get("meta"), raw.get("params"))
            found += [(token, made["number"]) for made in raw.get("attempts", [])]
        return found

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
                if self.dispatcher is not None and self.dispatcher.error is not None:
                    self.clock.now += RESTART_PAUSE
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

    def is_calm(self) -> bool:
        """Whether the dispatcher has nothing left to settle, and no trouble."""
        service = self.service
        return service is not None and service.phase.works and not len(service.rooms.running)

    def _all_over(self) -> bool:
        return all(process.is_over for process in self.processes)

    def started(self, pid: int) -> str | None:
        """The start of a simulated process; None when it is over, or there is none."""
        for process in self.processes:
            if process.pid == pid:
                return None if process.is_over else f"simulated-{pid}"
        return None

    # -- jobs

    def begin(self, token: str, job_id: str, attempt: int) -> None:
        """A job's first line: the effect that must be counted."""
        process = current()
        assert process is not None, "a job runs in a process"
        process.point("effect", token)
        if token in self.inside:  # told to whoever judges: the runner would take an error for the job's own
            self.together.append(f"{token} is run by two processes at once{self.tail()}")
        self.inside[token] = process.pid
        self.effects.append(Effect(token, job_id, attempt, process.pid))

    def make_step(self, name: str) -> str:
        """A part of a job that is made once."""
        process = current()
        assert process is not None, "a job runs in a process"
        process.point("effect", name)
        self.steps.append(name)
        return name

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
        os.replace(staged, path)

    def touch_cancel(self, job_id: str) -> None:
        """Ask for a job to be cancelled."""
        with open(self.layout.cancel(job_id), "wb"):
            pass

    def hint(self, job_id: str) -> None:
        """An event tells a living dispatcher of a file in pending/."""
        if self.service is not None and self.dispatcher is not None and not self.dispatcher.is_over:
            self.service.watch.arrivals.add(f"{job_id}.json")

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
        """Where the job is and what it says; LostError or DoubleError unless it is in exactly one place, and whole."""
        mark = orjson.dumps({"token": token})[1:-1]
        places = [key for key, data in self.files().items() if mark in data.replace(b'": "', b'":"')]
        if len(places) != 1:
            kind = DoubleError if places else LostError
            raise kind(f"{token} is in {len(places)} places: {places}{self.tail()}")
        (state, name) = places[0]
        with open(self.layout.job(state, name), "rb") as stream:
            data = stream.read()
        try:
            _, raw = document.parse(data)
        except JobFormatError as error:
            raise LostError(f"{token} is not whole: {error}{self.tail()}") from None
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


def token_of(meta: Any, params: Any) -> str:
    """The token by which a job is known, whatever its id is; that of a slot stands in its params alone."""
    found = (meta or {}).get("token") or (params.get("token") if isinstance(params, dict) else None)
    return str(found or "")


def eras(attempts: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The attempts of a document, cut after each final verdict."""
    found: list[list[dict[str, Any]]] = [[]]
    for attempt in attempts:
        found[-1].append(attempt)
        if attempt["verdict"] in FINAL:
            found.append([])
    return [era for era in found if era]


_ELSEWHERE = {"spoolrunner.executors.forkserver" if sys.platform == "win32" else "spoolrunner.system.winapi"}
"""Modules that exist on other systems only."""


def _modules() -> list[Any]:
    for info in pkgutil.walk_packages(spoolrunner.__path__, "spoolrunner."):
        if "cli" not in info.name and "__main__" not in info.name and info.name not in _ELSEWHERE:
            importlib.import_module(info.name)
    return [module for name, module in sorted(sys.modules.items()) if name.split(".")[0] == "spoolrunner"]
