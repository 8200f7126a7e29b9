"""The peers that keep their queue in Redis. Each has a database of its own in one server, on loopback, kept in memory."""

from __future__ import annotations

import socket
import sys
from typing import Any, ClassVar

from tests.benchmarks import measure
from tests.benchmarks.subject import Ground, Subject, script


class Server:
    """A Redis server without persistence, on a free port of loopback."""

    def __init__(self, ground: Ground) -> None:
        import redis

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        folder = ground.new_folder("redis")
        words = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = ground.launch([*words, "--dir", folder, "--databases", "16"], folder, {})
        self._redis = redis
        measure.until(self._answers, 10, "the Redis server")

    def url(self, database: int) -> str:
        """The address of one database."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def connect(self, database: int) -> Any:
        """A connection to one database."""
        return self._redis.Redis(port=self.port, db=database)

    def _answers(self) -> bool:
        try:
            return bool(self.connect(0).ping())
        except self._redis.exceptions.ConnectionError:
            return False


class RedisPeer(Subject):
    """A peer in database `database` of the one server, which is started with the first of them."""

    programs = ("redis-server",)
    database: ClassVar[int]
    server: ClassVar[Server | None] = None

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        if RedisPeer.server is None or RedisPeer.server.process.poll() is not None:
            RedisPeer.server = Server(ground)
        self.redis = RedisPeer.server
        self.connection = self.redis.connect(self.database)

    def fresh(self) -> None:
        super().fresh()
        self.connection.flushdb()

    def env(self) -> dict[str, str]:
        return {**super().env(), "BENCH_REDIS": self.redis.url(self.database)}

    def servers(self) -> list[int]:
        return [self.redis.process.pid]


class Rq(RedisPeer):
    """Two `rq worker`, each of which forks a process a job."""

    name = "RQ"
    a_process_a_job = True
    modules = ("rq", "redis")
    load = "on_rq"
    database = 1
    jobs = 300

    def commands(self) -> list[list[str]]:
        return [[script("rq"), "worker", "--quiet", "--url", self.redis.url(self.database)]] * 2

    def completed(self, filled: int) -> int:
        return int(self.connection.zcard("rq:finished:default"))


class Celery(RedisPeer):
    """`celery worker` with a pool of two processes that are used again."""

    name = "Celery, prefork"
    remark = "two processes, each for many jobs; results ignored, 64 fetched ahead; acknowledged before the job runs"
    modules = ("celery", "redis")
    load = "on_celery"
    database = 2
    options: ClassVar[tuple[str, ...]] = ()

    def commands(self) -> list[list[str]]:
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
        app = ("-A", "tests.benchmarks.load.on_celery")
        return [[sys.executable, "-m", "celery", *app, "worker", "-P", "prefork", "-c", "2", *quiet, *self.options]]

    def completed(self, filled: int) -> int:
        return int(filled - self.connection.llen("celery") - self.connection.hlen("unacked"))

    def settle_down(self) -> None:
        measure.pause(5)


class CeleryOneTask(Celery):
    """`celery worker` with a new process of the pool for each job."""

    name = "Celery, one task a child"
    a_process_a_job = True
    remark = "--max-tasks-per-child 1"
    database = 3
    jobs = 30
    options = ("--max-tasks-per-child", "1")
    largest_backlog = 1000
    why_not_larger = "too slow to be told apart"

    def env(self) -> dict[str, str]:
        return {**super().env(), "BENCH_PREFETCH": "4"}


class Dramatiq(RedisPeer):
    """`dramatiq` with two processes of one thread."""

    name = "Dramatiq"
    remark = "two processes, each for many jobs; looks every 10 ms when idle, 32 fetched ahead"
    modules = ("dramatiq", "redis")
    load = "on_dramatiq"
    jobs = 10_000
    database = 4

    def env(self) -> dict[str, str]:
        return {**super().env(), "dramatiq_worker_timeout": "10", "dramatiq_queue_prefetch": "32"}

    def commands(self) -> list[list[str]]:
        return [[script("dramatiq"), "-p", "2", "-t", "1", "tests.benchmarks.load.on_dramatiq"]]

    def completed(self, filled: int) -> int:
        return int(filled - self.connection.hlen("dramatiq:default.msgs"))
