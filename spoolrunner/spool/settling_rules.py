"""Which rule of recovery applies to a file in running/, from its document, its marker and what the dispatcher knows.

Pure: touches no disk. The rules themselves are `protocol.states.RECOVERY_RULES`; `settling` carries them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import FINAL, RECOVERY_RULES, Outcome, RecoveryRule
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.spool.lock_lines import CLAIM, START
from spoolrunner.spool.traces import LeftOutcome, Marker

_STOP_SIGNALS = (1, 2, 15)
"""SIGHUP, SIGINT and SIGTERM: what a service manager, a shutdown or a terminal sends to all processes at once."""
ENDED_BY_STOP = tuple(-number for number in _STOP_SIGNALS)
"""The statuses, as in `Popen.returncode`, of processes that such a signal ended."""
_STOP_STATUSES = (*[128 + number for number in _STOP_SIGNALS], 0xC000013A)
"""How a program exits by itself that was told to end by one of them; the last is that of Ctrl-C on Windows."""
_STOP_ERRORS = ("KeyboardInterrupt", "SystemExit", "ProgramError")
"""What Python, or the handler of a job or of the program of a command, makes of such a signal."""


class Origin(StrEnum):
    """How the dispatcher came to a file in running/."""

    FOUND = "it lay there"
    CLAIMED = "it was claimed just now, and is not to be started"
    STARTED = "an attempt of it was started, or adopted"


class LookedAt(NamedTuple):
    """A job file as the dispatcher read and checked it: what it was like, and its document."""

    stamp: Stamp
    raw: dict[str, Any]


class Stop(StrEnum):
    """What a dispatcher knows of a stop when it settles an attempt whose process was not ended by itself."""

    NONE = "none was asked for"
    AWAITED = "the signal that may have ended the process may be on its way to the dispatcher, too"
    ASKED = "the dispatcher was asked to stop"


class Usage(NamedTuple):
    """What a process and its ended children have used: seconds of CPU time, and KiB of the largest of them, if known."""

    cpu_s: float
    max_rss_kib: int | None = None


class Known(NamedTuple):
    """What the dispatcher knows of a file in running/, beside what lies on the disk.

    `number` and `policy` are those of the attempt that was started; `looked_at` is its file as it was claimed. `outcome` and
    `note` say why the dispatcher ended it, if it did; `exit_status`, `signal` and `usage` are those of its process, whose pid
    is `reaped` if its end is certain; `stop` is what is known of a stop of all processes. `releases` is how often the job came
    back without having started, `looks` how often its file could not be opened.
    """

    origin: Origin = Origin.FOUND
    number: int | None = None
    policy: Policy | None = None
    looked_at: LookedAt | None = None
    outcome: Outcome | None = None
    note: str = ""
    exit_status: int | None = None
    signal: int | None = None
    usage: Usage | None = None
    reaped: int | None = None
    stop: Stop = Stop.NONE
    releases: int = 0
    looks: int = 0

    def may_be_stopped(self, left: LeftOutcome | None) -> bool:
        """Whether the attempt, of which that was left, ended as one does whose process was told to end; or nobody saw how."""
        if left is None:
            is_unseen = self.signal is None and self.exit_status is None
            return is_unseen or self.signal in _STOP_SIGNALS or self.exit_status in _STOP_STATUSES
        return left.outcome == Outcome.FAILED and (left.error or {}).get("type") in _STOP_ERRORS

    def outcome_of(self, left: LeftOutcome | None) -> Outcome:
        """How the attempt ended of which that was left. What fails because of a stop was interrupted."""
        made = Outcome(left.outcome) if left is not None else self.outcome or Outcome.CRASHED
        if left is not None and made is Outcome.FAILED and self.outcome is Outcome.INTERRUPTED:
            return Outcome.INTERRUPTED
        if self.outcome is None and self.stop is Stop.ASKED and self.may_be_stopped(left):
            return Outcome.INTERRUPTED
        return made

    def after(self, looks: int) -> Known:
        """The same, after so many looks at a file that could not be opened."""
        return self._replace(looks=looks) if looks else self


@dataclass(slots=True)
class Boot:
    """This start of the machine, and what may be believed of what was written before the spool was taken.

    `has_markers` says that all markers are there: since they were written no power cut has come, and the file system was not
    mounted again. `keeps_inodes` says that the files have the inodes they had: the spool is not a copy, and was not restored.
    """

    id: str
    has_markers: bool
    keeps_inodes: bool = True


def choose(
    attempts: Sequence[dict[str, Any]] | None,
    stamp: Stamp,
    marker: Marker | None,
    *,
    has_markers: bool,
    keeps_inodes: bool = True,
    number: int | None = None,
) -> RecoveryRule:
    """The first rule whose sign is seen.

    `attempts` are those of the document, None when it cannot be read; `stamp` is its file's. A final verdict that was recorded
    in running/ has the start marker of its attempt in the lock file, unless a power cut took that; one without was in pending/
    by a retry by hand, and slipped under a claim. `number` is that of the attempt which is known to have been started: a record
    of it was made here, whatever became of its marker, since a job may remove its own lock file.
    """
    if attempts is None:
        return RECOVERY_RULES[0]
    fits = marker is not None and (
        marker.fits(len(attempts), stamp, wholly=not has_markers)
        if keeps_inodes or has_markers
        else marker.fits_copy(len(attempts), stamp)
    )
    if marker is not None and fits and marker.kind == START:
        return RECOVERY_RULES[1]
    if marker is not None and fits and marker.kind == CLAIM:
        return RECOVERY_RULES[2]
    recorded_here = marker is not None and marker.kind == START and marker.attempt == len(attempts)
    recorded_here = recorded_here or number == len(attempts) or not has_markers
    if attempts and attempts[-1]["verdict"] in FINAL and recorded_here:
        return RECOVERY_RULES[3]
    return RECOVERY_RULES[4]


def is_recorded(attempts: Sequence[dict[str, Any]], marker: Marker | None, known: Known) -> bool:
    """Whether the attempt that was started, as far as that is known, has been recorded in this document."""
    number = known.number
    if number is None and marker is not None and marker.kind == START:
        number = marker.attempt
    return number is not None and number == len(attempts)
