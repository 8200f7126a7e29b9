"""The targets, and whether one run reached them. Each is a ratio of values of the same rounds, or a figure with a limit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.benchmarks.file_peers import Nq, TaskSpooler
from tests.benchmarks.measure import Spread
from tests.benchmarks.million import label
from tests.benchmarks.ours import Fork, ForkDefault, ForkFsync, ForkFsync8, ForkImport, Spawn
from tests.benchmarks.parts import PEERS
from tests.benchmarks.redis_peers import Celery, Rq
from tests.benchmarks.results import Results, on

MB = 1_000_000
RATE, CPU = "drain / floor", "drain cpu / floor"


class Target(NamedTuple):
    """What is to be reached, in words; what was measured (None: nothing); the limit, and from which side.

    `wanted` is more than what is required. A ratio of pairs has quartiles; where it was measured on several places, `place`
    is the one where it is worst, and that is what counts.
    """

    words: str
    value: float | None
    limit: float
    at_least: bool
    unit: str = ""
    wanted: float | None = None
    quartiles: tuple[float, float] | None = None
    place: str = ""

    @property
    def verdict(self) -> str:
        """`yes`, `NO`, or `not measured`; and whether what is wanted was reached, too."""
        if self.value is None:
            return "not measured"
        if not self._reaches(self.limit):
            return "NO"
        if self.wanted is None:
            return "yes"
        return "yes, as wanted" if self._reaches(self.wanted) else "yes, not as wanted"

    def _reaches(self, limit: float) -> bool:
        assert self.value is not None
        return self.value >= limit if self.at_least else self.value <= limit


def targets(results: Results, sizes: tuple[int, ...]) -> list[Target]:
    """All of them, in the order of the page."""
    return [*_drain(results), *_latency(results), *_cost(results), *_enqueue(results), *_many(results, sizes)]


def _drain(results: Results) -> Iterator[Target]:
    def to_floor(words: str, name: str, limit: float, wanted: float | None = None, metric: str = RATE) -> Target:
        return _worst(words, results, lambda place: results.spread(on(place, metric), name), limit, True, wanted)

    def to_peer(words: str, peer: str, limit: float) -> Target:
        return _worst(words, results, lambda place: results.ratio(on(place, RATE), Fork.name, peer), limit, True)

    yield to_floor("drain, preloaded, no fsync, 2 slots / bare loop", Fork.name, 0.5, 0.55)
    yield to_floor("the same, each job's process importing its module / bare loop", ForkImport.name, 0.45)
    yield to_floor("drain, preloaded, fsync, 8 slots / the same bare loop (2 slots, no fsync)", ForkFsync8.name, 0.5)
    yield to_peer("drain / RQ", Rq.name, 9.0)
    yield to_peer("drain / task-spooler", TaskSpooler.name, 0.7)
    yield to_peer("drain / nq", Nq.name, 1.0)
    yield to_peer("drain / Celery prefork", Celery.name, 1.0)
    words = "drain, spawn, 2 slots / a loop of bare interpreters, 2 at a time"
    yield to_floor(words, Spawn.name, 0.4, metric="interpreters / floor")


def _latency(results: Results) -> Iterator[Target]:
    for name, which in ((ForkFsync.name, ""), (ForkDefault.name, ", each job's process importing its module")):
        yield Target(f"idle start latency, p50{which}", results.median("latency_p50", name), 2.0, False, " ms")
        yield Target(f"idle start latency, p99{which}", results.median("latency_p99", name), 8.0, False, " ms")
    peers = [kind.name for kind in PEERS]
    ours = ForkFsync.name
    name, value = _closest(lambda peer: results.ratio("latency_p50", ours, peer), peers)
    yield _ratio(f"idle start latency, p50 / the quickest peer{name}", value, 1.0, False)
    called = f"{Fork.name}, by enqueue()"
    name, value = _closest(lambda peer: results.ratio("latency_p50", called, peer), peers)
    yield _ratio(f"the same from the call of enqueue(), as the peers' is, without fsync{name}", value, 1.0, False)


def _cost(results: Results) -> Iterator[Target]:
    for name, which in ((Fork.name, ""), (ForkFsync.name, " with fsync")):
        words = f"CPU per job{which} / RQ, without its Redis server"
        yield _worst(words, results, functools.partial(_cpu_ratio, results, name), 1 / 7, False)
    yield Target("idle CPU in 30 s", results.median("idle_cpu", ForkFsync.name), 0.01, False, " s")
    memory = results.median("memory", ForkFsync.name)
    value = None if memory is None else memory / MB
    yield Target("memory of dispatcher and template, idle", value, 50.0, False, " MB")


def _cpu_ratio(results: Results, name: str, place: str) -> Spread | None:
    return results.ratio(on(place, CPU), name, Rq.name)


def _enqueue(results: Results) -> Iterator[Target]:
    for way, words in (("python -c", "enqueue from a fresh interpreter"), ("shell", "`enqueue` in a shell")):
        value = results.ratio("command", f"spoolrunner: {way}", f"RQ: {way}")
        yield _ratio(f"{words}, durable: wall time / RQ", value, 0.5, False)
    value = results.ratio("enqueue_many", ForkFsync.name, ForkFsync.name, "enqueue")
    yield _ratio("`enqueue_many` of 10,000 durable jobs / `enqueue`, rate", value, 4.0, True)


def _many(results: Results, sizes: tuple[int, ...]) -> Iterator[Target]:
    few, many = label(min(sizes)), label(max(sizes))
    at = f"{many} in pending/: "
    yield Target(f"{at}first start after", results.median("waiting first", many), 2.0, False, " s")
    value = results.ratio("waiting rate", many, many, "waiting rate of a thousand")
    yield _ratio(f"{at}drain / that at 1k", value, 0.9, True)
    memory = bytes_a_job(results, few, many)
    yield Target(f"{at}dispatcher memory per waiting job", memory, 300.0, False, " bytes")
    value = results.ratio("waiting cpu of an arrival", many, few)
    yield _ratio(f"{at}CPU for an arrival / that at 1k", value, 1.5, False)
    longest = results.median("waiting latency max while scanning", many)
    yield Target(f"{at}longest start latency of an urgent arrival during the full scan", longest, 50.0, False, " ms")
    value = results.ratio("finished rate", many, "none")
    yield _ratio(f"{many} in done/: drain / that with none", value, 0.9, True)
    value = results.ratio("finished latency_p50", many, "none")
    yield _ratio(f"{many} in done/: idle start latency, p50 / that with none", value, 1.2, False)
    limits = {"groups": 5.0, "kept": 20.0}
    for kind in results.subjects("crowd p50"):
        part = kind.partition(": ")[0]
        if part in limits:
            words = f"start latency beside a crowd, p99 ({kind})"
            yield Target(words, results.median("crowd p99", kind), limits[part], False, " ms")
    for kind in results.subjects("crowd seconds"):
        if not kind.startswith("cancel"):
            yield Target(
                f"{kind} failed jobs while others run", results.median("crowd seconds", kind), 20.0, False, " s"
            )


def bytes_a_job(results: Results, few: str, many: str) -> float | None:
    """What one more waiting job adds to the dispatcher's memory."""
    memory = [results.median("waiting memory", size) for size in (few, many)]
    left = [results.median("waiting left", size) for size in (few, many)]
    if memory[0] is None or memory[1] is None or left[0] is None or left[1] is None or left[1] <= left[0]:
        return None
    return (memory[1] - memory[0]) / (left[1] - left[0])


