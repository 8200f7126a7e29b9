"""Whether a due job may start now, or which key it waits for.

Knows only what runs. A job that waits for a key uses no attempt, and holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.dispatch.intake import Candidate
from spoolrunner.dispatch.postponed import Key, Why
from spoolrunner.dispatch.running import RunningAttempt, RunningAttempts


class Admission:
    """The limits that one due job may meet; `same` is that of the spool."""

    def __init__(self, running: RunningAttempts, same: Callable[[str], str]) -> None:
        self._running = running
        self._same = same

    def ask(self, candidate: Candidate) -> tuple[Why, Key] | None:
        """None: go. Else the reason to wait, and the key that must be free first."""
        document = candidate.document
        if candidate.job_id in self._running:
            return Why.ID_BUSY, self._id_key(candidate.job_id)
        limit = candidate.policy.concurrency
        if limit is not None and self._running.count(document.job, document.method) >= limit:
            return Why.METHOD_BUSY, self._method_key(document.job, document.method)
        return None

    def freed_by(self, attempt: RunningAttempt) -> tuple[Key, ...]:
        """The keys that are free when this attempt is settled."""
        return self._id_key(attempt.key.job_id), self._method_key(attempt.job, attempt.method)

    def _id_key(self, job_id: str) -> Key:
        return "id", self._same(job_id)

    @staticmethod
    def _method_key(job: str, method: str) -> Key:
        return "method", job, method
