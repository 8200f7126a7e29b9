"""What this process holds of its attempt, and how a process that the job forked is kept out of it.

A child of a job has no lock, leaves no line, and ends where it comes back into our code. Light: every job's process imports it.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.attempt import outcome
from spoolrunner.attempt.current_job import set_current_job, was_forked
from spoolrunner.spool import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from spoolrunner.spool.locks import JobLock

held: JobLock | None = None
"""The lock under which this process makes an attempt; None where it makes none, as in a child that was forked in one."""
is_child = False
"""Whether this process was forked in an attempt, so that it is not the one that makes it; also where both have pid 1."""


def hold(lock: JobLock) -> None:
    """Keep the lock from forked children, or one would hold it after the job has ended; by exec it is not inherited."""
    global held, is_child
    held, is_child = lock, False


def _let_go() -> None:
    global held, is_child  # noqa: PLW0603 -- one job a process, and this one has none
    if held is not None:
        is_child = True
        was_forked()
        held.close_if_ours()
    held = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def forget_attempt() -> None:
    """Give up what this process holds of an attempt, so that it can make another."""
    global held  # noqa: PLW0603 -- one job a process
    if held is not None:
        held.close()
    held = None
    set_current_job(None)


def end_of_child(error: BaseException | None) -> NoReturn:
    """End a process that the job forked and that came back into our code, as its interpreter would: it is not the job's."""
    status = 0
    try:
        if error is not None and issubclass(type(error), SystemExit):
            code = outcome.code_of(error)
            status = outcome.exit_status(code)
            if code is not None and not issubclass(type(code), int):
                print(code, file=sys.stderr)
        elif error is not None:
            status = 1
            sys.excepthook(type(error), error, error.__traceback__)
        output.flush()
    finally:
        os._exit(status & 0xFF)
