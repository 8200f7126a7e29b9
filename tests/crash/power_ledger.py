"""What was told by producers and jobs, by a pipe that power cuts do not reach, held against what is on the disk."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections import Counter, defaultdict
from typing import Any

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document
from spoolrunner.protocol.states import FINAL, State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable

ACKED, STARTED, LEFT, BROKEN = "acked", "started", "left", "broken"
"""The words that lines of the pipe begin with."""
MAX_STORIES = 10


def given(job_id: str, pipe: str) -> list[Any]:
    """The parameters of the job of that id: everything about it follows from its id, so that a torn document shows."""
    dice = zlib.crc32(job_id.encode())
    seconds, failures = (dice % 4) / 100, int(dice % 7 == 0)
    return [pipe, seconds, failures, job_id * (1 + dice % 50)]


class Ledger:
    """Judges one spool. An era is the time between two cuts; `found` counts what was seen, `stories` tell the first faults.

    With `heals` a job may lie in two folders at a cut, as btrfs leaves it, and no longer when it is recovered.
    """

    def __init__(self, layout: Layout, pipe: str, max_retries: int, *, heals: bool = False) -> None:
        self.found: Counter[str] = Counter()
        self.stories: list[str] = []
        self._heals = heals
        self._layout = layout
        self._pipe = pipe
        self._max_retries = max_retries
        self._era = 0
        self._acked: set[str] = set()
        self._starts: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._left: dict[tuple[str, int], str] = {}
        self._over: set[str] = set()
        self._faulty: set[str] = set()

    def hear(self, line: str) -> None:
        """A line from the pipe: ids that were acknowledged, the start of a job, or the end of an orphan."""
        word, *rest = line.split()
        if word == ACKED:
            self._acked.update(rest)
            self.found["acked"] += len(rest)
        elif word == STARTED:
            job_id, attempt = rest
            self._starts[job_id].append((self._era, int(attempt)))
            self.found["starts"] += 1
            if job_id in self._over:
                self._blame("double", f"{job_id} was started again after its last record")
            if (job_id, int(attempt)) in self._left:
                self._blame("double", f"{job_id} was started again after an orphan had left the outcome of {attempt}")
        elif word == LEFT:
            job_id, attempt, outcome = rest
            self._left[job_id, int(attempt)] = outcome
            self.found["orphans"] += 1
        else:
            raise RuntimeError(f"a producer or a dispatcher is {line}")

    def judge_cut(self) -> None:
        """Right after a cut: what was acknowledged is in exactly one folder, and every document is whole."""
        places = self._places()
        for job_id in sorted(self._acked - places.keys()):
            self._blame("lost", f"{job_id} was acknowledged and is nowhere")
            self._acked.discard(job_id)
        for job_id, states in places.items():
            if len(states) > 1 and self._heals:
                self._judge_two(job_id, states)
                continue
            raw = self._document(job_id, states)
            if raw is None:
                self._acked.discard(job_id)
                continue
            self.found[f"{states[0]} at a cut"] += 1
            attempts = raw.get("attempts", [])
            if attempts and attempts[-1]["verdict"] in FINAL:
                self._over.add(job_id)
                self.found["recorded, not moved, at a cut"] += states[0] not in (State.DONE, State.FAILED)
        self.found["cuts"] += 1
        self._era += 1

    def _judge_two(self, job_id: str, states: list[State]) -> None:
        """It is in two folders until it is recovered. If one of its files says that it is over, it is not to run again."""
        self.found["in two folders at a cut"] += 1
        for state in states:
            with open(self._layout.job(state, job_id), "rb") as stream:
                _, raw = document.parse(stream.read())
            attempts = raw.get("attempts", [])
            if attempts and attempts[-1]["verdict"] in FINAL:
                self._over.add(job_id)

    def judge_recovery(self) -> None:
        """After a dispatcher had nothing left to do: every job has come to its end, and every start was counted."""
        places = self._places()
        for job_id in sorted(self._acked - places.keys()):
            self._blame("lost", f"{job_id} was acknowledged, outlived the cut, and is nowhere")
        for job_id, states in places.items():
            raw = self._document(job_id, states)
            if raw is not None:
                self._judge_end(job_id, states[0], raw.get("attempts", []))
        self.found["recoveries"] += 1
        self._acked.clear()
        self._starts.clear()
        self._left.clear()
        self._over.clear()
        self._tidy()

    def _judge_end(self, job_id: str, state: State, attempts: list[dict[str, Any]]) -> None:
        starts = self._starts.get(job_id, [])
        # A cut may take the marker of the one start that was under way.
        excused = len({era for era, _ in starts if era < self._era})
        story = f"{job_id} in {state} after {starts}: {attempts}"
        if state not in (State.DONE, State.FAILED):
            self._blame("lost", f"not run to its end: {story}")
        if state is State.FAILED and len(attempts) <= self._max_retries:
            self._blame("lost", f"given up too early: {story}")
        for made in attempts:
            left = self._left.get((job_id, made["number"]), made["outcome"])
            if made["outcome"] != left:
                self._blame("lost", f"an orphan had left {left}: {story}")
        if len(starts) != len(set(starts)):
            self._blame("double", f"an attempt was started twice between two cuts: {story}")
        if len(attempts) < len(starts) - excused:
            self._blame("beyond", f"a start was not counted: {story}")
        if len(attempts) > 1 + self._max_retries:
            self._blame("beyond", f"more attempts than allowed: {story}")
        self.found["crashed"] += sum(made["outcome"] == "crashed" for made in attempts)
        self.found["starts whose marker a cut took"] += max(0, len(starts) - len(attempts))

    def _places(self) -> dict[str, list[State]]:
        """The folders that hold each id, under whatever number."""
        places: defaultdict[str, list[State]] = defaultdict(list)
        spool = Spool(self._layout)
        for state in State:
            if os.path.isdir(self._layout.folder(state)):  # without syncs a cut may take the folders themselves
                for name in spool.names(state):
                    places[name.partition("~")[0]].append(state)
        return places

    def _document(self, job_id: str, states: list[State]) -> dict[str, Any] | None:
        """The one document of that id, or None with the fault told, once."""
        if job_id in self._faulty:
            return None
        self._faulty.add(job_id)
        if len(states) > 1:
            self._blame("double", f"{job_id} is in {', '.join(self._look(state, job_id) for state in states)}")
            return None
        with open(self._layout.job(states[0], job_id), "rb") as stream:
            data = stream.read()
        try:
            _, raw = document.parse(data)
        except JobFormatError as error:
            self._blame("lost", f"{job_id} in {states[0]} is not whole ({error}): {data[:200]!r}")
            return None
        if "." not in job_id and raw["params"] != given(job_id, self._pipe):  # those with a dot are not of a producer
            self._blame("lost", f"{job_id} in {states[0]} is another: {data[:200]!r}")
            return None
        self._faulty.discard(job_id)
        return raw

    def _look(self, state: State, job_id: str) -> str:
        path = self._layout.job(state, job_id)
        status = os.stat(path)
        with open(path, "rb") as stream:
            made = len(json.loads(stream.read() or b"{}").get("attempts", []))
        return f"{state} (inode {status.st_ino} of {status.st_nlink} names, {made} attempts)"

    def _blame(self, what: str, story: str) -> None:
        self.found[what] += 1
        if len(self.stories) < MAX_STORIES:
            self.stories.append(f"{what} (era {self._era}): {story}")

    def _tidy(self) -> None:
        """Make room, for good: what was judged is removed, and so is what the dead were writing."""
        over = [self._layout.folder(state) for state in (State.DONE, State.FAILED)]
        for folder in (self._layout.tmp, self._layout.job_logs, *over):
            for name in os.listdir(folder):
                _remove(os.path.join(folder, name))
        for folder in over:
            durable.sync_folder(folder)


def _remove(path: str) -> None:
    """Remove a file, or the folder of a rehearsal that was cut short."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
