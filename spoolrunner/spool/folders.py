"""Operations on the folders: publish, read, claim, move, refuse, put back. Each is a row of the transition table.

Owns that nothing is overwritten, nothing is deleted, and that losing a race to a person is an ordinary value. Knows
nothing of processes, policies or the order of jobs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property

from spoolrunner.errors import DuplicateJobError, SpoolLayoutError
from spoolrunner.protocol.states import Event, Outcome, State, transition
from spoolrunner.spool import jobfile, reason_files, requests, sweeping
from spoolrunner.spool.ids import id_problem, is_job_name, numbered
from spoolrunner.spool.jobfile import Found, NotOpenedError, NotRegularError, Stamp
from spoolrunner.spool.missing import folder_of
from spoolrunner.spool.paths import FOLDERS, Layout
from spoolrunner.spool.recognise import ADVICE
from spoolrunner.spool.sweeping import LEFTOVER_AGE
from spoolrunner.system import durable
from spoolrunner.system.owners import hand_over_folder

__all__ = ["LEFTOVER_AGE", "Found", "NotOpenedError", "NotRegularError", "Spool", "Stamp"]
# What `read` returns and raises can be imported from here too, since it is asked of a Spool.


class Spool:
    """One spool. With `fsync` everything that is promised durable is synced."""

    def __init__(self, layout: Layout, fsync: bool = True) -> None:
        self.layout, self.fsync = layout, fsync
        self.arrived: Callable[[str], object] = lambda _: None
        """Called with each id of which a file has come to done/ or failed/; it must not fail."""

    def make(self) -> None:
        """Make the folders that are missing, for their owner alone."""
        try:
            os.makedirs(self.layout.root, mode=0o700, exist_ok=True)
            for path in self._folders():
                self._make_folder(path)
        except OSError as error:
            raise SpoolLayoutError(f"{error.filename}: cannot make the folder: {error.strerror}") from None

    def make_missing(self, beside: str) -> None:
        """Make the folders that are missing of a spool that a dispatcher has served, or all of one that lies in `beside`.

        `beside` is the folder of config.json: its disk is mounted, so a spool in it can be made if nothing lies at its path.
        Else its disk may be missing, and what is made now would not be seen later: that is for `spoolrunner init`.
        """
        try:
            os.lstat(self.layout.dispatcher_lock)
        except FileNotFoundError:
            if not _can_be_made(self.layout.root, beside):
                return
        self.make()

    def _folders(self) -> list[str]:
        return [os.path.join(self.layout.root, name) for name in FOLDERS]

    def _make_folder(self, path: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
            hand_over_folder(path, os.path.dirname(path))

    def check(self) -> None:
        """Raise SpoolLayoutError unless all folders are folders on one file system, which renames need."""
        home = None
        for path in self._folders():
            try:
                status = os.stat(path, follow_symlinks=False)
            except FileNotFoundError:
                raise SpoolLayoutError(f"{path}: the folder is missing; {ADVICE}") from None
            if not stat.S_ISDIR(status.st_mode):
                raise SpoolLayoutError(f"{path}: must be a folder, not a link or a file")
            home = status.st_dev if home is None else home
            if status.st_dev != home:
                raise SpoolLayoutError(
                    f"{path}: lies on another file system than pending/; files could not be renamed into it"
                )

    def same(self, job_id: str) -> str:
        """The id as the file system compares it: on one that ignores case, as on Windows and macOS, in small letters."""
        return job_id.lower() if self._ignores_case else job_id

    @cached_property
    def _ignores_case(self) -> bool:
        with suppress(FileNotFoundError):
            os.lstat(self.layout.pending[: -len(State.PENDING)] + State.PENDING.upper())
            return True
        return False

    def names(self, state: State) -> Iterator[str]:
        """The names of job files in a state, in the order of the folder, read bit by bit."""
        with os.scandir(self.layout.folder(state)) as entries:
            for found in entries:
                if is_job_name(found.name):
                    yield found.name[: -len(".json")]

    def read(self, state: State, job_id: str) -> Found:
        """The file's bytes; FileNotFoundError when it is gone, JobFormatError when it is nothing that can be read."""
        return jobfile.read(self.layout.job(state, job_id))

    def stamp(self, state: State, job_id: str) -> Stamp | None:
        """What the file is now, from outside; None when it is gone."""
        return jobfile.stamp(self.layout.job(state, job_id))

    def exists(self, state: State, job_id: str) -> bool:
        """Whether there is anything of that name; OSError when that cannot be known, which os.path.lexists takes for a no."""
        try:
            os.lstat(self.layout.job(state, job_id))
        except FileNotFoundError:
            return False
        return True

    def waits_or_runs(self, job_id: str) -> bool:
        """Whether there is a file of that id in pending/ or running/; OSError as above."""
        return self.exists(State.PENDING, job_id) or self.exists(State.RUNNING, job_id)

    def publish(self, job_id: str, data: bytes) -> None:
        """Make pending/ID.json appear whole and, with `fsync`, for good; DuplicateJobError if it is there already."""
        path, mode = self.layout.job(transition(None, Event.PUBLISH).target, job_id), durable.mode_in(self.layout.tmp)
        try:
            durable.publish(self.layout.stage(), path, data, self.fsync, mode)
        except FileExistsError:
            raise DuplicateJobError(job_id) from None

    def publish_many(self, jobs: dict[str, bytes]) -> None:
        """Publish all, synced together. DuplicateJobError names the first taken id; those before it are published."""
        target = transition(None, Event.PUBLISH).target
        paths = {self.layout.job(target, job_id): job_id for job_id in jobs}
        staged = [(self.layout.stage(), path, jobs[job_id]) for path, job_id in paths.items()]
        try:
            durable.publish_many(staged, self.fsync, durable.mode_in(self.layout.tmp))
        except FileExistsError as error:
            raise DuplicateJobError(paths[error.filename2]) from None

    def claim(self, job_id: str) -> bool:
        """Pending -> running under the same name; False when the file is gone or that id is running already."""
        try:
            self._rename(job_id, State.PENDING, Event.CLAIM)
        except (FileNotFoundError, FileExistsError):
            return False  # Race: a person took it away, or made a second one of an id that runs.
        return True

    def move(self, job_id: str, source: State, event: Event) -> str | None:
        """Move where `event` leads, as ID~2, ID~3 … if the name is taken; return the id there, or None if it was gone."""
        name = job_id
        while True:
            try:
                self._rename(job_id, source, event, name)
            except FileExistsError:
                name = numbered(name)
            except FileNotFoundError:
                return None  # Race: a person took it away.
            else:
                return name

    def refuse(self, job_id: str, source: State, outcome: Outcome, what: str, where: str, now: float) -> str | None:
        """Write failed/ID.reason, then move the file, its bytes as they are, to failed/; None if it was gone.

        A control/cancel-ID goes last: were it gone before the move, a crash in between would let the job run. One that
        is left by such a crash is known by `reason_files.was_cancelled`, so that it hits no later job of this id.
        """
        event = Event.UNREADABLE if source is State.RUNNING else Event.REFUSE
        target, name = transition(source, event).target, job_id
        while True:
            if self.exists(target, name):
                name = numbered(name)
                continue
            self.explain(name, outcome, what, where, now)
            try:
                self._rename(job_id, source, event, name)
            except FileExistsError:
                durable.unlink(self.layout.reason(name))  # Race: a person moved a file of that name here just now.
                name = numbered(name)
            except FileNotFoundError:
                durable.unlink(self.layout.reason(name))  # Race: a person took the file away.
                return None
            except OSError:
                durable.unlink(self.layout.reason(name))  # it stays where it is, and is perhaps never refused
                raise
            else:
                self._forget_cancel(job_id)
                return name

    def put_back(self, job_id: str, source: State) -> bool:
        """Move a job from failed/ or done/ back to pending/; False when it is gone. The rest of a retry is for `retrying`.

        DuplicateJobError when a job of that id waits already.
        """
        try:
            self._rename(job_id, source, Event.HAND_RETRY)
        except FileNotFoundError:
            return False  # Race: somebody moved it just now.
        except FileExistsError:
            raise DuplicateJobError(job_id) from None
        return True

    def mend(self, job_id: str, data: bytes) -> None:
        """Replace the content of failed/ID.json by `data`, durably, before the job is retried."""
        path = self.layout.job(transition(State.FAILED, Event.MEND).target, job_id)
        durable.replace_content(self.layout.stage(), path, data, True)

    def _rename(self, job_id: str, source: State, event: Event, name: str | None = None) -> None:
        """Make the rename that the table has for `event`, to `name` there; FileExistsError when that name is taken.

        FileNotFoundError when the file is gone, FolderMissingError when it is one of the two folders that is missing.
        """
        target, name = transition(source, event).target, job_id if name is None else name
        try:
            durable.rename(self.layout.job(source, job_id), self.layout.job(target, name))
        except FileNotFoundError as error:
            raise folder_of(self.layout.folder(target), self.layout.folder(source)) or error from None
        if target in (State.DONE, State.FAILED):
            self.arrived(job_id)

    def _forget_cancel(self, job_id: str) -> None:
        if id_problem(job_id) is None:
            with suppress(OSError):  # the job has moved all the same; the next look into control/ tries again
                requests.drop_cancel(self.layout, job_id)

    def explain(self, job_id: str, outcome: Outcome, what: str, where: str, now: float) -> None:
        """Write failed/ID.reason: why a job never ran."""
        try:
            reason_files.write(self.layout, job_id, outcome, what, where, now, fsync=self.fsync)
        except FileNotFoundError as error:
            raise folder_of(self.layout.tmp, self.layout.folder(State.FAILED)) or error from None

    def can_write(self) -> OSError | None:
        """Try to write and sync a file of one block in tmp/; the error, if there is one."""
        staged = self.layout.stage()
        try:
            durable.write_new(staged, b"\0" * 4096, True)
            durable.unlink(staged)
        except OSError as error:
            # Without the name, which is another each time: the same error is to read the same.
            return OSError(error.errno, error.strerror or str(error), self.layout.tmp)
        return None

    def sweep_tmp(self, now: float) -> int:
        """Remove the leftovers in tmp/, and return how many, as `sweeping` does."""
        return sweeping.sweep_tmp(self.layout, now)


def _can_be_made(root: str, beside: str) -> bool:
    """Whether nothing lies at `root`, and its folder is that one."""
    try:
        os.lstat(root)
    except FileNotFoundError:
        with suppress(FileNotFoundError):
            return os.path.samefile(os.path.dirname(root), beside)
    return False


def lay(layout: Layout, staged: str, state: State, job_id: str) -> None:
    """Give the file at `staged` that id in `state`, or ID~2, ID~3 … if the name is taken."""
    name = job_id
    while True:
        try:
            durable.rename(staged, layout.job(state, name))
        except FileExistsError:
            name = numbered(name)
        else:
            return
