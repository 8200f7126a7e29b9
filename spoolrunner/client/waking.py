"""Threads that wait for files to move, with one watch a process, which they share.

    with listening() as listener:
        listener.watch(path)
        listener.wait(5.0)      # which of them

There is no thread of ours: one of those who wait reads the events for all, and when it goes another takes its place. Where
there are no events a wait is a pause.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from spoolrunner.system import clock
from spoolrunner.system.inotify import FileWatch, Happened, open_watch


class Listener:
    """One thread that waits. What it watches has numbers, each for one file, whatever the name of that is by then."""

    def __init__(self, ear: _Ear | None) -> None:
        self._ear = ear
        self.numbers: set[int] = set()
        self.heard: set[int] = set()
        self.bell = threading.Event()

    def watch(self, path: str) -> int | None:
        """Watch the file at `path`; return its number, or None when nothing will be reported of it."""
        return None if self._ear is None else self._ear.add(self, path)

    def unwatch(self, number: int) -> None:
        """Watch that file no more."""
        if self._ear is not None:
            self._ear.remove(self, number)

    def wait(self, seconds: float) -> set[int]:
        """Wait until something happens to a file that is watched, for so many seconds at most; return which these are."""
        if self._ear is None:
            clock.SYSTEM.sleep(seconds)
            return set()
        return self._ear.wait(self, seconds)


class _Ear:
    """The watch of a process, and who listens to which file."""

    def __init__(self, watch: FileWatch) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._by_number: dict[int, set[Listener]] = {}
        self._reader: Listener | None = None
        self._others: dict[Listener, None] = {}
        self.users = 0

    def add(self, listener: Listener, path: str) -> int | None:
        with self._lock:
            number = self._watch.add(path)
            if number is not None:
                self._by_number.setdefault(number, set()).add(listener)
                listener.numbers.add(number)
        return number

    def remove(self, listener: Listener, number: int) -> None:
        with self._lock:
            listener.numbers.discard(number)
            listeners = self._by_number.get(number, set())
            listeners.discard(listener)
            if not listeners and self._by_number.pop(number, None) is not None:
                self._watch.remove(number)

    def wait(self, listener: Listener, seconds: float) -> set[int]:
        until = clock.SYSTEM.monotonic() + seconds
        try:
            while True:
                left = until - clock.SYSTEM.monotonic()
                with self._lock:
                    if listener.heard or left <= 0:
                        heard, listener.heard = listener.heard, set()
                        return heard
                    reads = self._reader is None
                    if reads:
                        self._reader = listener
                    else:
                        self._others[listener] = None
                        listener.bell.clear()
                if reads:
                    self._read(left)
                else:
                    listener.bell.wait(left)
        finally:
            self._leave(listener)

    def _read(self, seconds: float) -> None:
        found: list[Happened] | None = None
        try:
            found = self._watch.wait(seconds)
        finally:
            with self._lock:
                self._reader = None
                for number in list(self._by_number) if found is None else {event.number for event in found}:
                    for hearer in self._by_number.get(number, ()):
                        hearer.heard.add(number)
                        hearer.bell.set()

    def _leave(self, listener: Listener) -> None:
        """Let another one read, if nobody does."""
        with self._lock:
            self._others.pop(listener, None)
            if self._reader is None and self._others:
                next(iter(self._others)).bell.set()

    def close(self) -> None:
        self._watch.close()


_lock = threading.Lock()
_ear: _Ear | None = None


@contextmanager
def listening() -> Iterator[Listener]:
    """Give a listener of this process's watch, which is opened for the first one and closed behind the last."""
    ear = _join()
    listener = Listener(ear)
    try:
        yield listener
    finally:
        if ear is not None:
            _part(ear, listener)


def _join() -> _Ear | None:
    global _ear  # noqa: PLW0603 -- one a process
    with _lock:
        if _ear is None:
            watch = open_watch()
            if watch is None:
                return None
            _ear = _Ear(watch)
        _ear.users += 1
        return _ear


def _part(ear: _Ear, listener: Listener) -> None:
    global _ear  # noqa: PLW0603 -- as above
    with _lock:
        if _ear is not ear:
            return  # we are a forked child of the process whose it was
        for number in list(listener.numbers):
            ear.remove(listener, number)
        ear.users -= 1
        if ear.users == 0:
            ear.close()
            _ear = None


def _begin_anew() -> None:
    """In a forked child: its parent's watch is none of its own, and threads that held a lock are gone."""
    global _ear, _lock  # noqa: PLW0603 -- as above
    _lock = threading.Lock()
    if _ear is not None:
        _ear.close()
        _ear = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
