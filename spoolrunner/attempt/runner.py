"""The program of a job's process: one attempt of one job, from its lock to its outcome line.

Takes the lock, compares the file with what the dispatcher looked at, leaves its start marker, calls, leaves the outcome in its
lock file, and ends. It writes no document and moves nothing: the dispatcher records what it finds. It is reached across a
process boundary and knows neither the dispatcher nor the executors. Its exit status is only a hint; what it left is the truth.
"""

from __future__ import annotations

import marshal
import os
import sys

from spoolrunner.attempt import callables, forks, outcome, returned
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.current_job import asked_job, current_job, ends_at, job_runs
from spoolrunner.attempt.exit import exit_after
from spoolrunner.attempt.outcome import CallOutcome
from spoolrunner.attempt.own_lines import LOCK_PATIENCE, OwnLines, is_the_file
from spoolrunner.attempt.settings import Settings
from spoolrunner.spool import lock_lines, locks, output
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, processes
from spoolrunner.system.heldfiles import open_null

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    Callees = Mapping[tuple[str, str], Callee]
    """(job, method) -> what the table's entry leads to."""

EXIT_MADE = 0
EXIT_UNWRITABLE = 74
"""The spool could not be written, so the attempt was not begun (EX_IOERR of sysexits.h)."""
EXIT_LEFT = 75
"""There was nothing to do: another process has the job, or its file is another by now (EX_TEMPFAIL)."""
NO_PARENT = 0
"""In place of the pid of the process that reports our end: there is none that could go before us."""
_UNKNOWN_PARENT = -1
"""Windows tells the pid of a parent that is gone as well."""
_INTERRUPTED_TRIES = 3
NONE_KNOWN: Callees = {}


def main() -> NoReturn:
    """Make one attempt and end the process. What `told` made comes by the pipe, or file, that is standard output until then."""
    exit_after(_run_what_we_are_told)


def told(settings: Settings, assignment: bytes, parent: int) -> bytes:
    """Return what `main` is to be told: the settings, the bytes of an assignment, and who will report its end (`run`)."""
    return marshal.dumps((settings.to_bytes(), assignment, parent), 2)


def _run_what_we_are_told() -> int:
    told_bytes = b""
    while data := os.read(1, 65536):
        told_bytes += data
    make_null(1, os.O_WRONLY)
    if not told_bytes:
        return EXIT_LEFT  # the dispatcher is gone, or does without
    settings_bytes, assignment_bytes, parent = marshal.loads(told_bytes)  # noqa: S302 -- our own dispatcher made them
    settings, assignment = Settings.from_bytes(settings_bytes), Assignment.from_bytes(assignment_bytes)
    processes.carry_mark(assignment.mark)
    if sys.platform == "win32":
        parent = _UNKNOWN_PARENT
    return run(settings, Layout(settings.root), assignment, parent=parent)


def make_null(descriptor: int, mode: int) -> None:
    """Let the descriptor be open on nothing, for reading or writing."""
    nothing = open_null(mode)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def run(
    settings: Settings,
    layout: Layout,
    assignment: Assignment,
    callees: Callees = NONE_KNOWN,
    parent: int = NO_PARENT,
) -> int:
    """Make the attempt, if it is still to be made; returns the exit status for this process.

    `callees` are entries of the table that this process, or the one it was forked from, has looked up already. `parent` is the
    pid of the process that reports our end; when it goes before we do, what we leave is synced by ourselves.
    """
    callee = callees.get((assignment.job, assignment.method))
    if not assignment.lock:
        assignment.prepare(layout)
    try:
        lock = locks.acquire(assignment.lock, LOCK_PATIENCE)
        if lock is None:
            return EXIT_LEFT
        attempt, is_begun = _Attempt(settings, layout, assignment, lock), False
        try:
            is_begun = attempt.begin(imports=callee is None)
        finally:
            if not is_begun:
                lock.close()  # this process may go on, as that of the inline executor
        if not is_begun:
            return EXIT_LEFT
    except OSError as error:
        output.note(f"attempt {assignment.number} of {assignment.job_id} was not begun: {error}")
        return EXIT_UNWRITABLE
    output.take(assignment.log, assignment.number, attempt.started_at, attempt.pid, settings.max_log_bytes)
    if processes.HAS_JOB_OBJECTS:
        _keep_together()
    made = attempt.make(callee)
    is_left = attempt.leave(made)
    attempt.close(made, parent)
    if processes.HAS_JOB_OBJECTS and assignment.leaves:
        processes.free_children()
    return EXIT_MADE if is_left else EXIT_UNWRITABLE


