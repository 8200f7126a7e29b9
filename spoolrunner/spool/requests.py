"""The folder control/: what people ask of a running dispatcher by making files there.

Reads and removes requests; what they mean is for the dispatcher.
"""

from __future__ import annotations

import codecs
import os
from typing import NamedTuple

from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable
from spoolrunner.system.heldfiles import patiently

LEAVE_RUNNING = "leave-running"
"""What control/stop may hold: stop, but let the jobs run on."""
_CANCEL = "cancel-"


class Requests(NamedTuple):
    """What is asked for now. `stop` is None, "" or LEAVE_RUNNING; `cancels` are job ids."""

    pause: bool
    stop: str | None
    cancels: list[str]


def read(layout: Layout) -> Requests:
    """The requests in control/; names that mean nothing are left alone."""
    with os.scandir(layout.control) as entries:
        names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    cancels = sorted(name[len(_CANCEL) :] for name in names if name.startswith(_CANCEL) and name != _CANCEL)
    stop = _stop_text(layout) if "stop" in names else None
    return Requests("pause" in names, stop, cancels)


def clear_stop(layout: Layout) -> bool:
    """Remove control/stop; whether it was there."""
    return durable.unlink(layout.stop)


def request_stop(layout: Layout, leave_running: bool) -> None:
    """Ask the dispatcher to stop: as `touch control/stop` does."""
    _touch(layout.stop, LEAVE_RUNNING + "\n" if leave_running else "")


def request_cancel(layout: Layout, job_id: str) -> None:
    """Ask for a job to be cancelled: as `touch control/cancel-ID` does."""
    _touch(layout.cancel(job_id), "")


def pause(layout: Layout) -> None:
    """Ask for no more starts: as `touch control/pause` does."""
    _touch(layout.pause, "")


def is_paused(layout: Layout) -> bool:
    """Return whether control/pause is there; OSError when that cannot be found out."""
    return _is_there(layout.pause)


def is_cancel_asked(layout: Layout, job_id: str) -> bool:
    """Return whether control/cancel-ID is there; OSError when that cannot be found out."""
    return _is_there(layout.cancel(job_id))


def resume(layout: Layout) -> bool:
    """Take the pause back, as `rm control/pause` does; False when there was none."""
    return durable.unlink(layout.pause)


def _stop_text(layout: Layout) -> str | None:
    try:
        with patiently(open, layout.stop, "rb") as stream:
            data = stream.read(100)
    except FileNotFoundError:
        return None  # Race: a person took it back.
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = data.decode(encoding, "replace").strip()  # > of Windows PowerShell writes UTF-16
    return LEAVE_RUNNING if text == LEAVE_RUNNING else ""


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _touch(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)
