"""The template process of the fork executor: forks one fresh process a job, with the modules imported that are to be preloaded.

Started by the dispatcher with a socket as standard input, by which it gets requests and reports what its children come to
(`frames`). When the socket closes, the dispatcher is gone and so is the template, while its jobs run on. What it imports and
what it touches is copied with every fork: it imports next to nothing, starts no threads, and knows no executor.
"""

from __future__ import annotations

import _socket  # without the classes of `socket`, which each fork would copy
import gc
import os
import resource  # noqa: F401 -- wait4 imports it, for which there may be no descriptor left then
import select
import sys

from spoolrunner.attempt import rehearsal, runner
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.exit import exit_after
from spoolrunner.attempt.settings import Settings
from spoolrunner.executors import tending
from spoolrunner.executors.afresh import run_afresh
from spoolrunner.executors.compile import compile_ahead
from spoolrunner.executors.frames import (
    EXITED,
    FAILED,
    FORKED,
    OUTDATED,
    READY,
    RETIRE,
    SKIPPED,
    WARM_UP,
    Frames,
    framed,
)
from spoolrunner.executors.imported import Imported, warm_import_caches
from spoolrunner.spool.paths import Layout
from spoolrunner.system import dispositions, processes
from spoolrunner.system.clock import SYSTEM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


if sys.platform != "win32":
    from spoolrunner.executors.children import Children

assert sys.platform != "win32"  # noqa: S101 -- there is no fork; the executor that starts this is not chosen there

_SOCKET = 0
_UNWATCHED_PAUSE = 10
"""Milliseconds."""
_LAST_MOMENT = 5.0
"""Seconds."""
_INT = 4
"""Bytes of a C int, as which descriptors are sent."""
_FIRST_READ = 4096
"""Bytes; more than most assignments have, and no more memory than is at hand."""


class Template:
    """Forks on request and reports what its children come to."""

    def __init__(self, settings: Settings, socket: int) -> None:
        self._settings = settings
        self._layout = Layout(settings.root)
        self._imported = Imported()
        self._pid = os.getpid()
        self._retiring = False
        self._is_heard = True
        """Whether the dispatcher has not closed the connection."""
        self._reseed: Callable[[], Any] | None = None
        self._run_exit_handlers: Callable[[], None] | None = None
        self._new_code: tuple[int, ...] = ()
        """The ends of a pipe by which a job's process says that the code on the disk is another."""
        self._socket = socket
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._children = Children(self._poll, self._has_ended)

    def prepare(self, preload: list[str], jobs: dict[str, list[str]]) -> None:
        """Import what is to be preloaded, compile what else the table names, make ready for forks, and report the files."""
        sys.path[:0] = self._settings.python_path
        warm_import_caches()
        files = self._preload(preload, jobs) if preload else []
        imported = {job for job, _ in self._imported.callees}
        files += compile_ahead([rehearsal.NO_JOB, *(job for job in jobs if job not in imported)])
        self._rehearse()
        gc.collect()
        gc.freeze()
        gc.disable()
        self._say(READY, files)

    def _preload(self, names: list[str], jobs: dict[str, list[str]]) -> list[str]:
        """Import these modules; returns their files. The end of this process when it must not be forked afterwards."""
        from spoolrunner.executors.preloading import preload  # a template without it stays small

        self._imported = Imported()
        made = preload(names, jobs, self._imported, self._socket, self._settings.import_timeout, self._say)
        self._reseed, self._run_exit_handlers = made.reseed, made.run_exit_handlers
        self._new_code = os.pipe()
        self._poll.register(self._new_code[0], select.POLLIN)
        return made.files

    def _rehearse(self) -> None:
        """Go through all that a fork does, so that it finds its code specialised, and need not copy the memory of that."""
        nothing = Assignment("", 0, (0, 0, 0), "", "", [], 0.0).to_bytes()
        for _ in range(rehearsal.REHEARSALS):
            theirs, ours = os.pipe()
            os.write(ours, nothing)
            os.close(ours)
            _taken_up(os.read(theirs, _FIRST_READ), theirs)
            self._imported.is_outdated()
        try:
            rehearsal.rehearse_import()
            rehearsal.rehearse(self._settings, self._layout)
        except OSError as error:
            self._say(SKIPPED, "the rehearsal", str(error))  # jobs start all the same, each a little later

    def serve(self, frames: Frames, first: list[tuple[Any, ...]]) -> None:
        """Fork and report until the dispatcher closes the socket or, after RETIRE, until the last child has ended."""
        for message in first:
            self._obey(*message)
        while not self._retiring or self._children.pids:
            ready = self._poll.poll(None if self._children.are_watched else _UNWATCHED_PAUSE)
            is_asked = False
            for descriptor, _ in ready:
                is_asked = is_asked or descriptor == self._socket
                if descriptor in self._new_code:
                    self._poll.unregister(descriptor)  # once is enough: the dispatcher will do without this template
                    self._say(OUTDATED)
            if self._children.pids and (len(ready) > is_asked or not ready):
                self._children.reap(ready)
            if is_asked:
                data = _heard(self._socket, 65536)
                if not data:
                    self._poll.unregister(self._socket)
                    self._is_heard = False
                    return
                for message in frames.take(data):
                    self._obey(*message)

    def _obey(self, verb: str, *arguments: Any) -> None:
        if verb == RETIRE:
            self._retiring = True
        else:
            self._fork_ahead(*arguments)

    def _fork_ahead(self, count: int) -> None:
        """Fork the processes of the next jobs, and give the dispatcher the pipes by which each gets its job.

        After a fork each page that this process writes to costs it a fault: so the more at once the better.
        """
        pids: list[int] = []
        pipes: list[int] = []
        problem = ""
        try:
            for _ in range(count):
                theirs, ours = os.pipe()
                pipes.append(ours)
                try:
                    pid = os.fork()
                except OSError:
                    os.close(theirs)
                    raise
                if pid == 0:
                    tending.set_mask(*tending.HEED_STOPS)
                    for pipe in pipes:
                        os.close(pipe)
                    exit_after(self._run_job, theirs)
                os.close(theirs)
                pids.append(pid)
        except OSError as error:
            problem = error.strerror or str(error)
        for pid in pids:
            self._children.add(pid)
        self._is_heard = _is_told(self._socket, framed(FORKED, pids, problem), pipes[: len(pids)])
        for pipe in pipes:
            os.close(pipe)

    def _has_ended(self, pid: int, status: int | None, cpu_s: float, max_rss_kib: int) -> None:
        """Report the end of a child, as `Children` has learnt of it."""
        if self._is_heard:  # one that is gone just now is met in `serve`, which ends
            self._is_heard = _is_told(self._socket, framed(EXITED, pid, status, cpu_s, max_rss_kib))

    def _say(self, *event: Any) -> None:
        if not _is_told(self._socket, framed(*event)):
            os._exit(0)

    def _run_job(self, pipe: int) -> int:
        """In a child: shed the template, wait for a job, and run it; the end of the process, if there is none for it."""
        os.close(self._socket)
        self._children.let_go()
        os.setsid()
        while (data := os.read(pipe, _FIRST_READ)) == WARM_UP:
            _warm_up(self._settings, self._layout)
        told = _taken_up(data, pipe)
        if told is None:
            os._exit(0)  # the dispatcher is gone, or does without
        if self._imported.is_outdated():
            os.write(self._new_code[1], b"!")
            run_afresh(self._settings, self._layout, told.to_bytes(), self._pid)
        for descriptor in self._new_code:
            os.close(descriptor)
        if self._reseed is not None:
            self._reseed()
        gc.enable()
        return runner.run(self._settings, self._layout, told, self._imported.callees, self._pid)

    def end(self) -> None:
        """Run what the preloaded modules want done at the end, unless jobs that were forked from here run on.

        The processes that wait for a job end with the dispatcher's end of their pipes; that takes them a moment.
        """
        if self._run_exit_handlers is None:
            return
        deadline = SYSTEM.monotonic() + _LAST_MOMENT
        while self._children.pids and SYSTEM.monotonic() < deadline:
            self._children.reap(self._poll.poll(_UNWATCHED_PAUSE))
        if not self._children.pids:
            self._run_exit_handlers()


