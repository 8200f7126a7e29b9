"""The faults of a config.json: all at once, each under its key, in words of ours."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.config.faults import config_faults

JOBS = {"app.Report": ["build"]}
NO_FUNCTION = "is not the dotted path of a public function, as in 'app.worker.setup'"


def problems(raw) -> list[str]:
    return [str(fault) for fault in config_faults(raw)]


def test_no_faults() -> None:
    """A right config.json has no faults, with values that have a unit written as numbers or as text."""
    assert problems({"allowed_jobs": JOBS, "timeout": "5m", "kill_grace": 3, "python_path": ["."]}) == []


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"concurency": 2}, "concurency: unknown key (did you mean 'concurrency'?)"),
        ({"concurrency": 0}, "concurrency: expected `int` >= 1"),
        ({"concurrency": "2"}, "concurrency: expected `int`, got `str`"),
        ({"timeout": 0}, "timeout: must be more than 0 seconds"),
        ({"timeout_limit": "0s"}, "timeout_limit: must be more than 0 seconds"),
        ({"import_timeout": 0}, "import_timeout: must be more than 0 seconds"),
        ({"kill_grace": "3651d"}, "kill_grace: '3651d' is out of range: a duration lies between 0 and 3650d"),
        ({"retry_jitter": 1.5}, "retry_jitter: expected `float` <= 1.0"),
        ({"max_log_bytes": 10}, "max_log_bytes: expected `int` >= 4096"),
        ({"fsync": "yes"}, "fsync: expected `bool`, got `str`"),
        ({"python_path": "src"}, "python_path: expected `array`, got `str`"),
        ({"spool": None}, "spool: expected `str`, got `null`"),
        ({"retry_backoff": "linear"}, "retry_backoff: invalid enum value 'linear'"),
        ({"on_crash": "ignore"}, "on_crash: invalid enum value 'ignore'"),
        ({"preload": "app"}, "preload: expected `bool | array`, got `str`"),
        ({"preload": [1]}, "preload[0]: expected `str`, got `int`"),
        ({"preload": ["app.a", "app.b c"]}, "preload: 'app.b c' is not a dotted path of a module"),
        ({"setup": {"proces": "app.setup"}}, "setup.proces: unknown key (did you mean 'process'?)"),
        ({"setup": "app.setup"}, "setup: expected `object | null`, got `str`"),
        ({"setup": {"process": "setup"}}, f"setup.process: 'setup' {NO_FUNCTION}"),
        ({"setup": {"template": "app.setup()"}}, f"setup.template: 'app.setup()' {NO_FUNCTION}"),
        ({"around": "app._around"}, f"around: 'app._around' {NO_FUNCTION}"),
        ({"around": ["app.around"]}, "around: expected `str | null`, got `array`"),
        ({"executor": "threads"}, "executor: 'threads' is none; there are auto, fork, spawn, inline"),
    ],
)
def test_a_wrong_key(keys, problem) -> None:
    """A wrong key is refused with its name and what is needed."""
    assert problems({"allowed_jobs": JOBS, **keys}) == [problem]


@pytest.mark.parametrize("value", ["soon", "5m\n", -1, None, True, []])
@pytest.mark.parametrize(
    "key", ["timeout", "import_timeout", "retry_interval", "retry_max_interval", "stop_grace", "keep_failed"]
)
def test_a_wrong_duration(key, value) -> None:
    """A duration that is none is refused under its key, and no other key is blamed."""
    found = problems({"allowed_jobs": JOBS, key: value})
    assert found
    assert all(problem.startswith(f"{key}: ") for problem in found)


@pytest.mark.parametrize(
    ("jobs", "start"),
    [
        (None, "allowed_jobs: missing; it is required"),
        (["app.Report"], "allowed_jobs: must be an object"),
        ({"app Report": ["build"]}, "allowed_jobs.app Report: not a dotted path"),
        ({"": ["build"]}, "allowed_jobs.: not a dotted path"),
        ({"app..Report": ["build"]}, "allowed_jobs.app..Report: not a dotted path"),
        ({"app.Report": "build"}, "allowed_jobs.app.Report: must be a list of method names"),
        ({"app.Report": None}, "allowed_jobs.app.Report: must be a list of method names"),
        ({"app.Report": ["_build"]}, "allowed_jobs.app.Report: '_build' is not a public method name"),
        ({"app.Report": ["__init__"]}, "allowed_jobs.app.Report: '__init__' is not a public method name"),
        ({"app.Report": ["build()"]}, "allowed_jobs.app.Report: 'build()' is not a public method name"),
        ({"app.Report": ["a.b"]}, "allowed_jobs.app.Report: 'a.b' is not a public method name"),
        ({"app.Report": [1]}, "allowed_jobs.app.Report: 1 is not a public method name"),
        ({"app.Report": {"build": None}}, "allowed_jobs.app.Report.build: must be an object of policy keys"),
        (
            {"app.Report": {"build": {"timout": 1}}},
            "allowed_jobs.app.Report.build.timout: unknown key (did you mean 'timeout'?)",
        ),
        (
            {"app.Report": {"build": {"timeout": 0}}},
            "allowed_jobs.app.Report.build.timeout: must be more than 0 seconds",
        ),
        ({"app.Report": {"build": {"timeout": "x"}}}, "allowed_jobs.app.Report.build.timeout: "),
        (
            {"app.Report": {"build": {"priority": 1001}}},
            "allowed_jobs.app.Report.build.priority: expected `int` <= 1000",
        ),
        (
            {"app.Report": {"build": {"concurrency": 0}}},
            "allowed_jobs.app.Report.build.concurrency: expected `int` >= 1",
        ),
    ],
)
def test_a_wrong_whitelist(jobs, start) -> None:
    """A wrong entry of allowed_jobs is refused with the path to it."""
    found = problems({} if jobs is None else {"allowed_jobs": jobs})
    assert any(problem.startswith(start) for problem in found)
    assert all(problem.startswith(start.partition(": ")[0]) for problem in found)


def test_an_unknown_key_that_begins_like_the_whitelist() -> None:
    """A flattened key like `allowed_jobs.app.Report` is an unknown key as any other."""
    assert problems({"allowed_jobs": JOBS, "allowed_jobs.app.Mail": ["send"]})[0].startswith(
        "allowed_jobs.app.Mail: unknown key"
    )


@pytest.mark.parametrize("key", ["spool", "python_path", "python_binary", "signing_key"])
@pytest.mark.parametrize("path", ["a\0b", "~\0"])
def test_a_path_that_no_system_takes(key, path) -> None:
    """A path with a NUL in it is told with its key, not left to whoever opens it."""
    value = [path] if key == "python_path" else path
    assert problems({"allowed_jobs": JOBS, key: value}) == [f"{key}: holds a NUL, which no path may"]


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"memory": "12"}, "memory: '12' is no size"),
        ({"memory": 1000}, "memory: 1000 is out of range"),
        ({"cpu_time": 0}, "cpu_time: must be more than 0 seconds"),
        ({"open_files": 3}, "open_files: expected `int` >= 16"),
        ({"allowed_jobs": {"app.A": {"b": {"memory": "lots"}}}}, "allowed_jobs.app.A.b.memory: 'lots' is no size"),
        ({"environment": {"A=B": "x"}}, "environment.A=B: no system takes"),
        ({"environment": {"A": "x\0"}}, "environment.A: no system takes"),
        ({"environment": {"A": 5}}, "environment[...]: expected `str`"),
        ({"inherit_environment": "PATH"}, "inherit_environment: expected"),
    ],
)
def test_faulty_limits_and_environments(keys, fault) -> None:
    """A limit or variable that no system takes is a fault of its key."""
    assert any(problem.startswith(fault) for problem in problems({"allowed_jobs": JOBS, **keys}))


@pytest.mark.parametrize("key", ["memory", "cpu_time", "open_files", "no_new_privileges"])
def test_limits_that_a_system_cannot_keep(monkeypatch, key) -> None:
    """On Windows a limit is a fault: one that is not kept would be worse than none."""
    monkeypatch.setattr("sys.platform", "win32")
    value = {"memory": "64M", "cpu_time": 5, "open_files": 64, "no_new_privileges": True}[key]
    (problem,) = problems({"allowed_jobs": JOBS, key: value})
    assert problem.startswith(f"{key}: ")
    assert problem.endswith("leave it out")


@pytest.mark.parametrize("value", ["soon", "5", "", "m", "5 m"])
def test_a_text_that_is_no_duration_is_one_fault(value) -> None:
    """A text that is no duration is told once, with examples of what is needed, and not as a pattern."""
    expected = f'{value!r} is no duration: write seconds as a number, or "90s", "5m", "2h", "7d"'
    assert problems({"allowed_jobs": JOBS, "timeout": value}) == [f"timeout: {expected}"]
    by_method = {"app.Report": {"build": {"timeout": value}}}
    assert problems({"allowed_jobs": by_method}) == [f"allowed_jobs.app.Report.build.timeout: {expected}"]


def test_a_value_of_another_type_keeps_its_fault() -> None:
    """A value that is neither a number nor a text is a fault of its type, also where a text would be judged by us."""
    assert problems({"allowed_jobs": JOBS, "timeout": []}) == ["timeout: expected `float | str`, got `array`"]


def test_faults_inside_of_lists() -> None:
    """A fault in a list is told with its index, each of several."""
    raw = {"allowed_jobs": JOBS, "python_path": ["a", 1, "b", None], "inherit_environment": ["PATH", 2]}
    assert problems(raw) == [
        "python_path[1]: expected `str`, got `int`",
        "python_path[3]: expected `str`, got `null`",
        "inherit_environment[1]: expected `str`, got `int`",
    ]


def test_many_faults_are_not_all_named() -> None:
    """A hundred thousand faults are told in a few lines."""
    raw = {"allowed_jobs": JOBS, "python_path": list(range(100_000))}
    assert problems(raw)[-1] == "python_path: has more than 20 faults"
    assert len(problems(raw)) == 21


@pytest.mark.skipif(sys.platform == "win32", reason="there a home is looked for elsewhere")
@pytest.mark.parametrize("key", ["spool", "python_binary", "signing_key"])
def test_a_home_that_is_not_known(monkeypatch, key) -> None:
    """Where no home is to be had, ~ is refused rather than taken for a folder of that name; that one can be written ./~."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 999_999)
    problem = "begins with ~, but neither HOME nor an entry of the user says where that is"
    assert problems({"allowed_jobs": JOBS, key: "~/x"}) == [f"{key}: {problem}"]
    assert problems({"allowed_jobs": JOBS, "python_path": ["~", "./~"]}) == [f"python_path: {problem}"]
    monkeypatch.setenv("HOME", "/home/x")
    assert problems({"allowed_jobs": JOBS, key: "~/x"}) == []


