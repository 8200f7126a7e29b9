"""The rest of what a power cut must not break: steps, jobs that wait for others, jobs that tell of a failure, schedules.

A ledger that also hears of these. A step whose value was handed back does not run again. What a job waited for does not run
again once that job was started. A job that failed for good is told of once. The job of a slot is published once, and not again
when it was pruned.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from typing import Any

from spoolrunner import enqueue
from spoolrunner.protocol.states import State
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.paths import Layout
from tests.crash.power_ledger import STARTED, Ledger, given
from tests.crash.real_jobs import HANDED_BACK, MADE

JOB = "tests.crash.real_jobs"
SCHEDULE = "tick"
STEPPED, DOOMED, WAITING = "s", "d", "a"
"""The last letters of the ids of a job in steps, of one that fails for good, and of one that waits for both."""
_TOLD_OF = ".failed."


def settings(pipe: str) -> dict[str, Any]:
    """Return the keys of config.json that these jobs need; the jobs of a slot speak by `pipe`."""
    return {
        "allowed_jobs": {JOB: {"tell": {}, "in_steps": {}, "fail": {"on_failure": f"{JOB}.tell_of"}, "tell_of": {}}},
        "schedules": {SCHEDULE: {"every": "1s", "job": JOB, "method": "tell", "params": [pipe, 0, 0, ""]}},
    }


def publish(name: str, pipe: str, config: str) -> list[str]:
    """Publish a job in steps, one that fails for good, and one that waits for both; returns their ids."""
    stepped, doomed, waiting = (f"{name}-{letter}" for letter in (STEPPED, DOOMED, WAITING))
    enqueue(JOB, "in_steps", given(stepped, pipe), id=stepped, config=config)
    enqueue(JOB, "fail", given(doomed, pipe), id=doomed, config=config)
    after = {"jobs": [stepped, doomed], "when": "ended"}
    enqueue(JOB, "tell", given(waiting, pipe), id=waiting, after=after, config=config)
    return [stepped, doomed, waiting]


class FeatureLedger(Ledger):
    """A ledger that judges steps, dependencies, jobs of failures and slots besides."""

    def __init__(self, layout: Layout, pipe: str, max_retries: int, *, heals: bool = False) -> None:
        super().__init__(layout, pipe, max_retries, heals=heals)
        self._handed_back: set[tuple[str, str]] = set()
        self._begun: set[str] = set()
        self._awaited: dict[str, str] = {}
        self._pruned: set[str] = set()
        self._unjudged: defaultdict[str, list[str]] = defaultdict(list)

    def hear(self, line: str) -> None:
        """A line from the pipe: also a step that is made, and one whose value was handed back to its job."""
        word, *rest = line.split()
        if word == MADE:
            job_id, step = rest
            self.found["steps"] += 1
            if (job_id, step) in self._handed_back:
                self._blame("double", f"{step} of {job_id} was made again after its value had been handed back")
        elif word == HANDED_BACK:
            self._handed_back.add((rest[0], rest[1]))
        else:
            if word == STARTED:
                self._hear_start(rest[0])
            super().hear(line)

    def _hear_start(self, job_id: str) -> None:
        self._begun.add(job_id)
        if job_id in self._awaited:
            self._blame(
                "double",
                f"{job_id} was started again when {self._awaited[job_id]}, which had waited for it, had started",
            )
        if job_id in self._pruned:
            self._blame("double", f"{job_id} of a slot was published again when it had been pruned")
        if job_id.endswith(f"-{WAITING}"):
            self.found["dependants"] += 1
            stem = job_id.removesuffix(WAITING)
            for other in (stem + STEPPED, stem + DOOMED):
                self._awaited[other] = job_id
                if other not in self._begun:
                    self._blame("double", f"{job_id} was started before {other}, for which it waits")

    def judge_recovery(self) -> None:
        """Also: what failed for good was told of once, no step is left of a job that is done, and no slot's job is missing."""
        places = self._places()
        reports = Counter(name.partition(_TOLD_OF)[0] for name in places if _TOLD_OF in name)
        for job_id, states in places.items():
            if job_id.endswith(f"-{DOOMED}") and states == [State.FAILED] and reports[job_id] != 1:
                self._blame(
                    "lost" if not reports[job_id] else "double",
                    f"{job_id} failed, and {reports[job_id]} jobs tell of it",
                )
        for job_id in reports:
            if places.get(job_id) != [State.FAILED]:
                self._blame("double", f"a job tells that {job_id} failed, which lies in {places.get(job_id)}")
        self.found["told of"] += reports.total()
        for name in os.listdir(self._layout.steps) if os.path.isdir(self._layout.steps) else ():
            job_id = name.removesuffix(".jsonl")
            # The removal is not synced: of a job that was over before the cut they may come back, and go with it.
            if places.get(job_id) == [State.DONE] and job_id not in self._over:
                self._blame("lost", f"{name} is left, of a job that is done")
        self._judge_slots(places)
        super().judge_recovery()
        self._handed_back.clear()
        self._begun.clear()
        self._awaited.clear()

    def _judge_slots(self, places: dict[str, list[State]]) -> None:
        note = schedule_notes.read(self._layout, SCHEDULE)
        if note is not None and note.job is not None and note.job not in places and note.job not in self._pruned:
            self._blame("lost", f"{note.job} was noted as published, and is nowhere")
        slots = {name for name in places if name.startswith(f"{SCHEDULE}.")}
        for job_id in slots & self._pruned:
            self._blame("double", f"{job_id} of a slot is there again when it had been pruned")
        self.found["slots"] += len(slots)
        self._pruned |= slots
