"""A fork of a small template process for each job: the fastest way on POSIX.

Keeps one template (`forkserver`) alive, replaces it when it dies or when code that it has imported changed on disk, and turns
its messages into reports. Starting is a message written to a socket and waits for nothing; the pid is asked for when it is
needed. All is done by the dispatcher's own thread, which listens to the socket.
"""

from __future__ import annotations

import socket
import subprocess
from typing import Any

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Exited, LocalExecutor, Plan, Report
from spoolrunner.executors.frames import EXITED, READY, RETIRE, SKIPPED, START, STARTED, THREADS, WHO, Frames, framed
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.telling.events import NotPreloaded, StartFailed, StartsThread

_PROGRAM = "from spoolrunner.executors.forkserver import main; main()"
_BUFFER = 16384
"""Bytes. Of a large one that is cut to what came, the rest is often too small for the next: the heap grew with every job."""


class ForkExecutor(LocalExecutor):
    """Forks from a template process, which has the modules imported that are to be preloaded."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._preload = dict(plan.preload)
        self._template: _Template | None = None
        self._stale = False
        self._unserved = False
        self._serving: dict[AttemptKey, tuple[_Template, Assignment]] = {}
        self._to_end: set[AttemptKey] = set()

    def prepare(self) -> None:
        """Start a template. StartError when that is not possible."""
        self._template = self._new_template()

    def start(self, assignment: Assignment) -> None:
        """Start the attempt, unless it was started. StartError when it is not possible."""
        key = AttemptKey(assignment.job_id, assignment.number)
        if key in self._pids:
            return
        if self._stale and self._template is not None:
            self._template.retire()
            self._template = None
        if self._template is None or self._template.is_gone:
            self._stale = False  # before the template imports: what changes from now on makes it stale again
            self._template = self._new_template()
        self.know(assignment)
        self._pids[key] = 0
        self._serving[key] = self._template, assignment
        self._template.start(key, assignment)

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known: then the template is asked."""
        known = super().pid(key)
        if known is None and key in self._serving:
            self._serving[key][0].ask()
        return known

    def ask_to_end(self, key: AttemptKey) -> None:
        """Send its process tree the terminate signal, as soon as its pid is known."""
        self._to_end.add(key)
        if self.pid(key) is not None:
            self._end_now(key)

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""
        super().forget(key)
        self._serving.pop(key, None)
        self._to_end.discard(key)

    def children(self) -> set[int]:
        """The templates, and the processes of jobs: what becomes of these is heard from their templates."""
        templates = {template for template, _ in self._serving.values()} | {self._template}
        return super().children() | {template.pid for template in templates if template is not None}

    def renew(self) -> None:
        """Code on disk changed: the next job is forked from a new template. What runs is not disturbed. From any thread."""
        self._stale = True

    def close(self) -> None:
        """Let the template go. What runs, runs on."""
        if self._template is not None:
            self._template.close()
            self._template = None

    def _new_template(self) -> _Template:
        question = framed(self._plan.settings, self._preload)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = subprocess.Popen(
                    [self._plan.python, "-P", "-c", _PROGRAM],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    cwd=self._plan.folder,
                    env=self._plan.environment,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise StartError(f"cannot start {self._plan.python}: {error.strerror or error}") from None
        template = _Template(process, ours, self, self._plan)
        template.send(question)
        return template

    # -- what a template calls, when the dispatcher listens

    def heard(self, event: str, *arguments: Any) -> None:
        """Take a message of a template."""
        if event == STARTED:
            job_id, number, pid = arguments
            key = AttemptKey(job_id, number)
            self._learn(key, pid)
            self._end_now(key)
        elif event == EXITED:
            job_id, number, pid, status, cpu_s, max_rss = arguments
            key = AttemptKey(job_id, number)
            self._learn(key, pid)
            usage = None if status is None else Usage(cpu_s, max_rss)
            self._has_ended(key, status, usage, left=self._may_have_left(key, pid))
        elif event == READY:
            self._plan.loaded(arguments[0])
        elif event == SKIPPED:
            self._plan.notice(NotPreloaded(arguments[0], arguments[1]))
        elif event == THREADS:
            self._plan.notice(StartsThread(arguments[0]))
            self._preload.pop(arguments[0], None)
            self._unserved = True

    def lost(self, keys: list[AttemptKey]) -> None:
        """A template is gone, and with it the word on these attempts: those that run are watched as adopted ones are.

        One that gave itself up before it served has forked nothing: its attempts go to its successor.
        """
        unserved, self._unserved = self._unserved, False
        for key in keys:
            pid = self._pids.get(key, 0)
            if pid:
                self.watch_stranger(key, pid)
            elif unserved:
                self._start_again(key)
            else:
                self._report(Exited(key, None))

    def _learn(self, key: AttemptKey, pid: int) -> None:
        if key in self._pids:
            self._pids[key] = pid

    def _end_now(self, key: AttemptKey) -> None:
        if key in self._to_end:
            self._to_end.discard(key)
            super().ask_to_end(key)

    def _start_again(self, key: AttemptKey) -> None:
        self._pids.pop(key, None)
        serving = self._serving.pop(key, None)
        if serving is None:
            return
        try:
            self.start(serving[1])
        except StartError as error:
            self._plan.notice(StartFailed(str(error)))
            self._report(Exited(key, None))


class _Template:
    """The near end of one template process. What its socket does not take at once is kept until it does."""

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket, owner: ForkExecutor, plan: Plan) -> None:
        self._process = process
        self.pid = process.pid
        self._socket = ours
        self._owner = owner
        self._sources = plan.sources
        self._open: set[AttemptKey] = set()
        self._frames = Frames()
        self._unsent = b""
        self.is_gone = False
        ours.setblocking(False)
        self._sources.listen(ours.fileno(), self._exchange)

    def start(self, key: AttemptKey, assignment: Assignment) -> None:
        """Ask for a fork. If the template is gone, or goes just now, `lost` reports what became of it."""
        self._open.add(key)
        self.send(framed(START, *key, assignment.to_bytes()))

    def ask(self) -> None:
        """Ask for the pids of its children."""
        self.send(framed(WHO))

    def retire(self) -> None:
        """Ask it to end when its last child has."""
        self.send(framed(RETIRE))

    def close(self) -> None:
        """Let it go at once."""
        if self.is_gone:
            return
        self.is_gone = True
        self._sources.ignore(self._socket.fileno())
        self._socket.close()
        self._process.wait()

    def send(self, data: bytes) -> None:
        """Send a message, now or as soon as the socket takes it: a template that imports for long holds up nobody."""
        if self._unsent:
            self._unsent += data
            return
        self._unsent = data
        self._flush()

    def _flush(self) -> None:
        try:
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = (
                b""  # Race: it died just now; that is heard too, and what became of its jobs is reported then
            )
        if not self.is_gone:
            self._sources.listen(self._socket.fileno(), self._exchange, writes=bool(self._unsent))

    def _exchange(self) -> None:
        """The socket can be read, or written."""
        if self._unsent:
            self._flush()
        try:
            data = self._socket.recv(_BUFFER)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._is_lost()
            return
        for event, *arguments in self._frames.take(data):
            if event == EXITED:
                self._open.discard(AttemptKey(arguments[0], arguments[1]))
            self._owner.heard(event, *arguments)

    def _is_lost(self) -> None:
        self.is_gone = True
        self._sources.ignore(self._socket.fileno())
        self._socket.close()
        self._process.wait()
        left, self._open = list(self._open), set()
        self._owner.lost(left)
