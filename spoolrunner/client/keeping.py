"""The thread that keeps an index: it lists the folders once, and then hears of each file that comes or goes.

A name from an event is a hint, as it is for the dispatcher. Where no events come, a folder that has changed is listed again; so
it is when events were lost, or a folder has changed and no event told of it, as when another machine works in it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator

from spoolrunner.client.listed import Folders, Mark
from spoolrunner.protocol.states import State
from spoolrunner.spool.ids import SUFFIX, is_job_name
from spoolrunner.spool.paths import Layout
from spoolrunner.system.clock import Clock
from spoolrunner.system.inotify import ARRIVALS, CHANGES, FileWatch, Happened, open_watch

CONTROL, STATUS = "control", "status"
"""What a change is called that is in control/, and one of status.json; one in a folder of jobs has the name of the state."""
TOGETHER = 0.1
"""Seconds for which events are gathered before they are looked at."""
LOOK_PERIOD = 5.0
"""Seconds between two looks at the folders themselves while events come."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two looks without events: the pause grows from the one to the other while nothing changes."""
_SHARE = 0.1
"""The share of time that listing may take where no events come."""
_SLICE, _REST = 0.01, 0.005
"""Seconds that are worked at a time while folders are listed, and that other threads have for themselves then."""
_UNSURE = 2 * 10**9
"""Nanoseconds: a folder that changed so shortly before the look may change again and keep its time of change."""
_ROOT, _STATUS_FILE = "the spool", "status.json"
_ENDING = len(SUFFIX)
_Hints = dict[str, dict[str, None]]
"""The names of which events told, by the place in which they are."""


