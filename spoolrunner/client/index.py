"""The index of a spool for one long-lived process, as the page is: how many jobs lie where, and their names in order.

    with Index(settings.layout) as index:
        index.counts()                              # {"pending": 12, "running": 3, "done": 1000000, "failed": 27}
        page = index.page(State.FAILED)             # the hundred that came last
        index.page(State.FAILED, page.older)        # the hundred before these

It is kept from file events and one listing of the folders. Order is the time at which a file came to its folder (see
`arrival`), then the id. A million names take about 150 MB, and 15 seconds until they are in order; counts are there after two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import islice, pairwise
from typing import NamedTuple, Self

from spoolrunner.client.arrived import Arrived, Came
from spoolrunner.client.keeping import CONTROL, STATUS, Keeper
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock as clock_module
from spoolrunner.system.clock import Clock

__all__ = ["CONTROL", "PAGE", "STATUS", "Came", "Index", "Page", "cursor_at"]
PAGE = 100
"""Jobs on a page."""
Changed = Callable[[frozenset[str]], None]
"""Called with names of states, and CONTROL or STATUS, in which something has changed; from the index's own thread."""


class Page(NamedTuple):
    """Some jobs of one folder, the last that came first.

    `newer` and `older` are cursors: give one to `Index.page` for the page before this one, or the one behind it; None where
    there is none, and "" for the very first page. `first` is the number of the first job shown, counted from 1 at the one that
    came last; `total` how many lie there. `is_complete`: False while the index is still finding out when each of them came,
    so that some are missing.
    """

    jobs: list[Came]
    newer: str | None
    older: str | None
    first: int
    total: int
    is_complete: bool


class Index:
    """The counts and the order of the four folders of jobs. Any thread may ask it; it is kept by one of its own."""

    def __init__(self, layout: Layout, clock: Clock | None = None) -> None:
        self._keeper = Keeper(layout, clock or clock_module.SYSTEM, self._tell)
        self._folders = self._keeper.folders
        self._listeners: dict[int, Changed] = {}
        self._lock = threading.Lock()
        self._version = 0
        self._trouble = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to list the folders and to hear of what happens in them; RuntimeError when no thread is to be had."""
        self._keeper.start()

    def close(self) -> None:
        """End the thread."""
        self._keeper.end()

    @property
    def is_counting(self) -> bool:
        """Whether some names are not known yet, so that the counts are too low."""
        return bool(self._folders.uncounted)

    @property
    def has_events(self) -> bool:
        """Whether what happens is heard of at once; otherwise the folders are looked at every few seconds, 30 at most."""
        return self._keeper.has_events

    @property
    def problem(self) -> str:
        """Why the index may be behind what lies in the folders, as a sentence; empty when it is not."""
        return self._keeper.problem or self._trouble

    @property
    def version(self) -> int:
        """A number that grows with each change of which listeners are told."""
        return self._version

    def counts(self) -> dict[str, int]:
        """Return how many job files lie in each folder, by the name of the state."""
        with self._folders.lock:
            return {state.value: len(folder) for state, folder in self._folders.of.items()}

    def page(self, state: State, cursor: str | None = None, limit: int = PAGE) -> Page:
        """Return the jobs of a state that came before `cursor` (None or "": the last that came), `limit` at most.

        Each was there when it was looked at just now. JobFormatError for what is no cursor, OSError when the folder cannot
        be read.
        """
        folder, before = self._folders.of[state], _came(cursor) if cursor else None
        with self._folders.lock:
            shown = self._there(state, before, limit)
            newer = 0 if before is None else folder.placed - folder.count_before(before)
            is_last = not shown or next(folder.older(shown[-1]), None) is None
            return Page(
                shown,
                newer=_cursor_before(folder, before, limit) if before is not None and newer else None,
                older=None if is_last else _text(shown[-1]),
                first=newer + 1,
                total=len(folder),
                is_complete=state not in self._folders.unordered,
            )

    def newer_than(self, state: State, moment: Came) -> int:
        """Return how many jobs came to that folder after the one given."""
        with self._folders.lock:
            folder = self._folders.of[state]
            return folder.placed - folder.count_before(Came(moment.at_ns, moment.id + "\0"))

    def per_step(self, state: State, begin: float, seconds: float, steps: int) -> list[int]:
        """Return how many of the jobs that lie there now came in each of so many steps from `begin` (seconds since 1970) on."""
        with self._folders.lock:
            folder = self._folders.of[state]
            bounds = [Came(int((begin + step * seconds) * 1e9), "") for step in range(steps + 1)]
            counts = [folder.count_before(bound) for bound in bounds]
        return [later - earlier for earlier, later in pairwise(counts)]

    def beginning(self, text: str, limit: int = PAGE) -> list[tuple[State, str]]:
        """Return the jobs whose ids begin with `text`, by state and then by id, `limit` at most."""
        found: list[tuple[State, str]] = []
        for state, folder in self._folders.of.items():
            with self._folders.lock:
                names = folder.names()
            found += [(state, name) for name in sorted(name for name in names if name.startswith(text))]
            if len(found) >= limit:
                break
        return found[:limit]

    def subscribe(self, changed: Changed) -> Callable[[], None]:
        """Have `changed` called with what has changed, ten times a second at most; returns what ends that.

        It is called from the index's thread and must not wait. One that fails is called no more, and `problem` says so.
        """
        with self._lock:
            number = max(self._listeners, default=0) + 1
            self._listeners[number] = changed

        def end() -> None:
            with self._lock, suppress(KeyError):
                del self._listeners[number]

        return end

    def _tell(self, what: frozenset[str]) -> None:
        with self._lock:
            self._version += 1
            listeners = list(self._listeners.items())
        for number, changed in listeners:
            try:
                changed(what)
            except Exception as error:
                self._trouble = f"a listener of the index failed: {type(error).__name__}: {error}"
                with self._lock:
                    self._listeners.pop(number, None)

    def _there(self, state: State, before: Came | None, limit: int) -> list[Came]:
        """The jobs of a page. Each is looked at: an event may still be on its way, or have been lost. Call it with the lock.

        Each is looked at once, also where jobs leave faster than that: whoever waits for the lock waits for no more.
        """
        folder = self._folders.of[state]
        looked: set[str] = set()
        while True:
            shown = list(islice(folder.older(before), limit))
            unlooked = [came.id for came in shown if came.id not in looked]
            if not self._folders.look(state, unlooked):
                return shown
            looked.update(unlooked)


def cursor_at(moment: float) -> str:
    """Return the cursor for the page of those that came before `moment`, in seconds since 1970."""
    return _text(Came(max(0, int(moment * 1e9)), ""))


def _cursor_before(folder: Arrived, before: Came, limit: int) -> str:
    """The cursor of the page that ends just before that moment; "" when that is the first page of all."""
    later = list(islice(folder.since(before), limit + 1))
    return _text(later[limit]) if len(later) > limit else ""


def _text(came: Came) -> str:
    return f"{came.at_ns}-{came.id}"


def _came(cursor: str) -> Came:
    at_ns, dash, name = cursor.partition("-")
    if not dash or not at_ns.isascii() or not at_ns.isdigit() or len(at_ns) > 19:
        raise JobFormatError("from", f"{cursor!r} is no cursor of a list: open the list without it")
    return Came(int(at_ns), name)
