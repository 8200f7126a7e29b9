"""Waiting until jobs are over: done, or failed for good. One that will be tried again is not.

    for follower, found in until_over(followers, timeout=30):
        ...

Whoever waits is woken when the file of the job moves or is replaced, where the system reports that. Besides, and elsewhere, it
looks again after pauses that grow with the time it has waited; nearly always that is one look at the number of one file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from spoolrunner.client.following import Follower
from spoolrunner.client.look import Look
from spoolrunner.client.waking import Listener, listening
from spoolrunner.spool import mounts
from spoolrunner.system import clock

FIRST_PAUSE, LONGEST_POLL, LONGEST_WATCHED = 0.005, 5.0, 30.0
"""Seconds between two looks: at first, and at most without and with events."""
GROWTH, GROWTH_WATCHED = 0.1, 1.0
"""The pause as a share of the time that was waited so far, without and with events."""
NOWHERE = 0.5
"""Seconds for which a job must have been in no folder before it counts as taken away: on some systems a move looks so."""
_WHILE_NOWHERE = 0.05
_SHORT = 0.5
"""Seconds of a wait that ends before it is worth finding out on what file system the spool lies."""
_MOST_RETURNS = 8
"""How often a job is followed at once that moves while it is looked at; the next pause is short then, and it goes on."""


class Ended(NamedTuple):
    """A job that is over, and what the look met; None when it was taken away."""

    follower: Follower
    found: Look | None


def until_over(followers: Iterable[Follower], timeout: float | None = None) -> Iterator[Ended]:
    """Return each job when it is over or was taken away, in the order in which that is noticed, for `timeout` seconds at most.

    Those that are left out are not over then. SpoolLayoutError when folders of the spool are missing, OSError when it cannot be
    read.
    """
    began = clock.SYSTEM.monotonic()
    with listening() as listener:
        left = {id(pursued): pursued for pursued in (_Pursued(follower, listener) for follower in followers)}
        due = list(left.values())
        next_round = began
        while True:
            for pursued in due:
                if pursued.look():
                    del left[id(pursued)]
                    yield Ended(pursued.follower, pursued.found)
            now = clock.SYSTEM.monotonic()
            if not left or (timeout is not None and now - began >= timeout):
                return
            again_at = now + _pause(now - began, left.values())
            next_round = again_at if now >= next_round else min(next_round, again_at)
            ends = next_round if timeout is None else min(next_round, began + timeout)
            heard = listener.wait(max(0.0, ends - now))
            is_round = clock.SYSTEM.monotonic() >= ends
            due = [one for one in left.values() if one.number in heard or (is_round and one.may_have_moved())]


def _pause(waited: float, left: Iterable[_Pursued]) -> float:
    """Seconds until all of those that are left are looked at again."""
    growth, longest = GROWTH_WATCHED, LONGEST_WATCHED
    for pursued in left:
        if pursued.nowhere_since is not None:
            return _WHILE_NOWHERE
        if pursued.number is None or (waited > _SHORT and _is_remote(pursued.follower.root)):
            growth, longest = GROWTH, LONGEST_POLL
    return min(max(FIRST_PAUSE, waited * growth), longest)


@lru_cache
def _is_remote(root: str) -> bool:
    """Whether other hosts may move the files of the spool, of which nothing is reported here."""
    return mounts.is_remote(root)


class _Pursued:
    """A job that is waited for: what the last look met, and the number by which a move of its file is reported."""

    def __init__(self, follower: Follower, listener: Listener) -> None:
        self.follower = follower
        self.found: Look | None = None
        self.number: int | None = None
        self.nowhere_since: float | None = None
        self._listener = listener

    def look(self) -> bool:
        """Look, and watch what is found; whether the job is over or was taken away."""
        for _ in range(_MOST_RETURNS):
            self._unwatch()
            self.found = self.follower.look()
            if self.found is None:
                return self._is_gone()
            self.nowhere_since = None
            if self.found.is_over:
                return True
            self.number = self._listener.watch(self.follower.path(self.found))
            if not self.may_have_moved():  # since we looked, and before it was watched
                return False
        self._unwatch()
        return False

    def may_have_moved(self) -> bool:
        """Whether the file at the place of the last look is another one, or gone."""
        if self.found is None or self.found.inode is None:
            return True
        try:
            return os.lstat(self.follower.path(self.found)).st_ino != self.found.inode
        except FileNotFoundError:
            return True

    def _is_gone(self) -> bool:
        now = clock.SYSTEM.monotonic()
        if self.nowhere_since is None:
            self.nowhere_since = now
        if now - self.nowhere_since < NOWHERE:
            return False
        self.follower.check_spool()
        self.found = self.follower.look(thoroughly=True)
        return self.found is None or self.found.is_over

    def _unwatch(self) -> None:
        if self.number is not None:
            self._listener.unwatch(self.number)
            self.number = None
