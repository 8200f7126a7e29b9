"""How little crowds hold up: what waits for a limit, what is removed because it is old, what is done with many at once.

Each measures urgent arrivals, one at a time, while the crowd is there; `kept` and `bulk` also before, in the same spool.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, ClassVar

from tests.benchmarks import measure
from tests.benchmarks.million import Urgent, label, write_files
from tests.benchmarks.ours import JOBS, Fork
from tests.benchmarks.parts import Bench
from tests.benchmarks.subject import environment

GROUPS_SHARE = 100
"""Jobs to a group."""
WATCHED = 15.0
PRUNED_FOR = 60.0
LIMIT = 900.0
ATTEMPT = {"number": 1, "started_at": "2026-01-01T10:00:00Z", "ended_at": "2026-01-01T10:00:01Z"}
ERROR = {"type": "ValueError", "message": "as every time", "traceback": ""}


class Limited(Fork):
    """Each group of its own may start one job a day."""

    name = "spoolrunner, a limit a group"
    keys: ClassVar[dict[str, Any]] = {"limits": {"g.*": {"rate": "1/d"}}}


class Pruned(Fork):
    """What is older than an hour is removed from done/."""

    name = "spoolrunner, pruned"
    keys: ClassVar[dict[str, Any]] = {"auto_prune": True, "keep_done": "1h"}


def groups(bench: Bench) -> None:
    """Many jobs in many groups, each at its limit: the start latency of an urgent job of no group."""
    size = max(bench.plan.waiting)
    spool = Limited(bench.ground)
    spool.fresh()
    bench.say(f"groups {label(size)}: writing the files")
    for number in range(size):
        document = {"job": JOBS, "method": "noop", "group": f"g.{number % (size // GROUPS_SHARE)}"}
        with open(spool.path("pending", f"waiting-{number:07d}.json"), "w") as stream:
            json.dump(document, stream)
    bench.say(f"groups {label(size)}: until each group is at its limit")
    spool.start()
    try:
        begun = size // GROUPS_SHARE
        measure.until(lambda: _waits(spool) == size - begun and spool.completed(0) >= begun, LIMIT, "the limits")
        _note(bench, "groups", f"{label(size)} in {begun:,} groups", _arrivals(spool))
    finally:
        spool.stop()


def kept(bench: Bench) -> None:
    """Many files in done/ that are being removed: the start latency of an urgent job, and with none."""
    size = max(bench.plan.waiting)
    spool = Pruned(bench.ground)
    spool.fresh()
    spool.start()
    try:
        spool.settle_down()
        _note(bench, "kept", "none in done/", _arrivals(spool))
        bench.say(f"kept {label(size)}: writing the files")
        _write_ended(spool, "done", size, outcome="succeeded", verdict="done")
    finally:
        spool.stop()
    spool.start()
    try:
        spool.settle_down()
        _note(bench, "kept", f"{label(size)} in done/, being removed", _arrivals(spool, PRUNED_FOR))
        bench.results.add("crowd left", "kept", float(len(os.listdir(spool.path("done")))))
    finally:
        spool.stop()


def bulk(bench: Bench) -> None:
    """Retry, cancel and discard of many failed jobs while a dispatcher serves: seconds, and the latency of others meanwhile."""
    size = max(1000, max(bench.plan.waiting) // 10)
    spool = Fork(bench.ground)
    spool.fresh()
    _write_ended(spool, "failed", size, outcome="failed", verdict="failed", error=ERROR)
    with open(spool.path("control", f"pause-{JOBS}.noop"), "w"):
        pass  # what is retried waits, so that it can be cancelled
    spool.start()
    try:
        spool.settle_down()
        _note(bench, "bulk", "nothing done", _arrivals(spool))
        for words in (["retry", "--all"], ["cancel", "--method", "noop"], ["discard", "--state", "failed"]):
            bench.say(f"bulk {label(size)}: {words[0]}")
            urgent = Urgent(spool)
            began = measure.wall()
            _command(spool, [*words, "--yes"])
            bench.results.add("crowd seconds", f"{words[0]} of {label(size)}", measure.wall() - began)
            _note(bench, "bulk", f"{words[0]} of {label(size)}", urgent.end())
    finally:
        spool.stop()


def _command(spool: Fork, words: list[str]) -> None:
    command = [sys.executable, "-m", "spoolrunner", *words]
    with open(os.path.join(spool.folder, "output"), "ab") as output:
        subprocess.run(command, cwd=spool.folder, env=environment({}), check=True, stdout=output, timeout=LIMIT)


def _arrivals(spool: Fork, seconds: float = WATCHED) -> list[float]:
    urgent = Urgent(spool)
    measure.pause(seconds)
    return urgent.end()


def _waits(spool: Fork) -> int:
    measure.pause(0.5)
    return int(spool.status().get("waiting", 0))


def _note(bench: Bench, part: str, kind: str, values: list[float]) -> None:
    ordered = sorted(values)
    bench.results.add("crowd p50", f"{part}: {kind}", measure.median(ordered))
    bench.results.add("crowd p99", f"{part}: {kind}", ordered[len(ordered) * 99 // 100])
    bench.results.add("crowd max", f"{part}: {kind}", ordered[-1])


def _write_ended(spool: Fork, state: str, count: int, **keys: Any) -> None:
    document = {"job": JOBS, "method": "noop", "attempts": [{**ATTEMPT, **keys}]}
    write_files(spool.path(state), "ended", count, json.dumps(document).encode())
