"""A machine whose disk is recorded under load, and then cut again and again: each cut is a prefix of what the disk was told.

Run as a program it records once, replays as many prefixes as it is told, and prints what was found, as JSON. `replay` runs it
in a pid and a mount namespace of its own, as `tests.crash.power` is run.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from spoolrunner.spool import twofold
from spoolrunner.spool.folders import Spool
from tests.crash import power_disk
from tests.crash.power import EVERYTHING, MAX_RETRIES, REBOOTED, ROOT, Machine, Report, end_everybody
from tests.crash.power_disk import MEBIBYTE, Kind
from tests.crash.power_features import FeatureLedger
from tests.crash.real_jobs import MOUNTED
from tests.replay import block_log
from tests.replay.recorder import Recorder, mount_file

KINDS = {
    **power_disk.KINDS,
    "btrfs": Kind("btrfs", ("mkfs.btrfs", "-q", "-f"), 256 * MEBIBYTE),
}
PROGRAMS = ("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mount", "umount", "losetup", "unshare")
SECONDS = 1.2
"""How long a dispatcher serves before it is killed; the next one serves as long."""
JOBS, BURST = 60, 20
"""What a producer publishes, and how many at once. While somebody publishes, btrfs keeps all that it has at nearly every sync,
so that there is nothing that it could forget."""
LONGEST_UNSYNCED = 0.4
"""Seconds between two syncs of the whole file system by somebody else, at most: btrfs commits its transaction then."""
DEADLINE = 60.0


def obstacle() -> str:
    """Why no disk can be recorded here, or nothing."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "loop devices and mounts need root on Linux"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (packages e2fsprogs, xfsprogs, btrfs-progs, mount, util-linux)"
    if not os.path.exists("/dev/fuse"):
        return "the kernel has no FUSE"
    return power_disk.obstacle()


def replay(kind: str, cuts: int, *, seed: int = 1, guarded: bool = True, timeout: float = DEADLINE) -> Report:
    """Record a disk of that kind under load, and replay so many prefixes of what it was told.

    If it is not `guarded`, the dispatcher that recovers does not look for jobs under two names.
    """
    with tempfile.TemporaryDirectory(prefix="replay-", dir=power_disk.memory_folder()) as folder:
        options = json.dumps({"folder": folder, "kind": kind, "cuts": cuts, "seed": seed, "guarded": guarded})
        command = ["unshare", *power_disk.NAMESPACES, sys.executable, "-m", "tests.replay.replayed", options]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    if ended.returncode:
        raise RuntimeError(f"the machine broke down: {ended.stdout}{ended.stderr}")
    return Report(**json.loads(ended.stdout))


@dataclass
class RecordedDisk:
    """A file system of that kind in `folder`, mounted at `mount_point` from an image of which a copy is kept."""

    kind: Kind
    folder: str
    mount_point: str = field(init=False)

    def __post_init__(self) -> None:
        self.mount_point = os.path.join(self.folder, MOUNTED)
        os.mkdir(self.mount_point)
        self.log = os.path.join(self.folder, "log")
        self._image, self._device = os.path.join(self.folder, "image"), os.path.join(self.folder, "device")
        with open(self._image, "wb") as stream:
            stream.truncate(self.kind.size)
        power_disk.run(*self.kind.make, self._image)
        self.before = shutil.copyfile(self._image, os.path.join(self.folder, "before"))

    def record(self, pipe: str) -> None:
        """Mount it on a device that is recorded."""
        with open(self._device, "wb"):
            asked = mount_file(self._device)
        self.recorder = os.fork()
        if self.recorder == 0:
            said = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
            with open(self.log, "wb", buffering=MEBIBYTE) as log:
                Recorder(asked, self._image, log, said).serve()
            os._exit(0)
        os.close(asked)
        power_disk.run("mount", "-o", "loop", self._device, self.mount_point)

    def end(self) -> None:
        """Take it away, and let the recorder end."""
        self.remove()
        power_disk.run("umount", self._device)
        os.waitpid(self.recorder, 0)

    def mount(self, image: str) -> None:
        """Mount what a cut left."""
        power_disk.run("mount", "-o", "loop", image, self.mount_point)

    def remove(self) -> None:
        """Unmount it."""
        power_disk.run("umount", self.mount_point)

    def has_power(self) -> bool:
        """It always has: what is cut is a copy."""
        return True


class Replayed(Machine):
    """A machine on a recorded disk."""

    disk: RecordedDisk

    def record(self) -> int:
        """Serve jobs for a while, with a dispatcher that is killed and one that follows; returns the number of entries."""
        self.disk.record(self.pipe)
        Spool(self.layout).make()
        for number, at_once in ((1, 1), (2, 20)):
            self._fork(lambda number=number, at_once=at_once: self._produce(number, at_once))
        self._fork(self._produce_features)
        self._fork(self._sync_at_times)
        for _ in range(2):
            dispatcher = self._fork(self._dispatch)
            select.select([], [], [], SECONDS)
            os.kill(dispatcher, signal.SIGKILL)
        end_everybody(spared=self.disk.recorder)
        self.disk.end()
        return sum(1 for _ in block_log.entries(self.disk.log))

    def _sync_at_times(self) -> int:
        dice = random.Random(self.dice.random())
        while True:
            select.select([], [], [], dice.uniform(0, LONGEST_UNSYNCED))
            subprocess.run(["sync", "-f", self.disk.mount_point], check=True)

    def judge(self, image: str, lines: list[str]) -> None:
        """Judge what that image holds, then what a dispatcher makes of it. So much was said before."""
        self.disk.mount(image)
        self.ledger = FeatureLedger(self.layout, self.pipe, MAX_RETRIES, heals=self.disk.kind.name == "btrfs")
        for line in lines:
            self.ledger.hear(line)
        self.ledger.judge_cut()
        self.boot += self.dice.random() < REBOOTED
        self._recover()
        self.ledger.judge_recovery()
        self.disk.remove()


def first_acknowledged(log: str) -> int:
    """The number of entries before the first job was acknowledged."""
    return next(at for at, entry in enumerate(block_log.entries(log)) if entry.kind == block_log.LINE)


def main(folder: str, kind: str, cuts: int, seed: int, guarded: bool) -> dict[str, Any]:
    """Record once and replay so many prefixes; returns the fields of a report."""
    began = time.monotonic()
    dice = random.Random(seed)
    disk = RecordedDisk(KINDS[kind], folder)
    machine = Replayed(disk, folder, EVERYTHING, dice, JOBS, BURST)
    if not guarded:
        twofold.remove_second_names = lambda spool: []
    found: Counter[str] = Counter()
    stories: list[str] = []
    try:
        count = machine.record()
        going_on = block_log.Replay(disk.before, disk.log)
        for at in sorted(dice.sample(range(first_acknowledged(disk.log), count), cuts)):
            going_on.go_on_to(at)
            image = shutil.copyfile(disk.before, os.path.join(folder, "cut"))
            machine.judge(image, going_on.lines)
            found.update(machine.ledger.found)
            stories += [f"after {at} of {count} entries: {story}" for story in machine.ledger.stories]
    finally:
        end_everybody()
    return {"found": dict(found), "stories": stories[:20], "seconds": round(time.monotonic() - began, 1)}


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))
