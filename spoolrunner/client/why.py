"""Why a job has not started: every reason there is at this moment, each a sentence.

    why(settings, "20261123-174501-123456-7f3a9c").reasons

A reason is a function that is given what is known of the job and returns its sentences; `REASONS` is the one list of them. What
only the dispatcher knows is as old as its status.json: a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from spoolrunner.client import held, listing
from spoolrunner.client.look import find
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.config.load import Config, parse_config
from spoolrunner.errors import JobFormatError, JobNotFoundError, NotAllowedError
from spoolrunner.protocol import document, signing, whitelist
from spoolrunner.protocol.document import Document
from spoolrunner.protocol.policy import Policy, job_policy
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.jobfile import Found
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock
from spoolrunner.telling import status as status_file


class Answer(NamedTuple):
    """Where a job lies, and why it has not started; `reasons` is empty when nothing keeps it, and when it does not wait."""

    state: State
    reasons: list[str]


class Waiting(NamedTuple):
    """What is known of a job that waits. `now` and `due_at` are in seconds since 1970.

    `said` is the dispatcher's status.json, and empty when none serves the spool.
    """

    settings: Config
    id: str
    document: Document
    raw: dict[str, Any]
    policy: Policy
    now: float
    due_at: float
    is_served: bool
    said: dict[str, Any]

    @property
    def running(self) -> list[dict[str, Any]]:
        """The attempts that the dispatcher has said to be running."""
        found: list[dict[str, Any]] = self.said.get("running", [])
        return found


Reason = Callable[[Waiting], Iterable[str]]


def why(settings: Config, job_id: str) -> Answer:
    """Return where the job of that id lies and, if it waits, every reason why it has not started.

    JobNotFoundError when it is nowhere.
    """
    return _answer(settings, job_id, _waiting, REASONS)


def why_by_files(layout: Layout, path: str, job_id: str) -> Answer:
    """Do the same while the config.json at `path` is unfit: by the files of the spool and what the dispatcher has said.

    The rest of what config.json says of the job (its policy, its limits, whether it is allowed) is left out, and that is said.
    """
    bare = parse_config(path, {"allowed_jobs": {}, "spool": layout.root})
    answer = _answer(bare, job_id, _unjudged, _BY_FILES)
    if answer.state is not State.PENDING:
        return answer
    return answer._replace(
        reasons=[f"{path} is unfit, so nothing is said here of what it says of the job", *answer.reasons]
    )


def _answer(
    settings: Config, job_id: str, known: Callable[[Config, str, Found], Waiting], asked: Sequence[Reason]
) -> Answer:
    layout = settings.layout
    try:
        read = Spool(layout).read(State.PENDING, job_id)
        job = known(settings, job_id, read)
    except FileNotFoundError:
        found = find(layout, job_id)
        if found is None:
            raise JobNotFoundError(job_id) from None
        return Answer(found.state, [])
    except (JobFormatError, NotAllowedError) as error:
        return Answer(State.PENDING, [f"it will be refused as it is: {error}", *_unserved(settings)])
    return Answer(State.PENDING, [sentence for reason in asked for sentence in reason(job)])


def _waiting(settings: Config, job_id: str, read: Found) -> Waiting:
    """What is known of the job; JobFormatError or NotAllowedError when it will be refused."""
    checked, raw = document.parse(read.data)
    key = settings.signing_key
    problem = key and signing.problem(key, job_id, raw, read.data)
    if problem:
        raise JobFormatError("signature", problem)
    policy = whitelist.entry(settings.allowed, checked.job, checked.method)
    settings.check_limits(checked)
    policy.check_params(checked.params)
    return _seen(
        settings, job_id, read, (checked, raw), job_policy(document.overrides(checked), policy, settings.limits)
    )


def _unjudged(settings: Config, job_id: str, read: Found) -> Waiting:
    return _seen(settings, job_id, read, document.parse(read.data), settings.default_policy)


def _seen(
    settings: Config, job_id: str, read: Found, parsed: tuple[Document, dict[str, Any]], policy: Policy
) -> Waiting:
    checked, raw = parsed
    is_served = dispatcher_of(settings.layout) is not None
    now = clock.SYSTEM.wall()
    return Waiting(
        settings,
        job_id,
        checked,
        raw,
        policy,
        now,
        document.due_at(checked, read.mtime, read.came_at, now),
        is_served,
        status_file.read(settings.layout) if is_served else {},
    )


def _not_due(job: Waiting) -> Iterator[str]:
    if job.due_at > job.now:
        tried = f", after attempt {len(job.document.attempts)}" if job.document.attempts else ""
        yield f"it is not due until {clock.format_time(job.due_at)}{tried}"


def _too_late(job: Waiting) -> Iterator[str]:
    expires_at = job.document.expires_at
    if expires_at is not None and not job.document.attempts and expires_at.timestamp() <= job.now:
        yield "it is too late for it, by its expires_at: it will fail as expired"


def _cancelled(job: Waiting) -> Iterator[str]:
    if requests.is_cancel_asked(job.settings.layout, job.id):
        yield f"it is to be cancelled: {job.settings.layout.cancel(job.id)} exists"


def _no_dispatcher(job: Waiting) -> Iterator[str]:
    if not job.is_served:
        yield from _unserved(job.settings)


def _unserved(settings: Config) -> list[str]:
    return [] if dispatcher_of(settings.layout) else ["no dispatcher serves the spool; `spoolrunner run` starts one"]


def _paused(job: Waiting) -> Iterator[str]:
    if requests.is_paused(job.settings.layout):
        yield f"the spool is paused: {job.settings.layout.pause} exists; `spoolrunner resume` goes on"


def _dispatcher_does_not_start(job: Waiting) -> Iterator[str]:
    """The dispatcher's own state, and what it says to be wrong with itself."""
    state, trouble = job.said.get("state"), job.said.get("trouble", [])
    if state == "blocked":
        yield f"the dispatcher is blocked: {trouble[0]}" if trouble else "the dispatcher is blocked"
    elif state in ("stopping", "leaving"):
        yield "the dispatcher is about to end, and starts nothing"
    yield from (text for text in trouble if text.startswith(f"{job.settings.path} is not taken over"))


