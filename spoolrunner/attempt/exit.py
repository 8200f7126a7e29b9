"""The end of a job's process: like the end of an interpreter, but without freeing all objects, which takes milliseconds.

Files that are open are flushed as if they were freed. Light: every job's process imports it.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys

from spoolrunner.attempt import forks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

_BUFFERS = (io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair)
_UNBUFFERED = (io.FileIO, io.BytesIO, io.StringIO, io.BufferedReader, io.IncrementalNewlineDecoder)
_ALWAYS_OPEN = ["0", "1", "2", "3", "4"]
"""The descriptors of a job that opened nothing: standard streams, the lock, and the list itself. To look at all objects takes a
hundred pages of memory, which a forked process has to copy."""
_LOCK = 3
_FREED_BY_DEL = ("zipfile", "shelve", "dbm.dumb", "tempfile")
"""Modules of Python whose objects write what is left when they are freed, though they are no streams."""


def exit_after(work: Callable[..., int], *arguments: object) -> NoReturn:
    """Do the work, wait for threads, run exit handlers, flush, and end the process with the status that `work` returned."""
    status = 1
    try:
        status = work(*arguments)
        _finish()
    except SystemExit as error:
        status = error.code if type(error.code) is int else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status & 0xFF)


def _finish() -> None:
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001 -- what the interpreter itself calls; there is no public name
    atexit._run_exitfuncs()  # noqa: SLF001 -- as above
    flush_open_files()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def flush_open_files() -> None:
    """Write out what is left in files that were not closed, from the outermost layer to the innermost."""
    try:
        lock = forks.held
        if lock is not None and os.listdir("/proc/self/fd") == _ALWAYS_OPEN and lock.is_at(_LOCK):
            return
    except OSError:
        pass  # the system does not list descriptors there: any may be open
    gc.unfreeze()  # a module that was imported before this process was forked may have opened some
    made = gc.get_objects()
    kinds = {kind for kind in set(map(type, made)) if _may_hold_back(kind)}
    open_ones = [one for one in made if type(one) in kinds and one is not sys.stdout and one is not sys.stderr]
    for layer in (_is_text, _is_of_its_own, _is_buffer):
        _let_go(one for one in open_ones if layer(type(one)))


def _may_hold_back(kind: type) -> bool:
    if kind in _UNBUFFERED:
        return False
    return issubclass(kind, io.IOBase) or (kind.__module__ in _FREED_BY_DEL and hasattr(kind, "__del__"))


def _is_text(kind: type) -> bool:
    return kind is io.TextIOWrapper


def _is_buffer(kind: type) -> bool:
    return kind in _BUFFERS


def _is_of_its_own(kind: type) -> bool:
    return not _is_text(kind) and not _is_buffer(kind)


def _let_go(those: Iterable[Any]) -> None:
    for one in those:
        try:
            if _is_of_its_own(type(one)):
                one.__del__()  # closes it, as when it is freed: a compressed file has an end to write
            elif not one.closed:
                one.flush()
        except BaseException as error:
            # As when an object is freed: it is said, and nothing waits for it.
            print(f"spoolrunner: a file that was left open: {type(error).__name__}: {error}", file=sys.stderr)
