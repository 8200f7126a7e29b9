"""Names of files that appeared: the only importer of watchdog.

Gives names, opens no file, and promises nothing: events are hints, and scans find what they miss. When names come
faster than they are taken, or the kernel drops events, the hint is "scan". Where no events can be had, `reason` says why
and the owner polls.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from watchdog.events import (
    EVENT_TYPE_DELETED,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

MAX_CODE_FOLDERS = 64
"""Folders of code that are watched, each with a thread; of an application with more, the first ones by name."""
MAX_HINTS = 20_000
"""Names kept until they are taken; beyond it a scan is cheaper."""


class Hints:
    """The names seen in one folder since they were last taken; filled by the observer's thread, emptied by another."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._names: dict[str, None] = {}
        self._overflow = False

    def add(self, name: str) -> None:
        """Remember a name, and wake the owner if it was the first."""
        with self._lock:
            first = not self._names and not self._overflow
            if len(self._names) >= MAX_HINTS:
                self._overflow = True
                self._names.clear()
            if not self._overflow:
                self._names[name] = None
        if first:
            self._wake()

    def lost(self) -> None:
        """Events were dropped: only a scan can find what came."""
        with self._lock:
            self._overflow = True
            self._names.clear()
        self._wake()

    def take(self) -> tuple[list[str], bool]:
        """(names, whether a scan is needed)."""
        with self._lock:
            names, overflow = list(self._names), self._overflow
            self._names.clear()
            self._overflow = False
        return names, overflow


class _Handler(FileSystemEventHandler):
    def __init__(self, folder: str, hints: Hints) -> None:
        self._folder = folder
        self._hints = hints

    def dispatch(self, event: FileSystemEvent) -> None:
        path = os.fsdecode(event.dest_path or event.src_path)
        if os.path.dirname(path) == self._folder:
            self._hints.add(os.path.basename(path))


class _ArrivalHandler(_Handler):
    """For a folder in which only arrivals matter: our own claims delete from it all the time."""

    def dispatch(self, event: FileSystemEvent) -> None:
        if event.event_type != EVENT_TYPE_DELETED:
            super().dispatch(event)


class Watch:
    """Watches `arrivals` for files that come and `control` for any change; `wake` is called from another thread."""

    def __init__(self, arrivals: str, control: str, wake: Callable[[], None]) -> None:
        self.arrivals = Hints(wake)
        self.control = Hints(wake)
        self.reason = ""
        self._observer: BaseObserver | None = None
        self._folders = (arrivals, control)

    @property
    def has_events(self) -> bool:
        """Whether events come; otherwise `reason` says why not."""
        return self._observer is not None and self._observer.is_alive()

    def start(self) -> None:
        """Begin. Start before the first scan: what comes in between would be missed by both the other way round."""
        self.reason = ""
        arrivals, control = self._folders

        def lost() -> None:
            self.arrivals.lost()
            self.control.lost()

        try:
            observer = _observer(lost, control)
            observer.schedule(_ArrivalHandler(arrivals, self.arrivals), arrivals)
            observer.schedule(_Handler(control, self.control), control)
            _start(observer)
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread is to be had
            why = getattr(error, "strerror", None) or error
            self.reason = f"no file events here ({why}): looking once a second instead"
            return
        self._observer = observer

    def restart(self) -> None:
        """Watch what lies at the paths of the two folders now: a watch is on a folder, whatever becomes of its path."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the observer's threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class CodeWatch:
    """Calls `changed`, from another thread, when one of the files that it watches is written, replaced or removed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._observer: BaseObserver | None = None

    def watch(self, files: list[str]) -> None:
        """Watch these files and no others. Without events nothing is called; each job's process compares the files itself."""
        self.stop()
        folders = {os.path.dirname(path) for path in files}
        kinds: list[type[FileSystemEvent]] = [FileClosedEvent, FileMovedEvent, FileDeletedEvent, FileCreatedEvent]
        try:
            observer: BaseObserver = Observer()
            for folder in sorted(folders)[:MAX_CODE_FOLDERS]:
                observer.schedule(_CodeHandler(set(files), self._changed), folder, event_filter=kinds)
            _start(observer)
        except (OSError, RuntimeError):
            return  # no event instances or threads left: each job's process still compares the files it depends on
        self._observer = observer

    def stop(self) -> None:
        """End the observer's threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class _CodeHandler(FileSystemEventHandler):
    def __init__(self, files: set[str], changed: Callable[[], None]) -> None:
        self._files = files
        self._changed = changed

    def dispatch(self, event: FileSystemEvent) -> None:
        if os.fsdecode(event.src_path) in self._files or os.fsdecode(event.dest_path) in self._files:
            self._changed()


def _start(observer: BaseObserver) -> None:
    """Start its threads, and leave none of them when that fails."""
    try:
        observer.start()
    except (OSError, RuntimeError):
        observer.stop()
        raise


def _start_alone(reader: Any) -> None:
    """Start the thread that reads from the kernel, and leave no descriptor when that fails."""
    try:
        reader.start()
    except RuntimeError:
        reader._is_reading = False  # noqa: SLF001 -- else it would leave it to its thread to close what that reads
        reader.close()
        raise


def _observer(lost: Callable[[], None], control: str) -> BaseObserver:
    if sys.platform != "linux":
        made: BaseObserver = Observer()
        return made
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, InotifyFD, Mask

    class Descriptor(InotifyFD):
        def handle_event(self, event: InotifyEvent) -> None:
            # A folder that is removed takes its watch along: another of that name would go unwatched, and unnoticed.
            if event.is_queue_overflow or event.is_delete_self:
                lost()
            super().handle_event(event)

    class LeanEmitter(InotifyEmitter):
        """Asks for arrivals alone.

        With departures watchdog holds every later event back for half a second after each rename out of the folder,
        waiting for its other half; our claims are such renames.
        """

        def get_event_mask_from_filter(self) -> Mask:
            mask = InotifyConstants.IN_MOVED_TO | InotifyConstants.IN_CLOSE_WRITE | InotifyConstants.IN_DELETE_SELF
            # A hard link makes no other event than this; a rename makes none of this, so ours cost nothing more.
            mask |= InotifyConstants.IN_DELETE if self.watch.path == control else InotifyConstants.IN_CREATE
            return Mask(mask)

    class LeanObserver(BaseObserver):
        def __init__(self) -> None:
            self._descriptor = Descriptor()
            _start_alone(self._descriptor)
            options: dict[str, Any] = {"inotify_fd": self._descriptor}
            super().__init__(LeanEmitter, **options)

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self._descriptor.stop()
            self._descriptor.join()

    return LeanObserver()
