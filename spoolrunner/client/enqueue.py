"""Enqueueing from Python: a job as an object, checked as the dispatcher will check it, then published durably.

Owns how a class or function becomes names, and how ids are made. Loads neither the dispatcher nor watchdog.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from spoolrunner.client import after as dependencies
from spoolrunner.client.after import After
from spoolrunner.client.job import Job, Published
from spoolrunner.client.settings import settings_in_force
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document, jsontext, signing, whitelist
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.ids import id_problem
from spoolrunner.spool.recognise import check_for_publishing
from spoolrunner.system import clock, times

Params = Sequence[Any] | Mapping[str, Any]
Delay = float | str | timedelta
Moment = str | datetime


def enqueue(
    job: str | Callable[..., Any],
    method: str | None = None,
    params: Params = (),
    delay: Delay = 0,
    *,
    priority: int | None = None,
    id: str | None = None,  # noqa: A002 -- the word of the job file
    next_run_at: Moment | None = None,
    max_retries: int | None = None,
    timeout: float | str | None = None,
    expires_at: Moment | None = None,
    meta: Mapping[str, Any] | None = None,
    after: After | None = None,
    group: str | None = None,
    config: str | None = None,
) -> Job:
    """Publish a job; when this returns it is on disk for good (with `fsync` on, as by default).

    `job` is the dotted path of a class or module with `method` in it, or the class itself, or the function or method itself
    without `method`. A class method keeps the class that it was asked of; of a method of an instance only the class is kept,
    so an instance with state is refused. `Sub.method` of a function that a base class defines is that of the base: give the
    class and the name. `params` are a sequence (by position) or a mapping (by name) of JSON values. `delay` is in seconds, or
    like "5m", or a timedelta. Times are RFC 3339 strings or datetimes with a time zone. `after` is a job, or several, or
    their ids: it starts when all of them are done, or with {"jobs": …, "when": "ended"} when they are over. `group` is whose
    limits and pauses it is under. `config` is the path of config.json, found as the command line finds it when left out.

    Raises JobFormatError (a value that no job file may hold), NotAllowedError (not in allowed_jobs), DuplicateJobError
    (the id waits already), ConfigError, and OSError when the disk refuses.
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
    published = []
    for given in jobs:
        job_id, raw = _make(settings, **given)
        if job_id in made:
            raise JobFormatError("id", f"{job_id!r} occurs twice in one batch")
        waits[job_id] = _check_after(spool, job_id, raw, waits)
        made[job_id] = _encode(settings, job_id, raw)
        known = Published(made[job_id], raw["created_at"])
        published.append(Job(job_id, settings.layout.root, config=settings.path, published=known))
    check_for_publishing(settings.layout)
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


def names_of(job: object, method: str | None) -> tuple[str, str]:
    """(job, method) as the whitelist spells them; JobFormatError when the object cannot be imported by its name."""
    if isinstance(job, str):
        if method is None:
            raise JobFormatError("method", "missing; name a method of the class, or function of the module")
        return job, method
    if inspect.isclass(job):
        if method is None:
            raise JobFormatError("method", f"missing; name a method of {job.__qualname__}")
        return _importable(job), method
    if method is not None:
        advice = f"must be left out when job is a function or method itself; arguments go into params=[{method!r}]"
        raise JobFormatError("method", advice)
    if inspect.ismethod(job):
        return _names_of_bound(job)
    module, qualified = getattr(job, "__module__", None), getattr(job, "__qualname__", None)
    if isinstance(job, functools.partial):
        raise JobFormatError(
            "job", "a partial has no name to be found by; give its function, and its arguments as params"
        )
    if not callable(job) or module == "builtins" or not isinstance(module, str) or not isinstance(qualified, str):
        raise JobFormatError("job", f"{type(job).__name__} is no dotted path, class, function or method")
    full = _importable(job)
    path, _, name = full.rpartition(".")
    return path, name


