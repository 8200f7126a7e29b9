"""All faults of a config.json at once, each with its key and with what is needed instead."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spoolrunner.attempt import rlimits
from spoolrunner.config import commands
from spoolrunner.config.shape import BUILT_IN_EXECUTORS, EXECUTOR_GROUP, ConfigFile, KeepRule, LimitKeys, MethodPolicy
from spoolrunner.errors import nearest
from spoolrunner.protocol.document import Duration
from spoolrunner.protocol.faults import Fault, faults, fields_of
from spoolrunner.protocol.groups import parse_rate, pattern_problem
from spoolrunner.protocol.names import GROUP_RULE, is_group
from spoolrunner.protocol.verdict import PROGRAM_ERROR
from spoolrunner.system import times

if TYPE_CHECKING:
    import msgspec

_KEEPS = ("keep_done", "keep_failed")
_PARSERS = {
    field.name: times.parse_duration for field in fields_of(ConfigFile) if field.type in (Duration, Duration | None)
} | {"memory": rlimits.parse_size, **dict.fromkeys(_KEEPS, times.parse_duration), "age": times.parse_duration}
"""key -> the function that reads its value, a number or a text with a unit."""
_LONGEST_PAUSE = next(field.default for field in fields_of(ConfigFile) if field.name == "retry_max_interval")
_POSITIVE = ("timeout", "timeout_limit", "import_timeout", "cpu_time")
_JUDGED_APART = ("allowed_jobs", "limits", "schedules")
"""Keys whose names are chosen by the operator: they are judged with words of their own."""
_LIMITS = ("memory", "cpu_time", "open_files", "no_new_privileges")


def config_faults(raw: dict[str, Any]) -> list[Fault]:
    """Return all faults of the JSON object of a config.json; empty when there are none."""
    own_words = {*_JUDGED_APART, *(key for key in _KEEPS if isinstance(raw.get(key), dict))}
    others = {key: value for key, value in raw.items() if key not in own_words}
    found = [fault for fault in _of_types(others, ConfigFile) if fault.key not in _JUDGED_APART]
    found += _parsed(raw, ConfigFile, "")
    found += _keeps(raw)
    found += _pauses(raw)
    found += _exceptions(raw)
    found += _on_failure(raw)
    found += _environment(raw.get("environment"))
    found += _paths(raw)
    found += _allowed_jobs(raw)
    found += _limits(raw.get("limits", {}))
    found += _executor(raw.get("executor"))
    found += _preload(raw.get("preload"))
    found += _hooks(raw)
    if "schedules" in raw:
        from spoolrunner.config.schedules import schedule_faults  # paid only where there are schedules

        found += schedule_faults(raw["schedules"], raw.get("allowed_jobs"))
        found += commands.schedule_faults(raw["schedules"], raw.get("allowed_jobs"))
    return list(dict.fromkeys(found))


def _allowed_jobs(raw: dict[str, Any]) -> list[Fault]:
    jobs = raw.get("allowed_jobs")
    if jobs is None:
        return [Fault("allowed_jobs", 'missing; it is required, as in {"app.reports.Report": ["build"]}')]
    if not isinstance(jobs, dict):
        return [Fault("allowed_jobs", "must be an object: dotted path -> list of method names, or object of policies")]
    found = []
    for job, methods in jobs.items():
        key = f"allowed_jobs.{job}"
        if not all(part.isidentifier() for part in job.split(".")):
            found.append(Fault(key, "not a dotted path of a class or module"))
        if not isinstance(methods, (list, dict)):
            found.append(Fault(key, "must be a list of method names, or an object method -> policy"))
            continue
        for method in methods:
            if not isinstance(method, str) or not method.isidentifier() or method.startswith("_"):
                found.append(Fault(key, f"{method!r} is not a public method name"))
            elif isinstance(methods, dict):
                found += _method_policy(f"{key}.{method}", methods[method])
    return found


def _method_policy(key: str, policy: Any) -> list[Fault]:
    if not isinstance(policy, dict):
        return [Fault(key, "must be an object of policy keys; {} for none")]
    by_types = [Fault(f"{key}.{fault.key}", fault.problem) for fault in _of_types(policy, MethodPolicy)]
    group = policy.get("group")
    if isinstance(group, str) and not is_group(group):
        by_types = [fault for fault in by_types if fault.key != f"{key}.group"]
        by_types.append(Fault(f"{key}.group", f"{group!r} is no group, which is {GROUP_RULE}"))
    return commands.command_faults(key, policy, by_types) + _parsed(policy, MethodPolicy, f"{key}.")


def _limits(limits: Any) -> list[Fault]:
    if not isinstance(limits, dict):
        return [Fault("limits", 'must be an object, as in {"mail": {"concurrency": 2, "rate": "100/m"}}')]
    found = []
    for pattern, limit in limits.items():
        key = f"limits.{pattern}"
        problem = pattern_problem(pattern)
        if problem:
            found.append(Fault(key, problem))
        if not isinstance(limit, dict) or not limit:
            found.append(Fault(key, 'must be an object with "concurrency", "rate" or both'))
            continue
        found += [Fault(f"{key}.{fault.key}", fault.problem) for fault in faults(limit, LimitKeys)]
        if isinstance(limit.get("rate"), str):
            try:
                parse_rate(limit["rate"])
            except ValueError as error:
                found.append(Fault(f"{key}.rate", str(error)))
    return found


def _keeps(raw: dict[str, Any]) -> list[Fault]:
    """Return the faults of what is kept by age and count."""
    found = []
    for key in _KEEPS:
        rule = raw.get(key)
        if isinstance(rule, dict):
            inside = _of_types(rule, KeepRule) + _parsed(rule, KeepRule, "")
            found += [Fault(f"{key}.{fault.key}" if fault.key else key, fault.problem) for fault in inside]
            if not any(rule.get(name) is not None for name in ("age", "count")):
                found.append(Fault(key, 'names neither "age" nor "count": nothing would ever be removed'))
    return found


def _preload(names: Any) -> list[Fault]:
    given = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    bad = [name for name in given if not all(part.isidentifier() for part in name.split("."))]
    return [Fault("preload", f"{name!r} is not a dotted path of a module") for name in bad]


def _hooks(raw: dict[str, Any]) -> list[Fault]:
    setup = raw.get("setup")
    halves = setup if isinstance(setup, dict) else {}
    given = [(f"setup.{half}", halves.get(half)) for half in ("template", "process")] + [("around", raw.get("around"))]
    problem = "is not the dotted path of a public function, as in 'app.worker.setup'"
    return [
        Fault(key, f"{name!r} {problem}") for key, name in given if isinstance(name, str) and not _is_function(name)
    ]


def _is_function(name: str) -> bool:
    parts = name.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts) and not parts[-1].startswith("_")


def _pauses(raw: dict[str, Any]) -> list[Fault]:
    """Return a fault for each first pause between retries that is longer than the longest one, to which it would be cut."""
    longest = raw.get("retry_max_interval", _LONGEST_PAUSE)
    given = [(f"{prefix}retry_interval", policy.get("retry_interval")) for prefix, policy in _policies(raw)]
    problem = f"is more than retry_max_interval ({longest}), to which every pause is cut: raise that too"
    return [Fault(key, problem) for key, value in given if _is_longer(value, longest)]


def _policies(raw: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the file itself and each policy of a method, with what comes before the names of its keys."""
    yield "", raw
    for job, methods in _entries(raw).items():
        for method, policy in methods.items() if isinstance(methods, dict) else ():
            if isinstance(policy, dict):
                yield f"allowed_jobs.{job}.{method}.", policy


