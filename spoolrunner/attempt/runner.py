"""The program of a job's process: one attempt of one job, from its lock to its record.

Takes the lock, leaves its start marker, reads the document under the lock, looks the callable up in the operator's table
itself, calls it, records what came of it, and ends. It is reached across a process boundary and knows neither the
dispatcher nor the executors. Its exit status is only a hint; the record is the truth.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson

from spoolrunner.attempt import callables, outcome
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.current_job import CurrentJob, current_job, set_current_job
from spoolrunner.attempt.exit import exit_after
from spoolrunner.attempt.outcome import CallOutcome
from spoolrunner.attempt.settings import Settings
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol import jsontext, whitelist
from spoolrunner.protocol.policy import Policy, job_policy
from spoolrunner.protocol.states import FINAL, Outcome
from spoolrunner.spool import locks, output, record
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, processes
from spoolrunner.system.heldfiles import open_file

EXIT_RECORDED = 0
EXIT_UNWRITABLE = 74
"""The spool could not be written, so the attempt was not begun (EX_IOERR of sysexits.h)."""
EXIT_LEFT = 75
"""There was nothing to do: another process has the job, or it expects another attempt (EX_TEMPFAIL)."""
LOCK_PATIENCE = 2.0
"""Seconds to wait for the lock; a dispatcher that settles holds it for milliseconds."""
_RECORD_PAUSE = 1.0
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FINAL = tuple(FINAL)

Callees = Mapping[tuple[str, str], Callee]
"""(job, method) -> what the table's entry leads to."""
NONE_KNOWN: Callees = {}
_held: locks.JobLock | None = None
_is_watching_forks = False


def main() -> NoReturn:
    """Make one attempt and end the process. Standard input has the settings; the id is an argument, or comes later."""
    exit_after(_run_what_we_are_told)


def _run_what_we_are_told() -> int:
    settings = Settings.from_bytes(sys.stdin.buffer.read())
    _make_null(0, os.O_RDONLY)
    job_id, number = sys.argv[1:] or _wait_to_be_told()
    return run(settings, Layout(settings.root), job_id, int(number))


def _wait_to_be_told() -> tuple[str, int]:
    """Return id and attempt number, read from the pipe that is standard output until then; end the process when that closes."""
    request = b""
    while not request.endswith(b"\n"):
        data = os.read(1, 4096)
        if not data:
            sys.exit(EXIT_LEFT)  # the dispatcher is gone, or does without
        request += data
    _make_null(1, os.O_WRONLY)
    job_id, number, os.environ[processes.MARK] = orjson.loads(request)
    return job_id, number


def _make_null(descriptor: int, mode: int) -> None:
    nothing = os.open(os.devnull, mode)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def run(settings: Settings, layout: Layout, job_id: str, number: int, callees: Callees = NONE_KNOWN) -> int:
    """Make attempt `number` of the job, if it is still to be made; returns the exit status for this process.

    `callees` are entries of the table that this process, or the one it was forked from, has looked up already.
    """
    try:
        lock = locks.acquire(layout.lock(job_id), LOCK_PATIENCE)
        if lock is None:
            return EXIT_LEFT
        begun = _begin(settings, layout, lock, job_id, number)
    except OSError as error:
        output.note(f"attempt {number} of {job_id} was not begun: {error}")
        return EXIT_UNWRITABLE
    if begun is None:
        return EXIT_LEFT
    raw, started_at, data = begun
    _hold(lock)
    _take_over_output(layout, settings, job_id, number, started_at)
    _keep_together()
    key, forged = _signing_key(settings, job_id, raw, data)
    if forged:
        ended, policy = CallOutcome(Outcome.REJECTED, record.error("NotAllowedError", forged)), settings.default_policy
    else:
        ended, policy = _attempt(settings, layout, job_id, number, raw, callees)
    output.flush()
    made = record.attempt(number, ended.outcome, started_at, clock.SYSTEM.wall(), **_facts(ended))
    changed, _ = record.add(raw, made, policy, clock.SYSTEM.wall())
    if ended.result is not None:
        changed["result"] = ended.result
    _record_patiently(layout, job_id, changed, settings.fsync, key)
    processes.free_children()
    return EXIT_RECORDED


def _begin(
    settings: Settings, layout: Layout, lock: locks.JobLock, job_id: str, number: int
) -> tuple[dict[str, Any], str, bytes] | None:
    """The document, when we began, and the file's bytes, with our start marker in place; None when it is not ours to make."""
    try:
        inode, data = _read(layout.running(job_id))
        raw = jsontext.decode(data)
    except (FileNotFoundError, JobFormatError):
        return None  # settled meanwhile, or not readable: the dispatcher settles that
    attempts = raw.get("attempts", [])
    if not isinstance(attempts, list) or len(attempts) + 1 != number:
        return None
    if attempts and not all(isinstance(made, dict) for made in attempts):
        return None
    marker = lock.marker()
    if marker is not None and marker.kind == locks.START and marker.fits(len(attempts), inode):
        return None  # this very attempt was begun by another process, and died
    is_marked = marker is not None and marker.kind == locks.CLAIM and marker.fits(len(attempts), inode)
    if attempts and attempts[-1].get("verdict") in _FINAL and not is_marked:
        return None  # Race: finished by another process, and not settled yet; the claim of a retry by hand is marked
    now = clock.format_time(clock.SYSTEM.wall())
    pid = os.getpid()
    started = processes.started(pid, settings.boot) or ""
    lock.append(locks.Marker(locks.START, number, inode, pid, started, now, clock.SYSTEM.monotonic()))
    return raw, now, data


