"""Adopting: an attempt that an earlier dispatcher started, and that still runs, gets its place among the running ones."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.config.load import Config
from spoolrunner.dispatch.candidate import policy_for
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.dispatch.running_attempt import RunningAttempt
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.executors.base import AttemptKey, Executor
from spoolrunner.protocol import document
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.traces import Marker
from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Adopted


@dataclass(slots=True)
class Adoption:
    """The adoptions of one dispatcher."""

    config: Config
    spool: Spool
    executor: Executor
    running: RunningAttempts
    reporter: Reporter
    clock: Clock

    def adopt(self, job_id: str, marker: Marker) -> None:
        """Watch over the process that left this start marker."""
        checked, policy = self._document_of(job_id)
        key = AttemptKey(job_id, marker.attempt)
        attempt = RunningAttempt(
            key=key,
            job=checked.job if checked else "",
            method=checked.method if checked else "",
            policy=policy,
            deadline=self.clock.monotonic(),  # it may be overdue: that is looked up at once
            started=self.clock.monotonic(),
            started_at=marker.started_at,
            starts=marker.attempt + policy.max_retries,
        )
        self.executor.adopt(key, marker)
        self.running.add(attempt)
        self.reporter.report(Adopted(attempt.who))

    def _document_of(self, job_id: str) -> tuple[Document | None, Policy]:
        try:
            checked, _ = document.parse(self.spool.read(State.RUNNING, job_id).data)
        except (FileNotFoundError, JobFormatError):
            return None, self.config.default_policy
        return checked, policy_of(self.config, checked)


def policy_of(config: Config, checked: Document) -> Policy:
    """The policy that a job which runs is under: it may have left the whitelist since, but still needs a verdict."""
    try:
        return policy_for(config, checked)
    except (NotAllowedError, JobFormatError):
        return config.default_policy