def _put_off(job: Waiting) -> Iterator[str]:
    for entry in job.said.get("postponed", []):
        if entry["id"] == job.id:
            until = f", until {entry['until']}" if isinstance(entry.get("until"), str) else ""
            yield f"{entry['why']}{until}"


def _held_up(job: Waiting) -> Iterator[str]:
    """What it waits for, and the limits and pauses of its method and group."""
    return held.reasons(job.settings.layout, job.id, job.document, job.policy.group or job.document.group, job.said)


def _same_id(job: Waiting) -> Iterator[str]:
    if Spool(job.settings.layout).exists(State.RUNNING, job.id) and not any(_put_off(job)):
        yield "an earlier job of this id is still in running/"


def _method_is_busy(job: Waiting) -> Iterator[str]:
    most = job.policy.concurrency
    names = job.document.job, job.document.method
    running = sum((entry["job"], entry["method"]) == names for entry in job.running)
    is_said = ("method", ".".join(names)) in [(entry["by"], entry["name"]) for entry in job.said.get("held", [])]
    if most is not None and running >= most and not is_said and not any(_put_off(job)):
        yield f"its method runs as often as it may at once: {running} of {most}"


def _behind_others(job: Waiting) -> Iterator[str]:
    """The places are taken, and others come first."""
    places = job.said.get("concurrency")
    if not isinstance(places, int) or len(job.running) < places or job.due_at > job.now:
        return
    before = listing.before(job.settings, job.id)
    others = "others that are due may come before it" if before is None else f"it is behind {before} others"
    yield f"all {places} places are taken; {others}"


REASONS: tuple[Reason, ...] = (
    _not_due,
    _too_late,
    _cancelled,
    _no_dispatcher,
    _paused,
    _dispatcher_does_not_start,
    _put_off,
    _held_up,
    _same_id,
    _method_is_busy,
    _behind_others,
)
"""Every reason, in the order in which they are told."""
_BY_FILES = tuple(reason for reason in REASONS if reason not in (_method_is_busy, _behind_others))
"""Those that need nothing of config.json but the spool."""