def _signing_key(settings: Settings, job_id: str, raw: dict[str, Any], data: bytes) -> tuple[bytes | None, str | None]:
    """The key to sign the record with, and why the job must not run; each None if there is none."""
    if settings.signing_key is None:
        return None, None
    from spoolrunner.protocol import signing

    key = bytes.fromhex(settings.signing_key)
    problem = signing.problem(key, job_id, raw, data)
    return (None, f"{signing.FIELD}: {problem}") if problem else (key, None)


def _read(path: str) -> tuple[int, bytes]:
    """The file's inode and bytes (if it is too long, as many as show it); JobFormatError for a link, a pipe, a folder."""
    try:
        descriptor = open_file(path, _READ)
    except OSError:
        if stat.S_ISREG(os.stat(path, follow_symlinks=False).st_mode):
            raise
        raise JobFormatError("", "not a file") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise JobFormatError("", "not a file")
        return status.st_ino, jsontext.read(descriptor, status.st_size)
    finally:
        os.close(descriptor)


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


def _take_over_output(layout: Layout, settings: Settings, job_id: str, number: int, started_at: str) -> None:
    """Make the job's log its standard output and error. A log that cannot be had is noted, and is no reason not to run it."""
    try:
        log = output.begin(layout.log(job_id), number, started_at, os.getpid(), settings.max_log_bytes)
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


def _keep_together() -> None:
    """Let nothing of what the job starts be left behind; where the system refuses that, who ends it has to look for it."""
    try:
        processes.keep_together()
    except OSError as error:
        output.note(f"what it starts is not held together: {error}")


def _attempt(
    settings: Settings, layout: Layout, job_id: str, number: int, raw: dict[str, Any], callees: Callees = NONE_KNOWN
) -> tuple[CallOutcome, Policy]:
    """Make the call under its policy, and turn all that happens into an outcome."""
    try:
        policy = whitelist.entry(settings.allowed, raw.get("job"), raw.get("method"))
        # The dispatcher looked at the same file, but a program that had it open may have written into it since.
        policy = job_policy(raw, policy, settings.limits)
    except (NotAllowedError, JobFormatError) as error:
        return CallOutcome(Outcome.REJECTED, record.error(type(error).__name__, str(error))), settings.default_policy
    deadline = clock.SYSTEM.monotonic() + policy.timeout
    current = CurrentJob(layout, job_id, number, raw, clock.SYSTEM.wall() + policy.timeout)
    set_current_job(current)
    try:
        if not policy.limits_its_process:
            return _call(settings, raw, callees, current), policy
        from spoolrunner.attempt import rlimits

        with rlimits.restricted_by(policy):
            return _call(settings, raw, callees, current), policy
    except SystemExit as error:
        return outcome.of_exit(error, _stopped(deadline)), policy
    except BaseException as error:
        return outcome.of_exception(error, _stopped(deadline)), policy


def _call(settings: Settings, raw: dict[str, Any], callees: Callees, current: CurrentJob) -> CallOutcome:
    """Look up, bind, call; whatever the user's code raises comes through."""
    callee = callees.get((raw["job"], raw["method"])) or _resolve(settings, raw["job"], raw["method"])
    params = raw.get("params", [])
    problem = callee.problem(params)
    if problem:
        return CallOutcome(Outcome.REJECTED, record.error("TypeError", problem))
    result = callee.call(params)
    if hasattr(result, "__await__"):
        result = _run_coroutine(result)
    if current.saw_cancel:
        return CallOutcome(Outcome.CANCELLED)
    return CallOutcome(Outcome.SUCCEEDED, result=outcome.kept(result), exit_status=0)


def _resolve(settings: Settings, job: str, method: str) -> Callee:
    if sys.path[: len(settings.python_path)] != settings.python_path:
        sys.path[:0] = settings.python_path
    return callables.resolve(job, method)


def _run_coroutine(awaitable: Any) -> Any:
    import asyncio  # paid by coroutines only

    async def finish() -> Any:
        return await awaitable

    return asyncio.run(finish())


def _stopped(deadline: float) -> Outcome | None:
    """What a failure is due to when it came after a cancel was asked for, or after the deadline (monotonic)."""
    job = current_job()
    if job is not None and job.cancel_requested:
        return Outcome.CANCELLED
    return Outcome.TIMED_OUT if clock.SYSTEM.monotonic() >= deadline else None


def _facts(ended: CallOutcome) -> dict[str, Any]:
    return {"pid": os.getpid(), "exit_status": ended.exit_status, "error": ended.error, **processes.usage()}


def _record_patiently(layout: Layout, job_id: str, changed: dict[str, Any], fsync: bool, key: bytes | None) -> None:
    """Commit the record, waiting while the disk refuses: the effect is there, so it must not be lost to a full disk."""
    is_noted = False
    job = current_job()
    while True:
        try:
            if job is not None:
                job.forget_progress()
            return record.commit(layout, job_id, changed, fsync, key)
        except OSError as error:
            if not is_noted:
                output.note(f"the record cannot be written, trying on: {error}")
            is_noted = True
            clock.SYSTEM.sleep(_RECORD_PAUSE)