class Keeper:
    """Keeps `folders`. `changed` is called from its thread with what has changed, about ten times a second at most."""

    def __init__(self, layout: Layout, clock: Clock, changed: Callable[[frozenset[str]], None]) -> None:
        self.folders = Folders(layout)
        self._problem = ""
        self._layout, self._clock, self._changed = layout, clock, changed
        self._watch: FileWatch | None = None
        self._places: dict[int, str] = {}
        self._is_deaf = False
        self._heard: set[State] = set()
        self._heard_before: set[State] = set()
        self._marks: dict[State, Mark | None] = {}
        self._unsure: set[State] = set()
        self._listing: Iterator[State] | None = None
        self._seconds = 0.0
        self._pause = FIRST_PAUSE
        self._next_look = 0.0
        self._ends, self._end = os.pipe()
        self._is_to_end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)

    @property
    def has_events(self) -> bool:
        """Whether events come of all that changes."""
        return self._watch is not None and not self._is_deaf

    @property
    def problem(self) -> str:
        """Why the index may be behind what lies in the folders; empty when it is not."""
        missing = [state.value for state, mark in self._marks.items() if mark is None]
        if self._problem or not missing:
            return self._problem
        return f"{', '.join(missing)}: the folder is missing in {self._layout.root}"

    def start(self) -> None:
        """Begin; RuntimeError when no thread is to be had."""
        self._thread.start()

    def end(self) -> None:
        """Have the thread end, and wait for that."""
        self._is_to_end.set()
        os.close(self._end)
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._ends)

    def _run(self) -> None:
        try:
            self._open()
            self._begin(State)
            while not self._is_to_end.is_set():
                self._turn()
        except Exception as error:
            self._problem = f"the index is kept no more: {type(error).__name__}: {error}"
            raise
        finally:
            if self._watch is not None:
                self._watch.close()

    def _turn(self) -> None:
        try:
            if self._listing is not None:
                self._list(self._listing)
                self._hear(_REST)
            elif self._clock.monotonic() < self._next_look:
                self._hear(self._next_look - self._clock.monotonic())
            else:
                self._look()
        except OSError as error:
            self._problem = f"the folders cannot be read: {error}"
            self._is_to_end.wait(FIRST_PAUSE)
            self._begin(State)

    # -- events

    def _open(self) -> bool:
        """Watch what lies at the paths of the folders now; return whether that can be had."""
        if self._watch is not None:
            self._watch.close()
        self._watch, self._is_deaf = open_watch(), False
        if self._watch is None:
            return False
        watched = [(self._layout.folder(state), CHANGES, state.value) for state in State]
        watched += [(self._layout.control, CHANGES, CONTROL), (self._layout.root, ARRIVALS, _ROOT)]
        places = {self._watch.add(path, mask): name for path, mask, name in watched}
        self._places = {number: name for number, name in places.items() if number is not None}
        if None in places:
            self._watch.close()
            self._watch = None
        return None not in places

    def _hear(self, seconds: float) -> None:
        """Wait so long for events, and take over what they hint at."""
        if self._watch is None:
            self._is_to_end.wait(seconds)
            return
        found = self._watch.wait(seconds, self._ends)
        if found and self._listing is None:
            self._is_to_end.wait(TOGETHER)
        hints: _Hints = {}
        while found and not any(event.is_gone for event in found):
            self._sort(found, hints)
            found = self._watch.wait(0.0)
        self._take_over(hints)
        if found is None or found:  # some were dropped, or what was watched is gone
            self._open()
            self._begin(State)

    def _sort(self, found: list[Happened], hints: _Hints) -> None:
        for event in found:
            hints.setdefault(self._places.get(event.number, _ROOT), {})[event.name] = None

    def _take_over(self, hints: _Hints) -> None:
        changed: set[str] = set()
        for place, names in hints.items():
            if place == _ROOT:
                changed |= {STATUS} if _STATUS_FILE in names else set()
            elif place == CONTROL:
                changed.add(CONTROL)
            elif self._look_at(State(place), names):
                changed.add(place)
        if changed:
            self._changed(frozenset(changed))

    def _look_at(self, state: State, names: Iterable[str]) -> bool:
        self._heard.add(state)
        with self.folders.lock:
            return self.folders.look(state, [name[:-_ENDING] for name in names if is_job_name(name)])

    # -- the folders themselves

    def _begin(self, states: Iterable[State]) -> None:
        """List these folders, from now on."""
        states = list(states)
        self._take_marks(states)
        self._listing = self.folders.listing(states)
        self._seconds = 0.0

    def _list(self, listing: Iterator[State]) -> None:
        """Do a slice of the listing that is under way."""
        began = self._clock.monotonic()
        changed = set()
        is_over = True
        for state in listing:
            changed.add(state.value)
            if self._clock.monotonic() - began >= _SLICE:
                is_over = False
                break
        self._seconds += self._clock.monotonic() - began
        if is_over:
            self._listing, self._problem = None, ""
            self._put_off()
        if changed or is_over:
            self._changed(frozenset(changed))

    def _look(self) -> None:
        """List the folders that have changed since the last look, and of which no event told it."""
        unsure, before, marks = self._unsure, self._marks, self._take_marks(State)
        self._hear(0.0)
        if self._listing is not None:
            return
        changed = [
            state for state in State if marks[state] != before[state] or (state in unsure and not self.has_events)
        ]
        unheard = [state for state in changed if self._watch is None or state not in self._heard | self._heard_before]
        self._heard_before, self._heard = self._heard, set()
        if self._watch is None:
            to_list = list(State) if self._open() else changed
        else:
            to_list = changed if self._is_deaf else unheard
            self._is_deaf = bool(unheard)
        if to_list:
            self._pause = FIRST_PAUSE
            self._begin(to_list)
        else:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._put_off()

    def _put_off(self) -> None:
        """Look again when it is time."""
        pause = LOOK_PERIOD if self.has_events else max(self._pause, self._seconds / _SHARE)
        self._next_look = self._clock.monotonic() + pause

    def _take_marks(self, states: Iterable[State]) -> dict[State, Mark | None]:
        """Return what all folders are like, these ones as they are now; note which of them may change and keep their marks."""
        now = self._clock.wall() * 1e9
        for state in states:
            mark = self.folders.mark(state)
            self._marks = {**self._marks, state: mark}
            self._unsure = self._unsure - {state}
            if mark is not None and abs(now - mark.mtime_ns) < _UNSURE:
                self._unsure |= {state}
        return self._marks
