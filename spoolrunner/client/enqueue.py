"""Enqueueing from Python: a job as an object, checked as the dispatcher will check it, then published durably.

Owns how ids are made. Loads neither the dispatcher nor watchdog.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from spoolrunner.client import after as dependencies
from spoolrunner.client import naming
from spoolrunner.client.after import After
from spoolrunner.client.job import Job
from spoolrunner.client.settings import settings_in_force
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError, nearest
from spoolrunner.protocol import document, jsontext, signing, whitelist
from spoolrunner.protocol.tracing import current_trace
from spoolrunner.spool import publishing
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import id_problem
from spoolrunner.spool.recognise import check_for_publishing
from spoolrunner.system import clock, times

Params = Sequence[Any] | Mapping[str, Any]
Delay = float | str | timedelta
Moment = str | datetime
Unique = Literal["waiting", "kept"]
_UNIQUE: tuple[str, ...] = get_args(Unique)


def enqueue(
    job: str | Callable[..., Any],
    method: str | None = None,
    params: Params = (),
    delay: Delay = 0,
    *,
    priority: int | None = None,
    id: str | None = None,  # noqa: A002 -- the word of the job file
    at: Moment | None = None,
    next_run_at: Moment | None = None,
    max_retries: int | None = None,
    timeout: Delay | None = None,
    expires_at: Moment | None = None,
    meta: Mapping[str, Any] | None = None,
    unique: Unique | None = None,
    after: After | None = None,
    group: str | None = None,
    config: str | None = None,
) -> Job:
    """Publish a job; when this returns it is on disk for good (with `fsync` on, as by default).

    `job` is the dotted path of a class or module with `method` in it, or the class itself, or the function or method
    itself without `method`. A class method keeps the class that it was asked of; of a method of an instance only the class is
    kept, so an instance with state is refused. `Sub.method` of a function that a base class defines is that of the base: give
    the class and the name. `params` are a sequence (by position) or a mapping (by name) of JSON values; where the
    function itself is given they must fit it. `delay` and `timeout` are in seconds, or like "5m", or a timedelta. `at`, which
    the job file calls `next_run_at`, and `expires_at` are RFC 3339 strings or datetimes with a time zone. With
    `unique="kept"` the `id` is refused while a job of it lies in any folder, done/ and failed/ too; "waiting" is what is so
    without it, while one waits in pending/. `after` is a job, or several, or their ids: it starts when all of them are done, or
    with {"jobs": …, "when": "ended"} when they are over. `group` is whose limits and pauses it is under. `config` is the path
    of config.json, found as by the command line if left out. In a program that uses OpenTelemetry its trace
    context goes along in `meta`, as far as that has none of its own.

    Raises JobFormatError (a value that no job file may hold, or that a command does not take), NotAllowedError (not in
    allowed_jobs), DuplicateJobError (the id waits already, or lies in the folder that its `state` names), ConfigError, and
    OSError when the disk refuses.
    """
    given = {name: value for name, value in locals().items() if name != "config"}
    return enqueue_many([given], config=config)[0]


def enqueue_many(jobs: Iterable[Mapping[str, Any]], *, config: str | None = None) -> list[Job]:
    """Publish many jobs, each given as a mapping of `enqueue`'s arguments; faster than one by one.

    All are checked before the first is published. A job may wait for those that are given before it, by their ids, and what
    is returned can be waited for: `enqueue(Mail.send, after=enqueue_many(…))`. Raises what `enqueue` raises; of a
    DuplicateJobError's batch the jobs before the taken id are published.
    """
    settings = settings_in_force(config)
    spool = Spool(settings.layout, settings.fsync)
    made: dict[str, bytes] = {}
    waits: dict[str, list[str]] = {}
    published, kept = [], []
    for given in jobs:
        job_id, raw = _make(settings, **given)
        kept += [job_id] if given.get("unique") == "kept" else []
        if job_id in made:
            raise JobFormatError("id", f"{job_id!r} occurs twice in one batch")
        waits[job_id] = _check_after(spool, job_id, raw, waits)
        made[job_id] = _encode(settings, job_id, raw)
        published.append(Job(job_id, settings.layout.root, config=settings.path, published=made[job_id]))
    spool = Spool(settings.layout, settings.fsync)
    check_for_publishing(settings.layout)
    with publishing.reserved(spool, kept):
        if len(made) == 1:
            for job_id, data in made.items():
                spool.publish(job_id, data)
        else:
            spool.publish_many(made)
    return published


def _check_after(spool: Spool, job_id: str, raw: dict[str, Any], batch: Mapping[str, list[str]]) -> list[str]:
    """Return the ids that this job waits for; JobFormatError when it would wait for ever for one of them."""
    if "after" not in raw:
        return []
    check_for_publishing(spool.layout)  # where there is no spool no job is in it
    wanted = dependencies.names(raw["after"])
    dependencies.check(spool, job_id, wanted, batch)
    return wanted


def _make(
    settings: Config,
    job: object = None,
    method: str | None = None,
    params: Params = (),
    delay: Delay = 0,
    id: str | None = None,  # noqa: A002
    at: Moment | None = None,
    next_run_at: Moment | None = None,
    meta: Mapping[str, Any] | None = None,
    timeout: Delay | None = None,
    expires_at: Moment | None = None,
    unique: Unique | None = None,
    after: After | None = None,
    **plain: Any,
) -> tuple[str, dict[str, Any]]:
    now = clock.SYSTEM.wall()
    path, name = naming.names_of(job, method)
    policy = whitelist.entry(settings.allowed, path, name)
    _check_unique(unique, id)
    job_id = _new_id(now) if id is None else _checked_id(id)
    raw: dict[str, Any] = {"job": path, "method": name, "params": plain_params(params)}
    policy.check_params(raw["params"])
    if not isinstance(job, str):
        naming.check_fit(job, (path, name), raw["params"])
    raw |= moments(now, delay, at, next_run_at, expires_at)
    raw |= {key: value for key, value in plain.items() if value is not None}
    if timeout is not None:
        raw["timeout"] = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if after is not None:
        raw["after"] = dependencies.as_written(after, settings.layout.root)
    raw |= _meta(meta)
    raw["created_at"] = clock.format_time(now)
    raw["key"] = os.urandom(8).hex()
    return job_id, raw


def _meta(given: object) -> dict[str, Any]:
    """The field `meta`: what is given, and the trace of what this program does now; nothing where both are empty."""
    if given is not None and not isinstance(given, Mapping):
        raise JobFormatError("meta", f"{type(given).__name__} is no mapping: write meta={{…}}")
    made = current_trace() | dict(given or {})
    return {"meta": made} if made else {}


def moments(
    now: float, delay: Delay, at: Moment | None, next_run_at: Moment | None, expires_at: Moment | None
) -> dict[str, str]:
    """Return the times of a job as its file has them; JobFormatError for what is no time, or where two are one too many."""
    if at is not None and next_run_at is not None:
        raise JobFormatError("at", "and next_run_at are two words for one thing: give either")
    begins = next_run_at if at is None else at
    seconds = _duration("delay", delay)
    if seconds and begins is not None:
        raise JobFormatError("delay", "give either delay or a time (at, next_run_at)")
    found = {"next_run_at": _time("delay", now + seconds)} if seconds else {}
    moments = {"next_run_at": begins, "expires_at": expires_at}
    return found | {key: _moment(key, value) for key, value in moments.items() if value is not None}


def _encode(settings: Config, job_id: str, raw: dict[str, Any]) -> bytes:
    for name, value in raw.items():
        jsontext.check_value(value, name, 2)
    key = settings.signing_key
    data = jsontext.encode(raw) if key is None else signing.sign(key, job_id, raw)
    checked, _ = document.parse(data)
    settings.check_limits(checked)
    return data


def _check_unique(unique: str | None, job_id: str | None) -> None:
    if unique is None:
        return
    if unique not in _UNIQUE:
        raise JobFormatError("unique", f"{unique!r} is none of {', '.join(_UNIQUE)}{nearest(unique, _UNIQUE)}")
    if job_id is None:
        raise JobFormatError("unique", "needs an id: one that is made from the time is unique anyway")


def plain_params(params: Params) -> list[Any] | dict[str, Any]:
    """Return parameters as a job file has them; JobFormatError when they are neither a sequence nor a mapping."""
    if isinstance(params, Mapping):
        return dict(params)
    if not isinstance(params, (str, bytes, bytearray)):
        try:
            return list(params)
        except TypeError:
            pass  # said below, for this and for text alike
    raise JobFormatError(
        "params",
        f"{type(params).__name__} is neither a sequence (by position) nor a mapping (by name): write params=[…]",
    )


def _checked_id(job_id: Any) -> str:
    problem = id_problem(job_id) if isinstance(job_id, str) else f"an id is text: write id={str(job_id)!r}"
    if problem:
        raise JobFormatError("id", f"{job_id!r}: {problem}")
    return str(job_id)


def _duration(key: str, value: object) -> float:
    try:
        return times.parse_duration(value.total_seconds() if isinstance(value, timedelta) else value)
    except ValueError as error:
        raise JobFormatError(key, str(error)) from None


def _time(key: str, wall: float) -> str:
    """Write a time as the job file has it; JobFormatError where it is beyond the calendar."""
    try:
        return clock.format_time(wall)
    except (OverflowError, ValueError):
        raise JobFormatError(key, "is beyond the years 1 to 9999") from None


def _moment(key: str, value: Moment) -> str:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise JobFormatError(key, "a datetime without a time zone is ambiguous; use datetime.now(UTC)")
    try:
        return _time(key, value.timestamp())
    except (OverflowError, ValueError):
        raise JobFormatError(key, f"{value} is beyond the years 1 to 9999 in UTC") from None


def _new_id(now: float) -> str:
    """Sorts by time and can be read: 20261123-174501-123456-7f3a9c, in UTC."""
    text = clock.format_time(now)
    day, time = text[:10].replace("-", ""), text[11:19].replace(":", "")
    return f"{day}-{time}-{text[20:26]}-{os.urandom(3).hex()}"