class _Attempt:
    """An attempt that this process makes, under its lock.

    What every attempt does stands in few functions: each more that a forked process calls costs it two or three copies of
    memory.
    """

    def __init__(self, settings: Settings, layout: Layout, assignment: Assignment, lock: locks.JobLock) -> None:
        self._settings = settings
        self._layout = layout
        self._assignment = assignment
        self._lock = lock
        self.pid = os.getpid()

    def begin(self, *, imports: bool) -> bool:
        """Leave the start marker; False when the attempt is not ours to make."""
        told, lock, pid = self._assignment, self._lock, self.pid
        if not is_the_file(told):
            return False  # settled meanwhile, or changed by somebody: the dispatcher sees to that
        if not lock.is_new and lock_lines.is_begun(lock.read(), told.number, told.stamp):
            return False  # this very attempt was begun by another process, and died
        self.started_at = started_at = clock.SYSTEM.text()
        self._began = began = clock.SYSTEM.monotonic()
        known_by = processes.known_by(pid, self._settings.boot)
        self._marker = marker = lock_lines.start(
            told.number, told.stamp, pid, known_by, started_at, began, imports=imports, where=told.where
        )
        lock.append(marker)
        forks.hold(lock)
        return True

    def make(self, callee: Callee | None) -> CallOutcome:
        """Make the call, within its limits, and turn all that happens into an outcome. A forked child of it ends here."""
        assignment = self._assignment
        seconds = self._settings.import_timeout if callee is None else assignment.timeout
        job_runs(self._settings, self._layout, assignment, self._began + seconds)
        try:
            is_plain = assignment.limits is None and assignment.hooks is None
            result = self._call(callee) if is_plain else self._call_within(callee)
        except BaseException as error:
            if self._is_a_child():
                forks.end_of_child(error)
            return self._of_error(error)
        if type(result) is CallOutcome:
            return result
        job = asked_job()
        if job is not None and job.saw_cancel:
            return CallOutcome("cancelled")
        return outcome.SUCCEEDED if result is None else outcome.of_return(result, self._leave_first)

    def _is_a_child(self) -> bool:
        """Whether this is not the process that left the start marker, but one that the job has forked."""
        return forks.is_child or os.getpid() != self.pid

    def _of_error(self, error: BaseException) -> CallOutcome:
        job = current_job()
        stopped = job.was_to_end if job is not None else None
        return outcome.of_error(error, stopped, self._leave_first, is_early=_came_before_the_call(error))

    def _call(self, callee: Callee | None) -> Any:
        """Look up and call, and return what that returned, or the outcome if it was refused; errors come through."""
        params = self._assignment.params
        if callee is None:
            callee = self._resolve()
        try:
            result = callee.call(params)
        except TypeError as error:
            problem = callee.refusal(error, params)
            if problem is None:
                raise
            return outcome.failure("rejected", "TypeError", problem)
        if result is not None and returned.is_awaitable(result):
            result = _run_coroutine(result)
        return result

    def _resolve(self) -> Callee:
        """Import and look up, and leave the line that says when that was done."""
        python_path = self._settings.python_path
        if sys.path[: len(python_path)] != python_path:
            sys.path[:0] = python_path
        callee = callables.resolve(self._assignment.job, self._assignment.method)
        if os.getpid() != self.pid:
            forks.end_of_child(None)  # the module forked when it was imported
        ready = clock.SYSTEM.monotonic()
        self._lines().write_patiently(lock_lines.ready(self._assignment.number, ready))
        ends_at(ready + self._assignment.timeout)
        return callee

    def _call_within(self, callee: Callee | None) -> Any:
        """As `_call`, within the limits of the policy, and what config.json puts around calls."""
        limits = self._assignment.limits
        if limits is None:
            return self._call_hooked(callee)
        from spoolrunner.attempt import rlimits

        with rlimits.restricted_by(limits):
            return self._call_hooked(callee)

    def _call_hooked(self, callee: Callee | None) -> Any:
        told = self._assignment.hooks
        if told is not None:
            from spoolrunner.attempt import hooks

            hooks.prepare(told, self._settings.python_path)
            callee = hooks.wrapped(callee or self._resolve(), told[2], _run_coroutine)
        return self._call(callee)

    def leave(self, ended: CallOutcome) -> bool:
        """Leave the outcome line; False when that is not possible. Signal handlers of the job may raise here: tried again."""
        for _ in range(_INTERRUPTED_TRIES):
            try:
                if forks.is_child or os.getpid() != self.pid:
                    forks.end_of_child(None)
                fields, job = ended.fields, asked_job()
                if job is not None:
                    fields = {**fields, **job.left_files}
                now = clock.SYSTEM.text()
                line = lock_lines.outcome(self._assignment.number, ended.outcome, now, fields)
                met = None
                try:
                    if self._lock.append_in_place(line):
                        return True
                except OSError as error:
                    met = error
                return self._lines().write_patiently(line, met) or self._leave_as_link(ended, now, fields)
            except BaseException as error:
                output.note(f"writing the outcome was interrupted: {returned.type_name(type(error))}")
        return False

    def _leave_as_link(self, ended: CallOutcome, now: str, fields: dict[str, str]) -> bool:
        return any(
            self._lines().leave_link(lock_lines.outcome(self._assignment.number, ended.outcome, now, less))
            for less in (fields, outcome.shortened(fields))
        )

    def _lines(self) -> OwnLines:
        return OwnLines(self._lock, self._assignment, self._marker)

    def _leave_first(self, ended: CallOutcome) -> None:
        """Leave an outcome line that counts unless another follows: what comes next is the user's, and may not come back."""
        self.leave(ended)

    def close(self, ended: CallOutcome, parent: int) -> None:
        """Write out what the job printed, and sync the outcome line if who would record it is gone.

        All that is behind the line, since a stream of the user's may hang, or end the process.
        """
        output.flush()
        if ended.note:
            output.note(ended.note)
        if self._settings.fsync and parent != NO_PARENT and os.getppid() != parent:
            self._lines().sync(self._layout)


def _came_before_the_call(error: BaseException) -> bool:
    """Whether it was raised while the job's module was imported, or its class was made."""
    trace = error.__traceback__ if issubclass(type(error), SystemExit) else None
    while trace is not None:
        if trace.tb_frame.f_code in _BEFORE_THE_CALL:
            return True
        trace = trace.tb_next
    return False


_BEFORE_THE_CALL = (_Attempt._resolve.__code__, Callee.bound.__code__)  # noqa: SLF001 -- by what it is called, not how


def _keep_together() -> None:
    """Let nothing of what the job starts be left behind; where the system refuses that, who ends it has to look for it."""
    try:
        processes.keep_together()
    except OSError as error:
        output.note(f"what it starts is not held together: {error}")


def _run_coroutine(awaitable: Any) -> Any:
    import asyncio  # paid by coroutines only

    async def finish() -> Any:
        return await awaitable

    return asyncio.run(finish())
