"""The template process of the fork executor: forks one fresh process a job, with the modules imported that are to be preloaded.

Started by the dispatcher with a socket as standard input, by which it gets requests and reports what its children come to
(`frames`). When the socket closes, the dispatcher is gone and so is the template, while its jobs run on. What it imports and
what it touches is copied with every fork: it imports next to nothing, starts no threads, and knows no executor.
"""

from __future__ import annotations

import gc
import os
import resource  # noqa: F401 -- wait4 imports it, for which there may be no descriptor left then
import select
import sys

from spoolrunner.attempt import rehearsal, runner
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.exit import exit_after
from spoolrunner.attempt.settings import Settings
from spoolrunner.executors import spares, tending
from spoolrunner.executors.afresh import run_afresh
from spoolrunner.executors.compile import compile_ahead
from spoolrunner.executors.frames import (
    ABLE,
    EXITED,
    FAILED,
    OUTDATED,
    READY,
    RETIRE,
    SKIPPED,
    STARTED,
    UNABLE,
    WHO,
    Frames,
    framed,
)
from spoolrunner.executors.imported import Imported, warm_import_caches
from spoolrunner.spool.paths import Layout
from spoolrunner.system import dispositions, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


if sys.platform != "win32":
    from spoolrunner.executors.children import Children
    from spoolrunner.executors.spares import Spares

assert sys.platform != "win32"  # noqa: S101 -- there is no fork; the executor that starts this is not chosen there

_SOCKET = 0
_UNWATCHED_PAUSE, _WARM_UP_PAUSE, _UNABLE_PAUSE = 10, 20, 1000
"""Milliseconds."""


