"""Commands in `allowed_jobs`: what is wrong with the keys of one, and what is made of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from spoolrunner.config.shape import MethodPolicy
from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import argv
from spoolrunner.protocol.argv import Command, Template
from spoolrunner.protocol.faults import Fault
from spoolrunner.protocol.policy import TOLD, OnFailure

KEYS = ("argv", "types", "allow_options", "result", "sandbox")
"""The keys of a policy that make it a command."""
_WORDED_HERE = ("argv", "types", "allow_options")
"""What the keys of faults begin with that `argv.faults` finds too, in better words."""


def command_faults(key: str, policy: dict[str, Any], by_types: list[Fault]) -> list[Fault]:
    """Return all faults of a policy that lies at `key`, if it is a command; `by_types` are those of the types of its values."""
    if "argv" not in policy:
        alone = [name for name in KEYS if name in policy]
        problem = 'is of a command: it needs "argv" beside it, the words of a program'
        return by_types + [Fault(f"{key}.{name}", problem) for name in alone]
    found = [fault for fault in by_types if not fault.key.removeprefix(f"{key}.").startswith(_WORDED_HERE)]
    of_argv = argv.faults(policy["argv"], policy.get("types"), policy.get("allow_options"))
    found += [Fault(f"{key}.{fault.key}", fault.problem) for fault in of_argv]
    words = policy["argv"]
    if isinstance(words, list) and words and isinstance(words[0], str) and words[0].startswith("~"):
        problem = "begins with ~, which only a shell makes a folder of, and there is none: write the whole path"
        found.append(Fault(f"{key}.argv[0]", problem))
    sandbox = policy.get("sandbox")
    if sandbox is not None and sys.platform != "linux":
        found.append(Fault(f"{key}.sandbox", "bubblewrap, which makes it, is for Linux alone; leave it out"))
    return found


def paths_of(prefix: str, policy: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the paths that a policy names, each with its key, which begins with `prefix`; those of other kinds too."""
    sandbox = policy.get("sandbox")
    if not isinstance(sandbox, dict):
        return []
    lists = [(name, sandbox.get(name)) for name in ("read", "write")]
    return [(f"{prefix}sandbox.{name}", path) for name, paths in lists if isinstance(paths, list) for path in paths]


def schedule_faults(schedules: object, allowed: object) -> list[Fault]:
    """Return a fault for each entry of `schedules` whose parameters its command does not take; other faults are skipped."""
    found = []
    for name, entry in schedules.items() if isinstance(schedules, dict) else ():
        policy = _policy(allowed, entry.get("job"), entry.get("method")) if isinstance(entry, dict) else {}
        keys = [policy.get(key) for key in ("argv", "types", "allow_options")]
        if keys[0] is not None and not argv.faults(*keys):
            try:
                Template(keys[0], keys[1], keys[2] or ()).fill(entry.get("params", []))
            except JobFormatError as error:
                found.append(Fault(f"schedules.{name}.params", error.problem))
    return found


def _policy(allowed: object, job: object, method: object) -> dict[str, Any]:
    """The policy of a method as it is written, {} where there is none."""
    methods = allowed.get(job) if isinstance(allowed, dict) and isinstance(job, str) else None
    policy = methods.get(method) if isinstance(methods, dict) and isinstance(method, str) else None
    return policy if isinstance(policy, dict) else {}


def notified(name: str | None, allowed: dict[str, Any]) -> OnFailure | None:
    """Return the entry `JOB.METHOD` of `allowed`, which is to be told of failures, None when none is named."""
    if name is None:
        return None
    job, _, method = name.rpartition(".")
    methods = allowed[job]
    policy = methods[method] if isinstance(methods, dict) else None
    words = None if policy is None or policy.argv is None else Template(policy.argv, policy.types).types
    return OnFailure(job, method, None if words is None else tuple(name for name in TOLD if name in words))


def notified_problem(policy: dict[str, Any]) -> str:
    """Return what keeps the command of that policy from being told of a failure, or ""; one with faults has none here."""
    keys = [policy.get(key) for key in ("argv", "types", "allow_options")]
    if keys[0] is None or argv.faults(*keys):
        return ""
    command = Template(keys[0], keys[1])
    others = sorted(command.required - set(TOLD))
    if others:
        return f"is a command that needs {', '.join(others)}: what is told of a failure gets {', '.join(TOLD)}"
    wrong = [name for name in TOLD if command.types.get(name, "string") != "string"]
    return f"is a command whose {wrong[0]} is of type {command.types[wrong[0]]}: it gets a string" if wrong else ""


def command_of(given: MethodPolicy, absolute: Callable[[str], str]) -> Command | None:
    """Return the command of a policy without faults, None when it is none; `absolute` makes a path absolute."""
    if given.argv is None:
        return None
    sandbox = given.sandbox
    seen = None
    if sandbox is not None:
        seen = [absolute(path) for path in sandbox.read], [absolute(path) for path in sandbox.write], sandbox.network
    template = Template(given.argv, given.types, given.allow_options or ())
    return Command(template, given.result or "none", seen)
