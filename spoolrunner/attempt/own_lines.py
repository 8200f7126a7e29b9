"""The lines that a job's process leaves in its lock file behind its start marker. They must get there, whatever the job did.

Light: every job's process imports it.
"""

from __future__ import annotations

import errno
import os

from spoolrunner.spool import lock_lines, locks, output
from spoolrunner.system import clock, rights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.attempt.assignment import Assignment
    from spoolrunner.spool.paths import Layout

LOCK_PATIENCE = 2.0
"""Seconds to wait for the lock; a dispatcher that settles holds it for milliseconds."""
_PAUSE = 1.0
_OUT_OF_SIGHT = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EMFILE)
"""Errors of a path that may come from what the job did to its own process, which the open descriptor does not care for."""


def is_the_file(told: Assignment) -> bool:
    """Whether running/ID.json is what the dispatcher looked at, unchanged: then what we were told is what it says."""
    try:
        there = os.stat(told.file, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (there.st_ino, there.st_size, there.st_mtime_ns) == told.stamp


class OwnLines:
    """The lines of an attempt that this process makes, which holds that lock and has left that start marker."""

    def __init__(self, lock: locks.JobLock, assignment: Assignment, start_marker: bytes) -> None:
        self._lock = lock
        self._assignment = assignment
        self._start_marker = start_marker

    def write_patiently(self, line: bytes, met: OSError | None = None) -> bool:
        """Write a line, waiting while the disk refuses: what was done must not be lost to a full disk.

        `met` is the error of a try that was made already. False when it cannot be written however long we wait: the job gave up
        what that needs, and has closed our descriptor.
        """
        is_noted = False
        if met is not None and met.errno in _OUT_OF_SIGHT and rights.are_given_up(met):
            met = None  # that of a path: the open descriptor may still do
        while True:
            if met is not None and not rights.regain(met):
                is_final = rights.are_given_up(met)
                if not is_noted:
                    output.note(f"its lock file cannot be written{'' if is_final else ', trying on'}: {met}")
                if is_final:
                    return False
                is_noted = True
                clock.SYSTEM.sleep(_PAUSE)
            try:
                self._write(line)
            except OSError as error:
                met = error
            else:
                return True

    def _write(self, line: bytes) -> None:
        try:
            if self._lock.append_in_place(line):
                return
        except OSError as error:
            if error.errno not in _OUT_OF_SIGHT or not rights.are_given_up(error):
                raise
        # What we see at the path is not what the dispatcher sees, where the job has another root by now or may not look there.
        is_kept = self._lock.append_unless_removed(line)
        if rights.is_elsewhere():
            if is_kept:
                return
            raise FileNotFoundError(errno.ENOENT, "this process has another root by now", self._lock.path)
        try:
            if is_kept and not is_the_file(self._assignment):
                return  # another spool lies at the path: ours was moved, or is covered by a mount
            with rights.plain_modes():
                self._write_at_the_path(line)
        except OSError as error:
            if not is_kept or error.errno not in _OUT_OF_SIGHT:
                raise

    def leave_link(self, line: bytes) -> bool:
        """Leave the outcome as the text of a link: that is no file, so that no limit of sizes holds it back. False if refused.

        A link holds less than 4096 bytes on most systems, and is not made on Windows.
        """
        if rights.is_elsewhere():
            return False
        try:
            from spoolrunner.system import durable

            durable.write_link(lock_lines.link_of(self._lock.path), self._start_marker + line)
        except (ImportError, OSError, NotImplementedError):
            return False
        return True

    def _write_at_the_path(self, line: bytes) -> None:
        """Write into the lock file that lies at the path now: the job closed ours, or removed its file.

        While its last marker is ours nobody else writes there, since this process lives. Otherwise the marker is put back
        first, under the lock; until that is done the removed file stays open, by which a dispatcher finds us. Nothing is
        written when running/ID.json is not our file any more: then nobody waits for the outcome.
        """
        number, stamp = self._assignment.number, self._assignment.stamp
        lock = locks.opened(self._lock.path)
        try:
            if lock_lines.is_begun(lock.read(), number, stamp):
                lock.append(line)
                return
        finally:
            lock.close()
        taken = locks.acquire(self._lock.path, LOCK_PATIENCE)
        if taken is None:
            raise OSError(errno.EAGAIN, "the lock is held by another process", self._lock.path)
        try:
            if is_the_file(self._assignment):
                taken.append(self._start_marker + line)
        finally:
            taken.close()

    def sync(self, layout: Layout) -> None:
        """Make the outcome durable: who would record it is gone, and hours may pass before there is another dispatcher."""
        from spoolrunner.system import durable

        try:
            durable.sync(self._lock.path)
            durable.sync_folder(layout.locks)
            durable.sync_folder(layout.running_folder)
        except OSError as error:
            output.note(f"the outcome is written, but not synced: {error}")