@pytest.mark.parametrize(
    ("keys", "faulty"),
    [
        ({"retry_interval": "7h"}, ["retry_interval"]),
        ({"retry_interval": "2h", "retry_max_interval": "1h"}, ["retry_interval"]),
        ({"retry_interval": 3601, "retry_max_interval": "1h"}, ["retry_interval"]),
        ({"retry_interval": "1h", "retry_max_interval": 3600}, []),
        ({"retry_interval": "7h", "retry_max_interval": "8h"}, []),
        ({"allowed_jobs": {"a.B": {"c": {"retry_interval": "7h"}, "d": {}}}}, ["allowed_jobs.a.B.c.retry_interval"]),
    ],
)
def test_a_pause_longer_than_the_longest(keys, faulty) -> None:
    """A first pause that would be cut is named, with what to raise, for all and for one method."""
    found = config_faults({"allowed_jobs": {"a.B": ["c"]}, **keys})
    assert [fault.key for fault in found] == faulty
    assert all("raise that too" in fault.problem for fault in found)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"agee": "7d"},
            ["keep_done.agee: unknown key (did you mean 'age'?)", 'keep_done: names neither "age" nor "count"'],
        ),
        ({}, ['keep_done: names neither "age" nor "count": nothing would ever be removed']),
        ({"age": "7 days"}, ["keep_done.age: "]),
        ({"age": "7d", "count": -1}, ["keep_done.count: "]),
        ({"age": "soon", "count": 1.5}, ["keep_done.count: ", "keep_done.age: "]),
        ([], ["keep_done: "]),
        ("a week", ["keep_done: "]),
    ],
)
def test_faults_of_what_is_kept(value, said) -> None:
    """Each fault of keep_done is named by the key inside it, all at once."""
    found = [str(fault) for fault in config_faults({"allowed_jobs": {}, "keep_done": value})]
    assert len(found) == len(said), found
    assert all(text.startswith(words) for text, words in zip(found, said, strict=True)), found


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ({"retry_on": "OSError"}, "retry_on: expected `array"),
        ({"retry_on": [1]}, "retry_on[0]: expected `str`, got `int`"),
        ({"retry_on": ["OSErorr"]}, "retry_on: 'OSErorr' is none of Python's own exceptions; write the dotted path of it"),
        ({"discard_on": ["len"]}, "discard_on: 'len' is none of Python's own exceptions"),
        ({"discard_on": ["app.no such"]}, "discard_on: 'app.no such' is not the name of an exception"),
        ({"retry_on": ["OSError"], "discard_on": ["OSError"]}, "discard_on: 'OSError' stands in retry_on, too"),
        ({"on_failure": 5}, "on_failure: expected `str"),
        ({"on_failure": "app.Report.bulid"}, "on_failure: 'app.Report.bulid' is no JOB.METHOD of allowed_jobs (did"),
        ({"on_failure": "build"}, "on_failure: 'build' is no JOB.METHOD of allowed_jobs"),
        ({"on_failure": "app.Shell.ring"}, "on_failure: 'app.Shell.ring' is a command that needs bell: what is told"),
        ({"on_failure": "app.Shell.count"}, "on_failure: 'app.Shell.count' is a command whose id is of type integer"),
    ],
)  # fmt: skip
def test_what_follows_a_failure(policy, problem) -> None:
    """What is wrong with the keys of what follows a failure is said under the key, of the file and of a method alike."""
    ring = {"argv": ["ring", "{bell}", "{id}", ["{loud}"]]}
    known = {**JOBS, "app.Shell": {"ring": ring, "count": {"argv": ["count", "{id}"], "types": {"id": "integer"}}}}
    jobs = {**known, "app.Mail": {"send": policy}}
    (found,) = problems({"allowed_jobs": known, **policy})
    assert found.startswith(problem)
    (found,) = problems({"allowed_jobs": jobs})
    assert found.startswith(f"allowed_jobs.app.Mail.send.{problem}")


def test_what_may_follow_a_failure() -> None:
    """Exceptions of Python and that of commands by their names, others by dotted paths, and an entry of either table."""
    mail = {"argv": ["mail", "{id}: {outcome}", ["--body", "{error}"], ["--to", "{whom}"]]}
    for_all = {"allowed_jobs": {**JOBS, "app.Shell": {"mail": mail}}, "on_failure": "app.Shell.mail"}
    assert problems(for_all) == []
    policy = {
        "retry_on": ["OSError", "app.errors.Busy", "ProgramError"],
        "discard_on": [],
        "on_failure": "app.Mail.send",
    }
    assert problems({"allowed_jobs": {**JOBS, "app.Mail": {"send": {}}, "app.Two": {"go": policy}}, **policy}) == []
