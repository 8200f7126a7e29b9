"""What a job's process is told: which attempt of which job it is to make, and of which file. Light: it imports this.

The bytes on the way are those of `marshal`, which every Python has without an import. They go from a dispatcher to processes
that it started itself, and are never stored.
"""

from __future__ import annotations

import marshal

from spoolrunner.system import clock, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from spoolrunner.spool.lock_lines import Stamp
    from spoolrunner.spool.paths import Layout

    ProcessLimits = tuple[int | None, float | None, int | None, bool]
    """(memory in bytes, cpu_time in seconds, open_files, no_new_privileges) of a policy; None is no limit."""
    ToldHooks = tuple[str, str, str, dict[str, str]]
    """(setup.template, setup.process, around, variables): dotted paths, "" for none, and what is set in the environment."""

_FORMAT = 2
"""Of marshal: every Python since 2.5 reads it, and the job's may be another than the dispatcher's."""


class Assignment:
    """Attempt `number` of the job with this id, whose file is running/ID.json with this stamp.

    `timeout` is in seconds; `limits` are those that the system keeps, None without any. `leaves`: what it starts may outlive
    it. What `prepare` sets: `mark`, which the environment of its processes carries, and the paths of its lock, its file and its
    log. `where` is what its marker says of the place where it lives, as `lock_lines.where` writes it; `key` tells the job from
    another one of its id (`step_files.key_of`). `hooks` are what is called around it, None without any.
    """

    __slots__ = (
        "file",
        "hooks",
        "job",
        "job_id",
        "key",
        "leaves",
        "limits",
        "lock",
        "log",
        "mark",
        "meta",
        "method",
        "number",
        "params",
        "stamp",
        "timeout",
        "where",
    )

    def __init__(
        self,
        job_id: str,
        number: int,
        stamp: Stamp,
        job: str,
        method: str,
        params: list[Any] | dict[str, Any],
        timeout: float,
        limits: ProcessLimits | None = None,
        meta: dict[str, Any] | None = None,
        mark: str = "",
        leaves: bool = False,
    ) -> None:
        self.job_id = job_id
        self.number = number
        self.stamp = stamp
        self.job = job
        self.method = method
        self.params = params
        self.timeout = timeout
        self.limits = limits
        self.meta = meta
        self.mark = mark
        self.leaves = leaves
        self.lock = self.file = self.log = self.where = self.key = ""
        self.hooks: ToldHooks | None = None

    def prepare(self, layout: Layout) -> Assignment:
        """Set what else its process has to know, which is done where the memory for it is at hand; returns itself."""
        job_id = self.job_id
        home = processes.home(layout.locks)
        self.mark = self.mark or processes.mark(layout.root, job_id, self.number, self.stamp, home)
        self.lock, self.file, self.log = layout.lock(job_id), layout.running(job_id), layout.log(job_id)
        return self

    def to_bytes(self) -> bytes:
        """Return it as bytes, to be sent to the process."""
        told = (self.job_id, self.number, tuple(self.stamp), self.job, self.method, self.params, self.timeout)
        rest = (self.limits, self.meta, self.mark, self.leaves, self.lock, self.file, self.log, self.where)
        return marshal.dumps((clock.this_second(), told + rest + (self.key, self.hooks)), _FORMAT)

    @classmethod
    def from_bytes(cls, data: bytes) -> Assignment:
        """Return what `to_bytes` made bytes of."""
        second, told = marshal.loads(data)  # noqa: S302 -- our own dispatcher made them
        clock.know_second(second)
        made = cls(*told[:11])
        made.lock, made.file, made.log, made.where, made.key, made.hooks = told[11:]
        return made
