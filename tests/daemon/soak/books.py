"""The books of a soak: what was published and what people did; and, at the end, what does not add up.

Knows the spool as an outsider does: folders, documents, and what the jobs told of themselves.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

STATES = ("pending", "running", "done", "failed")
SHOWN = 20


class Kind(NamedTuple):
    """A kind of job: its share of the load, the operator's policy, and the folders in which it may end."""

    weight: int
    policy: Mapping[str, Any]
    ends_in: frozenset[str]

    @property
    def starts(self) -> int:
        """How often it may be started before a verdict on it is final."""
        return 1 + int(self.policy["max_retries"])


_DONE, _FAILED = frozenset({"done"}), frozenset({"failed"})
KINDS = {
    "succeeds": Kind(700, {"max_retries": 3}, _DONE),
    "takes": Kind(50, {"max_retries": 3}, _DONE),
    "recovers": Kind(80, {"max_retries": 3}, _DONE),
    "fails": Kind(60, {"max_retries": 1}, _FAILED),
    "crashes": Kind(50, {"max_retries": 2}, _DONE | _FAILED),
    "hangs": Kind(20, {"max_retries": 1, "timeout": 0.3}, _FAILED),
    "waits": Kind(15, {"max_retries": 0}, _DONE | _FAILED),
    "later": Kind(15, {"max_retries": 0}, _FAILED),
    "refused": Kind(10, {"max_retries": 0}, _FAILED),
}
"""Each but `refused`, which is not on the whitelist, is a function of jobs_under_test.py."""
ALLOWED = {"jobs": {name: kind.policy for name, kind in KINDS.items() if name != "refused"}}
UNTROUBLED = ("succeeds", "takes", "recovers")
"""Kinds whose process is ended by nobody: a kill of the dispatcher must not cost them an attempt."""


@dataclass
class Told:
    """What the processes of one id told: (attempt, moment) of begins, the moments of ends by attempt, witnesses."""

    begins: list[tuple[int, int]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    overlaps: int = 0


def read_told(lines: Iterable[str]) -> dict[str, Told]:
    """By id, what the jobs told; a line is `ID ATTEMPT WORD NANOSECONDS`, the last by CLOCK_MONOTONIC."""
    told: defaultdict[str, Told] = defaultdict(Told)
    for line in lines:
        job_id, attempt, word, moment = line.split()
        if word == "begin":
            told[job_id].begins.append((int(attempt), int(moment)))
        elif word == "end":
            told[job_id].ends[int(attempt)] = int(moment)
        else:
            told[job_id].overlaps += 1
    return dict(told)


@dataclass
class Findings:
    """What does not add up, in sentences."""

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def sentences(self) -> list[str]:
        """All of them, the first few of each sort."""
        return [text for sort in (self.lost, self.double, self.beyond, self.wrong) for text in sort[:SHOWN]]


@dataclass
class Books:
    """What came into the spool and what people took out of it."""

    published: dict[str, str] = field(default_factory=dict)
    retried: Counter[str] = field(default_factory=Counter)
    removed: set[str] = field(default_factory=set)
    pruned: set[str] = field(default_factory=set)

    def places(self, spool: Path, outside: Path) -> dict[str, list[str]]:
        """By id, every place where it is: state folders, outside of the spool, removed by hand, pruned."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        folders = {**{state: spool / state for state in STATES}, "outside": outside}
        for place, folder in folders.items():
            for name in os.listdir(folder):
                if name.endswith(".json"):
                    found[name.removesuffix(".json")].append(place)
        for place, ids in (("removed", self.removed), ("pruned", self.pruned)):
            for job_id in ids:
                found[job_id].append(place)
        return dict(found)

    def audit(
        self, places: Mapping[str, list[str]], documents: Mapping[str, dict[str, Any]], told: Mapping[str, Told]
    ) -> Findings:
        """Hold places, documents (those that are left) and what the jobs told against what was published."""
        found = Findings()
        found.lost += [f"{job_id} is nowhere" for job_id in self.published if not places.get(job_id)]
        for job_id, where in places.items():
            if job_id not in self.published:
                found.double.append(f"{job_id} in {where} was never published")
            elif len(where) > 1:
                found.double.append(f"{job_id} is in {where}")
            elif where[0] in STATES and where[0] not in KINDS[self.published[job_id]].ends_in:
                found.wrong.append(f"{job_id}, which {self.published[job_id]}, ended in {where[0]}/")
        for job_id, words in told.items():
            self._audit_told(job_id, words, found)
        for job_id, document in documents.items():
            self._audit_document(job_id, document, told.get(job_id, Told()), found)
        return found

    def _audit_told(self, job_id: str, told: Told, found: Findings) -> None:
        attempts = Counter(attempt for attempt, _ in told.begins)
        found.double += [f"attempt {n} of {job_id} began {count} times" for n, count in attempts.items() if count > 1]
        found.double += [f"{job_id}: a process found another one of the same id at work"] * told.overlaps
        in_order = sorted(told.begins, key=lambda begin: begin[1])
        for (earlier, _), (later, moment) in pairwise(in_order):
            if told.ends.get(earlier, 0) > moment:
                found.double.append(f"attempt {later} of {job_id} began before attempt {earlier} ended")
        kind = self.published.get(job_id)
        limit = 0 if kind is None else KINDS[kind].starts * (1 + self.retried[job_id])
        if len(told.begins) > limit:
            found.beyond.append(f"{job_id} ({kind}) told {len(told.begins)} starts; its limit is {limit}")

    def _audit_document(self, job_id: str, document: dict[str, Any], told: Told, found: Findings) -> None:
        attempts = document.get("attempts", [])
        uncounted = {attempt for attempt, _ in told.begins} - {made["number"] for made in attempts}
        if uncounted:
            found.beyond.append(f"{job_id} told the starts {sorted(uncounted)}, which its document does not count")
        kind = self.published.get(job_id, "refused")
        if kind == "refused" and attempts:
            found.beyond.append(f"{job_id} is not on the whitelist, and was started")
        outcomes = Counter(made["outcome"] for made in attempts)
        ended_by_nobody = outcomes["crashed"] + outcomes["interrupted"] + outcomes["timed_out"]
        if kind in UNTROUBLED and ended_by_nobody:
            found.wrong.append(f"{job_id} ({kind}) has the outcomes {dict(outcomes)}")
        since_final = 0
        for made in attempts:
            since_final += 1
            if since_final > KINDS[kind].starts:
                found.beyond.append(f"{job_id} ({kind}) has {since_final} starts up to attempt {made['number']}")
            if made["verdict"] != "retry":
                since_final = 0


def documents_of(folders: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """By id, the documents in these folders."""
    return {path.stem: json.loads(path.read_bytes()) for folder in folders for path in folder.glob("*.json")}
