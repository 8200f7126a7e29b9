"""Whether a job of a lane may start now, or which key it waits for: a pause, a limit of its group, the limit of its method.

Knows only what runs, what has started lately, and what is paused. A job that waits for a key uses no attempt, keeps its
place, and holds up no other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush

from spoolrunner.dispatch.lanes import LaneKey
from spoolrunner.dispatch.order import Order
from spoolrunner.dispatch.postponed import Key, Why
from spoolrunner.dispatch.rates import Rates
from spoolrunner.dispatch.running_attempt import RunningAttempt
from spoolrunner.protocol.groups import GroupLimits, Rate
from spoolrunner.protocol.policy import Policy
from spoolrunner.system.clock import Clock
from spoolrunner.system.times import parse_time

Allowed = dict[str, dict[str, Policy]]
WHY = {
    "pause": Why.PAUSED,
    "group": Why.GROUP_BUSY,
    "rate": Why.RATE_REACHED,
    "method": Why.METHOD_BUSY,
}
"""The first word of a key -> why the jobs that wait for it do not start."""
_FORGET_PERIOD = 60.0
"""Seconds between two looks for groups whose window is empty."""


class Admission:
    """The limits that jobs due in `order` may meet. A chore, since a rate is kept to by time. `same` is that of the spool."""

    def __init__(
        self,
        order: Order,
        allowed: Allowed,
        groups: GroupLimits,
        clock: Clock,
        same: Callable[[str], str],
    ) -> None:
        self._order = order
        self._allowed = allowed
        self._groups = groups
        self._clock = clock
        self._same = same
        self._held: Counter[Key] = Counter()
        self._openings: list[tuple[float, str]] = []
        self._opens_at: dict[str, float] = {}
        self._forget_at = 0.0
        self.paused: frozenset[str] = frozenset()
        """What is paused, each as in the name of the file in control/: JOB.METHOD, or group-NAME."""
        self.rates = Rates()

    def reconfigure(self, allowed: Allowed, groups: GroupLimits) -> None:
        """Go by these limits from now on: whoever waited for one may be asked for again. What runs counts as before."""
        self._allowed, self._groups = allowed, groups
        self._openings.clear()
        self._opens_at.clear()
        for held in list(self._order.held()):
            self._order.free(held.key)

    def ask(self, lane: LaneKey) -> Key | None:
        """None: go. Else the key that must be free first; the order is told when it is."""
        job, method, group = lane
        if self.paused:
            for name in _pausable(lane):
                if name in self.paused:
                    return "pause", name
        if group:
            limit = self._groups.of(group)
            if limit.concurrency is not None and self._held["group", group] >= limit.concurrency:
                return "group", group
            if limit.rate is not None and not self._is_within(group, limit.rate):
                return "rate", group
        policy = self._allowed.get(job, {}).get(method)
        limited = None if policy is None else policy.concurrency
        if limited is not None and self._held["method", job, method] >= limited:
            return "method", job, method
        return None

    def id_key(self, job_id: str) -> Key:
        """The key that a second job of a running id waits for."""
        return "id", self._same(job_id)

    def started(self, attempt: RunningAttempt) -> None:
        """An attempt runs, one of our own or one that was adopted: it counts for each of its limits."""
        self._held.update(attempt.holds)
        if attempt.policy.group:
            self.note(attempt.policy.group, attempt.started_at)

    def note(self, group: str, started_at: str) -> None:
        """A job of that group started at that time (RFC 3339)."""
        rate = self._groups.of(group).rate
        if rate is not None:
            try:
                ago = max(0.0, self._clock.wall() - parse_time(started_at))
            except ValueError:
                ago = 0.0  # a marker without a time, or a record by another hand: it may have been just now
            if ago < rate.seconds:
                self.rates.note(group, rate, self._clock.monotonic() - ago)

    def ended(self, attempt: RunningAttempt) -> None:
        """An attempt runs no more: what waited for what it held may be asked for again."""
        for key in attempt.holds:
            self._held[key] -= 1
            if self._held[key] <= 0:
                del self._held[key]
            self._order.free(key)

    def pause(self, names: frozenset[str]) -> None:
        """From now on these are paused, and no others."""
        for name in self.paused - names:
            self._order.free(("pause", name))
        self.paused = names

    def starts_are_known(self) -> None:
        """The starts before this dispatcher have been noted: who waited for that may be asked for again."""
        self.rates.is_known = True
        for held in list(self._order.held()):
            if held.key[0] == "rate":
                self._order.free(held.key)

    @property
    def waits_for_time(self) -> bool:
        """Whether due jobs wait for their rate, and will start by themselves."""
        return any(held.key[0] == "rate" for held in self._order.held())

    def opens_in(self, group: str, now: float) -> float:
        """Seconds until a group may start its next job by its rate; infinite where that is not known."""
        at = self._opens_at.get(group)
        return math.inf if at is None else max(0.0, at - now)

    def next_in(self, now: float) -> float:
        """Seconds until the next group may start a job by its rate."""
        return max(0.0, self._openings[0][0] - now) if self._openings else math.inf

    def work(self, now: float) -> None:
        """Let the groups start jobs again whose window has moved on."""
        while self._openings and self._openings[0][0] <= now:
            at, group = heappop(self._openings)
            if self._opens_at.get(group) == at:
                del self._opens_at[group]
                self._order.free(("rate", group))
        if now >= self._forget_at and len(self.rates):
            self._forget_at = now + _FORGET_PERIOD
            self.rates.forget_before(now - self._groups.longest_window)

    def _is_within(self, group: str, rate: Rate) -> bool:
        """Whether the rate allows a start now; else it is noted when it will."""
        if not self.rates.is_known:
            return False
        at = self.rates.free_at(group, rate)
        if at <= self._clock.monotonic():
            return True
        if self._opens_at.get(group) != at:
            self._opens_at[group] = at
            heappush(self._openings, (at, group))
        return False


def _pausable(lane: LaneKey) -> tuple[str, ...]:
    """The names under which a lane can be paused."""
    method = f"{lane.job}.{lane.method}"
    return (method, f"group-{lane.group}") if lane.group else (method,)
