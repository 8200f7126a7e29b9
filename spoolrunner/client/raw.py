"""The bytes of the files of a job, as they lie there: its document, the reason beside it, what it printed, its steps.

    with raw(layout, Part.LOG, "20261123-174501-123456-7f3a9c") as file:
        file.stream.read(file.size)

None is opened through a link or by waiting for a pipe; a long one can be read in pieces.
"""

from __future__ import annotations

import os
from enum import StrEnum
from types import TracebackType
from typing import BinaryIO, Self

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.spool import jobfile
from spoolrunner.spool.ids import id_problem
from spoolrunner.spool.paths import Layout


class Part(StrEnum):
    """Which file of a job; the value is how its name ends."""

    DOCUMENT = ".json"
    REASON = ".reason"
    LOG = ".log"
    STEPS = ".jsonl"


class RawFile:
    """An open file, to be closed by `with`. `size` is in bytes, as it was when it was opened; it may grow."""

    def __init__(self, path: str, stream: BinaryIO) -> None:
        self.path = path
        self.stream = stream
        self.size = os.fstat(stream.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()


def raw(layout: Layout, part: Part, job_id: str, state: State | None = None) -> RawFile | None:
    """Return a file of a job, open; None when there is none. A document needs the `state` in which it lies.

    JobFormatError when that can be no id, or what lies there is no file or may not be read; OSError when the machine fails.
    """
    problem = id_problem(job_id)
    if problem:
        raise JobFormatError("ID", problem)
    path = _path(layout, part, job_id, state)
    try:
        return RawFile(path, jobfile.open_to_read(path))
    except FileNotFoundError:
        return None


def tail(layout: Layout, job_id: str, most: int) -> tuple[str, int]:
    """Return the last `most` bytes of what a job has printed, from the beginning of a line on, and how many bytes come before.

    "" and 0 when it has printed nothing.
    """
    file = raw(layout, Part.LOG, job_id)
    if file is None:
        return "", 0
    with file:
        begin = max(0, file.size - most)
        file.stream.seek(begin)
        data = file.stream.read(most)
    if begin:
        cut = data.find(b"\n") + 1
        begin, data = begin + cut, data[cut:]
    return data.decode("utf-8", "replace"), begin


def _path(layout: Layout, part: Part, job_id: str, state: State | None) -> str:
    if part is Part.DOCUMENT:
        if state is None:
            raise ValueError("the state in which the document lies is not given")
        return layout.job(state, job_id)
    if part is Part.REASON:
        return layout.reason(job_id)
    return layout.log(job_id) if part is Part.LOG else layout.step_file(job_id)
