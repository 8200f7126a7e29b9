"""Editing a job that waits: its priority, its time, its parameters. All else in its file stays as it was written.

    edit(settings, "20261123-174501-123456-7f3a9c", priority=10, params={"year": 2026})

The file is written anew and exchanged with the one in pending/, so a job that has been claimed meanwhile is not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from spoolrunner.client.enqueue import Delay, Moment, moments, plain_params
from spoolrunner.client.look import check_id
from spoolrunner.config.load import Config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document, jsontext, signing, whitelist
from spoolrunner.protocol.rewriting import rewritten
from spoolrunner.protocol.states import State
from spoolrunner.spool import editing, publishing, record
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.jobfile import Found
from spoolrunner.system import clock

NO_EXCHANGE = "a waiting job cannot be edited here: {}. Cancel it, and enqueue another"


class Keep(Enum):
    """The value of a field that is to stay as it is."""

    AS_IT_IS = "as it is"


KEEP = Keep.AS_IT_IS


class Answer(NamedTuple):
    """What became of an edit: the names of the fields that are new; `problem` is why nothing was changed, else empty."""

    fields: list[str]
    problem: str = ""


def edit(
    settings: Config,
    job_id: str,
    *,
    priority: int | Keep | None = KEEP,
    at: Moment | Keep | None = KEEP,
    delay: Delay | None = None,
    params: Sequence[Any] | Mapping[str, Any] | Keep = KEEP,
    inode: int | None = None,
) -> Answer:
    """Change fields of a job in pending/, durably; return which, or why nothing was changed.

    `priority` and `at` of None take the field out: the priority is that of the method then, and the time is now. `delay` counts
    from now, and is another way to say `at`. `inode` is that of the file when the caller saw it (`Look.inode`): a file that was
    replaced since is left alone. With a signing_key a file whose signature fits is signed anew.

    Raises JobFormatError when the file cannot be read or its new content would be refused, NotAllowedError, ConfigError,
    and OSError when the disk refuses.
    """
    spool = Spool(settings.layout, settings.fsync)
    try:
        found = spool.read(State.PENDING, check_id(job_id))
    except FileNotFoundError:
        return Answer([], _why_not(spool, job_id))
    if inode is not None and inode != found.inode:
        return Answer([], f"{editing.Edited.CHANGED}; look at it again")
    _, raw = document.parse(found.data)
    changes = _changes(raw, priority, _time(at, delay), params)
    if not changes:
        return Answer([], "nothing in it would be another")
    data = _written(settings, job_id, found, raw, changes)
    keeps_mtime = "delay" in raw and "delay" not in changes
    try:
        edited = editing.exchange(spool, job_id, found, data, keeps_mtime=keeps_mtime)
    except NotImplementedError as error:
        return Answer([], NO_EXCHANGE.format(error))
    if edited is editing.Edited.DONE:
        return Answer(sorted(changes))
    return Answer([], _why_not(spool, job_id) if edited is editing.Edited.GONE else edited.value)


def _time(at: Moment | Keep | None, delay: Delay | None) -> dict[str, Any] | None:
    """The fields that say when it is due; None when they are to stay as they are."""
    if delay is None and at is KEEP:
        return None
    begins = None if isinstance(at, Keep) else at
    return {"delay": None, "next_run_at": None} | moments(clock.SYSTEM.wall(), delay or 0, begins, None, None)


def _changes(
    raw: dict[str, Any],
    priority: int | Keep | None,
    time: dict[str, Any] | None,
    params: Sequence[Any] | Mapping[str, Any] | Keep,
) -> dict[str, Any]:
    """The fields that get another value; None is for one that is taken out."""
    wanted: dict[str, Any] = time or {}
    if not isinstance(priority, Keep):
        wanted["priority"] = priority
    if not isinstance(params, Keep):
        wanted["params"] = plain_params(params)
    return {key: value for key, value in wanted.items() if raw.get(key) != value}


def _written(settings: Config, job_id: str, found: Found, raw: dict[str, Any], changes: dict[str, Any]) -> bytes:
    """The new content of the file, checked as the dispatcher will check it."""
    key = settings.signing_key
    if key is not None and (problem := signing.problem(key, job_id, raw, found.data)):
        raise JobFormatError(signing.FIELD, problem)
    for name, value in changes.items():
        jsontext.check_value(value, name, 2)
    path = settings.layout.job(State.PENDING, job_id)
    data = rewritten(found.data, changes | {record.REPLACES: record.replaced(raw, path, found.stamp)})
    if key is not None:
        data = signing.sign(key, job_id, jsontext.decode(data))
    checked, made = document.parse(data)
    settings.check_limits(checked)
    whitelist.entry(settings.allowed, checked.job, checked.method).check_params(made.get("params", []))
    return data


def _why_not(spool: Spool, job_id: str) -> str:
    state = publishing.state_of(spool, job_id)
    return (
        "lies in no folder of the spool"
        if state is None
        else f"lies in {state.value}/; only a job that waits can be edited"
    )
