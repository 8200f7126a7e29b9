"""One soak from its first job to the audit: the actors take turns by the clock, in one thread."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import psutil

from tests.daemon.harness import Installation, until
from tests.daemon.soak import gauges
from tests.daemon.soak.actors import Keeper, Person, Plan, Producers, Pruner
from tests.daemon.soak.books import ALLOWED, Books, Findings, documents_of, read_told
from tests.daemon.soak.gauges import Sample

PATIENCE = 600.0
"""Seconds given to what is still to be run when the load has ended."""
_CONFIG = {"allowed_jobs": ALLOWED, "concurrency": 8, "kill_grace": 1, "stop_grace": 5, "max_log_bytes": 2 << 20}
_LOOK_AGAIN = 1.0


def install(folder: Path, plan: Plan) -> Installation:
    """A spool with the jobs of the soak, synced as in production."""
    keep = {"keep_done": plan.keep, "keep_failed": plan.keep, "retry_interval": min(0.5, plan.pause)}
    home = Installation(folder, **_CONFIG, **keep)
    shutil.copy(Path(__file__).with_name("jobs_under_test.py"), folder / "jobs.py")
    return home


class Soak:
    """The load of a plan on one spool."""

    def __init__(self, plan: Plan, home: Installation, seed: int) -> None:
        dice = random.Random(seed)
        self.plan, self.home = plan, home
        self.books = Books()
        self.producers = Producers(plan, home, self.books, dice)
        self.person = Person(plan, home, self.books, dice)
        self.pruner = Pruner(plan, home, self.books)
        self.lives: list[list[Sample]] = [[]]
        self._seed = seed
        self._served = 0
        self._findings: Findings | None = None
        self.keeper = Keeper(plan, home, dice)

    def run(self) -> Findings:
        """Let all act until the load has ended and everything is settled; then audit."""
        began = time.monotonic()
        actors = {
            self.producers.act: 0.0,
            self.person.act: 0.0,
            self._cancel: 0.0,
            self.keeper.act: 0.0,
            self.pruner.act: self.plan.keep,
            self._look: 0.0,
        }
        waiter = threading.Event()
        while (elapsed := time.monotonic() - began) < self.plan.seconds or self._is_short():
            act = min(actors, key=actors.__getitem__)
            waiter.wait(min(_LOOK_AGAIN, max(0.0, actors[act] - elapsed)))
            elapsed = time.monotonic() - began
            if actors[act] <= elapsed:
                actors[act] = elapsed + act(elapsed)
        self.pruner.finish()
        until(self._is_settled, PATIENCE)
        self.keeper.stop()
        until(self._is_alone)
        return self.audit()

    def audit(self) -> Findings:
        """What does not add up now, with nothing running any more."""
        spool = self.home.spool
        documents = documents_of([spool / "done", spool / "failed", self.person.outside])
        with (self.home.folder / "told").open() as lines:
            told = read_told(lines)
        found = self.books.audit(self.books.places(spool, self.person.outside), documents, told)
        found.wrong += [f"locks/{name} is left" for name in os.listdir(spool / "locks")]
        found.wrong += [f"control/{name} is left" for name in os.listdir(spool / "control")]
        left = os.listdir(spool / "tmp")
        if len(left) > self.keeper.killed * _CONFIG["concurrency"]:  # a batch has as many staged at a time
            found.wrong.append(f"{len(left)} files are left in tmp/ by {self.keeper.killed} kills: {left[:5]}")
        if said := self.keeper.output():
            found.wrong.append(f"the dispatchers said:\n{said[-5000:]}")
        return found

    def growth(self) -> list[str]:
        """What rose within a life of a dispatcher that was long enough to be judged."""
        return [text for life in self.lives if gauges.is_judged(life) for text in gauges.growth(life)]

    def summary(self) -> list[str]:
        """The figures of this soak, a line each."""
        with (self.home.folder / "told").open() as lines:
            starts = sum(1 for line in lines if " begin " in line)
        places = Counter(place for where in self._places().values() for place in where)
        return [
            f"soak of {self.plan.seconds:.0f} s, seed {self._seed}",
            f"published: {len(self.books.published):,} {dict(Counter(self.books.published.values()))}",
            f"starts told: {starts:,}",
            f"dispatchers killed: {self.keeper.killed}, of these replaced by one that stood by: {self.keeper.taken_over}",
            f"by hand: {dict(self.person.did)}",
            f"at the end: {dict(places)}; left in tmp/: {len(os.listdir(self.home.spool / 'tmp'))}",
            "gauges, median of the second quarter -> of the last quarter of each long life:",
            *gauges.table(self.lives),
        ]

    def close(self) -> None:
        """End whatever still runs."""
        self.keeper.kill_all()

    def _places(self) -> dict[str, list[str]]:
        return self.books.places(self.home.spool, self.person.outside)

    def _is_short(self) -> bool:
        return len(self.books.published) < self.plan.jobs

    def _cancel(self, elapsed: float) -> float:
        due = [job_id for moment, job_id in self.producers.to_cancel if moment <= elapsed]
        self.producers.to_cancel = [entry for entry in self.producers.to_cancel if entry[0] > elapsed]
        for job_id in due:
            self.person.cancel(job_id)
        return self.plan.pause / 4

    def _look(self, elapsed: float) -> float:
        """Take a sample; a dispatcher that is new begins a new life."""
        if self.keeper.killed != self._served:
            self._served = self.keeper.killed
            self.lives.append([])
        sample = gauges.take(self.home.spool, self.keeper.current.pid, elapsed)
        if sample is not None:
            self.lives[-1].append(sample)
        return self.plan.pause

    def _is_alone(self) -> bool:
        """Whether the last template has ended too, which works in tmp/ for a while after its dispatcher is gone."""
        folders = [process.info["cwd"] for process in psutil.process_iter(["cwd"])]
        return str(self.home.folder) not in folders

    def _is_settled(self) -> bool:
        """Whether nothing waits or runs. What was out of the spool when its cancel came waits in vain: it is asked again."""
        waiting = [name.removesuffix(".json") for name in os.listdir(self.home.spool / "pending")]
        for job_id in waiting:
            request = self.home.spool / "control" / f"cancel-{job_id}"
            if self.books.published[job_id] == "later" and not request.exists():
                self.person.cancel(job_id)
        return not waiting and not any(os.listdir(self.home.spool / name) for name in ("running", "control"))
