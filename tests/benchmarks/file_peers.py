"""The peers that need no server: Huey in files and in SQLite, and the queues of shell commands."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from typing import ClassVar

from tests.benchmarks.measure import Window
from tests.benchmarks.subject import SLOTS, Subject, load_program, script


class Huey(Subject):
    """`huey_consumer` with two processes."""

    modules = ("huey",)
    load = "on_huey"
    kind: ClassVar[str]

    def env(self) -> dict[str, str]:
        return {**super().env(), "BENCH_HUEY": self.kind}

    def commands(self) -> list[list[str]]:
        polling = ("-d", "0.01", "-m", "0.01", "--no-periodic")
        instance = "tests.benchmarks.load.on_huey.huey"
        return [[script("huey_consumer"), instance, "-w", str(SLOTS), "-k", "process", "-q", *polling]]


class HueyFiles(Huey):
    name = "Huey, files"
    remark = "two processes, each for many jobs; looks every 10 ms when idle"
    kind = "file"
    jobs = 4000

    def completed(self, filled: int) -> int:
        return filled - len(os.listdir(f"{self.folder}/huey/queue"))


class HueySqlite(Huey):
    name = "Huey, SQLite"
    remark = f"{HueyFiles.remark}; fsync=False"
    kind = "sqlite"
    jobs = 20_000

    def completed(self, filled: int) -> int:
        database = sqlite3.connect(f"file:{self.folder}/huey.db?mode=ro", uri=True)
        try:
            return int(filled - database.execute("select count(*) from task").fetchone()[0])
        finally:
            database.close()


class ShellQueue(Subject):
    """A queue of shell commands, whose waiting jobs are processes; `load/herd.py` inherits and counts them."""

    a_process_a_job = True
    remark = "the job is /bin/true, not Python"
    enqueues = 500
    largest_backlog = 1000
    why_not_larger = "every waiting job is a process"
    kind: ClassVar[str]

    def herd(self, action: str, count: int) -> list[str]:
        """The words that start the program."""
        return [sys.executable, "-I", load_program("herd.py"), self.kind, action, str(count)]

    def drain(self, count: int, limit: float = 120.0) -> Window:
        self.fresh()
        found = self.ground.answer(self.herd("drain", count), self.folder, {})
        return Window(found["jobs"], found["seconds"], found["cpu"], 0.0)

    def enqueue(self, count: int) -> float:
        return float(self.ground.answer(self.herd("enqueue", count), self.folder, {}))

    def start(self) -> None:
        words = self.herd("idle", 100)
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._processes = [self.ground.launch(words, self.folder, {}, **streams)]
        assert self._processes[0].stdout is not None
        server = json.loads(self._processes[0].stdout.readline())
        self._roots = [] if server is None else [server]

    def roots(self) -> list[int]:
        return self._roots

    def latency(self, count: int) -> list[float]:
        return list(self.ground.answer(self.herd("latency", count), self.ground.new_folder("shell"), {}))


class TaskSpooler(ShellQueue):
    name = "task-spooler"
    programs = ("tsp",)
    kind = "tsp"
    jobs = 800  # its server takes at most a thousand connections, and each waiting job is one


class Nq(ShellQueue):
    name = "nq"
    programs = ("nq",)
    kind = "nq"
    jobs = 800
    remark = f"{ShellQueue.remark}; two queues, since one runs one job at a time"