def _worst(
    words: str,
    results: Results,
    ratio: Callable[[str], Spread | None],
    limit: float,
    at_least: bool,
    wanted: float | None = None,
) -> Target:
    """A target of pairs, judged by the place where it is worst."""
    found = {place: spread for place in results.places if (spread := ratio(place)) is not None}
    if not found:
        return Target(words, None, limit, at_least, wanted=wanted)
    worst = (min if at_least else max)(found, key=lambda place: found[place].median)
    place = worst if len(found) > 1 else f"{worst} alone"
    return _ratio(words, found[worst], limit, at_least)._replace(wanted=wanted, place=place)


def _ratio(words: str, spread: Spread | None, limit: float, at_least: bool) -> Target:
    """A target of ratios, each of two values of the same round."""
    if spread is None:
        return Target(words, None, limit, at_least)
    return Target(words, spread.median, limit, at_least, quartiles=(spread.lower, spread.upper))


def _closest(ratio: Callable[[str], Spread | None], peers: list[str]) -> tuple[str, Spread | None]:
    """The peer that is quickest, for the words, and the ratio to it."""
    found = {peer: spread for peer in peers if (spread := ratio(peer)) is not None}
    if not found:
        return "", None
    name = max(found, key=lambda peer: found[peer].median)
    return f" ({name})", found[name]
