"""The near end of a template process: what is sent to it, what it says, and its end.

All is done by the dispatcher's own thread, which listens to the socket, and waits for nothing.
"""

from __future__ import annotations

import array
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Plan
from spoolrunner.executors.frames import (
    EXITED,
    FAILED,
    FORK,
    FORKED,
    IMPORTED,
    IMPORTING,
    LEFT_OUT,
    READY,
    RETIRE,
    SKIPPED,
    Frames,
    framed,
)
from spoolrunner.executors.places import cannot_start
from spoolrunner.executors.spares import Spares
from spoolrunner.system import clock, processes

_PROGRAM = f"""
import marshal, os
try:
    from spoolrunner.executors.forkserver import main
except Exception as error:
    data = marshal.dumps(({FAILED!r}, type(error).__name__ + ": " + str(error)), 2)
    os.write(0, len(data).to_bytes(4, "little") + data)
    raise
main()
"""
"""Knows how a frame is made, since the module that does may be what is missing."""
_BUFFER = 16384
"""Bytes. Of a large one that is cut to what came, the rest is often too small for the next: the heap grew with every job."""
_MOST_DESCRIPTORS = 64
"""That may come with one message."""
_AFTER_AN_IMPORT = (IMPORTED, SKIPPED, LEFT_OUT)
_AT_ITS_END = 1.0
"""Seconds from the end of the connection to that of a template that dies while it imports."""
LETS_GO = 10.0
"""Seconds for a template that has closed its socket, or was let go, to end; it runs the exit handlers of what it preloaded."""
GETS_READY = 60.0
"""Seconds for a template to get ready."""


class Owner(Protocol):
    """Who hears of a template."""

    def heard(self, template: Template, event: str, *arguments: Any) -> None:
        """Take a message of a template."""

    def lost(self, template: Template, left: dict[AttemptKey, int]) -> None:
        """A template has closed its socket, and with it goes the word on these attempts, whose pids are given.

        When it has ended is to be asked.
        """


def start_template(plan: Plan, preload: Sequence[str], owner: Owner) -> Template:
    """Start a template, which imports these modules first; StartError when that is not possible."""
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        raise cannot_start(plan.python, plan.folder, error) from None
    try:
        with theirs:
            process = subprocess.Popen(
                [plan.python, "-P", "-c", _PROGRAM],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=plan.folder,
                env=plan.environment,
                start_new_session=True,
            )
    except OSError as error:
        ours.close()
        raise cannot_start(plan.python, plan.folder, error) from None
    template = Template(process, ours, owner, plan)
    jobs = {job: list(methods) for job, methods in plan.jobs.items()}
    template.send(framed(plan.settings, list(preload), jobs))
    return template


