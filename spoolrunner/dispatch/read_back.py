"""Reading back how often the jobs of groups with a rate started before this dispatcher did, from the records of their attempts.

A rate holds over the death of a dispatcher. Until the records of the longest window are read, jobs whose group has a rate
wait; the others start meanwhile. No job that counts can move then: it would have to start.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from spoolrunner.config.load import Config
from spoolrunner.dispatch.one_file import is_of_one_file
from spoolrunner.dispatch.rates import Rates
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool import arrival
from spoolrunner.spool.ids import SUFFIX, is_job_name

SLICE = 0.005
"""Seconds of reading before the rest of the dispatcher has its turn, which then lasts at least as long."""


class ReadBack:
    """The reading of one dispatcher, which begins when what ran before is settled or adopted. A chore, until all is read."""

    def __init__(self, rooms: Rooms) -> None:
        self._config = rooms.config
        self._spool = rooms.spool
        self._admission = rooms.admission
        self._running = rooms.running
        self._clock = rooms.clock
        self._next = 0.0
        self._steps: Iterator[None] | None = None
        self._limits = _limits(rooms.config)
        self._begin()

    def reconfigure(self, config: Config) -> None:
        """Read anew where another configuration has other limits or groups: what was noted counts for those of before."""
        before, self._limits = self._limits, _limits(config)
        if before != self._limits:
            self._admission.rates = Rates()
            for attempt in self._running.all():  # their records tell of earlier attempts alone
                if attempt.policy.group:
                    self._admission.note(attempt.policy.group, attempt.started_at)
            self._begin()

    def _begin(self) -> None:
        # Where no group has a rate nobody asks how often jobs started.
        window = self._config.groups.longest_window
        self._steps = self._read(window) if window else None
        self._admission.rates.is_known = self._steps is None

    def next_in(self, now: float) -> float:
        """Seconds until the next slice; infinite when all is read."""
        return math.inf if self._steps is None else max(0.0, self._next - now)

    def work(self, now: float) -> None:
        """Read a slice."""
        if self._steps is None or now < self._next:
            return
        began = self._clock.monotonic()
        for _ in self._steps:
            now = self._clock.monotonic()
            if now >= began + SLICE:
                self._next = now + SLICE
                return
        self._steps = None
        self._admission.starts_are_known()

    def _read(self, window: float) -> Iterator[None]:
        since, running = self._clock.wall() - window, frozenset(self._spool.names(State.RUNNING))
        for job_id in running:  # these alone may move while the others are read, so they are read at once
            self._note(State.RUNNING, job_id)
        for state in (State.PENDING, State.DONE, State.FAILED):
            with os.scandir(self._spool.layout.folder(state)) as entries:
                for entry in entries:
                    yield
                    if not is_job_name(entry.name):
                        continue
                    job_id = entry.name[: -len(SUFFIX)]
                    if job_id.partition("~")[0] not in running and _came_since(entry, since):
                        self._note(state, job_id)

    def _note(self, state: State, job_id: str) -> None:
        """Note the starts of a job that its record tells of; none of a file that is gone or cannot be read."""
        try:
            raw = jsontext.decode(self._spool.read(state, job_id).data)
        except (FileNotFoundError, JobFormatError):
            return
        except OSError as error:
            if not is_of_one_file(error):
                raise
            return
        group, attempts = self._group(raw.get("job"), raw.get("method"), raw.get("group")), raw.get("attempts")
        if not isinstance(group, str) or not isinstance(attempts, list):
            return
        for attempt in attempts:
            started_at = attempt.get("started_at") if isinstance(attempt, dict) else None
            if isinstance(started_at, str):
                self._admission.note(group, started_at)

    def _group(self, job: object, method: object, own: object) -> object:
        """The group of a job of that method whose document names `own`."""
        policy = self._config.allowed.get(str(job), {}).get(str(method))
        return own if policy is None or policy.group is None else policy.group


def _limits(config: Config) -> object:
    """What tells, of each start, whether it counts: the limits, and the groups of the methods."""
    groups = {
        (job, method): policy.group
        for job, methods in config.allowed.items()
        for method, policy in methods.items()
        if policy.group is not None
    }
    return config.file.limits, groups


def _came_since(entry: os.DirEntry[str], since: float) -> bool:
    """Whether the file came to its folder since then: what ended or was put off before that has no later start."""
    try:
        return arrival.came_at(entry.stat(follow_symlinks=False)) >= since
    except FileNotFoundError:
        return False  # Race: a person took it away.