def _taken_up(data: bytes, pipe: int) -> Assignment | None:
    """Understand the assignment of which `data` came by the pipe, read what is left of it, and carry its mark."""
    if data[:1] == WARM_UP:
        data = data[1:]  # there was no time for that
    while data:
        try:
            told = Assignment.from_bytes(data)
        except EOFError:
            more = os.read(pipe, 65536)
            data = data + more if more else b""
        else:
            os.close(pipe)
            processes.carry_mark(told.mark)
            return told
    return None


def _warm_up(settings: Settings, layout: Layout) -> None:
    """In a child that is not needed at once: go through an attempt, so that the real one finds its memory copied."""
    try:
        rehearsal.rehearse(settings, layout, 1)
    except OSError:
        return  # the job itself will report what is wrong with the disk


def main() -> None:
    """Serve. The first message on the socket has the settings' bytes, what is to be preloaded, and the whole table."""
    dispositions.set_defaults()
    tending.outlive_stops()
    socket = os.dup(_SOCKET)
    runner.make_null(_SOCKET, os.O_RDONLY)
    frames = Frames()
    first: list[tuple[Any, ...]] = []
    while not first:
        first = frames.take(_heard(socket, 65536) or sys.exit())
    try:
        settings, preload, jobs = first[0]
        template = Template(Settings.from_bytes(settings), socket)
        template.prepare(preload, jobs)
    except Exception as error:
        if not _is_told(socket, framed(FAILED, f"{type(error).__name__}: {error}")):
            os._exit(0)
        raise
    template.serve(frames, first[1:])
    template.end()


def _is_told(connection: int, data: bytes, descriptors: Sequence[int] = ()) -> bool:
    """Write a message to the dispatcher, with these descriptors; return False when that is gone."""
    try:
        if descriptors:
            data = data[_sent_with(connection, data, descriptors) :]
        while data:
            data = data[os.write(connection, data) :]
    except ConnectionError:
        return False
    return True


def _sent_with(connection: int, data: bytes, descriptors: Sequence[int]) -> int:
    sender = _socket.socket(fileno=connection)
    try:
        rights = b"".join([descriptor.to_bytes(_INT, sys.byteorder) for descriptor in descriptors])
        sent: int = sender.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        return sent
    finally:
        sender.detach()


def _heard(descriptor: int, size: int) -> bytes:
    """Return what the dispatcher sent; nothing when it is gone, also when it died before it read all our messages."""
    try:
        return os.read(descriptor, size)
    except ConnectionError:
        return b""
