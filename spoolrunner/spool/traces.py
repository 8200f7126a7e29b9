"""What lies in a job's lock file, read: the last marker, and what followed it. The lines are written by `lock_lines`."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from types import NoneType
from typing import Any, NamedTuple

import orjson

from spoolrunner.protocol.states import LEFT_BY_JOBS
from spoolrunner.protocol.verdict import NOTHING_SAID, Said
from spoolrunner.spool import lock_lines
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.spool.lock_lines import CLAIM, OUTCOME, READY, START
from spoolrunner.spool.locks import JobLock, read_lines
from spoolrunner.system.heldfiles import open_plain
from spoolrunner.system.times import MAX_DURATION, parse_time

MAX_LINE_BYTES = 1 << 20
"""No line of ours is as long: the longest holds a result of 64 KiB, or an error of three texts of 16 KiB, with all escapes."""
COPIED_WITHIN_NS = 2_000_000_000
"""FAT keeps times to two seconds, tar to one."""
_MAX_PID = 2**32 - 1
_NO_LINK = (errno.ENOENT, errno.EINVAL, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM)
_ERROR_KEYS = {"type", "message", "traceback"}


class Marker(NamedTuple):
    """A line in the lock file: attempt `attempt` is about to be made of the file with this inode, size and time of change.

    A START marker names the process of the attempt and when it began: `started_at` by the wall clock, as RFC 3339, and `began`
    by the monotonic clock; `imports` says that the job's module was still to be imported then. `host`, `namespace` and `home`
    say where the process lives (`system.place.Place`), and are empty in a marker of an older version. A CLAIM marker (pid 0)
    says that the job was claimed after a retry by hand, so that the last verdict in its document must not be obeyed.
    """

    kind: str
    attempt: int
    inode: int
    size: int = 0
    mtime_ns: int = 0
    pid: int = 0
    process_started: str = ""
    started_at: str = ""
    began: float = 0.0
    imports: bool = False
    host: str = ""
    namespace: str = ""
    home: str = ""

    def fits(self, attempts: int, stamp: Stamp, *, wholly: bool) -> bool:
        """Return whether the marker is about the next attempt of a document with `attempts` attempts, in the file with `stamp`.

        A rename keeps the inode and a record changes it, so a marker that fits shows that no record was made since. Inodes are
        given out again: where a power cut may have taken a later marker, size and time of change must be those of the file too
        (`wholly`). Otherwise they need not: a person may touch the file while it runs.
        """
        if self.attempt != attempts + 1 or self.inode != stamp.inode:
            return False
        return not wholly or (self.size, self.mtime_ns) == (stamp.size, stamp.mtime_ns)

    def fits_copy(self, attempts: int, stamp: Stamp) -> bool:
        """Return whether it does, if the file was copied since and has another inode: by size and time of change.

        Archives, and file systems to which files are copied, keep that time to the second or to two.
        """
        is_near = abs(self.mtime_ns - stamp.mtime_ns) < COPIED_WITHIN_NS
        return self.attempt == attempts + 1 and self.size == stamp.size and is_near

    @property
    def stamp(self) -> Stamp:
        """What the file was like."""
        return Stamp(self.inode, self.size, self.mtime_ns)

    @property
    def is_start(self) -> bool:
        """Whether a process has begun the attempt."""
        return self.kind == START

    def line(self) -> bytes:
        """Return the marker as it is written."""
        if self.kind == CLAIM:
            return lock_lines.claim(self.attempt, self.stamp)
        return lock_lines.start(
            self.attempt,
            self.stamp,
            self.pid,
            self.process_started,
            self.started_at,
            self.began,
            imports=self.imports,
            where=lock_lines.where(self.host, self.namespace, self.home) if self.home else "",
        )


class LeftOutcome(NamedTuple):
    """An outcome line: how the attempt ended, as its own process left it.

    `ended_at` is RFC 3339. `result` is the JSON text of the return value, None without one; `result_dropped` says why it could
    not be kept. `error` has `type`, `message` and `traceback`. `progress`: there is a file of its progress; `steps`: one of its
    steps. `bases` and `after` are what a failure says of the next attempt (`verdict.Said`): the names of the classes
    from which that of its error is derived, the nearest first, and the pause that it asks for.
    """

    outcome: str
    ended_at: str
    error: dict[str, str] | None = None
    result: str | None = None
    result_dropped: str | None = None
    exit_status: int | None = None
    progress: bool = False
    steps: bool = False
    bases: Sequence[str] = ()
    after: float | None = None

    @property
    def said(self) -> Said:
        """What it says of the next attempt."""
        return NOTHING_SAID if self.error is None else Said((self.error["type"], *self.bases), self.after)


class Traces(NamedTuple):
    """The last marker of a lock file, and what its process wrote behind it.

    `ready` is when the import of the job's module ended (monotonic), None while it goes on or if there was none.
    """

    marker: Marker | None = None
    ready: float | None = None
    outcome: LeftOutcome | None = None


NO_TRACES = Traces()


def of(lock: JobLock) -> Traces:
    """Return what lies in the file of a lock that this process holds, and in the link beside it."""
    return NO_TRACES if lock.is_new else _with_link(parse(lock.read()), lock.path)


def peek(path: str) -> Traces:
    """Return what lies in the lock file at `path`. It is read without the lock: show it, but decide nothing by it.

    OSError when something else lies there: a job may have put a pipe in the place of its lock.
    """
    try:
        descriptor = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        return NO_TRACES
    try:
        return _with_link(parse(read_lines(descriptor)), path)
    finally:
        os.close(descriptor)


def _with_link(found: Traces, path: str) -> Traces:
    """Add the outcome of an attempt that could write into no file any more, from the link that it made instead."""
    if found.outcome is not None or found.marker is None or not found.marker.is_start:
        return found
    try:
        text = os.readlink(lock_lines.link_of(path))
    except ValueError:
        return found
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise  # it may be there: without it the attempt would count as crashed
        return found  # there is none, as a rule: it is the file of its progress, or nothing
    left = parse(os.fsencode(text))
    if left.marker != found.marker or left.outcome is None:
        return found  # of an earlier attempt
    return found._replace(outcome=left.outcome._replace(progress=True))


def parse(data: bytes) -> Traces:
    """Return what the lines of a lock file say. A torn line says nothing, and what comes after the last line break neither."""
    marker: Marker | None = None
    ready: float | None = None
    outcome: LeftOutcome | None = None
    for line in data.split(b"\n")[:-1]:
        found = _decoded(line) if line else None
        if found is None:
            continue
        kind = found.get("kind")
        if kind in (START, CLAIM):
            made = _marker(found)
            if made is not None:
                marker, ready, outcome = made, None, None
        elif marker is not None and marker.is_start and found.get("attempt") == marker.attempt:
            if kind == READY and ready is None and isinstance(found.get("began"), float):
                ready = found["began"]
            elif kind == OUTCOME:
                outcome = _outcome(found) or outcome
    return Traces(marker, ready, outcome)


def _decoded(line: bytes) -> dict[str, Any] | None:
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None  # torn by a power cut, or by a full disk
    return found if isinstance(found, dict) else None


def _marker(found: dict[str, Any]) -> Marker | None:
    """Return the marker, unless it is of another version or its shape is not that of ours: a job may write into any file."""
    try:
        made = Marker(**found)
        if made.started_at:
            parse_time(made.started_at)
    except (TypeError, ValueError):
        return None
    is_sound = (
        type(made.attempt) is type(made.inode) is type(made.size) is type(made.mtime_ns) is type(made.pid) is int
        and made.attempt > 0
        and 0 <= made.pid <= _MAX_PID
        and all(type(text) is str for text in (made.process_started, made.started_at, *made[-3:]))
        and type(made.began) is float
        and type(made.imports) is bool
    )
    return made if is_sound else None


def _outcome(found: dict[str, Any]) -> LeftOutcome | None:
    """Return the outcome, unless its shape is not that of `lock_lines.outcome`, as for a marker."""
    del found["kind"], found["attempt"]
    try:
        made: Any = LeftOutcome(**found)  # of a shape that is not known yet
        parse_time(made.ended_at)
    except (TypeError, ValueError):
        return None
    is_sound = (
        isinstance(made.outcome, str)
        and made.outcome in LEFT_BY_JOBS
        and isinstance(made.result, (str, NoneType))
        and isinstance(made.result_dropped, (str, NoneType))
        and type(made.exit_status) in (int, NoneType)
        and type(made.progress) is type(made.steps) is bool
        and isinstance(made.bases, (list, tuple))
        and all(isinstance(name, str) for name in made.bases)
        and (made.after is None or (isinstance(made.after, (int, float)) and 0 <= made.after <= MAX_DURATION))
        and (made.error is None or _is_error(made.error))
    )
    return made if is_sound else None


def _is_error(found: object) -> bool:
    if not isinstance(found, dict) or not {"type"} <= found.keys() <= _ERROR_KEYS:
        return False
    return all(isinstance(text, str) for text in found.values())
