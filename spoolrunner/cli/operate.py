"""`retry`, `cancel`, `pause`, `resume`, `stop`, `prune`: each a file operation that a person could do, and says which."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable
from typing import Any

import orjson

from spoolrunner.cli import as_typed
from spoolrunner.cli.inspect import check_id, dispatcher_of
from spoolrunner.config.load import Config, load_config
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext, signing
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout, id_problem, is_job_name
from spoolrunner.system import clock, durable
from spoolrunner.telling.lines import printable

_POLL = 0.05
_ORPHAN_AGE = 3600.0
_MARGIN = 10.0
"""Seconds given beyond what the configuration allows a stop or a cancel to take."""


def retry(arguments: argparse.Namespace) -> int:
    """Move jobs from failed/ (or done/) back to pending/."""
    settings = load_config(arguments.config)
    ids = [check_id(job_id) for job_id in arguments.ids]
    if arguments.all:
        ids += _retryable(settings.layout)
    if not ids and not arguments.all:
        raise JobFormatError("retry", "name the jobs, or say --all")
    if arguments.sign:
        if settings.signing_key is None:
            raise JobFormatError("--sign", "config.json names no signing_key")
        if arguments.all:
            raise JobFormatError("--sign", "name the jobs: each is to be read before it is signed")
        for job_id in ids:
            _sign(settings, job_id, settings.signing_key)
    moved = [job_id for job_id in ids if _retry(settings, job_id)]
    if arguments.all and not ids:
        print("nothing to retry in failed/", file=sys.stderr)
    return 0 if len(moved) == len(ids) else 1


def cancel(arguments: argparse.Namespace) -> int:
    """Ask for jobs to be cancelled, and wait for the effect."""
    settings = load_config(arguments.config)
    layout = settings.layout
    asked, code = [], 0
    for job_id in map(check_id, arguments.ids):
        if not _is_active(layout, job_id):
            print(f"{printable(job_id)}: neither in pending/ nor in running/", file=sys.stderr)
            code = 1
            continue
        requests.request_cancel(layout, job_id)
        print(as_typed.touched(layout.cancel(job_id)))
        asked.append(job_id)
    if arguments.no_wait or not asked:
        return code
    if dispatcher_of(layout) is None:
        print("no dispatcher runs; the next one cancels before it starts anything", file=sys.stderr)
        return code
    limit = settings.kill_grace + _MARGIN
    for job_id in asked:
        code = max(code, _await_cancel(layout, job_id, limit))
    return code


def pause(arguments: argparse.Namespace) -> int:
    """Make control/pause."""
    layout = load_config(arguments.config).layout
    requests.pause(layout)
    print(as_typed.touched(layout.pause))
    return 0


def resume(arguments: argparse.Namespace) -> int:
    """Remove control/pause."""
    layout = load_config(arguments.config).layout
    if not requests.resume(layout):
        print("the spool was not paused", file=sys.stderr)
        return 0
    print(as_typed.removed(layout.pause))
    return 0


def stop(arguments: argparse.Namespace) -> int:
    """Make control/stop, and wait until the dispatcher is gone."""
    settings = load_config(arguments.config)
    layout = settings.layout
    holder = dispatcher_of(layout)
    if holder is None:
        print("no dispatcher runs", file=sys.stderr)
        return 1
    requests.request_stop(layout, arguments.leave_running)
    if arguments.leave_running:
        print(as_typed.written(layout.stop, requests.LEAVE_RUNNING))
    else:
        print(as_typed.touched(layout.stop))
    if arguments.no_wait:
        return 0
    limit = settings.stop_grace + settings.kill_grace + _MARGIN
    if _until(lambda: dispatcher_of(layout) != holder, limit):
        print(f"dispatcher {holder['pid']} stopped")
        return 0
    print(f"dispatcher {holder['pid']} still runs after {limit:g} s", file=sys.stderr)
    return 1


def prune(arguments: argparse.Namespace) -> int:
    """Remove jobs that lie in done/ and failed/ longer than the configuration keeps them, with their logs."""
    settings = load_config(arguments.config)
    now = clock.SYSTEM.wall()
    keep = {State.DONE: settings.keep_done, State.FAILED: settings.keep_failed}
    removed = 0
    for state, seconds in keep.items():
        for job_id in _older(settings.layout, state, now - seconds):
            if arguments.dry_run:
                print(f"would remove {printable(settings.layout.job(state, job_id))}")
                removed += 1
            else:
                removed += _remove(settings.layout, state, job_id)
    if not arguments.dry_run:
        _remove_orphaned_reasons(settings.layout)
    print(f"{'would remove' if arguments.dry_run else 'removed'} {removed} jobs", file=sys.stderr)
    return 0


def _retry(settings: Config, job_id: str) -> bool:
    layout = settings.layout
    pending = layout.job(State.PENDING, job_id)
    for state in (State.FAILED, State.DONE):
        path = layout.job(state, job_id)
        if not os.path.lexists(path):
            continue
        try:
            if state is State.FAILED:
                _lift_expiry(settings, job_id)
            durable.rename(path, pending)
        except FileNotFoundError:
            continue  # Race: somebody moved it just now.
        except FileExistsError:
            print(f"{printable(job_id)}: another job of that id waits in pending/ already", file=sys.stderr)
            return False
        durable.sync_folder(os.path.dirname(pending))
        durable.unlink(layout.reason(job_id))
        print(as_typed.moved(path, pending))
        return True
    print(f"{printable(job_id)}: neither in failed/ nor in done/", file=sys.stderr)
    return False


def _lift_expiry(settings: Config, job_id: str) -> None:
    """Take expires_at out of a job that expired, or it would expire again at once."""
    if _outcome(settings.layout, job_id) != Outcome.EXPIRED:
        return
    path = settings.layout.job(State.FAILED, job_id)
    data = Spool(settings.layout).read(State.FAILED, job_id).data
    raw = jsontext.decode(data)
    key = settings.signing_key
    if key is not None and signing.problem(key, job_id, raw, data):
        return  # it is refused for that
    if raw.pop("expires_at", None) is not None:
        _replace(settings, path, job_id, raw, key)
        print(f"took expires_at out of {printable(path)}")


def _sign(settings: Config, job_id: str, key: bytes) -> None:
    """Sign a job in failed/ as it stands there now, after a person has mended it."""
    path = settings.layout.job(State.FAILED, job_id)
    try:
        raw = jsontext.decode(Spool(settings.layout).read(State.FAILED, job_id).data)
    except FileNotFoundError:
        return  # said when it is to be moved
    _replace(settings, path, job_id, raw, key)
    print(f"signed {printable(path)}")


def _replace(settings: Config, path: str, job_id: str, raw: dict[str, Any], key: bytes | None) -> None:
    data = jsontext.encode(raw) if key is None else signing.sign(key, job_id, raw)
    durable.replace_content(settings.layout.stage(), path, data, True)


def _outcome(layout: Layout, job_id: str) -> Any:
    try:
        with open(layout.reason(job_id), "rb") as stream:
            reason = orjson.loads(stream.read())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None  # it ran, or the reason is not ours
    return reason.get("outcome") if isinstance(reason, dict) else None


def _retryable(layout: Layout) -> list[str]:
    names = sorted(name[: -len(".json")] for name in os.listdir(layout.folder(State.FAILED)) if is_job_name(name))
    rejected = [job_id for job_id in names if _outcome(layout, job_id) == Outcome.REJECTED]
    if rejected:
        print(f"{len(rejected)} rejected jobs left: mend the file, then `spoolrunner retry ID`", file=sys.stderr)
    return [job_id for job_id in names if job_id not in set(rejected)]


def _is_active(layout: Layout, job_id: str) -> bool:
    return any(os.path.lexists(layout.job(state, job_id)) for state in (State.PENDING, State.RUNNING))


def _await_cancel(layout: Layout, job_id: str, limit: float) -> int:
    name = printable(job_id)
    if not _until(lambda: not os.path.exists(layout.cancel(job_id)) and not _is_active(layout, job_id), limit):
        print(f"{name}: not cancelled yet after {limit:g} s; the request stands", file=sys.stderr)
        return 1
    if os.path.lexists(layout.job(State.FAILED, job_id)):
        print(f"{name}: cancelled")
        return 0
    print(f"{name}: it had ended before the cancel reached it; see `spoolrunner show`", file=sys.stderr)
    return 1


def _until(condition: Callable[[], bool], limit: float) -> bool:
    deadline = clock.SYSTEM.monotonic() + limit
    while not condition():
        if clock.SYSTEM.monotonic() >= deadline:
            return False
        clock.SYSTEM.sleep(_POLL)
    return True


def _older(layout: Layout, state: State, moment: float, ending: str = ".json") -> list[str]:
    """The ids of regular files that were last written before `moment` (seconds since 1970)."""
    found = []
    with os.scandir(layout.folder(state)) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # Race: a person took it away.
            fits = entry.name.endswith(ending) and not entry.name.startswith(".")
            if fits and stat.S_ISREG(status.st_mode) and status.st_mtime < moment:
                found.append(entry.name[: -len(ending)])
    return sorted(found)


def _remove(layout: Layout, state: State, job_id: str) -> bool:
    if not durable.unlink(layout.job(state, job_id)):
        return False  # Race: a person removed it, or moved it back to pending/, just now.
    print(as_typed.removed(layout.job(state, job_id)))
    if state is State.FAILED:
        durable.unlink(layout.reason(job_id))
    if not any(os.path.lexists(layout.job(other, job_id)) for other in State):
        durable.unlink(layout.log(job_id))
    return True


def _remove_orphaned_reasons(layout: Layout) -> None:
    """Remove each ID.reason whose job a person took away; not a fresh one, whose job is on its way here."""
    for job_id in _older(layout, State.FAILED, clock.SYSTEM.wall() - _ORPHAN_AGE, ".reason"):
        if id_problem(job_id) is None and not os.path.lexists(layout.job(State.FAILED, job_id)):
            durable.unlink(layout.reason(job_id))
