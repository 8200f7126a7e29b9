"""A cancel that was asked for in control/: of a job that runs, waits, or waits to be tried again."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.dispatch.ended import EndedAttempts
from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.dispatch.starting import Starter
from spoolrunner.protocol.states import FINAL, Outcome, State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.giving_up import give_up
from spoolrunner.spool.running_file import RunningFiles
from spoolrunner.spool.settling_rules import Origin
from spoolrunner.system import durable
from spoolrunner.system.clock import Clock
from spoolrunner.system.heldfiles import HeldError
from spoolrunner.telling.events import CancelMissed, CancelPutOff, Refused

BETWEEN = "cancelled before it was tried again"


@dataclass(slots=True)
class Cancelling:
    """Carries the cancels of one dispatcher out."""

    spool: Spool
    files: RunningFiles
    intake: Intake
    starter: Starter
    running: RunningAttempts
    ended: EndedAttempts
    reporter: Reporter
    clock: Clock

    def cancel(self, job_id: str) -> None:
        """Do what can be done now; the request stays in control/ until the job is cancelled, or there is none to cancel."""
        try:
            self._cancel(job_id)
        except HeldError as error:
            self.reporter.report(CancelPutOff(job_id, str(error)))

    def _cancel(self, job_id: str) -> None:
        request = self.spool.layout.cancel(job_id)
        running = self.running.get(job_id)
        if running is not None:
            self.running.cancel(running)
        elif self.spool.was_cancelled(job_id):
            durable.unlink(request)
        elif self.spool.exists(State.RUNNING, job_id):
            return  # neither settled nor adopted yet: it may be the one that is meant
        elif not self._cancel_waiting(job_id) and not self.spool.waits_or_runs(job_id):
            durable.unlink(request)
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
        settled = give_up(self.spool, self.files, self.clock, job_id, BETWEEN)
        if settled.state is State.FAILED:
            self.intake.forget(job_id)
            self.reporter.report(Refused(settled.name, Outcome.CANCELLED, BETWEEN))
        else:
            # It can no longer be read, or somebody removed it; or a process of an earlier dispatcher has begun it nonetheless.
            self.ended.recover(job_id, Origin.CLAIMED)
        return True