class Template:
    """The near end of one template process. What its socket does not take at once is kept until it does."""

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket, owner: Owner, plan: Plan) -> None:
        self._process = process
        self.pid = process.pid
        self._socket = ours
        self._owner = owner
        self._sources = plan.sources
        self._open: dict[int, AttemptKey] = {}
        """The attempts whose processes have not ended, by pid."""
        self._frames = Frames()
        self._received: list[int] = []
        """Descriptors whose message is not whole yet."""
        self._unsent = b""
        self._failure = ""
        """Why it does not get ready, in its own words."""
        self._end_by: float | None = None
        """When it is killed, if it has not ended by itself after its socket was closed (monotonic)."""
        self.ready_by = clock.SYSTEM.monotonic() + GETS_READY
        """When it is too late to get ready, or to fork what it was asked to (monotonic)."""
        self.is_ready = False
        """Whether it has come to serve."""
        self.files: list[str] = []
        """Those that came with what it imported."""
        self.problem = ""
        """Why it could not fork as many as it was asked to: the system refused."""
        self.is_gone = False
        """Whether the socket is closed."""
        self.importing = ""
        """What it imports just now, ahead of the jobs."""
        self.status: int | None = None
        """How it ended; None while it lives."""
        self.spares = Spares(self._ask, plan.sources)
        ours.setblocking(False)
        self._sources.listen(ours.fileno(), self._exchange)

    @property
    def can_start(self) -> bool:
        """Whether there is a process that waits for a job."""
        return bool(self.spares) and not self.is_gone

    def start(self, key: AttemptKey, assignment: Assignment) -> int:
        """Give the attempt to a process that waits for one; return its pid, or 0 if there is none."""
        pid = self.spares.give(assignment.to_bytes())
        if pid:
            self._open[pid] = key
        self.spares.ask_for_more()
        return pid

    def _ask(self, count: int) -> None:
        self.ready_by = clock.SYSTEM.monotonic() + GETS_READY
        self.send(framed(FORK, count))

    @property
    def has_jobs(self) -> bool:
        """Whether a job that it has forked runs, as far as it has said."""
        return bool(self._open)

    def retire(self) -> None:
        """Ask it to end when its last child has."""
        self.spares.close()
        self.send(framed(RETIRE))

    def close(self) -> None:
        """Let it go, and go on if somebody has stopped it: it ends by itself. What it has forked runs on."""
        if not self.is_gone:
            self._close()
        if sys.platform != "win32":
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it and all that its imports have left in its process group; not for one that has started jobs."""
        if not self.is_gone:
            self._close()
        if sys.platform != "win32" and self._process.returncode is None:  # afterwards the number may be that of others
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()  # no group yet, or nothing is left of it: macOS says so by the second

    def kill_alone(self) -> None:
        """End it at once, since it does not answer. What it has said is still heard, then that it is lost."""
        self._process.kill()

    def has_ended(self, now: float) -> bool:
        """Whether it is collected: to be asked, without haste, of one whose socket is closed. One that stays is killed."""
        if self._end_by is None:
            self._end_by = now + (_AT_ITS_END if self.importing else LETS_GO)
        self.status = self._process.poll()
        if self.status is None and now >= self._end_by:
            self._end_by = now + LETS_GO
            if self.importing:  # its import has closed all descriptors, and goes on
                self.kill()
            else:
                self._process.kill()
        return self.status is not None

    def wait(self, until: float) -> None:
        """Wait for its end, until then (monotonic) for one that ends by itself: for when nothing else is to be done."""
        try:
            self.status = self._process.wait(max(0.0, until - clock.SYSTEM.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.status = self._process.wait()

    @property
    def how_it_ended(self) -> str:
        """How one that has ended did, in words."""
        status, signal_number = processes.exit_reason(self.status or 0)
        return f"status {status}" if signal_number is None else processes.signal_name(signal_number)

    def never_ready(self) -> StartError:
        """Return the error of one that has ended before it was ready."""
        why = self._failure or f"it ended with {self.how_it_ended}; if Python said why, it stands on our standard error"
        return StartError(f"the template of the jobs' processes cannot start: {why}")

    def _close(self) -> None:
        self.is_gone = True
        self.spares.close()
        self._sources.ignore(self._socket.fileno())
        self._socket.close()

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
            data, descriptors = _received(self._socket)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        self._received += descriptors
        if not data:
            self._is_lost()
            return
        for event, *arguments in self._frames.take(data):
            self._note(event, arguments)
            self._owner.heard(self, event, *arguments)
            if self.is_gone:
                return  # the owner does without it

    def _note(self, event: str, arguments: list[Any]) -> None:
        if event == EXITED:
            self.spares.forget(arguments[0])
        elif event == FORKED:
            pids, self.problem = arguments
            pipes, self._received = self._received[: len(pids)], self._received[len(pids) :]
            self.spares.add(pids, pipes)
        elif event == READY:
            self.is_ready, self.files = True, arguments[0]
            self.spares.ask_for_more()
        elif event == FAILED:
            (self._failure,) = arguments
        elif event == IMPORTING:
            (self.importing,) = arguments
        elif event in _AFTER_AN_IMPORT:
            self.importing = ""

    def ended(self, pid: int) -> AttemptKey | None:
        """Return whose process that was which has ended; None for one that waited for a job."""
        return self._open.pop(pid, None)

    def _is_lost(self) -> None:
        self._close()
        left, self._open = {key: pid for pid, key in self._open.items()}, {}
        self._owner.lost(self, left)


if sys.platform != "win32":
    _RIGHTS = socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
    _FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

    def _received(connection: socket.socket) -> tuple[bytes, list[int]]:
        """Return what can be read now, and the descriptors that came with it."""
        data, rights, _, _ = connection.recvmsg(_BUFFER, _RIGHTS, _FLAGS)
        descriptors = [descriptor for _, _, found in rights for descriptor in array.array("i", found)]
        if not _FLAGS:  # macOS
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
        return data, descriptors

else:

    def _received(connection: socket.socket) -> tuple[bytes, list[int]]:
        raise NotImplementedError("Windows has no templates")
