"""A job as programs hold it: what the last look found, waiting for its end, its result, and what can be done with it.

    job = enqueue(Report.build, params=[2026])
    job.result(timeout=30)

`state` and `document` come from one look, so that they belong together, and stay as they are until `refresh` looks again.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from spoolrunner.client.following import Follower, Publication
from spoolrunner.client.look import Look
from spoolrunner.client.result import failure, result_of
from spoolrunner.config.load import Config
from spoolrunner.errors import (
    ConfigError,
    DuplicateJobError,
    JobNotFoundError,
    WaitTimeoutError,
)
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import Layout


class Job:
    """A job of a spool. `id` is its id, `root` the absolute path of the spool; two of the same id and spool are equal.

    From `enqueue` it knows that it is pending; otherwise it looks at the disk when it is first asked.
    """

    __slots__ = ("_config", "_follower", "_is_known", "_look", "_published", "id", "root")

    def __init__(
        self,
        id: str,  # noqa: A002 -- the word of the job file
        root: str,
        *,
        config: str | None = None,
        look: Look | None = None,
        published: bytes | None = None,
    ) -> None:
        self.id = id
        self.root = root
        self._config = config
        self._look = look
        self._is_known = look is not None
        self._published = published
        """The bytes of its file, which `enqueue` has just published; they are read when they are asked for."""
        self._follower = Follower(_layout(root), id, None if look is None else Publication.of(look))
        if look is not None:
            self._follower.name = look.id

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
        publication = self._follower.publication
        try:
            said = None if publication is None else publication.created_at
            return None if said is None else datetime.fromisoformat(said)
        except ValueError:
            return None  # not ours: refused by the dispatcher

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the job is done or failed for good, at most `timeout` seconds (None: for ever); return which.

        A job that will be tried again is not over, and a dispatcher that is stopped is no end. Raises WaitTimeoutError when the
        time is up, JobNotFoundError when its file is gone, and SpoolLayoutError when its spool is.
        """
        from spoolrunner.client.waiting import until_over

        self._found()
        for ended in until_over([self._follower], timeout):
            found = self._keep(ended.found)
            if found is None:
                raise JobNotFoundError(self.id)
            return str(found.state)
        found = self._search()
        if found is None:
            raise JobNotFoundError(self.id)
        raise WaitTimeoutError(self.id, str(found.state), timeout or 0.0)

    def result(self, timeout: float | None = None) -> Any:
        """Return the value that the job returned; waits for it as `wait` does.

        Raises JobFailedError when the job failed for good, was cancelled or refused, ResultDroppedError when it is done and its
        value was not kept, and what `wait` raises.
        """
        self.wait(timeout)
        found = self._look
        if found is None or found.state is not State.DONE:
            raise failure(self.id, found)
        return result_of(self.id, found)

    def retry(self) -> bool:
        """Move a job that failed or is done back to pending/, with a fresh budget; False when it lies in neither folder.

        DuplicateJobError when another job of its id waits.
        """
        from spoolrunner.client import operate

        found, settings = self._search(), self._settings()
        if found is None or not found.is_over:
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
        return found is not None and not found.is_over and operate.cancel(_layout(self.root), found.id) is not None

    def discard(self) -> bool:
        """Remove a job that waits or is over, with its reason and its log; False when it runs, or is gone."""
        from spoolrunner.client import operate

        found = self._search()
        return (
            found is not None
            and found.state is not State.RUNNING
            and operate.remove(_layout(self.root), found.state, found.id)
        )

    def _found(self) -> Look | None:
        """What the last look found; what was published, or a first look, when there was none."""
        if self._is_known:
            return self._look
        if self._published is None:
            return self._search()
        return self._keep(Look(self.id, State.PENDING, jsontext.decode(self._published)))

    def _search(self) -> Look | None:
        if self._published is not None:
            self._found()
        return self._keep(self._follower.look())

    def _keep(self, found: Look | None) -> Look | None:
        self._look, self._is_known, self._published = found, True, None
        if self._follower.publication is None and found is not None:
            self._follower.publication = Publication.of(found)
        return found

    def _settings(self) -> Config:
        from spoolrunner.client.settings import settings_in_force

        settings = settings_in_force(self._config)
        if settings.layout.root != _layout(self.root).root:
            raise ConfigError(settings.path, [f"is of the spool {settings.layout.root}, and the job of {self.root}"])
        return settings


@lru_cache(maxsize=8)
def _layout(root: str) -> Layout:
    return Layout(root)
