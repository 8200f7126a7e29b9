"""The names of things on disk: which path belongs to which id. The only module that knows them.

Knows nothing of their content, and touches no disk.
"""

from __future__ import annotations

import os
import re
import sys

from spoolrunner.protocol.states import State

FOLDERS = (*(state.value for state in State), "tmp", "locks", "control", "logs", os.path.join("logs", "jobs"))
SUFFIX = ".json"
MAX_NAME_BYTES = 255
"""The longest file name of ext4, xfs, APFS and NTFS."""
_LONGEST_PLAIN_ROOT = 120
_SHORT_NAME = (MAX_NAME_BYTES - len(".reason")) // 4

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(~[0-9]{1,9})?")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file lists the names no file may have there.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def id_problem(job_id: str) -> str | None:
    """Why `job_id` cannot name a job on every platform, or None when it can."""
    if not _ID.fullmatch(job_id):
        return (
            "an id is 1 to 100 of A-Z a-z 0-9 . _ - beginning with a letter or digit, then perhaps ~ and 1 to 9 digits"
        )
    if job_id.endswith("."):
        return "an id must not end with a dot"
    if job_id.split(".", maxsplit=1)[0].lower() in _RESERVED:
        return "the part before the first dot is a reserved device name on Windows"
    return None


def is_job_name(name: str) -> bool:
    """Whether a file of this name in pending/ is meant as a job at all; others are left alone."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def numbered(stem: str) -> str:
    """The next name to try when `stem` is taken: x, x~2, x~3 and so on."""
    base, tilde, number = stem.rpartition("~")
    return f"{base}~{int(number) + 1}" if tilde and number.isascii() and number.isdigit() else f"{stem}~2"


def _fit(stem: str, ending: str) -> str:
    """`stem` + `ending`, with the stem shortened to stay a legal file name; a checksum keeps it distinct."""
    # A character takes at most 4 bytes, so that only a long one needs to be counted out.
    if len(stem) < _SHORT_NAME or len(os.fsencode(stem + ending)) <= MAX_NAME_BYTES:
        return stem + ending
    import hashlib  # 3 ms that only an outlandish name is worth

    raw = os.fsencode(stem)
    return os.fsdecode(raw[:180]) + "-" + hashlib.sha256(raw).hexdigest()[:16] + ending


def _of_any_length(root: str) -> str:
    """The path as Windows takes it beyond 260 characters, which whole paths in the spool might have; others as they are."""
    if sys.platform != "win32" or len(root) <= _LONGEST_PLAIN_ROOT or root.startswith("\\\\?\\"):
        return root
    path = os.path.abspath(root)  # in that form nothing else is resolved
    return "\\\\?\\UNC" + path[1:] if path.startswith("\\\\") else "\\\\?\\" + path


class Layout:
    """Paths inside one spool. `root` is the absolute path of the spool."""

    def __init__(self, root: str) -> None:
        self.root = root = _of_any_length(root)
        inside = root + os.sep
        self.tmp = inside + "tmp"
        self.locks = inside + "locks"
        self.control = inside + "control"
        self.logs = inside + "logs"
        self.job_logs = f"{self.logs}{os.sep}jobs"
        self.dispatcher_lock = inside + "dispatcher.lock"
        self.status = inside + "status.json"
        self.pause = f"{self.control}{os.sep}pause"
        self.stop = f"{self.control}{os.sep}stop"
        self._states = {state: inside + state for state in State}
        self.pending = self._states[State.PENDING]
        self._running = self._states[State.RUNNING]

    def for_rehearsal(self) -> Layout:
        """The same names with all files of jobs in tmp/, where nobody looks and what is left over is swept."""
        made = Layout(self.root)
        made.locks = made.job_logs = made.control = made._running = made.tmp
        return made

    def folder(self, state: State) -> str:
        """The folder of a state."""
        return self._states[state]

    def job(self, state: State, job_id: str) -> str:
        """The job's file in that state."""
        return f"{self._states[state]}{os.sep}{_fit(job_id, SUFFIX)}"

    def running(self, job_id: str) -> str:
        """The job's file while it runs."""
        return f"{self._running}{os.sep}{_fit(job_id, SUFFIX)}"

    def reason(self, job_id: str) -> str:
        """Why a job that never ran lies in failed/."""
        return os.path.join(self._states[State.FAILED], _fit(job_id, ".reason"))

    def lock(self, job_id: str) -> str:
        """The file whose lock the job's process holds."""
        return f"{self.locks}{os.sep}{job_id}.lock"

    def progress(self, job_id: str) -> str:
        """What a running job last said of its progress."""
        return f"{self.locks}{os.sep}{job_id}.progress"

    def log(self, job_id: str) -> str:
        """The job's own output."""
        return f"{self.job_logs}{os.sep}{job_id}.log"

    def cancel(self, job_id: str) -> str:
        """The request to cancel a job: an empty file."""
        return f"{self.control}{os.sep}cancel-{job_id}"

    def stage(self) -> str:
        """A new name in tmp/ for a file to be written, which nobody else has: pids are used again, also by the dead."""
        return f"{self.tmp}{os.sep}{os.getpid()}-{os.urandom(8).hex()}"
