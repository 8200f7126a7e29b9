"""A machine that loses its power again and again under load: a dispatcher, two producers and their jobs, all real processes.

Run as a program it cuts the power as often as it is told and prints what was found, as JSON. `cut_power` runs it in a pid
and a mount namespace of its own. There it is the first process, so that every process that lost its parent is its child,
and none is missed when the power goes.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import psutil

from spoolrunner import cli, enqueue, enqueue_many
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable, machine, mounting
from tests.crash import power_disk, power_features
from tests.crash.power_disk import KINDS, Disk
from tests.crash.power_features import FeatureLedger
from tests.crash.power_ledger import ACKED, BROKEN, given

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JOB = "tests.crash.real_jobs"
MAX_RETRIES = 3
LONGEST = 0.6
"""Seconds of load before a cut, at most: from the first start of a job on, as a rule."""
EARLY = 0.2
"""The share of cuts that do not wait for a first start."""
LONGEST_BEGIN = 10.0
"""Seconds in which the first job starts also on a busy machine."""
JOBS_AN_ERA = 40
"""What a producer publishes at most between two cuts."""
FEATURES_AN_ERA = 6
"""How many jobs in steps, jobs that fail for good and jobs that wait for both are published between two cuts, at most."""
AFTER_A_BURST = 0.6
"""Seconds for which a producer that publishes in bursts is silent after each."""
ORPHANED = 0.5
"""The share of cuts before which the dispatcher is killed, so that its jobs come to their ends without one."""
LONGEST_ALONE = 0.15
"""Seconds that these have for it, at most; the longest job takes a fifth of that."""
RECOVERED = 0.75
"""The share of cuts after which a dispatcher may recover in peace; after the others the next cut strikes while it does."""
DEADLINE = 60.0
REBOOTED = 0.5
"""The share of cuts after which the machine was started again; after the others the file system alone was mounted again."""
EVERYTHING, NO_NAMES, NOTHING = "everything", "no names", "nothing"
"""What is synced: all that should be; all but the names in pending/, by producers; nothing (`fsync: false`)."""
BLIND = "everything, blindly"
"""As everything, but no dispatcher knows that a file system was mounted again."""


@dataclass
class Report:
    """What a run found: counts by name, and the stories of the first faults."""

    found: dict[str, int]
    stories: list[str]
    seconds: float

    def count(self, name: str) -> int:
        """How often that was found."""
        return self.found.get(name, 0)


def cut_power(kind: str, cuts: int, *, seed: int = 1, syncs: str = EVERYTHING, timeout: float = DEADLINE) -> Report:
    """Cut the power of a machine with a file system of that kind so often; `syncs` says what is synced on it."""
    with tempfile.TemporaryDirectory(prefix="power-", dir=power_disk.memory_folder()) as folder:
        options = json.dumps({"folder": folder, "kind": kind, "cuts": cuts, "seed": seed, "syncs": syncs})
        command = ["unshare", *power_disk.NAMESPACES, sys.executable, "-m", "tests.crash.power", options]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    if ended.returncode:
        raise RuntimeError(f"the machine broke down: {ended.stdout}{ended.stderr}")
    return Report(**json.loads(ended.stdout))


@dataclass
class Machine:
    """What runs on `disk`; `folder` is on another one, and knows no power cuts.

    A producer publishes so many `jobs` and, if there is a `burst`, nothing for a while after each so many of them.
    """

    disk: Disk
    folder: str
    syncs: str
    dice: random.Random
    jobs: int = JOBS_AN_ERA
    burst: int = 0
    era: int = 0
    boot: int = 0
    ledger: FeatureLedger = field(init=False)
    _heard: bytes = b""

    def __post_init__(self) -> None:
        self.config = os.path.join(self.folder, "config.json")
        self.pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(self.pipe)
        self._ear = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)
        self._said = os.open(os.path.join(self.folder, "said"), os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.layout = Layout(os.path.join(self.disk.mount_point, "spool"))
        self.ledger = FeatureLedger(self.layout, self.pipe, MAX_RETRIES)
        settings = {
            **power_features.settings(self.pipe), "spool": self.layout.root, "python_path": [ROOT], "concurrency": 4,
            "max_retries": MAX_RETRIES, "retry_interval": 0, "max_log_bytes": 100_000, "fsync": self.syncs != NOTHING,
        }  # fmt: skip
        with open(self.config, "w", encoding="utf-8") as stream:
            json.dump(settings, stream)

    def live_through(self, cuts: int) -> None:
        """Be cut so often, and judged after each."""
        for left in reversed(range(cuts)):
            self._run_until_cut()
            self.ledger.judge_cut()
            # Where nothing is promised what is left is not recovered, only counted.
            if self.syncs in (EVERYTHING, BLIND) and (left == 0 or self.dice.random() < RECOVERED):
                self._recover()
                self.ledger.judge_recovery()

    def _run_until_cut(self) -> None:
        Spool(self.layout).make()  # as a person who finds that the cut took the folders, too
        dispatcher = self._fork(self._dispatch)
        for number, at_once in ((1, 1), (2, 20)):
            self._fork(lambda number=number, at_once=at_once: self._produce(number, at_once))
        self._fork(self._produce_features)
        if self.dice.random() >= EARLY:
            begun = self.ledger.found["starts"]
            self._listen(LONGEST_BEGIN, lambda: self.ledger.found["starts"] > begun)
        self._listen(self.dice.uniform(0.02, LONGEST))
        if self.dice.random() < ORPHANED:
            os.kill(dispatcher, signal.SIGKILL)
            self._listen(self.dice.uniform(0, LONGEST_ALONE))
        self.disk.cut()
        end_everybody()
        self._hear()
        self.disk.remove()
        self.disk.power_on()
        self.era += 1
        reboots = self.dice.random() < REBOOTED
        self.boot += reboots
        self.ledger.found["mounted again without a reboot"] += not reboots

    def _recover(self) -> None:
        """A new dispatcher, until nothing waits and nothing runs."""
        Spool(self.layout).make()
        pid = self._fork(lambda: self._dispatch("--drain"))
        ended: list[int] = []

        def is_over() -> bool:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                ended.append(os.waitstatus_to_exitcode(status))
            return bool(ended)

        self._listen(DEADLINE, is_over)
        if ended != [0]:
            raise RuntimeError(f"the dispatcher did not come to an end ({ended}): {self._last_words()}")
        end_everybody()
        self._hear()

    def _dispatch(self, *options: str) -> int:
        os.dup2(self._said, 1)
        os.dup2(self._said, 2)
        # A file system that is mounted again is not yet a machine that was started again.
        blindness = mock.patch.object(mounting, "name_of_mounting", return_value="the only one")
        with (
            mock.patch.object(machine, "boot_id", return_value=f"boot-{self.boot}"),
            blindness if self.syncs == BLIND else nullcontext(),
        ):
            return cli.main(["--config", self.config, "run", "--quiet", *options])

    def _produce(self, number: int, at_once: int) -> int:
        """Publish jobs, by `enqueue` or in batches of different sizes, and tell of each one that was acknowledged."""
        if self.syncs == NO_NAMES:
            durable.sync_folder = lambda path: None
        dice = random.Random(f"{self.era}-{number}")
        ear = os.open(self.pipe, os.O_WRONLY)
        left = self.jobs
        while left > 0:
            count = dice.randint(1, at_once)
            left -= count
            ids = [f"e{self.era}-p{number}-{left + index}" for index in range(count)]
            if at_once == 1:
                enqueue(JOB, "tell", given(ids[0], self.pipe), id=ids[0], config=self.config)
            else:
                batch = [{"job": JOB, "method": "tell", "params": given(made, self.pipe), "id": made} for made in ids]
                enqueue_many(batch, config=self.config)
            os.write(ear, f"{ACKED} {' '.join(ids)}\n".encode())
            is_over = self.burst and left // self.burst != (left + count) // self.burst
            select.select([], [], [], AFTER_A_BURST if is_over else dice.uniform(0, 0.02) * count)
        return 0

    def _produce_features(self) -> int:
        """Publish jobs in steps, jobs that fail for good, and jobs that wait for both."""
        dice = random.Random(f"{self.era}-features")
        ear = os.open(self.pipe, os.O_WRONLY)
        for number in range(FEATURES_AN_ERA):
            ids = power_features.publish(f"e{self.era}-f{number}", self.pipe, self.config)
            os.write(ear, f"{ACKED} {' '.join(ids)}\n".encode())
            select.select([], [], [], dice.uniform(0, 0.1))
        return 0

    def _fork(self, body: Callable[[], int]) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            status = body()
        except Exception as error:
            if self.disk.has_power():
                os.write(self._ear, f"{BROKEN} {error!r}\n".encode())
        finally:
            os._exit(status)

    def _listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not until():
            if select.select([self._ear], [], [], min(left, 0.02))[0]:
                self._hear()

    def _hear(self) -> None:
        """Take out of the pipe what is in it."""
        try:
            while data := os.read(self._ear, 65536):
                *lines, self._heard = (self._heard + data).split(b"\n")
                for line in lines:
                    self.ledger.hear(line.decode())
        except BlockingIOError:
            return

    def _last_words(self) -> str:
        size = os.fstat(self._said).st_size
        return os.pread(self._said, 4000, max(0, size - 4000)).decode(errors="replace")


def end_everybody(spared: int = 0) -> None:
    """SIGKILL for every process that descends from this one, until there is none but the one that is spared."""
    me = psutil.Process()
    while descendants := [one for one in me.children(recursive=True) if one.pid != spared]:
        for process in descendants:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        os.waitpid(-1, 0)


def main(folder: str, kind: str, cuts: int, seed: int, syncs: str) -> dict[str, Any]:
    """Cut the power so often; returns the fields of a report."""
    began = time.monotonic()
    disk = Disk(KINDS[kind], folder)
    machine = Machine(disk, folder, syncs, random.Random(seed))
    try:
        machine.live_through(cuts)
    finally:
        end_everybody()
        disk.remove()
    ledger = machine.ledger
    return {"found": dict(ledger.found), "stories": ledger.stories, "seconds": round(time.monotonic() - began, 1)}


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
