"""A job as programs hold it: what the last look found, waiting for its end, its result, and what can be done with it.

    job = enqueue(Report.build, params=[2026])
    job.result(timeout=30)

`state` and `document` come from one look, so that they belong together, and stay as they are until `refresh` looks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from spoolrunner.client.look import Look, find
from spoolrunner.config.load import Config
from spoolrunner.errors import ConfigError, DuplicateJobError, JobFailedError, JobNotFoundError, WaitTimeoutError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.005, 0.25, 1.5
"""Seconds between two looks of one who waits, and how they grow."""
_OVER = (State.DONE, State.FAILED)


class Published(NamedTuple):
    """What `enqueue` knows of a job that it has just published: the bytes of its file, and when it was made."""

    data: bytes
    created_at: str


class Job:
    """A job of a spool. `id` is its id, `root` the absolute path of the spool; two of the same id and spool are equal.

    From `enqueue` it knows that it is pending; otherwise it looks at the disk when it is first asked.
    """

    __slots__ = ("_config", "_created_at", "_is_known", "_look", "_published", "id", "root")

    def __init__(
        self,
        id: str,  # noqa: A002 -- the word of the job file
        root: str,
        *,
        config: str | None = None,
        look: Look | None = None,
        published: Published | None = None,
    ) -> None:
        self.id = id
        self.root = root
        self._config = config
        self._look = look
        self._is_known = look is not None
        self._published = published
        self._created_at = _created_at(look) if published is None else published.created_at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and (self.id, self.root) == (other.id, other.root)

    def __hash__(self) -> int:
        return hash((self.id, self.root))

    def __repr__(self) -> str:
        return f"Job(id={self.id!r}, root={self.root!r})"

    def refresh(self) -> Job:
        """Look at the disk again and return this job; OSError when the disk cannot be read.

        It is this publication that is looked for, not a later or earlier one of the same id.
        """
        self._search()
        return self

    @property
    def state(self) -> str | None:
        """`pending`, `running`, `done` or `failed`: the folder its file lay in at the last look; None if in no one."""
        found = self._found()
        return None if found is None else str(found.state)

    @property
    def document(self) -> dict[str, Any] | None:
        """The job file at the last look; None when there was none, or when it could not be read (see `problem`)."""
        found = self._found()
        return None if found is None else found.document

    @property
    def problem(self) -> str:
        """Why the file could not be read at the last look; empty when it could be read."""
        found = self._found()
        return "" if found is None else found.problem

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts recorded at the last look, oldest first, as they stand in the document."""
        found = self._found()
        return [] if found is None else found.attempts

    @property
    def created_at(self) -> datetime | None:
        """When it was enqueued, by the word of its producer; None when the file does not say."""
        self._found()
        try:
            return None if self._created_at is None else datetime.fromisoformat(self._created_at)
        except ValueError:
            return None  # not ours: refused by the dispatcher

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the job is done or failed for good, at most `timeout` seconds (None: for ever); return which.

        A job that will be tried again is not over. Looks again after 5 ms at first, then after pauses that grow to 0.25 s.
        Raises WaitTimeoutError when the time is up, JobNotFoundError when its file is gone.
        """
        missing = False
        for _ in _pauses(timeout):
            found = self._search()
            if found is not None and found.state in _OVER:
                return str(found.state)
            if found is None and missing:  # looked for twice in a row: it has not just moved
                raise JobNotFoundError(self.id)
            missing = found is None
        if self.state is None:
            raise JobNotFoundError(self.id)
        raise WaitTimeoutError(self.id, self.state, timeout or 0.0)

    def result(self, timeout: float | None = None) -> Any:
        """Return the value that the job returned; waits for it as `wait` does.

        Raises JobFailedError when the job failed for good, was cancelled or refused, and what `wait` raises.
        """
        self.wait(timeout)
        found = self._look
        if found is None or found.state is State.FAILED:
            raise _failure(self.id, found)
        return (found.document or {}).get("result")

    def retry(self) -> bool:
        """Move a job that failed or is done back to pending/, with a fresh budget; False when it lies in neither folder.

        DuplicateJobError when another job of its id waits.
        """
        from spoolrunner.client import operate

        found, settings = self._search(), self._settings()
        if found is None or found.state not in _OVER:
            return False
        retried = operate.retry(settings.layout, found.id, settings.signing_key, [found.state])
        if retried.is_taken:
            raise DuplicateJobError(self.id)
        return retried.source is not None

    def cancel(self) -> bool:
        """Ask the dispatcher to cancel the job, and return at once; False when it neither waits nor runs.

        The effect is seen by `wait` and `result`: the job fails with the outcome `cancelled`, or had ended before.
        """
        from spoolrunner.client import operate

        found = self._search()
        return (
            found is not None and found.state not in _OVER and operate.cancel(Layout(self.root), found.id) is not None
        )

    def discard(self) -> bool:
        """Remove a job that is over, with its reason and its log; False when it lies in neither done/ nor failed/."""
        from spoolrunner.client import operate

        found = self._search()
        return found is not None and found.state in _OVER and operate.remove(Layout(self.root), found.state, found.id)

    def _found(self) -> Look | None:
        """What the last look found; what was published, or a first look, when there was none."""
        if self._is_known:
            return self._look
        if self._published is None:
            return self._search()
        return self._keep(Look(self.id, State.PENDING, jsontext.decode(self._published.data)))

    def _search(self) -> Look | None:
        return self._keep(find(Layout(self.root), self.id, self._created_at))

    def _keep(self, found: Look | None) -> Look | None:
        self._look, self._is_known, self._published = found, True, None
        self._created_at = self._created_at or _created_at(found)
        return found

    def _settings(self) -> Config:
        from spoolrunner.client.settings import settings_in_force

        settings = settings_in_force(self._config)
        if settings.layout.root != Layout(self.root).root:
            raise ConfigError(settings.path, [f"is of the spool {settings.layout.root}, and the job of {self.root}"])
        return settings


def _created_at(look: Look | None) -> str | None:
    said = None if look is None or look.document is None else look.document.get("created_at")
    return said if isinstance(said, str) else None


def _pauses(timeout: float | None) -> Iterator[None]:
    """Come back at once, then after pauses that grow, and a last time when `timeout` seconds are over."""
    end = None if timeout is None else clock.SYSTEM.monotonic() + timeout
    pause = _FIRST_PAUSE
    yield
    while True:
        left = pause if end is None else end - clock.SYSTEM.monotonic()
        if left <= 0:
            return
        clock.SYSTEM.sleep(min(pause, left))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        yield


def _failure(job_id: str, found: Look | None) -> JobFailedError:
    """The error that says why the job in failed/ failed: by its ID.reason if it was refused, else by its last attempt."""
    if found is None:
        return JobFailedError(job_id, "")
    if found.reason is not None:
        return JobFailedError(job_id, found.outcome or "", message=str(found.reason.get("what", "")))
    error = {key: str(found.error.get(key, "")) for key in ("type", "message", "traceback")}
    message = error["message"] or found.problem
    return JobFailedError(job_id, found.outcome or "", error["type"], message, error["traceback"])
