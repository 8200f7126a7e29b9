"""Everything outside of a dispatcher that it works with, as one argument: clocks, machine, watch, executor, inbox.

The defaults are those of a dispatcher in earnest. A test gives others: its own time, its own processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from spoolrunner.config.exposure import weaknesses
from spoolrunner.config.load import Config
from spoolrunner.dispatch.folder_watch import watch_of
from spoolrunner.dispatch.inbox import make_inbox
from spoolrunner.dispatch.watch import Hints
from spoolrunner.dispatch.wishes import Inbox
from spoolrunner.executors.plan import MakeExecutor
from spoolrunner.spool import one_mount
from spoolrunner.spool.paths import Layout
from spoolrunner.system.clock import SYSTEM, Clock
from spoolrunner.system.machine import Machine


class Watcher(Protocol):
    """Knows of files that come into pending/, and of changes in control/: `watch.Watch` in earnest."""

    arrivals: Hints
    control: Hints

    @property
    def has_events(self) -> bool:
        """Whether events come; otherwise `reason` says why not."""

    @property
    def reason(self) -> str:
        """Why no events come, and what is done instead; empty while they come."""

    def start(self) -> None:
        """Begin."""

    def restart(self) -> None:
        """Watch what lies at the paths of the two folders now."""

    def stop(self) -> None:
        """End."""


MakeWatch = Callable[[str, str, Callable[[], None]], Watcher]
"""Makes a watch of pending/ and control/; the function is called, from any thread, when there is something new."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a dispatcher works with. `executor` is None for the one that the configuration names.

    `weaknesses` returns what weakens the promise in an installation, each a sentence. `is_program`: this process does nothing
    but dispatch, so that a child which is none of the executor's is an orphan. `try_renames` raises OSError when files cannot
    be renamed between the folders of a spool.
    """

    clock: Clock = SYSTEM
    machine: Machine = field(default_factory=Machine)
    watch: MakeWatch = watch_of
    executor: MakeExecutor | None = None
    inbox: Inbox = field(default_factory=make_inbox)
    weaknesses: Callable[[Config], list[str]] = weaknesses
    try_renames: Callable[[Layout], None] = one_mount.try_renames
    is_program: bool = False
