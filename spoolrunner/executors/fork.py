"""A fork of a small template process for each job: the fastest way on POSIX.

Keeps one template (`forkserver`) alive, replaces it when it dies or when code that it has imported changed on disk, and turns
its messages into reports. Starting is a line written to a socket and waits for nothing; the pid is asked for when it is needed.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from typing import Any

import orjson

from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Exited, LocalExecutor, Plan, Report
from spoolrunner.telling.events import NotPreloaded, StartFailed, StartsThread

_PROGRAM = "from spoolrunner.executors.forkserver import main; main()"
STARTED, EXITED, READY, THREADS, SKIPPED = "started", "exited", "ready", "threads", "skipped"
START, WHO, RETIRE = "start", "who", "retire"
"""The words of the template's protocol, as in `executors.forkserver`, which is another program (a test compares them)."""
_BUFFER = 4096
"""Bytes. Of a large one that is cut to what came, the rest is often too small for the next: the heap grew with every job."""


class ForkExecutor(LocalExecutor):
    """Forks from a template process that has the allowed modules imported."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._preload = plan.preload
        self._lock = threading.Lock()
        self._template: _Template | None = None
        self._stale = False
        self._unserved = False
        self._serving: dict[AttemptKey, _Template] = {}
        self._to_end: set[AttemptKey] = set()

    def prepare(self) -> None:
        """Start a template. StartError when that is not possible."""
        with self._lock:
            self._template = self._new_template()

    def start(self, key: AttemptKey) -> None:
        """Start it, unless it was started. StartError when that is not possible."""
        with self._lock:
            if key in self._pids:
                return
            if self._stale and self._template is not None:
                self._template.retire()
                self._template = None
            if self._template is None or not self._template.start(key, self.mark(key)):
                self._template = self._new_template()
                self._stale = False
                if not self._template.start(key, self.mark(key)):
                    raise StartError(f"the template process, {self._plan.python}, ended as soon as it was started")
            self._pids[key] = 0
            self._serving[key] = self._template

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known: then the template is asked."""
        known = super().pid(key)
        template = self._serving.get(key)
        if known is None and template is not None:
            template.ask()
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

    def renew(self) -> None:
        """Code on disk changed: the next job is forked from a new template. What runs is not disturbed."""
        self._stale = True

    def close(self) -> None:
        """Let the template go. What runs, runs on."""
        with self._lock:
            if self._template is not None:
                self._template.close()
                self._template = None

    def _new_template(self) -> _Template:
        question = b'{"settings":' + self._plan.settings + b',"preload":' + orjson.dumps(self._preload) + b"}"
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
            ours.sendall(b"%d\n" % len(question) + question)
        except OSError as error:
            ours.close()
            raise StartError(f"cannot start {self._plan.python}: {error.strerror or error}") from None
        return _Template(process, ours, self)

    # What follows is called by a template's reader thread.

    def heard(self, event: str, *arguments: Any) -> None:
        """Take a message of a template."""
        if event == STARTED:
            job_id, number, pid = arguments
            key = AttemptKey(job_id, number)
            self._learn(key, pid)
            self._end_now(key)
        elif event == EXITED:
            job_id, number, pid, status = arguments
            key = AttemptKey(job_id, number)
            self._learn(key, pid)
            self._report(Exited(key, status))
        elif event == READY:
            self._plan.loaded(arguments[0])
        elif event == SKIPPED:
            self._plan.notice(NotPreloaded(arguments[0], arguments[1]))
        elif event == THREADS:
            self._plan.notice(StartsThread(arguments[0]))
            with self._lock:
                self._preload = [name for name in self._preload if name != arguments[0]]
                self._unserved = True

    def lost(self, keys: list[AttemptKey]) -> None:
        """A template is gone, and with it the word on these attempts: those that run are watched as adopted ones are.

        One that gave itself up before it served has forked nothing: its attempts go to its successor.
        """
        unserved, self._unserved = self._unserved, False
        for key in keys:
            pid = self._pids.get(key, 0)
            if pid:
                self._watch_pid(key, pid)
            elif unserved:
                self._start_again(key)
            else:
                self._report(Exited(key, None))

    def _learn(self, key: AttemptKey, pid: int) -> None:
        with self._lock:
            if key in self._pids:
                self._pids[key] = pid

    def _end_now(self, key: AttemptKey) -> None:
        with self._lock:
            if key not in self._to_end:
                return
            self._to_end.discard(key)
        super().ask_to_end(key)

    def _start_again(self, key: AttemptKey) -> None:
        self._pids.pop(key, None)
        try:
            self.start(key)
        except StartError as error:
            self._plan.notice(StartFailed(str(error)))
            self._report(Exited(key, None))


class _Template:
    """The near end of one template process; a thread reads its messages."""

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket, owner: ForkExecutor) -> None:
        self._process = process
        self._socket = ours
        self._owner = owner
        self._lock = threading.Lock()
        self._open: set[AttemptKey] = set()
        self._is_gone = False
        threading.Thread(target=self._read, name=f"template-{process.pid}", daemon=True).start()

    def start(self, key: AttemptKey, mark: str) -> bool:
        """Ask for a fork; False when the template is gone. If it goes just now, the reader reports what became of it."""
        with self._lock:
            if self._is_gone:
                return False
            self._open.add(key)
        self._send(START, *key, mark)
        return True

    def ask(self) -> None:
        """Ask for the pids of its children."""
        self._send(WHO)

    def retire(self) -> None:
        """Ask it to end when its last child has."""
        self._send(RETIRE)

    def close(self) -> None:
        """Let it go at once."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it went by itself

    def _send(self, *request: Any) -> None:
        try:
            self._socket.sendall(orjson.dumps(request) + b"\n")
        except OSError:
            return  # Race: it died just now; the reader notices too, and reports what became of its jobs.

    def _read(self) -> None:
        rest = b""
        while data := self._receive():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                event, *arguments = orjson.loads(line)
                if event == EXITED:
                    self._open.discard(AttemptKey(arguments[0], arguments[1]))
                self._owner.heard(event, *arguments)
        with self._lock:
            self._is_gone = True
            left = list(self._open)
        self._socket.close()
        self._process.wait()
        self._owner.lost(left)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_BUFFER)
        except OSError:
            return b""