class Template:
    """Forks on request and reports what its children come to."""

    def __init__(self, settings: Settings, socket: int) -> None:
        self._settings = settings
        self._layout = Layout(settings.root)
        self._imported = Imported()
        self._pid = os.getpid()
        self._spares = Spares()
        self._retiring = False
        self._files: list[str] = []
        """Those of the modules that were imported, or compiled."""
        self._is_unable = False
        """Whether the last fork was refused by the system, and the dispatcher knows."""
        self._reseed: Callable[[], Any] | None = None
        self._run_exit_handlers: Callable[[], None] | None = None
        self._new_code: tuple[int, ...] = ()
        """The ends of a pipe by which a job's process says that the code on the disk is another."""
        self._socket = socket
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._children = Children(self._poll, self._has_ended)

    def prepare(self, preload: list[str], jobs: dict[str, list[str]]) -> None:
        """Import what is to be preloaded, compile what else the table names, and make ready for forks."""
        sys.path[:0] = self._settings.python_path
        warm_import_caches()
        self._files = self._preload(preload, jobs) if preload else []
        imported = {job for job, _ in self._imported.callees}
        self._files += compile_ahead([rehearsal.NO_JOB, *(job for job in jobs if job not in imported)])
        self._rehearse()
        gc.collect()
        gc.freeze()
        gc.disable()

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
            os.write(ours, spares.message(nothing))
            os.close(ours)
            self._take_up(self._wait_for_job(theirs))
            self._imported.is_outdated()
        try:
            rehearsal.rehearse_import()
            rehearsal.rehearse(self._settings, self._layout)
        except OSError as error:
            self._say(SKIPPED, "the rehearsal", str(error))  # jobs start all the same, each a little later

    def serve(self, frames: Frames, first: list[tuple[Any, ...]]) -> None:
        """Fork and report until the dispatcher closes the socket or, after RETIRE, until the last child has ended."""
        self._fork_all_ahead()  # before the word that it is ready: whether it can fork is a part of that
        self._say(READY, self._files)
        for message in first:
            self._obey(*message)
        while not self._retiring or self._children.jobs or self._spares.leaving:
            if not self._retiring and (self._is_unable or not self._spares):
                self._fork_all_ahead()
            ready = self._poll.poll(self._pause())
            if not ready and not self._spares.have_settled:
                self._spares.settle()
            is_asked = False
            for descriptor, _ in ready:
                is_asked = is_asked or descriptor == self._socket
                if descriptor in self._new_code:
                    self._poll.unregister(descriptor)  # once is enough: the dispatcher will do without this template
                    self._say(OUTDATED)
            if len(ready) > is_asked or not ready:
                self._reap(ready)
            if is_asked:
                data = _heard(self._socket, 65536)
                if not data:
                    return
                for message in frames.take(data):
                    self._obey(*message)

    def _pause(self) -> int | None:
        """Milliseconds to wait for a request or the end of a child at most; None for ever."""
        if not self._children.are_watched or self._spares.leaving:
            return _UNWATCHED_PAUSE
        if self._is_unable:
            return _UNABLE_PAUSE
        return None if self._spares.have_settled else _WARM_UP_PAUSE

    def _obey(self, verb: str, *arguments: Any) -> None:
        if verb == RETIRE:
            self._retiring = True
            self._spares.dismiss()
            return
        if verb == WHO:
            for pid, (job_id, number) in self._children.jobs.items():
                self._say(STARTED, job_id, number, pid)
            return
        job_id, number, assignment = arguments
        try:
            pid = self._spares.use(assignment) or os.fork()
        except OSError as error:
            self._cannot_fork(error, job_id, number)
            return
        if pid == 0:
            tending.set_mask(*tending.HEED_STOPS)
            exit_after(self._run_job, assignment)
        self._children.add(pid, (job_id, number))

    def _cannot_fork(self, error: OSError, *job: Any) -> None:
        """Tell the dispatcher so, once, and of each job that was to be forked: no process or no memory is to be had."""
        if job or not self._is_unable:
            self._say(UNABLE, error.strerror, *job)
        self._is_unable = True

    def _fork_all_ahead(self) -> None:
        for _ in range(1 if self._is_unable else self._spares.wanted()):
            if not self._fork_ahead():
                return

    def _fork_ahead(self) -> bool:
        """Fork the process of the next job now, so that it only has to be told which it is; False when that is refused."""
        try:
            theirs, ours = os.pipe()
        except OSError:
            return False  # no descriptors left: the next job is forked when it comes
        try:
            pid = os.fork()
        except OSError as error:
            os.close(theirs)
            os.close(ours)
            self._cannot_fork(error)
            return False
        if pid == 0:
            tending.set_mask(*tending.HEED_STOPS)
            os.close(ours)
            self._spares.shut()
            exit_after(self._run_job, self._wait_for_job(theirs))
        os.close(theirs)
        self._spares.add(pid, ours)
        if self._is_unable:
            self._is_unable = False
            self._say(ABLE)
        return True

    def _wait_for_job(self, pipe: int) -> bytes:
        """In a child that was forked ahead: the assignment that comes by the pipe; or the end of the process."""
        while not (assignment := spares.wait(pipe)):
            _warm_up(self._settings, self._layout)
        return assignment

    def _reap(self, ready: list[tuple[int, int]]) -> None:
        if self._children.jobs or self._spares or self._spares.leaving:
            self._children.reap(ready, self._spares.pids())

    def _has_ended(self, pid: int, status: int | None, cpu_s: float, max_rss_kib: int) -> None:
        """Report the end of a child, as `Children` has learnt of it."""
        job = self._children.jobs.get(pid)
        if job is None:
            self._spares.forget(pid)
        else:
            self._say(EXITED, *job, pid, status, cpu_s, max_rss_kib)

    def _say(self, *event: Any) -> None:
        _tell(self._socket, framed(*event))

    def _run_job(self, assignment: bytes) -> int:
        """In the child: shed the template, and run the one job."""
        os.close(self._socket)
        self._children.let_go()
        os.setsid()
        told = self._take_up(assignment)
        if self._imported.is_outdated():
            os.write(self._new_code[1], b"!")
            run_afresh(self._settings, self._layout, assignment, self._pid)
        for descriptor in self._new_code:
            os.close(descriptor)
        if self._reseed is not None:
            self._reseed()
        gc.enable()
        return runner.run(self._settings, self._layout, told, self._imported.callees, self._pid)

    def _take_up(self, assignment: bytes) -> Assignment:
        """Understand the assignment, and carry its mark."""
        told = Assignment.from_bytes(assignment)
        processes.carry_mark(told.mark)
        return told

    def end(self) -> None:
        """Run what the preloaded modules want done at the end, unless jobs that were forked from here run on."""
        if self._run_exit_handlers is not None and not self._children.jobs:
            self._run_exit_handlers()


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
        _tell(socket, framed(FAILED, f"{type(error).__name__}: {error}"))
        raise
    template.serve(frames, first[1:])
    template.end()


def _tell(socket: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(socket, data) :]
        except ConnectionError:
            os._exit(0)  # the dispatcher is gone


def _heard(descriptor: int, size: int) -> bytes:
    """Return what the dispatcher sent; nothing when it is gone, also when it died before it read all our messages."""
    try:
        return os.read(descriptor, size)
    except ConnectionError:
        return b""
