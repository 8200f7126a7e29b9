"""The subjects of this repository: spoolrunner in its configurations, the bare loop, and the steps between the two."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import psutil

from tests.benchmarks.subject import ROOT, SLOTS, Ground, Subject, load_program

FOLDERS = ("pending", "running", "done", "failed", "tmp", "locks", "control", "logs/jobs")
JOBS = "tests.benchmarks.load.jobs"
TEN_LINES = "ten_lines"
"""A module in load/ that is imported by that name, for those whose jobs import theirs themselves."""
MAX_LOG_BYTES = 1 << 30


class LogLine(NamedTuple):
    """An event of background_jobs.log: when (seconds since 1970), of what kind, the rest of the line."""

    at: float
    kind: str
    rest: str


class Log:
    """Reads background_jobs.log as it grows."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self.completed = 0

    def read(self) -> list[bytes]:
        """The lines that were added since the last time; counts the jobs completed."""
        try:
            with open(self._path, "rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.completed += sum(b" completed id=" in line for line in lines)
        return lines

    @staticmethod
    def parse(line: bytes) -> LogLine:
        """The line as an event."""
        at, kind, rest = line.decode().split(" ", 2)
        return LogLine(datetime.fromisoformat(at).timestamp(), kind, rest)


class Spoolrunner(Subject):
    """`spoolrunner run` in a folder of its own. What it has completed is read from its log."""

    load = "on_spool"
    executor: ClassVar[str] = "fork"
    syncs: ClassVar[bool] = False
    preload: ClassVar[bool] = True
    slots: ClassVar[int] = SLOTS
    keys: ClassVar[dict[str, Any]] = {}
    """More of config.json."""
    a_process_a_job = True

    def fresh(self) -> None:
        super().fresh()
        settings = {
            "allowed_jobs": {self.module(): ["noop", "stamp"]},
            "python_path": [ROOT if self.preload else os.path.dirname(load_program(""))],
            "concurrency": self.slots,
            "executor": self.executor,
            "preload": self.preload,
            "fsync": self.syncs,
            "max_log_bytes": MAX_LOG_BYTES,
            **self.keys,
        }
        with open(f"{self.folder}/config.json", "w") as stream:
            json.dump(settings, stream)
        for name in FOLDERS:
            os.makedirs(f"{self.folder}/spool/{name}", mode=0o700)

    def path(self, *parts: str) -> str:
        """A path in the spool."""
        return os.path.join(self.folder, "spool", *parts)

    def module(self) -> str:
        """The module of the jobs."""
        return JOBS if self.preload else TEN_LINES

    def env(self) -> dict[str, str]:
        return {**super().env(), "BENCH_CONFIG": f"{self.folder}/config.json", "BENCH_JOB": self.module()}

    def start(self) -> None:
        self.log = Log(self.path("logs", "background_jobs.log"))
        self.log.read()
        self.log.completed = 0
        super().start()

    def commands(self) -> list[list[str]]:
        return [[sys.executable, "-m", "spoolrunner", "run", "--quiet"]]

    def template(self) -> int:
        """The first process that the dispatcher has started and that lives: with fork, the template."""
        children = psutil.Process(self.roots()[0]).children()
        return min(children, key=lambda child: child.create_time()).pid

    def completed(self, filled: int) -> int:
        self.log.read()
        return self.log.completed

    def status(self) -> dict[str, Any]:
        """What status.json says; empty when there is none."""
        try:
            with open(self.path("status.json"), "rb") as stream:
                return dict(json.load(stream))
        except FileNotFoundError:
            return {}


class Fork(Spoolrunner):
    name = "spoolrunner, fork"
    remark = "preloaded: the template has the jobs' module imported (`preload` is true)"
    jobs = 3000


class ForkImport(Fork):
    name = "spoolrunner, fork, own import"
    remark = "`preload` is false: each job's process imports the job's module, of ten lines"
    preload = False


class ForkFsync(Spoolrunner):
    name = "spoolrunner, fork, fsync"
    syncs = True
    fsync = "yes: each record and its folder, each publication"
    remark = "preloaded"


class ForkFsync8(ForkFsync):
    name = "spoolrunner, fork, fsync, 8 slots"
    slots = 8
    remark = "preloaded; 8 slots: syncs overlap"


class ForkDefault(ForkFsync):
    name = "spoolrunner, default"
    remark = "the default configuration, with 2 slots: fork, fsync, and `preload` is false"
    preload = False


class Spawn(Spoolrunner):
    name = "spoolrunner, spawn"
    remark = "a fresh interpreter a job, which imports the module of ten lines"
    preload = False
    executor = "spawn"
    jobs = 60


class SpawnOneSlot(Spawn):
    name = "spoolrunner, spawn, 1 slot"
    slots = 1


class SpawnFsync(Spawn):
    name = "spoolrunner, spawn, fsync"
    syncs = True
    fsync = ForkFsync.fsync


class BareLoop(Subject):
    """Claim, fork, read, record, exit, wait, move; nothing else."""

    name = "bare loop"
    a_process_a_job = True
    remark = "no dispatcher, lock or log; sees no new files"
    load = "on_bare"
    jobs = 4000
    has_latency = False
    program: ClassVar[str] = "bare_loop.py"
    more: ClassVar[tuple[str, ...]] = ()

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._count: memoryview | None = None

    def fresh(self) -> None:
        super().fresh()
        for name in FOLDERS:
            os.makedirs(f"{self.folder}/{name}")
        with open(f"{self.folder}/count", "w+b") as stream:
            stream.write(bytes(8))
            stream.flush()
            self._count = memoryview(mmap.mmap(stream.fileno(), 8)).cast("Q")

    def start(self) -> None:
        words = [sys.executable, "-s", load_program(self.program), self.folder, str(SLOTS), *self.more]
        self._processes = [self.ground.launch(words, self.folder, self.env(), stdin=subprocess.PIPE)]

    def completed(self, filled: int) -> int:
        assert self._count is not None
        return int(self._count[0])


class StepJson(BareLoop):
    """The bare loop with a record that is parsed and written as JSON."""

    name = "+ the document parsed, the record complete"
    remark = ""
    program = "steps.py"
    more = ("1",)


class StepLocks(StepJson):
    name = "+ a lock and its markers for each job"
    more = ("2",)


class StepOutput(StepJson):
    name = "+ a session, streams and a log for each job"
    more = ("3",)


class StepRunner(StepJson):
    name = "+ spoolrunner's runner in place of all that"
    more = ("4",)


STEPS = (StepJson, StepLocks, StepOutput, StepRunner)
