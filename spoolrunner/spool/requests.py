"""The folder control/: what people ask of a running dispatcher by making files there.

Reads and removes requests; what they mean is for the dispatcher.
"""

from __future__ import annotations

import codecs
import errno
import os
import stat
from typing import NamedTuple

from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable
from spoolrunner.system.heldfiles import read_plain

LEAVE_RUNNING = "leave-running"
"""What control/stop may hold: stop, but let the jobs run on."""
_CANCEL = "cancel-"
_PAUSE = "pause-"
GROUP = "group-"
"""How the rest of the name of a pause begins that is of a group; of a method it is JOB.METHOD."""
SCHEDULE = "schedule-"
"""The same, of a schedule."""


class Requests(NamedTuple):
    """What is asked for now. `stop` is None, "" or LEAVE_RUNNING; `cancels` are job ids.

    `pauses` is what is paused by itself: each a JOB.METHOD, a group after GROUP, or a schedule after SCHEDULE.
    """

    pause: bool
    stop: str | None
    cancels: list[str]
    pauses: frozenset[str] = frozenset()
    reload: bool = False


def read(layout: Layout) -> Requests:
    """The requests in control/; names that mean nothing are left alone."""
    names = _names(layout)
    cancels = sorted(name[len(_CANCEL) :] for name in names if name.startswith(_CANCEL) and name != _CANCEL)
    stop = _stop_text(layout) if "stop" in names else None
    return Requests("pause" in names, stop, cancels, _pauses(names), "reload" in names)


def clear_stop(layout: Layout) -> bool:
    """Remove control/stop; whether it was there."""
    return _drop(layout.stop)


def clear_reload(layout: Layout) -> bool:
    """Remove control/reload; whether it was there."""
    return durable.unlink(layout.reload)


def request_stop(layout: Layout, leave_running: bool) -> None:
    """Ask the dispatcher to stop: as `touch control/stop` does."""
    _ask_anew(layout, layout.stop, LEAVE_RUNNING + "\n" if leave_running else "")


def request_reload(layout: Layout) -> None:
    """Ask for config.json to be read again: as `touch control/reload` does."""
    _ask(layout, layout.reload)


def request_cancel(layout: Layout, job_id: str) -> None:
    """Ask for a job to be cancelled: as `touch control/cancel-ID` does."""
    _ask(layout, layout.cancel(job_id))


def pause(layout: Layout) -> None:
    """Ask for no more starts: as `touch control/pause` does."""
    _ask(layout, layout.pause)


def pause_part(layout: Layout, what: str) -> None:
    """Ask for no more starts of one method, group or schedule: as `touch control/pause-WHAT` does."""
    _ask(layout, layout.pause_of(what))


def resume_part(layout: Layout, what: str) -> bool:
    """Take the pause of one method, group or schedule back, as `rm control/pause-WHAT` does; False when there was none."""
    return durable.unlink(layout.pause_of(what))


def paused_parts(layout: Layout) -> frozenset[str]:
    """Return what is paused by itself, named as in `Requests`; OSError when that cannot be found out."""
    return _pauses(_names(layout))


def is_paused(layout: Layout) -> bool:
    """Return whether control/pause is there, and no folder; OSError when that cannot be found out."""
    return _is_asked(layout.pause)


def is_cancel_asked(layout: Layout, job_id: str) -> bool:
    """Return whether control/cancel-ID is there, and no folder; OSError when that cannot be found out."""
    return _is_asked(layout.cancel(job_id))


def drop_cancel(layout: Layout, job_id: str) -> None:
    """Remove control/cancel-ID, if it is there. A folder of that name asks for nothing, and is left alone."""
    _drop(layout.cancel(job_id))


def resume(layout: Layout) -> bool:
    """Take the pause back, as `rm control/pause` does; False when there was none."""
    return _drop(layout.pause)


def clutter(layout: Layout) -> list[str]:
    """Return the names of folders in control/ that are called like a request, and ask for nothing."""
    with os.scandir(layout.control) as entries:
        folders = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return [name for name in folders if name in ("pause", "stop") or name.startswith(_CANCEL)]


def pause_schedule(layout: Layout, name: str) -> None:
    """Ask for no more jobs of a schedule: as `touch control/pause-schedule-NAME` does."""
    _ask(layout, layout.pause_schedule(name))


def resume_schedule(layout: Layout, name: str) -> bool:
    """Take the pause of a schedule back, as `rm control/pause-schedule-NAME` does; False when there was none."""
    return durable.unlink(layout.pause_schedule(name))


def is_schedule_paused(layout: Layout, name: str) -> bool:
    """Return whether control/pause-schedule-NAME is there, a folder apart; OSError when that cannot be found out."""
    try:
        return not stat.S_ISDIR(os.lstat(layout.pause_schedule(name)).st_mode)
    except FileNotFoundError:
        return False


def _names(layout: Layout) -> list[str]:
    with os.scandir(layout.control) as entries:
        return [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]


def _pauses(names: list[str]) -> frozenset[str]:
    return frozenset(name[len(_PAUSE) :] for name in names if name.startswith(_PAUSE) and name != _PAUSE)


def _stop_text(layout: Layout) -> str | None:
    try:
        data = read_plain(layout.stop, 100)
    except PermissionError:
        data = b""  # its maker may not let us read it, but the name alone asks for a stop
    if data is None:
        return "" if _is_asked(layout.stop) else None  # a link, a pipe; or, by a race, a person took it back
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = data.decode(encoding, "replace").strip()  # > of Windows PowerShell writes UTF-16
    return LEAVE_RUNNING if text == LEAVE_RUNNING else ""


def _is_asked(path: str) -> bool:
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _drop(path: str) -> bool:
    try:
        return durable.unlink(path)
    except OSError:
        if not _is_folder(path):
            raise
        return False


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _ask(layout: Layout, path: str) -> None:
    """Make the file of a request. What lies at its name asks for the same by its name alone, so it is left as it is.

    Others may write into control/ too, and put a link or a pipe there: nothing is written into what lies there.
    """
    try:
        durable.write_new(path, b"", False, durable.mode_in(layout.control))
    except FileExistsError:
        if _is_folder(path):
            raise FileExistsError(
                errno.EEXIST, "a folder, which asks for nothing, is in the way; remove it", path
            ) from None


def _ask_anew(layout: Layout, path: str, text: str) -> None:
    """Make the file of a request whose text counts, at once and whole, in place of one that lies there."""
    staged = f"{layout.control}{os.sep}.{os.urandom(8).hex()}"
    durable.replace_content(staged, path, text.encode("ascii"), False, durable.mode_in(layout.control))
