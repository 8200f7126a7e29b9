"""The targets, and whether one run reached them. Each is a ratio of values of the same rounds, or a figure with a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.benchmarks.million import label
from tests.benchmarks.ours import BareLoop, Fork, ForkFsync, ForkFsync8
from tests.benchmarks.parts import PEERS
from tests.benchmarks.redis_peers import Celery, Rq
from tests.benchmarks.results import Results

MB = 1_000_000


class Target(NamedTuple):
    """What is to be reached, in words; what was measured (None: nothing); the limit, and from which side."""

    words: str
    value: float | None
    limit: float
    at_least: bool
    unit: str = ""

    @property
    def verdict(self) -> str:
        """`yes`, `NO`, or `not measured`."""
        if self.value is None:
            return "not measured"
        reached = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "yes" if reached else "NO"


def targets(results: Results, sizes: tuple[int, ...]) -> list[Target]:
    """All of them, in the order of the page."""
    return [*_drain(results), *_latency(results), *_cost(results), *_enqueue(results), *_many(results, sizes)]


def _drain(results: Results) -> Iterator[Target]:
    ours = Fork.name
    yield Target("drain, no fsync, 2 slots / bare loop", results.ratio("drain", ours, BareLoop.name), 0.6, True)
    with_process = [kind.name for kind in PEERS if kind.a_process_a_job]
    name, value = _closest(lambda peer: results.ratio("drain", ours, peer), with_process, min)
    yield Target(f"drain / the fastest peer that gives a process a job{name}", value, 1.0, True)
    yield Target("drain / RQ", results.ratio("drain", ours, Rq.name), 8.0, True)
    yield Target("drain / Celery prefork", results.ratio("drain", ours, Celery.name), 1.0, True)
    value = results.ratio("drain", ForkFsync8.name, BareLoop.name)
    yield Target("drain, fsync, 8 slots / the same bare loop (2 slots, no fsync)", value, 0.4, True)


def _latency(results: Results) -> Iterator[Target]:
    ours = ForkFsync.name
    yield Target("idle start latency, p50", results.median("latency_p50", ours), 2.0, False, " ms")
    yield Target("idle start latency, p99", results.median("latency_p99", ours), 8.0, False, " ms")
    peers = [kind.name for kind in PEERS]
    name, value = _closest(lambda peer: results.ratio("latency_p50", ours, peer), peers, max)
    yield Target(f"idle start latency, p50 / the quickest peer{name}", value, 1.0, False)
    called = f"{Fork.name}, by enqueue()"
    name, value = _closest(lambda peer: results.ratio("latency_p50", called, peer), peers, max)
    yield Target(f"the same from the call of enqueue(), as the peers' is, without fsync{name}", value, 1.0, False)


def _cost(results: Results) -> Iterator[Target]:
    value = results.ratio("cpu", Fork.name, Rq.name)
    yield Target("CPU per job / RQ, without its Redis server", value, 1 / 7, False)
    value = results.ratio("cpu", ForkFsync.name, Rq.name)
    yield Target("CPU per job with fsync / RQ, without its Redis server", value, 1 / 7, False)
    yield Target("idle CPU in 30 s", results.median("idle_cpu", ForkFsync.name), 0.01, False, " s")
    memory = results.median("memory", ForkFsync.name)
    value = None if memory is None else memory / MB
    yield Target("memory of dispatcher and template, idle", value, 50.0, False, " MB")


def _enqueue(results: Results) -> Iterator[Target]:
    for way, words in (("python -c", "enqueue from a fresh interpreter"), ("shell", "`enqueue` in a shell")):
        value = results.ratio("command", f"spoolrunner: {way}", f"RQ: {way}")
        yield Target(f"{words}, durable: wall time / RQ", value, 0.5, False)
    value = results.ratio("enqueue_many", ForkFsync.name, ForkFsync.name, "enqueue")
    yield Target("`enqueue_many` of 10,000 durable jobs / `enqueue`, rate", value, 4.0, True)


def _many(results: Results, sizes: tuple[int, ...]) -> Iterator[Target]:
    few, many = label(min(sizes)), label(max(sizes))
    at = f"{many} in pending/: "
    yield Target(f"{at}first start after", results.median("waiting first", many), 2.0, False, " s")
    value = results.ratio("waiting rate", many, many, "waiting rate of a thousand")
    yield Target(f"{at}drain / that at 1k", value, 0.9, True)
    value = bytes_a_job(results, few, many)
    yield Target(f"{at}dispatcher memory per waiting job", value, 300.0, False, " bytes")
    value = results.ratio("waiting cpu of an arrival", many, few)
    yield Target(f"{at}CPU for an arrival / that at 1k", value, 1.5, False)
    value = results.median("waiting latency max while scanning", many)
    yield Target(f"{at}longest start latency of an urgent arrival during the full scan", value, 50.0, False, " ms")
    value = results.ratio("finished rate", many, "none")
    yield Target(f"{many} in done/: drain / that with none", value, 0.9, True)
    value = results.ratio("finished latency_p50", many, "none")
    yield Target(f"{many} in done/: idle start latency, p50 / that with none", value, 1.2, False)


def bytes_a_job(results: Results, few: str, many: str) -> float | None:
    """What one more waiting job adds to the dispatcher's memory."""
    memory = [results.median("waiting memory", size) for size in (few, many)]
    left = [results.median("waiting left", size) for size in (few, many)]
    if memory[0] is None or memory[1] is None or left[0] is None or left[1] is None or left[1] <= left[0]:
        return None
    return (memory[1] - memory[0]) / (left[1] - left[0])


def _closest(
    ratio: Callable[[str], float | None], peers: list[str], choose: Callable[[list[float]], float]
) -> tuple[str, float | None]:
    """The peer that comes closest, for the words, and the ratio to it."""
    found = {peer: value for peer in peers if (value := ratio(peer)) is not None}
    if not found:
        return "", None
    value = choose(list(found.values()))
    return f" ({next(peer for peer, other in found.items() if other == value)})", value
