"""What every subject of the benchmarks offers, so that all are measured by the same code.

A subject is one queue in one configuration. To add one: a module in `load/` that publishes its jobs, and a class that
starts its processes and tells how many jobs it has completed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import psutil

from tests.benchmarks import measure
from tests.benchmarks.measure import Stretch, Window

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLOTS = 2
GRACE = 15.0
CLIENT_LIMIT = 1800.0


class Ground:
    """Where the subjects stand: a folder for everything they write, and the processes that were started in it.

    `folder` may be set to another: what is made anew from then on is made there.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def new_folder(self, name: str) -> str:
        """A new empty folder."""
        return tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)

    def launch(self, command: list[str], folder: str, env: dict[str, str], **streams: Any) -> subprocess.Popen[bytes]:
        """Start a process in `folder`, its output in the file `output` there."""
        with open(os.path.join(folder, "output"), "ab") as output:
            streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output} | streams
            started = subprocess.Popen(command, cwd=folder, env=environment(env), **streams)
        self._started.append(started)
        return started

    def end(self, started: subprocess.Popen[bytes]) -> None:
        """End a process that was launched here: ask it, and after a while kill what is left of its tree."""
        descendants = measure.tree([started.pid])[1:] if started.poll() is None else []
        for stream in (started.stdin, started.stdout):
            if stream is not None:
                stream.close()  # those that have a standard input end with it
        if started.stdin is None:
            started.terminate()
        for again in (started.terminate, started.kill):
            try:
                started.wait(GRACE)
                break
            except subprocess.TimeoutExpired:
                again()
        started.wait(GRACE)
        _, alive = psutil.wait_procs(descendants, timeout=2)
        for process in alive:
            process.kill()
        self._started.remove(started)

    def answer(self, command: list[str], folder: str, env: dict[str, str]) -> Any:
        """Run a program that prints JSON; what it printed."""
        started = self.launch(command, folder, env, stdout=subprocess.PIPE)
        try:
            text, _ = started.communicate(timeout=CLIENT_LIMIT)
        finally:
            self.end(started)
        if started.returncode:
            raise ChildProcessError(f"{' '.join(command[1:])} ended with {started.returncode}: {last_words(folder)}")
        return json.loads(text)

    def close(self) -> None:
        """End whatever still runs."""
        for started in list(self._started):
            self.end(started)


class Subject:
    """One queue in one configuration: `fresh`, `fill`, `start`, look at it, `stop`."""

    name: ClassVar[str] = ""
    a_process_a_job: ClassVar[bool] = False
    fsync: ClassVar[str] = "no"
    remark: ClassVar[str] = ""
    modules: ClassVar[tuple[str, ...]] = ()
    programs: ClassVar[tuple[str, ...]] = ()
    load: ClassVar[str] = ""
    jobs: ClassVar[int] = 2000
    """Jobs of one drain: what takes one or two seconds."""
    enqueues: ClassVar[int] = 2000
    has_latency: ClassVar[bool] = True
    largest_backlog: ClassVar[int] = 1_000_000
    why_not_larger: ClassVar[str] = ""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.folder = ""
        self._processes: list[subprocess.Popen[bytes]] = []

    @classmethod
    def missing(cls) -> str:
        """What it needs and this machine has not, in words; empty when it can be measured."""
        lacking = [f"the Python package {name}" for name in cls.modules if importlib.util.find_spec(name) is None]
        lacking += [f"the program {name}" for name in cls.programs if shutil.which(name) is None]
        return " and ".join(lacking)

    def fresh(self) -> None:
        """Begin anew, with nothing queued, in a new folder; what others wrote is flushed, so that they pay for it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = self.ground.new_folder("subject")
        os.sync()

    def env(self) -> dict[str, str]:
        """What its processes and its producers find in the environment."""
        return {"BENCH_FOLDER": self.folder}

    def commands(self) -> list[list[str]]:
        """The processes that serve the queue."""
        raise NotImplementedError

    def start(self) -> None:
        """Start what serves the queue."""
        self._processes = [self.ground.launch(words, self.folder, self.env()) for words in self.commands()]

    def stop(self) -> None:
        """End what `start` started."""
        for started in self._processes:
            self.ground.end(started)
        self._processes = []

    def settle_down(self) -> None:
        """Wait until a subject that was just started is idle."""
        measure.pause(2.5)

    def roots(self) -> list[int]:
        """The processes that `start` started."""
        return [started.pid for started in self._processes]

    def servers(self) -> list[int]:
        """The servers it needs, which are not its own."""
        return []

    def completed(self, filled: int) -> int:
        """How many of the `filled` jobs are through; cheap, since it is asked all the time."""
        raise NotImplementedError

    def fill(self, count: int) -> float:
        """Publish many jobs in the fastest way there is; jobs a second."""
        return float(self.client("fill", count))

    def enqueue(self, count: int) -> float:
        """Publish jobs one by one, with nobody to run them; jobs a second."""
        return float(self.client("enqueue", count))

    def drain(self, count: int, limit: float = 120.0) -> Window:
        """Fill, start, and watch all but the first tenth, in which the processes get going."""
        self.fresh()
        self.fill(count)
        self.start()
        try:
            return self.watch(count, count // 10, count, limit)
        finally:
            self.stop()

    def watch(self, filled: int, first: int, last: int, limit: float = 120.0) -> Window:
        """The stretch from the `first` job completed to the `last`, of `filled` ones."""
        roots, servers = self.roots(), self.servers()
        found = self.stretch(
            filled, first, last, lambda: (measure.cpu_seconds(roots), measure.cpu_seconds(servers)), limit
        )
        return Window(found.jobs, found.seconds, *found.grown)

    def stretch(
        self, filled: int, first: int, last: int, read: Callable[[], Sequence[float]], limit: float = 120.0
    ) -> Stretch:
        """As `watch`, with the growth of whatever `read` returns; ChildProcessError if a process of ours ends meanwhile."""

        def completed() -> int:
            for started in self._processes:
                if started.poll() is not None:
                    raise ChildProcessError(f"it ended with {started.returncode}: {last_words(self.folder)}")
            return self.completed(filled)

        return measure.watch(completed, first, last, read, limit)

    def latency(self, count: int) -> list[float]:
        """Milliseconds from publication to the first line of the job, of that many jobs one at a time; it is running."""
        return list(self.client("latency", count))

    def client(self, action: str, count: int, **env: str) -> Any:
        """What a producer in a process of its own answers."""
        words = [sys.executable, "-m", "tests.benchmarks.load.client", self.load, action, str(count)]
        return self.ground.answer(words, self.folder, self.env() | env)


def last_words(folder: str) -> str:
    """The end of what the processes printed that were launched in this folder."""
    with open(os.path.join(folder, "output"), errors="replace") as stream:
        return " ".join(stream.read()[-500:].split())


def environment(more: dict[str, str]) -> dict[str, str]:
    """This process's environment, with this checkout on the path, and with bytecode kept, as for a program that runs twice."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, "PYTHONPATH": ROOT, **more}


def load_program(name: str) -> str:
    """The path of a program in load/ that is run as a script, not as a module."""
    return os.path.join(ROOT, "tests", "benchmarks", "load", name)


def script(name: str) -> str:
    """The path of a command that was installed beside this interpreter."""
    return os.path.join(os.path.dirname(sys.executable), name)