def _entries(raw: dict[str, Any]) -> dict[str, Any]:
    jobs = raw.get("allowed_jobs")
    return jobs if isinstance(jobs, dict) else {}


def _exceptions(raw: dict[str, Any]) -> list[Fault]:
    """Return a fault for each name in retry_on and discard_on that no exception can have, or that stands in both."""
    found = []
    for prefix, policy in _policies(raw):
        lists = {key: _texts(policy.get(key)) for key in ("retry_on", "discard_on")}
        for key, names in lists.items():
            found += [Fault(prefix + key, problem) for name in names if (problem := _exception_problem(name))]
        both = [name for name in lists["retry_on"] if name in lists["discard_on"]]
        found += [
            Fault(f"{prefix}discard_on", f"{name!r} stands in retry_on, too; take it out of one") for name in both
        ]
    return found


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _exception_problem(name: str) -> str:
    if not all(part.isidentifier() for part in name.split(".")):
        return f'{name!r} is not the name of an exception; write "ValueError", or "app.errors.NoCustomer"'
    if "." in name or name == PROGRAM_ERROR or _is_exception(getattr(builtins, name, None)):
        return ""
    own = [word for word, value in vars(builtins).items() if _is_exception(value)]
    return f"{name!r} is none of Python's own exceptions; write the dotted path of it{nearest(name, own)}"


