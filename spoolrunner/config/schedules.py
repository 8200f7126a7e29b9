"""The key `schedules` of config.json: all that is wrong in it, and the schedules that it makes.

Imported only where there are schedules. What a schedule means is in `protocol.slots` and `protocol.timing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from spoolrunner.config.shape import ScheduleKeys
from spoolrunner.errors import JobFormatError, NotAllowedError
from spoolrunner.protocol import document, jsontext, timing, whitelist
from spoolrunner.protocol.faults import Fault, faults
from spoolrunner.protocol.slots import LONGEST_NAME, NAME, Schedule, Terms, slot_id
from spoolrunner.spool.ids import id_problem
from spoolrunner.system import times

_DURATIONS = ("every", "catch_up_within", "jitter")
_EXAMPLE = '{"cron": "0 3 * * *", "job": "app.reports.Report", "method": "build"}'


def schedule_faults(raw: Any, allowed: Any) -> list[Fault]:
    """Return all faults of the value of `schedules`; `allowed` is that of `allowed_jobs`, right or wrong."""
    if not isinstance(raw, dict):
        return [Fault("schedules", f'must be an object: name -> schedule, as in {{"nightly": {_EXAMPLE}}}')]
    table = _table(allowed)
    found: list[Fault] = []
    seen: dict[str, str] = {}
    for name, given in raw.items():
        key = f"schedules.{name[:LONGEST_NAME]}"
        problem = _name_problem(name)
        if not problem and name.lower() in seen:
            problem = f"differs from {seen[name.lower()]} by capital letters alone: the files of both would be one"
        seen.setdefault(name.lower(), name)
        found += [Fault(key, problem)] if problem else []
        if not isinstance(given, dict):
            found.append(Fault(key, f"must be an object, as {_EXAMPLE}"))
            continue
        found += [Fault(f"{key}.{fault.key}" if fault.key else key, fault.problem) for fault in _entry(given, table)]
    return found


def missing(given: Mapping[str, ScheduleKeys]) -> list[str]:
    """Return what has to be installed for these schedules, a sentence for the first that needs it; empty when all is there."""
    needy = next((name for name, keys in given.items() if keys.cron is not None), None)
    problem = "" if needy is None else timing.missing_package()
    return [f"schedules.{needy}.cron: {problem}"] if problem else []


def make_schedules(given: Mapping[str, ScheduleKeys]) -> dict[str, Schedule]:
    """Return the schedules of keys without faults. Needs what `missing` names."""
    return {name: _made(name, keys) for name, keys in given.items()}


def _made(name: str, keys: ScheduleKeys) -> Schedule:
    terms = Terms(
        catch_up=keys.catch_up,
        catch_up_within=times.parse_duration(keys.catch_up_within),
        overlap=keys.overlap,
        jitter=times.parse_duration(keys.jitter),
    )
    return Schedule(name, _timing(keys), keys.job, keys.method, keys.params, terms)


def _timing(keys: ScheduleKeys) -> timing.Timing:
    if keys.cron is not None:
        return timing.parse_cron(keys.cron, keys.timezone or "UTC")
    return timing.parse_every(keys.every)


def _name_problem(name: str) -> str:
    if not NAME.fullmatch(name) or name.endswith("."):
        return (
            f"a name is 1 to {LONGEST_NAME} of A-Z a-z 0-9 . _ -, begins with a letter or digit, and ends with no dot"
        )
    return id_problem(slot_id(name, 0)) or ""


def _table(allowed: Any) -> dict[str, dict[str, None]]:
    """The whitelist as far as it is right: its own faults are named elsewhere."""
    if not isinstance(allowed, dict):
        return {}
    return {
        job: {method: None for method in methods if isinstance(method, str)}
        for job, methods in allowed.items()
        if isinstance(methods, (list, dict))
    }


def _entry(given: dict[str, Any], table: whitelist.Table) -> list[Fault]:
    """The faults of one entry, under its own keys."""
    texts = {key for key in _DURATIONS if isinstance(given.get(key), str)}  # worded better below
    found = [fault for fault in faults(given, ScheduleKeys) if fault.key not in texts]
    wrong = {fault.key.partition("[")[0].partition(".")[0] for fault in found}
    found += _when(given, wrong)
    for key in ("catch_up_within", "jitter"):
        if key in given and key not in wrong:
            found += _fault_of(key, times.parse_duration, given[key])
    if not wrong & {"job", "method"}:
        try:
            whitelist.entry(table, given["job"], given["method"])
        except NotAllowedError as error:
            found.append(Fault("", str(error)))
    if not wrong:
        found += _params(given)
    return found


def _when(given: dict[str, Any], wrong: set[str]) -> list[Fault]:
    """The faults of what says when it is due; keys that are `wrong` by their type are named already."""
    cron, every, zone = given.get("cron"), given.get("every"), given.get("timezone")
    if (cron is None) == (every is None) and not wrong & {"cron", "every"}:
        return [Fault("", 'needs either "cron", as in "0 3 * * *", or "every", as in "10m"')]
    found = []
    if every is not None and "every" not in wrong:
        found += _fault_of("every", timing.parse_every, every)
        if zone is not None and cron is None:
            found.append(Fault("timezone", 'means nothing to "every", which is counted from 1970 in UTC; leave it out'))
    elif zone is not None and "timezone" not in wrong:
        problem = timing.zone_problem(zone)
        found += [Fault("timezone", problem)] if problem else []
    if cron is not None and "cron" not in wrong and not timing.missing_package():
        found += _fault_of("cron", lambda text: timing.parse_cron(text, "UTC"), cron)
    return found


def _fault_of(key: str, parse: Callable[[Any], object], value: Any) -> list[Fault]:
    try:
        parse(value)
    except ValueError as error:
        return [Fault(key, str(error))]
    return []


def _params(given: dict[str, Any]) -> list[Fault]:
    """The faults that the parameters would have in a job file."""
    keys = msgspec.convert({**given, "every": 1, "cron": None, "catch_up_within": 0, "jitter": 0}, ScheduleKeys)
    schedule = Schedule("x" * LONGEST_NAME, timing.Every(1), keys.job, keys.method, keys.params, Terms(jitter=1.0))
    try:
        jsontext.check_value(keys.params, "params", 2)
        document.parse(jsontext.encode(schedule.document(0, 0.0, 0.0)))
    except JobFormatError as error:
        return [Fault(error.key or "params", error.problem)]
    return []
