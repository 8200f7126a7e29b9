"""A job's own output, logs/jobs/ID.log: the line that begins an attempt, the limit on the size, and no file without output.

The job's process writes the file itself, also when the dispatcher has died. The dispatcher cuts a file that grows beyond the
limit. Works on descriptors and paths; knows nothing of documents. Light: every job's process imports it.
"""

from __future__ import annotations

import io
import os
import stat
import sys

from spoolrunner.system.heldfiles import is_violation, open_null, open_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER = "--- attempt {} · {} · pid {}\n"
_FIRST, _DOT, _LAST = b"--- attempt ", " · ".encode(), b"pid "
_TAIL_BYTES = 200
_FLAGS = os.O_CREAT | os.O_RDWR | os.O_APPEND


def begin(path: str, number: int, started_at: str, pid: int, limit: int) -> int:
    """Open the log for an attempt and write its first line; return the descriptor, which the caller closes. OSError if refused.

    Output of earlier attempts that takes more than half of `limit` bytes is cut to half of it, so that this one has room.
    """
    descriptor = open_plain(path, _FLAGS)
    if os.fstat(descriptor).st_size > limit // 2:
        _cut(descriptor, limit // 2, limit)
    os.write(descriptor, _HEADER.format(number, started_at, pid).encode())
    return descriptor


def take(path: str, number: int, started_at: str, pid: int, limit: int) -> None:
    """Make the log what this process prints to. One that cannot be had is noted there, and is no reason not to run."""
    try:
        log = begin(path, number, started_at, pid, limit)
    except OSError as error:
        note(f"no log of its own: {error}")
        log = -1
    try:
        if log < 0:
            log = open_null(os.O_WRONLY)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        write_utf8()
    except OSError as error:
        note(f"its output: {error}")


def cut(path: str, limit: int) -> bool:
    """Cut the log at `limit` bytes, and write a note there; return False when it was shorter, or cannot be opened."""
    try:
        descriptor = open_plain(path, _FLAGS & ~os.O_CREAT)
    except OSError:
        return False  # no output yet, or the job removed or replaced the file: there is nothing of ours to cut
    try:
        return _cut(descriptor, limit, limit)
    finally:
        os.close(descriptor)


def split(path: str, target: str, headers: Iterable[bytes]) -> bool:
    """Move what stands in the log at `path` from the first of these header lines that is found there to the log at `target`.

    That is the output of a job which goes on under another name, since its own is taken: what was printed by the earlier
    one stays. False when there is nothing of it, or no file.
    """
    try:
        descriptor = open_plain(path, _FLAGS & ~os.O_CREAT)
    except OSError:
        return False  # no output, or the job replaced it by something else, which we leave alone
    try:
        with open(descriptor, "rb", closefd=False) as stream:
            data = stream.read()
        start = _place_of(data, headers)
        if start < 0:
            return False
        new = open_plain(target, _FLAGS)
        try:
            left = data[start:]
            while left:
                left = left[os.write(new, left) :]
        finally:
            os.close(new)
        os.ftruncate(descriptor, start)
    finally:
        os.close(descriptor)
    if not start:
        _remove(path)
    return True


def _place_of(data: bytes, headers: Iterable[bytes]) -> int:
    """Where the first of these lines begins that is found in `data`; -1 when none is."""
    for line in filter(None, headers):
        if data.startswith(line):
            return 0
        found = data.find(b"\n" + line)
        if found >= 0:
            return found + 1
    return -1


def header(number: int, started_at: str, pid: int) -> bytes:
    """Return the first line of an attempt."""
    return _HEADER.format(number, started_at, pid).encode()


def tidy(path: str, limit: int, first: bytes = b"") -> None:
    """Cut the log at `limit` bytes; remove the first line of an attempt without output, and a file that is empty then.

    `first` is the header of the last attempt, if it is known: a file of just its length holds nothing else.
    """
    try:
        status = os.stat(path, follow_symlinks=False)
        is_bare = stat.S_ISREG(status.st_mode) and status.st_size == len(first)
        descriptor = -1 if is_bare else open_plain(path, _FLAGS & ~os.O_CREAT)
    except OSError:
        return  # there is none, or the job replaced it by something else, which we leave alone
    if is_bare:
        _remove(path)
        return
    try:
        is_empty = _tidy(descriptor, limit)
    finally:
        os.close(descriptor)
    if is_empty:
        _remove(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        if not is_violation(error):
            raise
        return  # a process that the job left behind has it open


def _tidy(descriptor: int, limit: int) -> bool:
    """Cut what is to be cut; return whether the file is empty now."""
    size = os.fstat(descriptor).st_size
    if size > limit:
        _cut(descriptor, limit, limit)
        return False
    tail_start = max(0, size - _TAIL_BYTES)
    if tail_start:
        os.lseek(descriptor, tail_start, os.SEEK_SET)
    tail = os.read(descriptor, _TAIL_BYTES)
    last = tail[:-1].rfind(b"\n") + 1
    if not _is_header(tail[last:]) or (last == 0 and tail_start):
        return False
    if tail_start + last > 0:
        os.ftruncate(descriptor, tail_start + last)
    return tail_start + last == 0


_utf8_streams: tuple[object, object] = None, None


def _is_header(line: bytes) -> bool:
    """Return whether it is the line that `begin` writes; without a pattern, whose import would be paid by each job."""
    first, _, rest = line.partition(_DOT)
    _, dot, last = rest.partition(_DOT)
    has_numbers = first[len(_FIRST) :].isdigit() and last[len(_LAST) : -1].isdigit()
    return bool(dot) and first.startswith(_FIRST) and last.startswith(_LAST) and has_numbers and line.endswith(b"\n")


def write_utf8() -> None:
    """Make this process print UTF-8 in any locale, as the log is read as UTF-8; output to a terminal stays as it is."""
    global _utf8_streams  # noqa: PLW0603 -- what a process was forked from has looked at them already, as a rule
    if sys.stdout is _utf8_streams[0] and sys.stderr is _utf8_streams[1]:
        return
    _utf8_streams = sys.stdout, sys.stderr
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8" and not stream.isatty():
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def note(text: str) -> None:
    """Write a line of our own into the job's output: on standard error, after `spoolrunner: `."""
    try:
        os.write(2, f"spoolrunner: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return  # the job closed its standard error, so there is nowhere to write it


def flush() -> None:
    """Write out what the job has printed and Python still keeps in its buffers."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException as error:
            # The job closed or replaced its output, or the disk is full: no reason to lose the record of what it did.
            why = error if type(error) in (OSError, ValueError, AttributeError) else type(error).__name__
            note(f"output was lost: {why}")


def _cut(descriptor: int, size_to_keep: int, limit: int) -> bool:
    size = os.fstat(descriptor).st_size
    line = f"\n--- cut here: the limit of {limit} bytes was reached (max_log_bytes)\n".encode()
    if size <= size_to_keep + len(line):
        return False
    # The job appends, so its next output comes after the note; that is cut the next time.
    os.ftruncate(descriptor, size_to_keep)
    os.write(descriptor, line)
    return True
