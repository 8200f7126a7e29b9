"""What comes before the work on a spool, or before it goes on: its folders are made sure of, what others left is taken up."""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.dispatch.ground import Ground
from spoolrunner.dispatch.holder import Holder
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.spool import twofold
from spoolrunner.telling.logfiles import LogFiles
from spoolrunner.telling.recovered import SecondNameRemoved


def stand(rooms: Rooms, ground: Ground, logfiles: LogFiles) -> None:
    """See that every folder is there, and takes files; OSError if not."""
    if not ground.restore():
        rooms.running.forget_all()
    logfiles.close()  # its files may have been removed too: the next line opens them anew
    error = rooms.spool.can_write()
    if error is not None:
        raise error


def recover(rooms: Rooms, holder: Holder, forget_others: Callable[[], None]) -> None:
    """Take up what lies in running/, after a power cut without the names that are no longer true; then vouch for the spool.

    `forget_others` removes the notes of schedules that there are no more.
    """
    if not holder.has_vouched:
        for removed, kept in twofold.remove_second_names(rooms.spool):
            rooms.reporter.report(SecondNameRemoved(kept.job_id, str(removed), str(kept)))
    forget_others()
    rooms.ended.recover_all()
    holder.vouch()
