"""What becomes of a stranger's document: the dispatcher's look at it and, if it is taken, what its process does with it.

All of that in this process, on real files, with a clock that is moved by hand; no job is called.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from spoolrunner.attempt.binding import Callee
from spoolrunner.config.load import parse_config
from spoolrunner.dispatch.candidate import Candidate
from spoolrunner.dispatch.intake import SETTLE_SECONDS, Intake
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.order import Order
from spoolrunner.dispatch.postponed import Register
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.protocol import document, jsontext, whitelist
from spoolrunner.protocol.policy import job_policy
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import record
from spoolrunner.spool.folders import Spool
from spoolrunner.system import durable
from spoolrunner.telling.events import Event, Refused
from tests.conftest import FakeClock
from tests.fuzz import jobs_under_test
from tests.fuzz.grammar import ALLOWED, LIMITS

REASON_KEYS = {"outcome", "what", "where", "when"}
CALLEES = {
    **{("jobs", name): Callee(name, getattr(jobs_under_test, name), None) for name in ALLOWED["jobs"]},
    ("jobs.Sum", "up"): Callee("up", jobs_under_test.Sum.up, jobs_under_test.Sum),
}
LONGEST_REASON = 64 << 10
"""Bytes; a reason is for people, whatever the document was."""


@dataclass
class Counts:
    """What became of the documents, and the most processor time that the look at one of them took."""

    taken: int = 0
    refused: int = 0
    slowest: float = 0.0

    @property
    def all(self) -> int:
        """How many there were."""
        return self.taken + self.refused


class Reception:
    """A spool in `folder` and the rooms that look at what lies in pending/."""

    def __init__(self, folder: str) -> None:
        raw = {"allowed_jobs": ALLOWED, "fsync": False, **LIMITS}
        self._config = parse_config(os.path.join(folder, "config.json"), raw)
        self._spool = Spool(self._config.layout, fsync=False)
        self._spool.make()
        self._clock = FakeClock()
        self._refused: dict[str, Refused] = {}
        reporter = Reporter(self._clock, [self._note])
        register = Register()
        faults = FileFaults(self._spool, register, reporter, self._clock)
        self._intake = Intake(self._config, self._spool, Order(60.0), register, faults, reporter, self._clock)
        self.counts = Counts()

    def receive(self, documents: Sequence[bytes]) -> list[str]:
        """Let them all come in; returns, in sentences, what went otherwise than promised."""
        found = []
        names = {f"d{number}": data for number, data in enumerate(documents)}
        for name, data in names.items():
            durable.write_new(self._spool.layout.job(State.PENDING, name), data, fsync=False)
            found += self._guarded(name, data, self._look)
        self._clock.advance(SETTLE_SECONDS + 0.1)
        for name, data in names.items():
            if name not in self._refused and self._spool.exists(State.PENDING, name):
                found += self._guarded(name, data, self._look)
            found += self._guarded(name, data, self._judge)
            self._clear(name)
        return found

    def _guarded(self, name: str, data: bytes, step: Any) -> list[str]:
        try:
            problem = step(name, data)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        return [f"{data[:300]!r}: {step.__name__}: {problem}"] if problem else []

    def _look(self, name: str, _data: bytes) -> None:
        began = time.thread_time()
        self._intake.look(name)
        self.counts.slowest = max(self.counts.slowest, time.thread_time() - began)

    def _judge(self, name: str, data: bytes) -> str | None:
        if name in self._refused:
            self.counts.refused += 1
            return self._judge_refused(self._refused[name], data)
        candidate = self._intake.take(name) or self._intake.examine(name)
        if candidate is None:
            return "neither taken nor refused"
        self.counts.taken += 1
        return self._run(candidate, data)

    def _judge_refused(self, refusal: Refused, data: bytes) -> str | None:
        path, reason_path = self._spool.layout.job(State.FAILED, refusal.id), self._spool.layout.reason(refusal.id)
        with open(path, "rb") as stream:
            kept = stream.read()
        with open(reason_path, "rb") as stream:
            reason = stream.read()
        if kept != data:
            return "the bytes in failed/ are others"
        if len(reason) > LONGEST_REASON:
            return f"the reason has {len(reason)} bytes"
        if set(orjson.loads(reason)) != REASON_KEYS:
            return f"the reason is {reason[:200]!r}"
        return None

    def _run(self, candidate: Candidate, data: bytes) -> str | None:
        """What the job's process does with the document, but for calling the job; it must be possible to write it again."""
        raw = jsontext.decode(data)
        method_policy = whitelist.entry(self._config.allowed, raw["job"], raw["method"])
        policy = job_policy(raw, method_policy, self._config.limits)
        problem = CALLEES[raw["job"], raw["method"]].problem(raw.get("params", []))
        outcome = Outcome.REJECTED if problem else Outcome.FAILED
        error = record.error("TypeError", problem) if problem else None
        number = len(candidate.document.attempts) + 1
        made = record.attempt(number, outcome, "2027-01-15T08:00:00Z", self._clock.wall(), error=error)
        changed, _ = record.add(raw, made, policy, self._clock.wall())
        _, again = document.parse(jsontext.encode(changed))
        if again != changed or any(again[key] != raw[key] for key in raw if key not in record._REPLACED):
            return f"it came back as {again!r}"
        return None

    def _clear(self, name: str) -> None:
        layout = self._spool.layout
        self._intake.forget(name)
        self._refused.pop(name, None)
        for path in (layout.job(State.PENDING, name), layout.job(State.FAILED, name), layout.reason(name)):
            durable.unlink(path)

    def _note(self, refusal: Event, _at: float) -> None:
        assert isinstance(refusal, Refused)
        self._refused[refusal.id.partition("~")[0]] = refusal
