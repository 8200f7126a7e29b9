"""Load for the queues of shell commands: `herd.py tsp|nq drain|enqueue|latency|idle COUNT` prints JSON.

Their waiting commands are processes without a parent, so this program makes itself the one that inherits them
(PR_SET_CHILD_SUBREAPER): each that ends is reaped here, which counts it and tells the CPU time it took. The job is
/bin/true, or for the latency a shell whose first line writes into a named pipe.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable

PR_SET_CHILD_SUBREAPER = 36
SLOTS = 2
PAUSE = (0.02, 0.06)
LIMIT = 90
"""Seconds after which something has gone wrong."""
TRUE = shutil.which("true") or "/bin/true"


class Herd:
    """One queue in this folder; `before` are the words that put a command into slot number n."""

    def __init__(self, before: Callable[[int], tuple[list[str], dict[str, str]]]) -> None:
        self._before = before
        self._made = 0
        os.mkfifo("fifo")
        self.fifo = os.open("fifo", os.O_RDWR)
        nothing = os.open(os.devnull, os.O_RDWR)
        self._quiet = [(os.POSIX_SPAWN_DUP2, nothing, n) for n in (0, 1, 2)]

    def publish(self, *command: str) -> float:
        """Put a command into the queue and wait for the client to return; its CPU seconds."""
        words, more = self._before(self._made % SLOTS)
        self._made += 1
        pid = os.posix_spawnp(words[0], [*words, *command], {**os.environ, **more}, file_actions=self._quiet)
        _, status, used = os.wait4(pid, 0)
        if status:
            raise ChildProcessError(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
        return used.ru_utime + used.ru_stime

    def fill(self, count: int) -> float:
        """Queue that many no-ops behind two commands that hold the slots; jobs a second."""
        for _ in range(SLOTS):
            self.publish("sh", "-c", "read line < fifo")
        began = time.monotonic()
        for _ in range(count):
            self.publish(TRUE)
        return count / (time.monotonic() - began)

    def release(self) -> None:
        """Let the commands go that hold the slots."""
        os.write(self.fifo, b"\n" * SLOTS)

    def reap(self, count: int) -> tuple[float, float]:
        """Wait until that many jobs have ended; (moment, their CPU seconds)."""
        used = 0.0
        for _ in range(count):
            _, _, usage = os.wait4(-1, 0)
            used += usage.ru_utime + usage.ru_stime
        return time.monotonic(), used


def drain(herd: Herd, count: int, server: int | None) -> dict[str, float]:
    """Rate and CPU time of all but the first tenth of the jobs."""
    enqueued = herd.fill(count)
    jobs = count - count // 10
    herd.release()
    began, _ = herd.reap(SLOTS + count // 10)
    before = _cpu(server)
    ended, used = herd.reap(jobs)
    used += _cpu(server) - before
    return {"enqueue": enqueued, "jobs": jobs, "seconds": ended - began, "cpu": used}


def latency(herd: Herd, count: int) -> list[float]:
    """Milliseconds from calling the client to the first line of a shell, one at a time."""
    found = []
    for _ in range(count + 2):
        time.sleep(random.uniform(*PAUSE))
        published = time.monotonic_ns()
        herd.publish("sh", "-c", "echo > fifo")
        os.read(herd.fifo, 10)
        found.append((time.monotonic_ns() - published) / 1e6)
    return found[2:]


def _cpu(pid: int | None) -> float:
    """CPU seconds that a process has used so far."""
    if pid is None:
        return 0.0
    with open(f"/proc/{pid}/stat") as stream:
        fields = stream.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tsp(_slot: int) -> tuple[list[str], dict[str, str]]:
    return ["tsp", "-n"], {}


def _nq(slot: int) -> tuple[list[str], dict[str, str]]:
    return ["nq", "-q"], {"NQDIR": os.path.join(os.getcwd(), f"queue{slot}")}


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as stream:
        return [int(pid) for pid in stream.read().split()]


def _stop(number: int, _frame: object) -> None:
    raise SystemExit(f"ended by signal {number}")


def main() -> None:
    """Do what the arguments say, in the folder we stand in, and take the server down again."""
    kind, action, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _stop)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    here = os.getcwd()
    os.environ.update(TS_SOCKET=f"{here}/socket", TMPDIR=here, TS_SLOTS=str(SLOTS))
    herd = Herd(_tsp if kind == "tsp" else _nq)
    try:
        server = None
        if kind == "tsp":
            herd.publish("-S", str(SLOTS))
            (server,) = _children()  # there is no job yet
        _act(herd, action, count, server)
    finally:
        for pid in _children():
            os.kill(pid, signal.SIGTERM)


def _act(herd: Herd, action: str, count: int, server: int | None) -> None:
    if action != "idle":
        signal.alarm(LIMIT)
    if action == "drain":
        print(json.dumps(drain(herd, count, server)), flush=True)
    elif action == "latency":
        print(json.dumps(latency(herd, count)), flush=True)
    elif action == "enqueue":
        print(json.dumps(herd.fill(count)), flush=True)
        herd.release()
        herd.reap(count + SLOTS)
    else:
        print(json.dumps(server), flush=True)
        sys.stdin.read()


main()
