"""The names of all files and folders of a spool, and which path belongs to which id. Only this module knows them.

Knows nothing of what is in the files, and touches no disk. Light: every job's process imports it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spoolrunner.protocol.states import State

_STATES = ("pending", "running", "done", "failed")
"""The values of `protocol.states.State`, which a job's process does not import."""
FOLDERS = (*_STATES, "tmp", "locks", "control", "logs", os.path.join("logs", "jobs"))
LATER_FOLDERS = ("schedules", "steps")
"""The folders that are made when they are needed: a spool without them is whole."""
_SUFFIX = ".json"
REHEARSAL = "rehearsal-"
"""How the name of a folder in tmp/ begins in which a template rehearses."""
MAX_NAME_BYTES = 255
"""Bytes of the longest file name on ext4, xfs, APFS and NTFS."""
_LONGEST_PLAIN_ROOT = 120
_SHORT_NAME = (MAX_NAME_BYTES - len(".progress")) // 4


def _fit(stem: str, ending: str) -> str:
    """Return `stem` + `ending`. A stem too long for a file name is shortened, and a checksum keeps it distinct."""
    # A character takes at most 4 bytes, so only the bytes of a long stem need to be counted.
    if len(stem) < _SHORT_NAME or len(os.fsencode(stem + ending)) <= MAX_NAME_BYTES:
        return stem + ending
    import hashlib  # 3 ms that only a very long name costs

    raw = os.fsencode(stem)
    return os.fsdecode(raw[:180]) + "-" + hashlib.sha256(raw).hexdigest()[:16] + ending


def _of_any_length(root: str) -> str:
    """Return the path in the form in which Windows takes more than 260 characters, if paths in the spool may be that long."""
    if sys.platform != "win32" or len(root) <= _LONGEST_PLAIN_ROOT or root.startswith("\\\\?\\"):
        return root
    path = os.path.abspath(root)  # Windows resolves nothing in a path of that form
    return "\\\\?\\UNC" + path[1:] if path.startswith("\\\\") else "\\\\?\\" + path


class Layout:
    """The paths in one spool. `root` is the absolute path of the spool."""

    def __init__(self, root: str) -> None:
        self.root = root = _of_any_length(root)
        inside = root + os.sep
        self.tmp = inside + "tmp"
        self.locks = inside + "locks"
        self.control = inside + "control"
        self.logs = inside + "logs"
        self.schedules = inside + "schedules"
        self.job_logs = f"{self.logs}{os.sep}jobs"
        self.dispatcher_lock = inside + "dispatcher.lock"
        self.status = inside + "status.json"
        self.pause = f"{self.control}{os.sep}pause"
        self.stop = f"{self.control}{os.sep}stop"
        self.reload = f"{self.control}{os.sep}reload"
        self._states = {state: inside + state for state in _STATES}
        self.pending = self._states["pending"]
        self.running_folder = self._states["running"]

    def for_rehearsal(self, folder: str) -> Layout:
        """Return a layout with all files of running jobs in `folder`, one in tmp/: no dispatcher looks there."""
        made = Layout(self.root)
        made.tmp = made.locks = made.job_logs = made.control = made.running_folder = folder
        return made

    def folder(self, state: State) -> str:
        """Return the folder of a state."""
        return self._states[state]

    def job(self, state: State, job_id: str) -> str:
        """Return the path of a job's file in that state."""
        return f"{self._states[state]}{os.sep}{_fit(job_id, _SUFFIX)}"

    def running(self, job_id: str) -> str:
        """Return the path of a job's file while it runs."""
        return f"{self.running_folder}{os.sep}{_fit(job_id, _SUFFIX)}"

    def reason(self, job_id: str) -> str:
        """Return the path of the file that says why a job which never ran lies in failed/."""
        return os.path.join(self._states["failed"], _fit(job_id, ".reason"))

    def lock(self, job_id: str) -> str:
        """Return the path of the file whose lock the job's process holds."""
        return f"{self.locks}{os.sep}{job_id}.lock"

    def progress(self, job_id: str) -> str:
        """Return the path of the file with the progress that a running job last reported."""
        return f"{self.locks}{os.sep}{_fit(job_id, '.progress')}"

    @property
    def steps(self) -> str:
        """The folder of what jobs keep for their next attempts; made by the first of them."""
        return f"{self.root}{os.sep}steps"

    def minutes(self, day: str) -> str:
        """Return the path of the history of a day, as 20261128: a line a minute."""
        return f"{self.logs}{os.sep}minutes-{day}.jsonl"

    def step_file(self, job_id: str) -> str:
        """Return the path of the steps that a job has made."""
        return f"{self.steps}{os.sep}{_fit(job_id, '.jsonl')}"

    def log(self, job_id: str) -> str:
        """Return the path of the job's own output."""
        if len(job_id) < _SHORT_NAME:  # without a call, since each job's process asks this
            return f"{self.job_logs}{os.sep}{job_id}.log"
        return f"{self.job_logs}{os.sep}{_fit(job_id, '.log')}"

    def cancel(self, job_id: str) -> str:
        """Return the path of the request to cancel a job, which is an empty file."""
        return f"{self.control}{os.sep}cancel-{job_id}"

    def schedule(self, name: str) -> str:
        """Return the path of the note of a schedule: until which slot all is accounted for."""
        return f"{self.schedules}{os.sep}{name}{_SUFFIX}"

    def pause_schedule(self, name: str) -> str:
        """Return the path of the request to pause a schedule, which is an empty file."""
        return f"{self.control}{os.sep}pause-schedule-{name}"

    def unique(self, job_id: str) -> str:
        """Return the path of the file whose lock a producer holds while it publishes an id that may lie in no folder."""
        return f"{self.tmp}{os.sep}unique-{job_id}"

    def pause_of(self, what: str) -> str:
        """Return the path of the request to pause a part of the work, a method or a group, which is an empty file."""
        return f"{self.pause}-{what}"

    def stage(self, beginning: str = "") -> str:
        """Return a new path in tmp/ for a file to be written. It is random: others may write there too, and guess."""
        return f"{self.tmp}{os.sep}{beginning}{os.getpid()}-{os.urandom(8).hex()}"