def _names_of_bound(method: Any) -> tuple[str, str]:
    """Return the names of a bound method: with the class that it was asked of, not the one that defines it."""
    owner, name = method.__self__, method.__name__
    if not inspect.isclass(owner):
        kind = type(owner)
        if not _is_without_state(owner):
            raise JobFormatError(
                "job",
                f"a job's process makes its own {kind.__qualname__}, without arguments, and knows nothing of this one's state; "
                f"give {kind.__qualname__}.{name}, and what it needs as params",
            )
        owner = kind
    if not any(name in vars(base) for base in owner.__mro__):
        raise JobFormatError(
            "job", f"{owner.__qualname__} has no method {name!r} of its own; a job is found by that name"
        )
    there = getattr(owner, name)
    if getattr(there, "__func__", there) is not method.__func__:
        raise JobFormatError(
            "job", f"{owner.__qualname__}.{name} does not lead to the method given; a job is found by that name"
        )
    return _importable(owner), name


def _is_without_state(instance: Any) -> bool:
    slots = (name for base in type(instance).__mro__ for name in _listed(vars(base).get("__slots__", ())))
    return not getattr(instance, "__dict__", {}) and not any(
        hasattr(instance, name) for name in slots if name not in ("__dict__", "__weakref__")
    )


def _listed(slots: Any) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _importable(found: Any) -> str:
    module, qualified = found.__module__, found.__qualname__
    if "<lambda>" in qualified:
        raise JobFormatError("job", "a lambda has no name to be found by; define a function in a module")
    if "<locals>" in qualified:
        raise JobFormatError("job", f"{qualified} is defined inside a function; define it at the top of a module")
    if module == "__main__":
        raise JobFormatError(
            "job", f"{qualified} is defined in the main program; move it to a module that can be imported"
        )
    there: Any = importlib.import_module(module)
    for part in qualified.split("."):
        there = getattr(there, part, None)
    if getattr(there, "__func__", there) is not getattr(found, "__func__", found):
        raise JobFormatError(
            "job", f"{module}.{qualified} does not lead to the object given; a job is found by that name"
        )
    return f"{module}.{qualified}"


def _make(
    settings: Config,
    job: object = None,
    method: str | None = None,
    params: Params = (),
    delay: Delay = 0,
    id: str | None = None,  # noqa: A002
    next_run_at: Moment | None = None,
    meta: Mapping[str, Any] | None = None,
    expires_at: Moment | None = None,
    after: After | None = None,
    **plain: Any,
) -> tuple[str, dict[str, Any]]:
    now = clock.SYSTEM.wall()
    path, name = names_of(job, method)
    whitelist.entry(settings.allowed, path, name)
    job_id = _new_id(now) if id is None else id
    problem = id_problem(job_id)
    if problem:
        raise JobFormatError("id", f"{job_id!r}: {problem}")
    raw: dict[str, Any] = {"job": path, "method": name, "params": _plain(params)}
    seconds = _duration(delay.total_seconds() if isinstance(delay, timedelta) else delay)
    if seconds:
        if next_run_at is not None:
            raise JobFormatError("delay", "give either delay or next_run_at")
        raw["next_run_at"] = clock.format_time(now + seconds)
    moments = {"next_run_at": next_run_at, "expires_at": expires_at}
    raw |= {key: _moment(key, value) for key, value in moments.items() if value is not None}
    raw |= {key: value for key, value in plain.items() if value is not None}
    if after is not None:
        raw["after"] = dependencies.as_written(after, settings.layout.root)
    if meta:
        raw["meta"] = dict(meta)
    raw["created_at"] = clock.format_time(now)
    return job_id, raw


def _encode(settings: Config, job_id: str, raw: dict[str, Any]) -> bytes:
    for name, value in raw.items():
        jsontext.check_value(value, name, 2)
    key = settings.signing_key
    data = jsontext.encode(raw) if key is None else signing.sign(key, job_id, raw)
    checked, _ = document.parse(data)
    settings.check_limits(checked)
    return data


def _plain(params: Params) -> list[Any] | dict[str, Any]:
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


def _duration(value: object) -> float:
    try:
        return times.parse_duration(value)
    except ValueError as error:
        raise JobFormatError("delay", str(error)) from None


def _moment(key: str, value: Moment) -> str:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise JobFormatError(key, "a datetime without a time zone is ambiguous; use datetime.now(UTC)")
    return clock.format_time(value.timestamp())


def _new_id(now: float) -> str:
    """Sorts by time and can be read: 20261123-174501-123456-7f3a9c, in UTC."""
    text = clock.format_time(now)
    day, time = text[:10].replace("-", ""), text[11:19].replace(":", "")
    return f"{day}-{time}-{text[20:26]}-{os.urandom(3).hex()}"
