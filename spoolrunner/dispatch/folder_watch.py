"""Names of files that appeared, from Linux itself. What `watch.Watch` is elsewhere, at a twentieth of its price.

A hundred thousand jobs that are retried at once are as many events, which the kernel drops when they are not read soon enough.
Here one thread reads and parses them, and does nothing else.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

from spoolrunner.dispatch.watch import Hints, Watch
from spoolrunner.system.inotify import ARRIVALS, CHANGES, FileWatch, open_watch

_INSTEAD = "looking once a second instead"


class FolderWatch:
    """Watches `arrivals` for files that come and `control` for any change; `wake` is called from another thread."""

    def __init__(self, arrivals: str, control: str, wake: Callable[[], None]) -> None:
        self.arrivals = Hints(wake)
        self.control = Hints(wake)
        self._folders = (arrivals, control)
        self._problem = ""
        self._reading: _Reading | None = None

    @property
    def has_events(self) -> bool:
        """Whether events come; otherwise `reason` says why not."""
        return self._reading is not None and self._reading.is_alive()

    @property
    def reason(self) -> str:
        """Why no events come, and what is done instead; empty while they come."""
        if self._reading is not None and not self._reading.is_alive():
            return f"the thread that hears of file events died: {_INSTEAD}"
        return self._problem and f"no file events here ({self._problem}): {_INSTEAD}"

    def start(self) -> None:
        """Begin. Start before the first scan: what comes in between would be missed by both the other way round."""
        watch = open_watch()
        if watch is None:
            self._problem = "the user has as many inotify instances as he may"
            return
        arrivals, control = self._folders
        numbers = watch.add(arrivals, ARRIVALS), watch.add(control, CHANGES)
        reading = None
        if None in numbers:
            self._problem = "a folder cannot be watched: it is gone, or the user has as many watches as he may"
        else:
            hints = dict(zip(numbers, (self.arrivals, self.control), strict=True))
            reading = _Reading(watch, {number: to for number, to in hints.items() if number is not None})
            self._problem = reading.try_to_start()
        if self._problem:
            watch.close()
        else:
            self._reading = reading

    def restart(self) -> None:
        """Watch what lies at the paths of the two folders now: a watch is on a folder, whatever becomes of its path."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the thread."""
        if self._reading is not None:
            self._reading.end()
            self._reading = None


class _Reading(threading.Thread):
    """The thread that reads the events, and fills the hints of each folder's number."""

    def __init__(self, watch: FileWatch, hints: dict[int, Hints]) -> None:
        super().__init__(name="file events", daemon=True)
        self._watch = watch
        self._hints = hints
        self._ends, self._end = os.pipe()
        self._is_to_end = False

    def try_to_start(self) -> str:
        """Start, and return why that is not possible, or ""."""
        try:
            self.start()
        except RuntimeError as error:  # no more threads to be had
            os.close(self._ends)
            os.close(self._end)
            return str(error)
        return ""

    def run(self) -> None:
        """Read until the end."""
        while True:
            found = self._watch.wait(None, self._ends)
            if self._is_to_end:
                return
            if found is None or any(event.is_gone for event in found):
                # A folder that is removed takes its watch along: another of that name would go unwatched, and unnoticed.
                for hints in self._hints.values():
                    hints.lost()
            for event in found or ():
                if event.name:
                    self._hints[event.number].add(event.name)

    def end(self) -> None:
        """Have the thread end, wait for that, and close what it read."""
        self._is_to_end = True
        os.close(self._end)
        self.join()
        os.close(self._ends)
        self._watch.close()


def watch_of(arrivals: str, control: str, wake: Callable[[], None]) -> FolderWatch | Watch:
    """Return the watch of this system, which is still to be started."""
    if sys.platform == "linux":
        return FolderWatch(arrivals, control, wake)
    return Watch(arrivals, control, wake)
