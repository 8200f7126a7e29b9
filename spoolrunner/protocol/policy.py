"""How a job is run: its time, its retries, what its process may use. The operator's word, within which a document may ask.

Knows no files and no clock. Light: every job's process imports it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

_MAX_EXPONENT = 60


@dataclass(frozen=True, slots=True)
class Policy:
    """How a job is run. Durations in seconds, memory in bytes; None means no limit."""

    timeout: float = 3600.0
    max_retries: int = 3
    retry_interval: float = 300.0
    retry_backoff: str = "exponential"
    retry_max_interval: float = 6 * 3600.0
    retry_jitter: float = 0.1
    on_crash: str = "retry"
    concurrency: int | None = None
    priority: int = 0
    memory: int | None = None
    cpu_time: float | None = None
    open_files: int | None = None
    no_new_privileges: bool = False

    @property
    def limits_its_process(self) -> bool:
        """Whether the process is held to anything by the operating system."""
        return self.no_new_privileges or any((self.memory, self.cpu_time, self.open_files))

    def override(self, **changes: Any) -> Policy:
        """This policy with those of `changes` that are not None."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **given) if given else self

    def pause(self, retries: int, dice: float) -> float:
        """Seconds to wait before retry number `retries` (from 1): interval, doubled each time if exponential, capped.

        `dice` in [0, 1) takes off up to `retry_jitter` of it, so that jobs which failed together do not return together.
        """
        pause = self.retry_interval
        if self.retry_backoff == "exponential":
            pause *= 2.0 ** min(retries - 1, _MAX_EXPONENT)
        return min(pause, self.retry_max_interval) * (1.0 - self.retry_jitter * dice)
