"""Tells what happens: makes events of what the dispatcher does, writes them to the logs and shows them to a listener.

Owns the counts that status.json shows. Decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from spoolrunner.dispatch.intake import Refusal
from spoolrunner.dispatch.running import RunningAttempt
from spoolrunner.protocol.states import Outcome, Verdict
from spoolrunner.spool import record
from spoolrunner.system.clock import Clock, parse_time
from spoolrunner.telling.events import Happening, Kind
from spoolrunner.telling.logfiles import Journal

Listener = Callable[[Happening], None]


class Reporter:
    """Writes to `journal`, tells `listener`, counts."""

    def __init__(self, journal: Journal, clock: Clock, listener: Listener | None) -> None:
        self.journal = journal
        self.totals: Counter[str] = Counter()
        self._clock = clock
        self._listener = listener

    def say(self, kind: Kind, note: str, job_id: str = "") -> None:
        """Something that is no attempt's start or end."""
        self._tell(Happening(kind, self._clock.wall(), id=job_id, note=note))

    def started(self, attempt: RunningAttempt) -> None:
        """An attempt began, or one that runs was adopted."""
        self.totals["started"] += not attempt.adopted
        kind = Kind.ADOPTED if attempt.adopted else Kind.STARTED
        self._tell(Happening(kind, self._clock.wall(), **_who(attempt)))

    def ending(self, attempt: RunningAttempt) -> None:
        """We began to end an attempt."""
        if attempt.ending is not None:
            why: dict[str, Any] = {"outcome": attempt.ending.outcome.value, "note": attempt.ending.note}
            self._tell(Happening(Kind.ENDING, self._clock.wall(), **_who(attempt), **why))

    def refused(self, refusal: Refusal) -> None:
        """A waiting file went to failed/ without having run."""
        self.totals[refusal.outcome.value] += 1
        what = refusal.what
        self._tell(
            Happening(Kind.REFUSED, self._clock.wall(), id=refusal.name, outcome=refusal.outcome.value, note=what)
        )

    def settled(self, job_id: str, raw: dict[str, Any], starts: int | None) -> None:
        """An attempt was recorded; `raw` is the document with it."""
        made = raw["attempts"][-1]
        outcome, verdict = Outcome(made["outcome"]), Verdict(made["verdict"])
        self.totals[outcome.value] += 1
        fault = made.get("error") or {}
        event = Happening(
            kind=Kind.COMPLETED if verdict is Verdict.DONE else Kind.FAILED,
            at=self._clock.wall(),
            id=job_id,
            job=str(raw.get("job", "")),
            method=str(raw.get("method", "")),
            attempt=made["number"],
            starts=starts,
            duration=record.duration(made),
            outcome=outcome.value,
            verdict=verdict.value,
            note=": ".join(part for part in (fault.get("type", ""), fault.get("message", "")) if part),
            traceback=fault.get("traceback", ""),
        )
        self._tell(event)
        if verdict is Verdict.RETRY:
            self.totals["retries"] += 1
            again = parse_time(raw["next_run_at"]) if "next_run_at" in raw else None
            retry = replace(event, kind=Kind.RETRY, attempt=made["number"] + 1, next_run_at=again)
            self._tell(replace(retry, duration=None, outcome="", verdict="", note="", traceback=""))

    def _tell(self, event: Happening) -> None:
        self.journal.write(event)
        if self._listener is not None:
            self._listener(event)


def _who(attempt: RunningAttempt) -> dict[str, Any]:
    key = attempt.key
    return {
        "id": key.job_id,
        "job": attempt.job,
        "method": attempt.method,
        "attempt": key.number,
        "starts": attempt.starts,
    }
