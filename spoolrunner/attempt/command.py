"""A job that is a command: a program that this process starts as its child, in its session, and waits for. No shell.

The dispatcher fills the words in and has `run` called in place of a callable, so that start, timeout, cancel, output, limits
and record are those of any job. Only such a job imports this.
"""

from __future__ import annotations

import errno
import os
import sys

from spoolrunner.attempt import outcome
from spoolrunner.attempt.current_job import current_job
from spoolrunner.attempt.outcome import CallOutcome
from spoolrunner.attempt.returned import MAX_RESULT_BYTES
from spoolrunner.spool.lock_lines import quoted
from spoolrunner.system import processes, programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.attempt.sandbox import Sandbox

JOB, METHOD = __name__, "run"
"""What the process of such a job is told to call."""
TRY_AGAIN = 75
"""The exit status by which a program asks to be started again later (EX_TEMPFAIL of sysexits.h)."""
_BASES = '["Exception","BaseException"]'
"""What the error counts as, where the operator sorts failures: as any exception of a callable."""
_NO_PROGRAM = {
    errno.ENOENT: "the interpreter that its first line names is not there",
    errno.ENOEXEC: "the system cannot run such a file; a script begins with a line such as #!/bin/sh",
    errno.EACCES: "it may not be executed",
    errno.E2BIG: "its words are longer than the system takes; pass what is long in a file",
}


def run(words: list[str], result: str, sandbox: Sandbox | None) -> CallOutcome:
    """Run the program of the first word with the others, and return what that came to.

    `result` says what becomes of its standard output: "text" or "json" make it the job's result, and with "none" it is only
    output, as what it writes to standard error always is.
    """
    name, folders = words[0], programs.search_path(os.environ)
    program = programs.find(name, folders, os.curdir)
    if program is None:
        return _rejected(missing(name, folders))
    output = None if result == "none" else _Output()
    take = None if output is None else output.take
    try:
        if sandbox is None:
            status = programs.run(program, words, os.environ, take)
        else:
            from spoolrunner.attempt import sandbox as module

            problem = module.problem(sandbox, folders)
            if problem:
                return _rejected(problem)
            inside = module.words(sandbox, [os.path.abspath(program), *words[1:]], os.getcwd(), folders)
            status = programs.run(inside[0], inside, os.environ, take)
    except OSError as error:
        if error.errno not in _NO_PROGRAM:
            raise
        return _rejected(f"{name} cannot be started: {_NO_PROGRAM[error.errno]} ({error.strerror})")
    if status != 0:
        return _failed(name, status)
    return outcome.SUCCEEDED if output is None else output.as_result(result)


def missing(name: str, folders: str) -> str:
    """Return that there is no such program, and where it was looked for."""
    if os.path.dirname(name):
        return f"there is no program {name}, or it may not be executed"
    advice = "; the words of a command are items of argv" if len(name.split()) > 1 else ""
    return f"there is no program {name!r} in PATH ({folders}){advice}"


def _rejected(problem: str) -> CallOutcome:
    made = outcome.failure("rejected", "CommandError", problem)
    made.note = problem
    return made


def _failed(name: str, status: int) -> CallOutcome:
    how = f"ended with status {status}" if status > 0 else f"was ended by {processes.signal_name(-status)}"
    kind = "ProgramError"
    if status == TRY_AGAIN:
        kind, how = "spoolrunner.Retry", f"{how}, which asks to be tried again later"
    job = current_job()
    made = outcome.failure((job and job.was_to_end) or "failed", kind, f"{name} {how}")
    made.fields["bases"] = _BASES
    if status > 0:
        made.fields["exit_status"] = str(outcome.exit_status(status))
    made.note = f"{name} {how}"
    return made


class _Output:
    """What a program writes to its standard output: all of it goes on to the job's log, and as much as may be is kept."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._is_lost = False

    def take(self, piece: bytes) -> None:
        """Pass a piece on, and keep it."""
        self._kept += piece[: MAX_RESULT_BYTES + 1 - len(self._kept)]
        while piece and not self._is_lost:
            try:
                piece = piece[os.write(1, piece) :]
            except OSError as error:
                self._is_lost = True  # the disk may be full; the value is kept all the same
                print(f"spoolrunner: output was lost: {error}", file=sys.stderr)

    def as_result(self, kind: str) -> CallOutcome:
        """Return the outcome with what was written as the value, or why it cannot be kept."""
        if len(self._kept) > MAX_RESULT_BYTES:
            return outcome.dropped(f"more than {MAX_RESULT_BYTES} bytes of standard output")
        try:
            text = self._kept.decode()
        except UnicodeDecodeError as error:
            return outcome.dropped(f"its standard output is no UTF-8: {error}")
        if kind == "text":
            return outcome.of_return(text.rstrip("\r\n"), _nothing_of_the_users)
        return CallOutcome("succeeded", {"result": quoted(text)})  # whether it is JSON is seen by who records it


def _nothing_of_the_users(_: CallOutcome) -> None:
    """Leave nothing first: the value has no methods of its own."""
