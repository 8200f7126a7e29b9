"""Who acts in a soak: the producers, the person at the keyboard, and whoever starts, kills and prunes."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from spoolrunner.client.enqueue import enqueue, enqueue_many
from spoolrunner.spool import dispatcher_lock
from tests.daemon.harness import COMMAND, DEADLINE, Installation
from tests.daemon.soak.books import KINDS, Books

_PRUNED = re.compile(r"^rm .*/(?P<job_id>[^/]*)\.json$", re.MULTILINE)
_FAR_AWAY = 7 * 86400


@dataclass(frozen=True)
class Plan:
    """How long the load lasts in seconds, how many jobs it has, and when the dispatcher is killed."""

    seconds: float
    jobs: int
    kills: tuple[float, ...]

    @classmethod
    def of(cls, seconds: float, jobs: int, dice: random.Random) -> Plan:
        """Two times of kills, 240 times as often as the soak is long but not more than once a second; between, long lives."""
        kills, spacing = [], max(1.0, seconds / 240)
        for begin, end in ((0.02, 0.15), (0.62, 0.75)):
            moment = begin * seconds
            while moment < end * seconds:
                kills.append(moment)
                moment += spacing * dice.uniform(0.2, 1.8)
        return cls(seconds, jobs, tuple(kills))

    @property
    def pause(self) -> float:
        """Seconds between two looks, prunings or doings of the person: the shorter the soak, the shorter."""
        return min(2.0, self.seconds / 30)

    @property
    def keep(self) -> float:
        """Seconds for which finished jobs are kept."""
        return max(1.0, self.seconds / 30)


class Producers:
    """Publish at an even rate: by `enqueue_many`, by `enqueue`, and as a stranger does."""

    def __init__(self, plan: Plan, home: Installation, books: Books, dice: random.Random) -> None:
        self._plan, self._home, self._books, self._dice = plan, home, books, dice
        self._config = str(home.folder / "config.json")
        self.to_cancel: list[tuple[float, str]] = []

    def act(self, elapsed: float) -> float:
        """Publish what is due by now; returns the seconds until the next burst."""
        due = min(self._plan.jobs, int(self._plan.jobs * elapsed / (0.97 * self._plan.seconds)))
        jobs = [self._job(number, elapsed) for number in range(len(self._books.published), due)]
        refused = [job for job in jobs if job["method"] == "refused"]
        way = self._dice.random()
        ours = [job for job in jobs if job["method"] != "refused"]
        if way < 0.8:
            enqueue_many(ours, config=self._config)
        elif way < 0.9:
            for job in ours:
                enqueue(**job, config=self._config)
        else:
            refused += ours
        for job in refused:
            self._home.drop(job["id"], **{key: value for key, value in job.items() if key != "id"})
        self._books.published.update((job["id"], job["method"]) for job in jobs)
        return self._plan.pause * self._dice.uniform(0.1, 2.5)

    def _job(self, number: int, elapsed: float) -> dict:
        method = self._dice.choices(list(KINDS), [kind.weight for kind in KINDS.values()])[0]
        job = {"id": f"soak-{number:06}", "job": "jobs", "method": method, "priority": self._dice.randint(-3, 3)}
        if method == "takes":
            job["params"] = [self._dice.uniform(0.02, min(2.0, self._plan.pause * 4))]
        elif method == "recovers":
            job["params"] = [self._dice.randint(2, 4)]
        elif method == "crashes":
            job["params"] = [self._dice.choice([1, 2, 99])]
        elif method == "waits":
            job["params"] = [10 * self._plan.pause]
        elif method == "later":
            job["delay"] = _FAR_AWAY
        elif self._dice.random() < 0.1:
            job["delay"] = self._dice.uniform(0.0, self._plan.pause)
        if method in ("waits", "later"):
            self.to_cancel.append((elapsed + self._plan.pause * self._dice.uniform(0.2, 2), job["id"]))
        return job


class Person:
    """Cancels jobs, retries them, takes them out of the spool and back, and removes some: all by hand."""

    def __init__(self, plan: Plan, home: Installation, books: Books, dice: random.Random) -> None:
        self._plan, self._books, self._dice = plan, books, dice
        self._spool = home.spool
        self.outside = home.folder / "outside"
        self.outside.mkdir()
        self.did: Counter[str] = Counter()

    def act(self, _elapsed: float) -> float:
        """A handful of moves; returns the seconds until the next."""
        for state in ("failed", "done"):
            moved = self._move(self._some(self._spool / state, 2), self._spool / "pending")
            self._books.retried.update(moved)
            self.did[f"{state} to pending"] += len(moved)
        for state in ("pending", "done", "failed"):
            self.did["out of the spool"] += len(self._move(self._some(self._spool / state, 1), self.outside))
        self.did["back into pending"] += len(self._bring_back())
        if self._dice.random() < 0.5:
            self._remove(self._some(self._spool / self._dice.choice(["pending", "done", "failed"]), 1))
        return self._plan.pause * self._dice.uniform(0.5, 1.5)

    def cancel(self, job_id: str) -> None:
        """Ask for a job to be cancelled, wherever it is."""
        (self._spool / "control" / f"cancel-{job_id}").touch()
        self.did["cancels asked for"] += 1

    def _bring_back(self) -> list[str]:
        """Most of what lies outside. A job that was finished comes back as a retry, like any other."""
        there = sorted(self.outside.iterdir())
        moved = self._move(there[: max(0, len(there) - 5)], self._spool / "pending")
        self._books.retried.update(moved)
        return moved

    def _some(self, folder: Path, most: int) -> list[Path]:
        names = [name for name in os.listdir(folder) if name.endswith(".json")]
        return [folder / name for name in self._dice.sample(names, min(most, len(names)))]

    def _move(self, paths: list[Path], folder: Path) -> list[str]:
        """`mv -n` one by one; returns what it says it moved. What the dispatcher took first is not there any more."""
        moved = []
        for path in paths:
            # Of several files at once mv stats the new names too, and is silent on those that were claimed by then.
            command = ["mv", "-n", "-v", "--", str(path), str(folder)]
            ended = subprocess.run(
                command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
            )
            if ended.stdout.startswith("renamed "):
                moved.append(path.stem)
            else:
                assert ended.stdout == "", ended.stdout
                assert ended.stderr.endswith(": No such file or directory\n"), ended.stderr
        return moved

    def _remove(self, paths: list[Path]) -> None:
        for path in paths:
            try:
                path.unlink()
            except FileNotFoundError:
                continue  # Race: the dispatcher claimed it just now.
            self._books.removed.add(path.stem)
            self.did["removed"] += 1


class Keeper:
    """Starts dispatchers and kills them. Half of the time a second one stands by for the spool of the first."""

    def __init__(self, plan: Plan, home: Installation, dice: random.Random) -> None:
        self._home, self._dice = home, dice
        self._kills = list(plan.kills)
        self._output = (home.folder / "dispatchers").open("ab")
        self._standby: subprocess.Popen | None = None
        self._wants_standby = True
        self._pause = plan.pause
        self.killed = self.taken_over = 0
        self.current = self._start()

    def act(self, elapsed: float) -> float:
        """Kill the dispatcher that serves, and see that there is another; returns the seconds to the next look."""
        assert self.current.poll() is None, f"the dispatcher ended by itself, with {self.current.returncode}"
        while self._kills and self._kills[0] <= elapsed:
            self._kills.pop(0)
            self._replace()
        if self._wants_standby and self._serves():
            self._wants_standby = False
            self._standby = self._start("--standby")
        return max(0.01, min(self._pause, self._kills[0] - elapsed)) if self._kills else self._pause

    def stop(self) -> None:
        """End what runs, as a service manager would; a last one then runs what is due, and sweeps."""
        for process in filter(None, (self._standby, self.current)):
            process.send_signal(signal.SIGTERM)
            # One that was started to stand by a moment ago may not have come so far as to catch the signal.
            assert process.wait(DEADLINE) in ((0, -signal.SIGTERM) if process is self._standby else (0,))
        assert self._start("--drain").wait(DEADLINE) == 0
        self._output.close()

    def kill_all(self) -> None:
        """Leave nothing behind, also when the soak ended before its time."""
        for process in filter(None, (self._standby, self.current)):
            process.kill()
            process.wait(DEADLINE)
        self._output.close()

    def output(self) -> str:
        """What the dispatchers said on standard output and standard error."""
        return Path(self._output.name).read_text()

    def _replace(self) -> None:
        self.current.kill()
        self.current.wait(DEADLINE)
        self.killed += 1
        self.taken_over += self._standby is not None
        self.current = self._standby or self._start()
        self._standby = None
        self._wants_standby = self._dice.random() < 0.5

    def _serves(self) -> bool:
        """Whether the current one has the spool: one that stands by must not be there before it."""
        return dispatcher_lock.holder(str(self._home.spool / "dispatcher.lock")).get("pid") == self.current.pid

    def _start(self, *options: str) -> subprocess.Popen:
        command = [*COMMAND, "run", "--quiet", *options]
        return subprocess.Popen(command, cwd=self._home.folder, stdout=self._output, stderr=subprocess.STDOUT)


class Pruner:
    """Runs `spoolrunner prune` now and then and keeps count of what it removed."""

    def __init__(self, plan: Plan, home: Installation, books: Books) -> None:
        self._plan, self._home, self._books = plan, home, books
        self._running: subprocess.Popen | None = None

    def act(self, _elapsed: float) -> float:
        """Read what the last one said, and start another; returns the seconds until the next."""
        self.finish()
        command = [*COMMAND, "prune"]
        self._running = subprocess.Popen(
            command, cwd=self._home.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return self._plan.keep / 3

    def finish(self) -> None:
        """Wait for the one that runs, and count."""
        if self._running is None:
            return
        said, _ = self._running.communicate(timeout=DEADLINE)
        assert self._running.returncode == 0, said
        self._running = None
        self._books.pruned.update(found["job_id"] for found in _PRUNED.finditer(said))
