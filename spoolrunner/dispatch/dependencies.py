"""The jobs that wait for others (`after`): which they wait for, and when they need not wait any longer.

A job is told of each other one that ends, so nobody is looked for when one settles. Each name is looked at on the disk when
somebody begins to wait for it, when a job of that name ends, and in rounds, since people may move files by hand. What was
once seen to be done is not asked again for that job: its file may be removed meanwhile.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from spoolrunner.protocol import document
from spoolrunner.protocol.document import Document
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.standing import Stands, standing
from spoolrunner.system.clock import Clock

SLICE = 0.005
"""Seconds of work before the rest of the dispatcher has its turn again."""
ROUND_PERIOD = 5.0
ROUND_SHARE = 0.01
"""Seconds between two rounds at least, and the share of the time that they may take."""
_AT_A_TIME = 200
"""Waiting jobs of one name that are told of its end between two looks at the clock."""


class Held:
    """A job that waits: for how many others yet, and which one has failed.

    `asked` tells what it waits for from what another version of its file waits for. `ended`: it does not matter how they end.
    """

    __slots__ = ("asked", "ended", "failed", "job_id", "left")

    def __init__(self, job_id: str, asked: int, left: int, *, ended: bool) -> None:
        self.job_id = job_id
        self.asked = asked
        self.left = left
        self.ended = ended
        self.failed = ""

    @property
    def waits(self) -> bool:
        """Whether it cannot be said yet whether it may start."""
        return self.left > 0 and not self.failed


class Dependencies:
    """Who waits for whom. A chore. `look` is called with the id of each job that may start now, or never can."""

    def __init__(self, spool: Spool, look: Callable[[str], object], clock: Clock) -> None:
        self._spool = spool
        self._look = look
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._waiting: dict[str, list[Held]] = {}
        self._to_check: dict[str, None] = {}
        self._told: deque[tuple[str, bool, list[Held]]] = deque()
        self._to_look: deque[str] = deque()
        self._round: Iterator[str] = iter(())
        self._next_round = self._next_slice = 0.0
        self._seconds = 0.0
        self.nowhere: dict[str, None] = {}
        """Names that somebody waits for and that lie in no folder."""
        self.waiting = 0
        """How many jobs wait for others."""
        spool.arrived = self.ended

    @property
    def is_busy(self) -> bool:
        """Whether it may turn out at once that somebody need not wait any longer."""
        return bool(self._to_check or self._told or self._to_look)

    def note(self, job_id: str, checked: Document) -> None:
        """A waiting job was read: from now on it is known what it waits for, if for anything.

        One that has started does not wait for others: these may be gone.
        """
        if checked.after is None or checked.attempts:
            if job_id in self._held:
                self.forget(job_id)
            return
        after = document.dependencies(checked)
        asked = hash((after.when, tuple(after.jobs)))
        held = self._held.get(job_id)
        if held is None or held.asked != asked:
            self._begin(job_id, asked, dict.fromkeys(after.jobs), ended=after.when == "ended")

    def is_named(self, job_id: str) -> bool:
        """Return whether somebody waits to be told how the job of that id ended, or that whose second one it is: ID of ID~2."""
        return job_id in self._waiting or job_id.partition("~")[0] in self._waiting

    def failed(self, job_id: str) -> str:
        """Return the name of the job whose failure keeps this one from ever starting; empty when there is none."""
        held = self._held.get(job_id)
        return "" if held is None else held.failed

    def holds(self, job_id: str) -> bool:
        """Return whether that job is known to wait for others."""
        held = self._held.get(job_id)
        return held is not None and held.waits

    def forget(self, job_id: str) -> None:
        """The job has left pending/ for good."""
        held = self._held.pop(job_id, None)
        if held is not None and held.waits:
            self.waiting -= 1

    def lost(self, job_id: str) -> None:
        """The job cannot be judged now: it is forgotten if it has left, and was not claimed, as it may be put back then."""
        if job_id in self._held and not self._spool.waits_or_runs(job_id):
            self.forget(job_id)

    def ended(self, job_id: str) -> None:
        """A job of that id has come to done/ or failed/."""
        self.forget(job_id)
        if job_id in self._waiting:
            self._to_check[job_id] = None

    def next_in(self, now: float) -> float:
        """Seconds until there is something to look at; infinite while nobody waits."""
        if self.is_busy:
            return 0.0
        return max(0.0, max(self._next_round, self._next_slice) - now) if self._waiting else math.inf

    def work(self, now: float) -> None:
        """Look at the names that ended, and tell who waits for them, for a slice of time; and go on with the round."""
        if not self.is_busy and (not self._waiting or now < self._next_round or now < self._next_slice):
            return
        until = self._clock.monotonic() + SLICE
        while self.is_busy:
            if self._to_look:
                self._look(self._to_look.popleft())
            elif self._told:
                self._tell()
            else:
                self._check(next(iter(self._to_check)))
            if self._clock.monotonic() >= until:
                return
        if now >= self._next_round and now >= self._next_slice:
            self._go_round(until)

    def _begin(self, job_id: str, asked: int, names: dict[str, None], *, ended: bool) -> None:
        self.forget(job_id)
        held = self._held[job_id] = Held(job_id, asked, len(names), ended=ended)
        self.waiting += held.waits
        for name in names:
            self._waiting.setdefault(name, []).append(held)
            self._to_check[name] = None

    def _check(self, name: str) -> None:
        """Look where the job of that name stands; if it is over, it will be told to those who wait for it."""
        stands = standing(self._spool, name).stands
        self._to_check.pop(name, None)
        self.nowhere.pop(name, None)
        if stands is Stands.NOWHERE:
            self.nowhere[name] = None
        elif stands is not Stands.UNDERWAY:
            waiting = self._waiting.pop(name, None)
            if waiting is not None:
                self._told.append((name, stands is Stands.FAILED, waiting))

    def _tell(self) -> None:
        """Tell some of those who wait for a name that it is over."""
        name, has_failed, waiting = self._told[0]
        for _ in range(min(_AT_A_TIME, len(waiting))):
            held = waiting.pop()
            if self._held.get(held.job_id) is not held or not held.waits:
                continue  # it waits no more, or for others by now
            held.left -= 1
            if has_failed and not held.ended:
                held.failed = name
            if not held.waits:
                self.waiting -= 1
                self._to_look.append(held.job_id)
        if not waiting:
            self._told.popleft()

    def _go_round(self, until: float) -> None:
        """Look at the next names of this round, and forget those that nobody waits for any more."""
        began = self._clock.monotonic()
        for name in self._round:
            waiting = self._waiting.get(name)
            if waiting is not None:
                waiting[:] = [held for held in waiting if self._held.get(held.job_id) is held]
                if waiting:
                    self._check(name)
                else:
                    del self._waiting[name]
                    self.nowhere.pop(name, None)
            now = self._clock.monotonic()
            if now >= until:
                self._seconds += now - began
                self._next_slice = now + (now - began) / ROUND_SHARE
                return
        self._seconds += self._clock.monotonic() - began
        self._next_round = self._clock.monotonic() + max(ROUND_PERIOD, self._seconds / ROUND_SHARE)
        self._seconds = 0.0
        self._round = iter(list(self._waiting))

    def first_nowhere(self, most: int) -> list[tuple[str, int, str]]:
        """Return the first names that lie in no folder, each with how many wait for it, and which of them is one."""
        found = []
        for name in islice(self.nowhere, most):
            waiting = self._waiting.get(name)
            if waiting:
                found.append((name, len(waiting), waiting[0].job_id))
        return found
