"""A cancel that was asked for in control/: of a job that runs, waits, or waits to be tried again."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field

from spoolrunner.dispatch.ended import EndedAttempts
from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.postponed import Register, Why
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.dispatch.starting import Starter
from spoolrunner.protocol.states import FINAL, Outcome, State
from spoolrunner.spool import reason_files, requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.giving_up import give_up
from spoolrunner.spool.running_file import RunningFiles
from spoolrunner.spool.settling_rules import Origin
from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import CancelMissed, LeftBehind, Refused

SLICE = 0.005
"""Seconds of a turn for cancels: other jobs start between two of them."""
SHORT_PAUSE = 0.5
"""Seconds for which a cancel is put off at least that a file of the job does not allow."""
BETWEEN = "cancelled before it was tried again"


@dataclass(slots=True)
class Cancelling:
    """Carries the cancels of one dispatcher out."""

    spool: Spool
    files: RunningFiles
    register: Register
    faults: FileFaults
    intake: Intake
    starter: Starter
    running: RunningAttempts
    ended: EndedAttempts
    reporter: Reporter
    clock: Clock
    last: str = ""
    """Behind which id the cancelling goes on."""
    left: set[str] = field(default_factory=set)
    """Ids that are to be cancelled and were not come to: they must not start, and others may."""

    def cancel_all(self, job_ids: list[str]) -> None:
        """Cancel these, in the order of their ids, for a slice of time; what is `left` then is for the next call.

        That goes on behind the last one, so that a thousand requests hold up nothing else, and then with those before it.
        """
        for job_id in set(self.register.due(Why.NOT_CANCELLED, math.inf)).difference(job_ids):
            self.register.clear(job_id, Why.NOT_CANCELLED)  # the request was taken back
        until = self.clock.monotonic() + SLICE
        in_order = sorted(job_ids)
        begin = bisect_right(in_order, self.last)
        in_turn = deque(in_order[begin:] + in_order[:begin])
        while in_turn:
            self.last = in_turn.popleft()
            self.cancel(self.last)
            if self.clock.monotonic() >= until:
                break
        self.left = set(in_turn)

    def cancel_instead(self, job_id: str) -> None:
        """Cancel one of those `left`, which was taken out of the order to be started."""
        self.left.discard(job_id)
        self.cancel(job_id)
        self.intake.look(job_id)  # if it waits still, it goes back into the order

    def next_in(self, now: float) -> float:
        """Seconds until a cancel that was put off is to be tried again."""
        return self.register.next_in(Why.NOT_CANCELLED, now)

    def cancel(self, job_id: str) -> None:
        """Do what can be done now; the request stays in control/ until the job is cancelled, or there is none to cancel."""
        if self.register.seconds_left(job_id, self.clock.monotonic(), Why.NOT_CANCELLED) > 0:
            return
        try:
            self._cancel(job_id)
        except OSError as error:
            self.faults.put_off(job_id, Why.NOT_CANCELLED, error, SHORT_PAUSE)
            self.intake.look(job_id)  # it must not start meanwhile
        else:
            self.register.clear(job_id, Why.NOT_CANCELLED)

    def _cancel(self, job_id: str) -> None:
        layout = self.spool.layout
        running = self.running.get(job_id)
        if running is not None:
            self.running.cancel(running)
        elif reason_files.was_cancelled(layout, job_id):
            requests.drop_cancel(layout, job_id)
        elif self.spool.exists(State.RUNNING, job_id):
            return  # neither settled nor adopted yet: it may be the one that is meant
        elif not self._cancel_waiting(job_id) and not self.spool.waits_or_runs(job_id):
            requests.drop_cancel(layout, job_id)
            self.reporter.report(CancelMissed(job_id))

    def _cancel_waiting(self, job_id: str) -> bool:
        """Cancel a job that waits; False when it does not wait, or cannot be cancelled just now."""
        candidate = self.intake.examine(job_id)
        if candidate is None or not candidate.document.attempts or candidate.document.attempts[-1].verdict in FINAL:
            return self.intake.cancel(job_id)
        # It has run, and was to be tried again: that verdict is recorded anew as the final one, so that a retry by hand begins
        # afresh, as after any other failure.
        if not self.starter.claim(candidate):
            return False
        try:
            settled = give_up(self.spool, self.files, self.clock, job_id, BETWEEN)
        except OSError:
            if self.spool.exists(State.RUNNING, job_id):
                self.ended.recover(job_id, Origin.CLAIMED)  # it waits again, and so does the request
            raise
        if settled.state is State.FAILED:
            if settled.left:
                self.reporter.report(LeftBehind(job_id, settled.left))
            self.intake.forget(job_id)
            self.reporter.report(Refused(settled.name, Outcome.CANCELLED, BETWEEN))
        else:
            # It can no longer be read, or somebody removed it; or a process of an earlier dispatcher has begun it nonetheless.
            self.ended.recover(job_id, Origin.CLAIMED)
        return True
