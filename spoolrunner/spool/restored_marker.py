"""The start marker of an attempt whose process removed its own lock file, and still runs: it is made anew from the process."""

from __future__ import annotations

from typing import Protocol

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.spool import locks
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.lock_lines import START
from spoolrunner.spool.running_file import RunningFiles, UnopenedError
from spoolrunner.spool.settling_rules import Known
from spoolrunner.spool.traces import Marker
from spoolrunner.system import place
from spoolrunner.system.clock import Clock, format_time


class Liveness(Protocol):
    """Who knows which processes live: the executor that started them."""

    def lives(self, marker: Marker) -> bool:
        """Whether the process that left this start marker still runs."""

    def end_left_by(self, job_id: str, marker: Marker) -> bool:
        """End what is left of the attempt of that start marker, whose process is gone. Whether anything is left now."""

    def holder_of_removed(self, lock_path: str) -> tuple[int, str] | None:
        """Pid and start of the process that has the lock file open which was removed from that path; None without one."""


def restored_marker(
    spool: Spool, files: RunningFiles, liveness: Liveness, clock: Clock, lock: locks.JobLock, job_id: str, known: Known
) -> Marker | None:
    """The start marker that went with a lock file which the job removed, made anew while its process lives."""
    holder = liveness.holder_of_removed(lock.path)
    status = None if holder is None else spool.stamp(State.RUNNING, job_id)
    if holder is None or status is None:
        return None
    try:
        number = 1 + len(files.read(job_id).attempts)
    except UnopenedError:
        if not known.looks:
            raise
        number = 1
    except JobFormatError:
        number = 1
    began = format_time(clock.wall()), clock.monotonic()
    here = place.place(spool.layout.locks)
    marker = Marker(START, number, *status, *holder, *began)._replace(**here._asdict())
    lock.append(marker.line())
    return marker
