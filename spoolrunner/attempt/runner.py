"""The program of a job's process: one attempt of one job, from its lock to its outcome line.

Takes the lock, compares the file with what the dispatcher looked at, leaves its start marker, calls, leaves the outcome in its
lock file, and ends. It writes no document and moves nothing: the dispatcher records what it finds. It is reached across a
process boundary and knows neither the dispatcher nor the executors. Its exit status is only a hint; what it left is the truth.
"""

from __future__ import annotations

import marshal
import os
import sys

from spoolrunner.attempt import callables, outcome
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.current_job import asked_job, current_job, ends_at, job_runs, set_current_job
from spoolrunner.attempt.exit import exit_after
from spoolrunner.attempt.outcome import CallOutcome
from spoolrunner.attempt.own_lines import LOCK_PATIENCE, OwnLines, is_the_file
from spoolrunner.attempt.settings import Settings
from spoolrunner.spool import lock_lines, locks, output
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from spoolrunner.attempt.binding import Callee

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
NONE_KNOWN: Callees = {}
_held: locks.JobLock | None = None
_is_watching_forks = False


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
    nothing = os.open(os.devnull, mode)
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
    attempt.take_over_output()
    if processes.HAS_JOB_OBJECTS:
        _keep_together()
    attempt.leave(attempt.make(callee), parent)
    if processes.HAS_JOB_OBJECTS:
        processes.free_children()
    return EXIT_MADE


class _Attempt:
    """An attempt that this process makes, under its lock."""

    def __init__(self, settings: Settings, layout: Layout, assignment: Assignment, lock: locks.JobLock) -> None:
        self._settings = settings
        self._layout = layout
        self._assignment = assignment
        self._lock = lock
        self._pid = os.getpid()
        self._started_at = ""
        self._began = 0.0

    def begin(self, *, imports: bool) -> bool:
        """Leave the start marker; False when the attempt is not ours to make."""
        number, stamp = self._assignment.number, self._assignment.stamp
        if not is_the_file(self._assignment):
            return False  # settled meanwhile, or changed by somebody: the dispatcher sees to that
        if not self._lock.is_new and lock_lines.is_begun(self._lock.read(), number, stamp):
            return False  # this very attempt was begun by another process, and died
        self._started_at = clock.SYSTEM.text()
        self._began = clock.SYSTEM.monotonic()
        marker = lock_lines.start(
            number,
            stamp,
            self._pid,
            processes.known_by(self._pid, self._settings.boot),
            self._started_at,
            self._began,
            imports=imports,
            where=self._assignment.where,
        )
        self._lock.append(marker)
        _hold(self._lock)
        self._lines = OwnLines(self._lock, self._assignment, marker)
        return True

    def take_over_output(self) -> None:
        """Make the job's log the standard output and error. One that cannot be had is noted, and is no reason not to run."""
        job_id, limit = self._assignment.job_id, self._settings.max_log_bytes
        try:
            log = output.begin(self._assignment.log, self._assignment.number, self._started_at, self._pid, limit)
        except OSError as error:
            output.note(f"{job_id}: no log of its own: {error}")
            log = -1
        try:
            if log < 0:
                log = os.open(os.devnull, os.O_WRONLY)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            output.write_utf8()
        except OSError as error:
            output.note(f"{job_id}: its output: {error}")

    def make(self, callee: Callee | None) -> CallOutcome:
        """Make the call, within its limits, and turn all that happens into an outcome. A forked child of it ends here."""
        assignment = self._assignment
        seconds = self._settings.import_timeout if callee is None else assignment.timeout
        job_runs(self._layout, assignment, self._began + seconds)
        try:
            if assignment.limits is None:
                made = self._call(callee)
            else:
                from spoolrunner.attempt import rlimits

                with rlimits.restricted_by(assignment.limits):
                    made = self._call(callee)
        except BaseException as error:
            if os.getpid() != self._pid:
                end_of_child(error)
            job = current_job()
            stopped = job.was_to_end if job is not None else None
            if isinstance(error, SystemExit):
                return outcome.of_exit(error, stopped)
            return outcome.of_exception(error, stopped)
        if os.getpid() != self._pid:
            end_of_child(None)
        return made

    def _call(self, callee: Callee | None) -> CallOutcome:
        """Look up and call; whatever the user's code raises comes through."""
        params = self._assignment.params
        if callee is None:
            callee = self._resolve()
            if os.getpid() != self._pid:
                end_of_child(None)  # the module forked when it was imported
            ready = clock.SYSTEM.monotonic()
            self._lines.write_patiently(lock_lines.ready(self._assignment.number, ready))
            ends_at(ready + self._assignment.timeout)
        try:
            result = callee.call(params)
        except TypeError as error:
            problem = callee.refusal(error, params)
            if problem is None:
                raise
            return outcome.failure("rejected", "TypeError", problem)
        if result is not None and hasattr(result, "__await__"):
            result = _run_coroutine(result)
        job = asked_job()
        if job is not None and job.saw_cancel:
            return CallOutcome("cancelled")
        return outcome.of_return(result)

    def _resolve(self) -> Callee:
        python_path = self._settings.python_path
        if sys.path[: len(python_path)] != python_path:
            sys.path[:0] = python_path
        return callables.resolve(self._assignment.job, self._assignment.method)

    def leave(self, ended: CallOutcome, parent: int) -> None:
        """Leave the outcome line, and sync it if who would record it is gone."""
        output.flush()
        fields, job = ended.fields, asked_job()
        if job is not None and job.has_reported:
            fields = {**fields, "progress": "true"}
        line = lock_lines.outcome(self._assignment.number, ended.outcome, clock.SYSTEM.text(), fields)
        self._lines.write_patiently(line)
        if self._settings.fsync and parent != NO_PARENT and os.getppid() != parent:
            self._lines.sync(self._layout)


def end_of_child(error: BaseException | None) -> NoReturn:
    """End a process that the job forked and that came back into our code: it is not the one that makes the attempt."""
    status = 0
    if isinstance(error, SystemExit):
        status = 0 if error.code is None else error.code if isinstance(error.code, int) else 1
    elif error is not None:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    output.flush()
    os._exit(status & 0xFF)


def _hold(lock: locks.JobLock) -> None:
    """Keep the lock from forked children, or one would hold it after the job has ended; by exec it is not inherited."""
    global _held, _is_watching_forks  # noqa: PLW0603 -- one job a process
    _held = lock
    if not _is_watching_forks and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_let_go)
    _is_watching_forks = True


def _let_go() -> None:
    if _held is not None:
        _held.close_if_ours()


def forget_attempt() -> None:
    """Give up what this process holds of an attempt, so that it can make another: only a rehearsal does."""
    global _held  # noqa: PLW0603 -- one job a process
    if _held is not None:
        _held.close()
    _held = None
    set_current_job(None)


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
