"""The near end of a template process: what is sent to it, what it says, and its end.

All is done by the dispatcher's own thread, which listens to the socket, and waits for nothing.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.executors.base import AttemptKey, Plan
from spoolrunner.executors.frames import (
    EXITED,
    IMPORTED,
    IMPORTING,
    LEFT_OUT,
    RETIRE,
    SKIPPED,
    START,
    WHO,
    Frames,
    framed,
)
from spoolrunner.executors.places import cannot_start

_PROGRAM = "from spoolrunner.executors.forkserver import main; main()"
_BUFFER = 16384
"""Bytes. Of a large one that is cut to what came, the rest is often too small for the next: the heap grew with every job."""
_AFTER_AN_IMPORT = (IMPORTED, SKIPPED, LEFT_OUT)
_AT_ITS_END = 1.0
"""Seconds from the end of the connection to that of a template that dies while it imports."""
_PATIENCE = 10.0
"""Seconds for a template that has closed its socket, or was let go, to end; it runs the exit handlers of what it preloaded."""


class Owner(Protocol):
    """Who hears of a template."""

    def heard(self, template: Template, event: str, *arguments: Any) -> None:
        """Take a message of a template."""

    def lost(self, template: Template, keys: list[AttemptKey]) -> None:
        """A template is gone, and with it the word on these attempts."""


def start_template(plan: Plan, preload: Sequence[str], owner: Owner) -> Template:
    """Start a template, which imports these modules first; StartError when that is not possible."""
    ours, theirs = socket.socketpair()
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
        self._open: set[AttemptKey] = set()
        self._frames = Frames()
        self._unsent = b""
        self.is_gone = False
        self.importing = ""
        """What it imports just now, ahead of the jobs."""
        self.status: int | None = None
        """How it ended; None while it lives."""
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
        """Let it go at once. What it has forked runs on."""
        if not self.is_gone:
            self._close()
            self._wait()

    def kill(self) -> None:
        """End it and all that its imports have left in its process group; not for one that has started jobs."""
        if not self.is_gone:
            self._close()
        if sys.platform != "win32" and self._process.returncode is None:  # afterwards the number may be that of others
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()  # no group yet, or nothing is left of it: macOS says so by the second
        self._wait()

    def _close(self) -> None:
        self.is_gone = True
        self._sources.ignore(self._socket.fileno())
        self._socket.close()

    def _wait(self) -> None:
        try:
            self.status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.status = self._process.wait()

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
            elif event == IMPORTING:
                (self.importing,) = arguments
            elif event in _AFTER_AN_IMPORT:
                self.importing = ""
            self._owner.heard(self, event, *arguments)
            if self.is_gone:
                return  # the owner does without it

    def _is_lost(self) -> None:
        self._close()
        if not self.importing:
            self._wait()
        else:
            try:
                self.status = self._process.wait(_AT_ITS_END)
            except subprocess.TimeoutExpired:  # its import has closed all descriptors, and goes on
                self.kill()
        left, self._open = list(self._open), set()
        self._owner.lost(self, left)
