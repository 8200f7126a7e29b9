"""The steps of a job: parts that are not made again by the next attempt, once they are made. Loaded by jobs that make some.

What a step returned is kept as JSON in steps/ID.jsonl, and synced, before the job goes on. Whoever records that the job is done
removes the file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
from typing import Any, TypeVar

from spoolrunner.attempt import returned
from spoolrunner.attempt.returned import NotKeptError, NotRunError
from spoolrunner.errors import StepError
from spoolrunner.spool import output, step_files
from spoolrunner.spool.lock_lines import quoted
from spoolrunner.system import clock, rights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spoolrunner.attempt.assignment import Assignment
    from spoolrunner.spool.paths import Layout

_Any = TypeVar("_Any")
MAX_NAME = 200
"""Characters of the name of a step."""
_CO_COROUTINE = 0x80
"""Of the flags of a code object: it is that of an `async def`."""
_PAUSE = 1.0
_PATIENCE = 10.0
"""Seconds for which the file is tried to be had before the first step, if its error is none that passes by itself."""
_PASSING = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Steps:
    """The steps of the job that this process runs; with `fsync` each is on the disk for good when it is made."""

    def __init__(self, layout: Layout, told: Assignment, *, fsync: bool) -> None:
        self._layout = layout
        self._fsync = fsync
        params = json.dumps(told.params, sort_keys=True, separators=(",", ":"))
        checksum = hashlib.sha256(params.encode("utf-8", "surrogatepass")).hexdigest()
        self._lines = [step_files.first_line(told.key, told.job, told.method, checksum)]
        self._asked: dict[str, object] = {}
        self._kept: dict[str, str] = {}
        self._is_sound = True
        longest = clock.SYSTEM.monotonic() + _PATIENCE
        self._path, found = _patiently(lambda: self._found(told), "the steps of the job cannot be read", longest)
        for line in found:
            self._add(line["step"], json.dumps(line["value"]), str(line.get("ended_at", "")))

    def _found(self, told: Assignment) -> tuple[str, list[dict[str, Any]]]:
        """Return the path of the file of this job, new or without steps if it was of other parameters, and what is in it."""
        while True:
            path, is_there = step_files.find(self._layout, told.job_id, told.key)
            try:
                if not is_there:
                    step_files.begin(self._layout, path, self._lines[0], fsync=self._fsync)
                elif step_files.header(path) != json.loads(self._lines[0]):
                    step_files.write(self._layout, path, self._lines[0], fsync=self._fsync)
            except FileExistsError:
                continue  # Race: a job whose own name that is has just begun its file.
            return path, step_files.lines(path)

    def make(self, name: str, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what the step of that name returned in an earlier attempt, or call, keep what that returns, and return it.

        A value comes back as JSON gives it, so a tuple is a list. Of an `async def` it returns what is to be awaited. StepError
        when the value cannot be kept.
        """
        self._check(name)
        if getattr(getattr(call, "__code__", None), "co_flags", 0) & _CO_COROUTINE:
            return self._make_later(name, call, args, kwargs)
        if name in self._kept:
            return json.loads(self._kept[name])
        try:
            value = self._text(name, call(*args, **kwargs))
        except BaseException:
            del self._asked[name]  # it did not come about, and may be tried again
            raise
        return self._made(name, value)

    async def _make_later(
        self, name: str, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if name in self._kept:
            return json.loads(self._kept[name])
        try:
            value = self._text(name, await call(*args, **kwargs))
        except BaseException:
            del self._asked[name]
            raise
        return self._made(name, value)

    def _made(self, name: str, value: str) -> Any:
        self._write(name, self._add(name, value, clock.SYSTEM.text()))
        return json.loads(value)

    def _check(self, name: str) -> None:
        if not _is_name(name):
            raise StepError(f"{name!r} is no name of a step; it needs a text of 1 to {MAX_NAME} characters")
        if rights.is_elsewhere():
            raise StepError(f"step {name!r}: the job has another root by now, and cannot reach its steps")
        mine = object()
        if self._asked.setdefault(name, mine) is not mine:
            raise StepError(f"step {name!r} was made in this attempt already; give each step a name of its own")

    def _text(self, name: str, value: object) -> str:
        try:
            return returned.json_text(value, _nothing)
        except (NotKeptError, NotRunError) as error:
            raise StepError(f"step {name!r}: what it returned cannot be kept: {error}") from None

    def _add(self, name: str, value: str, ended_at: str) -> bytes:
        line = f'{{"step":{quoted(name)},"ended_at":{quoted(ended_at)},"value":{value}}}\n'.encode()
        self._lines.append(line)
        self._kept[name] = value
        return line

    def _write(self, name: str, line: bytes) -> None:
        """Keep a step that was made, waiting while the disk refuses; StepError when it never will be."""
        _patiently(lambda: self._keep(line), f"step {name!r} was made, but cannot be kept", math.inf)

    def _keep(self, line: bytes) -> None:
        """Append the line, or write the file anew: after an error it is not to be trusted, and it may have been removed."""
        is_sound, self._is_sound = self._is_sound, False
        if is_sound:
            step_files.append(self._path, line, fsync=self._fsync)
        else:
            step_files.write(self._layout, self._path, b"".join(self._lines), fsync=self._fsync)
        self._is_sound = True


def _patiently(call: Callable[[], _Any], what: str, deadline: float) -> _Any:
    """Return what the call returns, trying again each second while the disk refuses; `what` says what is wrong meanwhile.

    StepError when it never will succeed, or not until `deadline` (monotonic), unless that may come of a disk that is full.
    """
    is_noted = False
    while True:
        try:
            return call()
        except OSError as error:
            if rights.regain(error):
                continue
            is_late = clock.SYSTEM.monotonic() >= deadline and error.errno not in _PASSING
            if is_late or rights.are_given_up(error):
                raise StepError(f"{what}: {error}") from error
            if not is_noted:
                output.note(f"{what} yet, trying on: {error}")
            is_noted = True
            clock.SYSTEM.sleep(_PAUSE)


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        return False
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _nothing() -> None:
    """Do nothing: an attempt that hangs in a method of a value hangs in its own call."""
