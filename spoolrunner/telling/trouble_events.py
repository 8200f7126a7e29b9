"""Events of what goes wrong beside a job: one of its files, a folder of the spool, the program that starts processes.

Worded as those of `events` are, which has what an event is.
"""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.telling.events import _Trouble


@dataclass(frozen=True, slots=True)
class KeptOff(_Trouble):
    """A file of the job `id` is refused to us, so that one is put off, and nothing else is."""

    words = "put off: {event.problem}"
    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class FolderMade(_Trouble):
    """A folder of the spool was removed, and is made again."""

    words = "{event.path}: the folder was removed; it is made again, and what lay in it is gone"
    path: str


@dataclass(frozen=True, slots=True)
class NotSwept(_Trouble):
    """Something that nobody needs any more could not be removed."""

    words = "left lying: {event.problem}"
    problem: str
