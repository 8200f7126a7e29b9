"""Names of files that appeared: the only importer of watchdog.

Gives names, opens no file, and promises nothing: events are hints, and scans find what they miss. When names come
faster than they are taken, or the kernel drops events, the hint is "scan". Where no events can be had, or their thread died,
`reason` says why, the owner polls, and `Rewatch` tries again.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
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


class _Observed:
    """Folders that are watched by threads of watchdog. `reason` says why no events come; it is empty while they do."""

    def __init__(self, instead: str) -> None:
        self._instead = instead
        self._observer: BaseObserver | None = None
        self._problem = ""

    @property
    def has_events(self) -> bool:
        """Whether events come; otherwise `reason` says why not."""
        return self._observer is not None and all(thread.is_alive() for thread in _threads_of(self._observer))

    @property
    def reason(self) -> str:
        """Why no events come, and what is done instead; empty while they come."""
        if self._observer is not None and not self.has_events:
            return f"the thread that hears of file events died: {self._instead}"
        return self._problem and f"no file events here ({self._problem}): {self._instead}"

    def restart(self) -> None:
        """Watch what lies at the paths now: a watch is on a folder, whatever becomes of its path."""
        self.stop()
        self.start()

    def start(self) -> None:
        """Begin to watch, if that is possible."""
        raise NotImplementedError

    def _begin(
        self, make: Callable[[], BaseObserver], handlers: list[tuple[FileSystemEventHandler, str, _Kinds]]
    ) -> None:
        observer = None
        try:
            observer = make()
            for handler, folder, kinds in handlers:
                observer.schedule(handler, folder, event_filter=kinds)
            observer.start()
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads to be had
            self._problem = getattr(error, "strerror", None) or str(error)
            if observer is not None:
                _end(observer)
            return
        self._problem, self._observer = "", observer

    def stop(self) -> None:
        """End the observer's threads."""
        if self._observer is not None:
            _end(self._observer)
            self._observer = None


_Kinds = list[type[FileSystemEvent]] | None


class Watch(_Observed):
    """Watches `arrivals` for files that come and `control` for any change; `wake` is called from another thread."""

    def __init__(self, arrivals: str, control: str, wake: Callable[[], None]) -> None:
        super().__init__("looking once a second instead")
        self.arrivals = Hints(wake)
        self.control = Hints(wake)
        self._folders = (arrivals, control)

    def start(self) -> None:
        """Begin. Start before the first scan: what comes in between would be missed by both the other way round."""
        arrivals, control = self._folders

        def lost() -> None:
            self.arrivals.lost()
            self.control.lost()

        handlers: list[tuple[FileSystemEventHandler, str, _Kinds]] = [
            (_ArrivalHandler(arrivals, self.arrivals), arrivals, None),
            (_Handler(control, self.control), control, None),
        ]
        self._begin(lambda: _observer(lost), handlers)


class CodeWatch(_Observed):
    """Calls `changed`, from another thread, when one of the files that it watches is written, replaced or removed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__("each job's process compares the files of its code itself")
        self._changed = changed
        self._files: list[str] = []

    @property
    def has_events(self) -> bool:
        """Whether events come, or there is nothing to watch."""
        return not self._files or super().has_events

    def watch(self, files: list[str]) -> None:
        """Watch these files and no others. Without events nothing is called; each job's process compares the files itself."""
        self._files = files
        self.restart()

    def start(self) -> None:
        """Begin to watch the folders of the files, the first MAX_CODE_FOLDERS of them."""
        if not self._files:
            return
        folders = sorted({os.path.dirname(path) for path in self._files})[:MAX_CODE_FOLDERS]
        kinds: _Kinds = [FileClosedEvent, FileMovedEvent, FileDeletedEvent, FileCreatedEvent]
        handler = _CodeHandler(set(self._files), self._changed)
        self._begin(lambda: _observer(self._changed), [(handler, folder, kinds) for folder in folders])


class _CodeHandler(FileSystemEventHandler):
    def __init__(self, files: set[str], changed: Callable[[], None]) -> None:
        self._files = files
        self._changed = changed

    def dispatch(self, event: FileSystemEvent) -> None:
        if os.fsdecode(event.src_path) in self._files or os.fsdecode(event.dest_path) in self._files:
            self._changed()


def _threads_of(observer: BaseObserver) -> list[threading.Thread]:
    descriptor = getattr(observer, "descriptor", None)
    return [observer, *observer.emitters, *([] if descriptor is None else [descriptor])]


def _end(observer: BaseObserver) -> None:
    observer.stop()
    with suppress(RuntimeError):  # it was never started
        observer.join()


def _observer(lost: Callable[[], None]) -> BaseObserver:
    if sys.platform != "linux":
        made: BaseObserver = Observer()
        return made
    return _own_observer(lost)


def _own_observer(lost: Callable[[], None]) -> BaseObserver:
    """Return an observer with a descriptor and a thread of its own: the one that watchdog shares is never made anew."""
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

    class Descriptor(InotifyFD):
        def handle_event(self, event: InotifyEvent) -> None:
            # A folder that is removed takes its watch along: another of that name would go unwatched, and unnoticed.
            if event.is_queue_overflow or event.is_delete_self:
                lost()
            super().handle_event(event)

        def start(self) -> None:
            try:
                super().start()
            except RuntimeError:
                self._is_reading = False  # there is no thread that would close it at its end
                self.close()
                raise

    class OwnObserver(BaseObserver):
        def __init__(self) -> None:
            self.descriptor = Descriptor()
            self.descriptor.start()
            options: dict[str, Any] = {"inotify_fd": self.descriptor}
            super().__init__(InotifyEmitter, **options)

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self.descriptor.stop()
            self.descriptor.join()

    return OwnObserver()
