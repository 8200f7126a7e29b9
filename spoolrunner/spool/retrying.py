"""A retry that a person asks for: jobs that failed or are done, moved back to pending/, one or a hundred thousand.

The move is a row of the table (`folders`). Here is what makes it last: the syncs, of which many jobs share one, and the reason
that is removed.
"""

from __future__ import annotations

from collections.abc import Sequence

from spoolrunner.errors import DuplicateJobError
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.missing import FolderMissingError
from spoolrunner.system import durable

PutBack = bool | OSError | DuplicateJobError
"""What became of one: it was moved, or was gone, or the error."""


def put_back(spool: Spool, job_id: str, source: State) -> bool:
    """Move a job from failed/ or done/ back to pending/, durably, and remove its ID.reason; False when it is gone.

    DuplicateJobError when a job of that id waits already.
    """
    (moved,) = put_back_many(spool, [(job_id, source)])
    if isinstance(moved, Exception):
        raise moved
    return moved


def put_back_many(spool: Spool, jobs: Sequence[tuple[str, State]]) -> list[PutBack]:
    """Do the same for many jobs, each given as its id and its state, with one sync for all; return what became of each.

    OSError when a folder is missing or cannot be synced; what was moved by then is synced as far as possible.
    """
    done: list[PutBack] = []
    moved = []
    try:
        for job_id, source in jobs:
            done.append(_try(spool, job_id, source))
            if done[-1] is True:
                moved.append(job_id)
    finally:
        if moved:
            durable.sync_folder(spool.layout.pending)
        if sum(durable.unlink(spool.layout.reason(job_id)) for job_id in moved):
            # Else a power cut may leave the job's name in failed/ as well, and the reason beside it.
            durable.sync_folder(spool.layout.folder(State.FAILED))
    return done


def _try(spool: Spool, job_id: str, source: State) -> PutBack:
    try:
        return spool.put_back(job_id, source)
    except FolderMissingError:
        raise
    except (DuplicateJobError, OSError) as error:  # of this one
        return error