def _is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _on_failure(raw: dict[str, Any]) -> list[Fault]:
    known = [f"{job}.{method}" for job, methods in _entries(raw).items() for method in _names(methods)]
    by_prefix = dict(_policies(raw))
    found = []
    for prefix, policy in _policies(raw):
        name = policy.get("on_failure")
        if isinstance(name, str) and name not in known:
            problem = f"{name!r} is no JOB.METHOD of allowed_jobs{nearest(name, known)}"
            found.append(Fault(f"{prefix}on_failure", problem))
        elif isinstance(name, str) and (
            problem := commands.notified_problem(by_prefix.get(f"allowed_jobs.{name}.", {}))
        ):
            found.append(Fault(f"{prefix}on_failure", f"{name!r} {problem}"))
    return found


def _names(methods: Any) -> list[Any]:
    return list(methods) if isinstance(methods, (list, dict)) else []


def _is_longer(value: Any, longest: Any) -> bool:
    try:
        return value is not None and times.parse_duration(value) > times.parse_duration(longest)
    except ValueError:
        return False  # named as what it is


def _environment(variables: Any) -> list[Fault]:
    if not isinstance(variables, dict):
        return []
    bad = [name for name in variables if not name or "=" in name or "\0" in f"{name}{variables[name]}"]
    problem = "no system takes an empty name, a name with =, or a NUL"
    return [Fault(f"environment.{name}", problem) for name in bad]


def _paths(raw: dict[str, Any]) -> list[Fault]:
    several = raw.get("python_path")
    given = [(key, raw.get(key)) for key in ("spool", "python_binary", "signing_key")]
    given += [("python_path", path) for path in several] if isinstance(several, list) else []
    given += [place for prefix, policy in _policies(raw) for place in commands.paths_of(prefix, policy)]
    texts = [(key, path) for key, path in given if isinstance(path, str)]
    homeless = "begins with ~, but neither HOME nor an entry of the user says where that is"
    found = [Fault(key, "holds a NUL, which no path may") for key, path in texts if "\0" in path]
    return found + [Fault(key, homeless) for key, path in texts if _is_homeless(path)]


def _is_homeless(path: str) -> bool:
    return path.replace(os.sep, "/").partition("/")[0] == "~" and os.path.expanduser(path) == path


def _of_types(raw: dict[str, Any], shape: type[msgspec.Struct]) -> list[Fault]:
    """The faults by the types of `shape`, but for those of texts with a unit, which `_parsed` words better."""
    return [
        fault for fault in faults(raw, shape) if not (fault.key in _PARSERS and isinstance(raw.get(fault.key), str))
    ]


def _parsed(raw: dict[str, Any], shape: type[msgspec.Struct], prefix: str) -> list[Fault]:
    """Return the faults of values that have a unit, and of limits that this system cannot keep a process to."""
    found = []
    for key in (field.name for field in fields_of(shape)):
        value = raw.get(key)
        if value is None or value is False:
            continue
        problem = rlimits.unavailable(key) if key in _LIMITS else None
        if problem:
            found.append(Fault(prefix + key, problem))
        if key not in _PARSERS or not isinstance(value, (int, float, str)):
            continue
        try:
            if _PARSERS[key](value) == 0 and key in _POSITIVE:
                found.append(Fault(prefix + key, "must be more than 0 seconds"))
        except ValueError as error:
            found.append(Fault(prefix + key, str(error)))
    return found


def _executor(name: Any) -> list[Fault]:
    if not isinstance(name, str) or name in BUILT_IN_EXECUTORS:
        return []
    from importlib.metadata import entry_points  # paid only where another package provides the executor

    provided = sorted(entry_points(group=EXECUTOR_GROUP).names)
    if name in provided:
        return []
    known = list(dict.fromkeys([*BUILT_IN_EXECUTORS, *provided]))
    return [Fault("executor", f"{name!r} is none; there are {', '.join(known)}{nearest(name, known)}")]
