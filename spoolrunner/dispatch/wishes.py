"""What may lie in the dispatcher's one inbox, besides what executors report of processes."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol

from spoolrunner.executors.base import Exited, NotStarted, Sources
from spoolrunner.telling.events import Event


class Wish(Enum):
    """What is asked of a dispatcher."""

    LOOK = "there are hints"
    STOP = "stop; asked again: at once"
    RELOAD = "read config.json again"
    LEAVE = "stop, and let the jobs run on"


class Notice(NamedTuple):
    """An event that another thread noticed."""

    event: Event


class CodeLoaded(NamedTuple):
    """The files that a template process has imported."""

    files: list[str]


Message = Wish | Exited | NotStarted | Notice | CodeLoaded


class Inbox(Sources, Protocol):
    """Where a dispatcher waits: that of `inbox`, or what a test puts in its place."""

    def put(self, item: Message) -> None:
        """Add a message; from any thread."""

    def get(self, *, timeout: float) -> Message:
        """Wait that many seconds for a message; queue.Empty when none came."""

    def get_nowait(self) -> Message:
        """The next message; queue.Empty when there is none."""

    def empty(self) -> bool:
        """Whether there is none."""
