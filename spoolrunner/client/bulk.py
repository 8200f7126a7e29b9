"""Doing with many jobs what `operate` does with one: retry, cancel and discard, and the dispatcher is not held up.

    chosen = retryable(layout, jobs(state="failed", error="ValueError").looks(), "ValueError")
    for choice, retried in retry(settings, chosen.jobs):
        ...

First all are found, so that they can be counted; then each is done, and an error of one is none of the others. What moves
shares its syncs, and of cancels only so many stand at a time: the dispatcher reads all of control/ whenever it looks there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from spoolrunner.client import dependants, operate
from spoolrunner.client.look import Look
from spoolrunner.client.operate import CancelEnd, Cancelled, CancelRequest, Retried
from spoolrunner.client.pace import Pace
from spoolrunner.config.load import Config
from spoolrunner.errors import DuplicateJobError, JobFormatError
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import retrying
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout

_AT_ONCE = 500
"""Jobs that share a sync."""
_CANCELS_AT_ONCE = 200
"""Requests in control/ at a time."""


class Choice(NamedTuple):
    """A job that was found: its name, where it lay, and how it ended so far."""

    name: str
    state: State
    outcome: str | None = None


class Retryable(NamedTuple):
    """The jobs that are to be retried, and how many are left.

    `rejected` counts those that would be refused again, since they were rejected or cannot be read; `cancelled` those that
    somebody cancelled; `dependent` those that would fail again at once, since one that they wait for lies in failed/.
    """

    jobs: list[Choice]
    rejected: int
    cancelled: int
    dependent: int = 0


def choose(looks: Iterable[Look], limit: int = 0) -> list[Choice]:
    """Return the first `limit` jobs that a search finds (0: all)."""
    return [Choice(found.id, found.state, found.outcome) for found in islice(looks, limit or None)]


def retryable(layout: Layout, looks: Iterable[Look], error: str | None = None, limit: int = 0) -> Retryable:
    """Return the jobs that may run again without being mended, and were not cancelled on purpose; the first `limit` (0: all).

    What was rejected or cancelled is among them if it was asked for by `error`. What failed for another comes behind that.
    """
    jobs: list[Choice] = []
    dependent: dict[str, Choice] = {}
    rejected = cancelled = 0
    for found in looks:
        outcome = found.outcome
        if found.problem or (outcome == Outcome.REJECTED and error != Outcome.REJECTED):
            rejected += 1
        elif outcome == Outcome.CANCELLED and error != Outcome.CANCELLED:
            cancelled += 1
        elif outcome == Outcome.DEPENDENCY_FAILED:
            dependent[found.id] = Choice(found.id, found.state, outcome)
        else:
            jobs.append(Choice(found.id, found.state, outcome))
            if len(jobs) == limit:
                return Retryable(jobs, rejected, cancelled)
    going = dependants.that_may_go(layout, [choice.name for choice in jobs], list(dependent))
    jobs += [dependent[name] for name in going]
    return Retryable(jobs[: limit or None], rejected, cancelled, len(dependent) - len(going))


def retry(settings: Config, chosen: Sequence[Choice]) -> Iterator[tuple[Choice, Retried]]:
    """Move jobs back to pending/ as `operate.retry` does, each from where it was found; return what became of each.

    What has been returned lasts. OSError when a folder of the spool is missing or cannot be synced.
    """
    spool = Spool(settings.layout)
    pace = Pace(settings.layout)
    for begin in range(0, len(chosen), _AT_ONCE):
        batch = chosen[begin : begin + _AT_ONCE]
        pace.wait(len(batch))
        mended = {choice: _lift_expiry(spool, choice, settings.signing_key) for choice in batch}
        ready = [choice for choice in batch if not isinstance(mended[choice], Exception)]
        moved = retrying.put_back_many(spool, [(choice.name, choice.state) for choice in ready])
        became = dict(zip(ready, moved, strict=True))
        for choice in batch:
            yield choice, _retried(choice, became.get(choice, False), mended[choice])


def cancel(
    layout: Layout, chosen: Iterable[Choice], limit: float, asked: Callable[[Choice], None]
) -> Iterator[tuple[Choice, Cancelled | None]]:
    """Ask for jobs to be cancelled, so many at a time, and return what became of each; None when it neither waited nor ran.

    `asked` is called for each as soon as its request is made. `limit` is for how many seconds each is waited for; when one of
    them was not carried out by then, no other is waited for.
    """
    standing: deque[tuple[Choice, CancelRequest]] = deque()
    left = iter(chosen)
    while True:
        for choice in islice(left, max(0, _CANCELS_AT_ONCE - len(standing))):
            request = operate.cancel(layout, choice.name)
            if request is None:
                yield choice, None
            else:
                asked(choice)
                standing.append((choice, request))
        if not standing:
            return
        choice, request = standing.popleft()
        answer = operate.await_cancel(layout, request, limit)
        if answer.end is CancelEnd.STANDS:
            limit = 0.0  # the dispatcher does not come to them
        yield choice, answer


def discard(layout: Layout, chosen: Iterable[Choice]) -> Iterator[tuple[Choice, bool | OSError]]:
    """Remove jobs as `operate.remove` does, each from where it was found; return whether it was there, or the error."""
    for choice in chosen:
        try:
            yield choice, operate.remove(layout, choice.state, choice.name)
        except OSError as error:  # of this one
            yield choice, error


def _lift_expiry(spool: Spool, choice: Choice, key: bytes | None) -> bool | JobFormatError | OSError:
    """Whether expires_at was taken out of it; an error is why it cannot be retried."""
    if choice.state is not State.FAILED or choice.outcome != Outcome.EXPIRED:
        return False
    try:
        return operate.lift_expiry(spool, choice.name, key)
    except FileNotFoundError:
        return False  # Race: somebody moved it just now.
    except (JobFormatError, OSError) as error:
        return error


def _retried(choice: Choice, moved: retrying.PutBack, mended: bool | JobFormatError | OSError) -> Retried:
    lost_expiry = mended is True
    if isinstance(mended, Exception):
        return Retried(error=mended)
    if isinstance(moved, DuplicateJobError):
        return Retried(is_taken=True, lost_expiry=lost_expiry)
    if isinstance(moved, OSError):
        return Retried(lost_expiry=lost_expiry, error=moved)
    return Retried(choice.state if moved else None, lost_expiry=lost_expiry)
