"""The configuration: found, checked whole, and turned into paths, seconds and policies."""

from __future__ import annotations

import os
import sys

import msgspec
import orjson
import pytest

from spoolrunner.config.load import FILE_NAME, VARIABLE, find_config, load_config, parse_config
from spoolrunner.config.shape import ConfigFile
from spoolrunner.errors import ConfigError, JobFormatError
from spoolrunner.protocol import document
from spoolrunner.protocol.policy import Policy

JOBS = {"app.Report": ["build"]}


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def problems(raw) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config("config.json", raw)
    return caught.value.problems


def write(folder, raw) -> str:
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, FILE_NAME)
    with open(path, "wb") as stream:
        stream.write(raw if isinstance(raw, bytes) else orjson.dumps(raw))
    return path


def test_defaults(tmp_path) -> None:
    """Every key but allowed_jobs has the default of the design."""
    made = load_config(write(tmp_path, {"allowed_jobs": JOBS}))
    assert made.default_policy == Policy(
        timeout=3600.0, max_retries=3, retry_interval=300.0, retry_backoff="exponential", on_crash="retry"
    )
    assert made.concurrency == os.cpu_count()
    assert made.kill_grace == 10.0
    assert made.fsync is True
    assert (made.file.executor, made.file.preload) == ("auto", True)
    assert made.layout.root == str(tmp_path / "spool")
    assert made.python_path == [str(tmp_path)]
    assert made.python_binary == sys.executable
    assert made.allowed == {"app.Report": {"build": made.default_policy}}


def test_durations_are_seconds(config) -> None:
    """Durations are seconds wherever they are used, in whichever notation they were written."""
    made = config(timeout="2m", kill_grace=3, stop_grace="1.5s", priority_aging="1m", keep_done="7d", retry_interval=0)
    assert (made.default_policy.timeout, made.kill_grace, made.stop_grace) == (120.0, 3.0, 1.5)
    assert (made.priority_aging, made.keep_done, made.default_policy.retry_interval) == (60.0, 604800.0, 0.0)


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch) -> None:
    """Paths are relative to the folder of config.json, not to the working directory."""
    monkeypatch.chdir(os.sep)
    home = os.path.abspath(os.path.join(os.sep, "home", "x"))
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USERPROFILE", home)
    absolute = os.path.abspath(os.path.join(os.sep, "lib"))
    made = parse_config(
        str(tmp_path / "config.json"),
        {
            "allowed_jobs": JOBS,
            "spool": "../jobs",
            "python_binary": os.path.join("venv", "python"),
            "python_path": ["src", absolute, "~/lib"],
        },
    )
    assert made.layout.root == str(tmp_path.parent / "jobs")
    assert made.python_binary == str(tmp_path / "venv" / "python")
    assert made.python_path == [str(tmp_path / "src"), absolute, os.path.join(home, "lib")]


def test_a_program_without_a_path_is_looked_for(config) -> None:
    """A python_binary that is only a name is left to PATH."""
    assert config(python_binary="python3").python_binary == "python3"


def test_policies_of_methods(config) -> None:
    """A method's policy overrides the keys it sets, and takes the others from the whole file."""
    policy = {
        "timeout": "5s",
        "max_retries": 0,
        "retry_interval": 1,
        "on_crash": "fail",
        "concurrency": 2,
        "priority": -7,
    }
    made = config(allowed_jobs={"app.Report": {"build": policy, "send": {}}}, max_retries=9, retry_jitter=0.5)
    plain = made.default_policy
    assert plain.max_retries == 9
    assert made.allowed["app.Report"]["send"] == plain
    assert made.allowed["app.Report"]["build"] == plain.override(
        timeout=5.0, max_retries=0, retry_interval=1.0, on_crash="fail", concurrency=2, priority=-7
    )


@pytest.mark.parametrize("raw", [[], None, 1, "x"])
def test_not_an_object(raw) -> None:
    """A configuration that is no JSON object is refused."""
    assert problems(raw) == ["must hold a JSON object"]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"concurency": 2}, "concurency: unknown key (did you mean 'concurrency'?)"),
        ({"concurrency": 0}, "concurrency: expected `int` >= 1"),
        ({"concurrency": "2"}, "concurrency: expected `int`, got `str`"),
        ({"timeout": 0}, "timeout: must be more than 0 seconds"),
        ({"timeout_limit": "0s"}, "timeout_limit: must be more than 0 seconds"),
        ({"kill_grace": "3651d"}, "kill_grace: '3651d' is out of range: a duration lies between 0 and 3650d"),
        ({"retry_jitter": 1.5}, "retry_jitter: expected `float` <= 1.0"),
        ({"max_log_bytes": 10}, "max_log_bytes: expected `int` >= 4096"),
        ({"fsync": "yes"}, "fsync: expected `bool`, got `str`"),
        ({"python_path": "src"}, "python_path: expected `array`, got `str`"),
        ({"spool": None}, "spool: expected `str`, got `null`"),
        ({"retry_backoff": "linear"}, "retry_backoff: invalid enum value 'linear'"),
        ({"on_crash": "ignore"}, "on_crash: invalid enum value 'ignore'"),
        ({"executor": "threads"}, "executor: 'threads' is none; there are auto, fork, spawn, inline"),
    ],
)
def test_a_wrong_key(keys, problem) -> None:
    """A wrong key is refused with its name and what is needed."""
    assert problems({"allowed_jobs": JOBS, **keys}) == [problem]


@pytest.mark.parametrize("value", ["soon", "5m\n", -1, None, True, []])
@pytest.mark.parametrize("key", ["timeout", "retry_interval", "retry_max_interval", "stop_grace", "keep_failed"])
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


def test_every_problem_at_once() -> None:
    """All problems are reported together, and the error shows each on a line with the file."""
    raw = {"concurrenci": 1, "timeout": "x", "allowed_jobs": {"app.Report": ["_a", "b c"]}}
    with pytest.raises(ConfigError) as caught:
        parse_config("/etc/c.json", raw)
    text = str(caught.value).splitlines()
    assert all(row.startswith("/etc/c.json: ") for row in text)
    for part in ("concurrenci: unknown key", "timeout: ", "'_a' is not a public", "'b c' is not a public"):
        assert any(part in row for row in text)


def test_an_unknown_key_that_begins_like_the_whitelist() -> None:
    """A flattened key like `allowed_jobs.app.Report` is an unknown key as any other."""
    assert problems({"allowed_jobs": JOBS, "allowed_jobs.app.Mail": ["send"]})[0].startswith(
        "allowed_jobs.app.Mail: unknown key"
    )


@pytest.mark.parametrize(
    "kind",
    ["auto", "fork", "spawn", "inline"],
)
def test_executors(config, kind) -> None:
    """The executor is one of those that are built in, or is left to the system."""
    assert config(executor=kind).file.executor == kind


def test_find_upwards(tmp_path, monkeypatch) -> None:
    """Without being told, config.json is looked for in the working directory and above it; the nearest one counts."""
    far, near = write(tmp_path, {}), write(tmp_path / "a" / "b", {})
    below = tmp_path / "a" / "b" / "c"
    below.mkdir()
    monkeypatch.chdir(below)
    assert os.path.samefile(find_config(), near)
    monkeypatch.chdir(tmp_path / "a")
    assert os.path.samefile(find_config(), far)


def test_find_skips_a_folder_of_that_name(tmp_path, monkeypatch) -> None:
    """A folder called config.json is not the configuration."""
    wanted = write(tmp_path, {})
    (tmp_path / "a" / FILE_NAME).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a")
    assert os.path.samefile(find_config(), wanted)


def test_find_order(tmp_path, monkeypatch) -> None:
    """What --config names comes before the variable, and the variable before the working directory."""
    here, variable, explicit = (write(tmp_path / name, {}) for name in "abc")
    monkeypatch.chdir(tmp_path / "a")
    assert os.path.samefile(find_config(), here)
    monkeypatch.setenv(VARIABLE, variable)
    assert find_config() == variable
    assert find_config(explicit) == explicit
    assert find_config(os.path.join("..", "c", FILE_NAME)) == explicit


def test_find_says_who_named_a_missing_file(tmp_path, monkeypatch) -> None:
    """A file that is named and not there is an error, even where another could be found."""
    write(tmp_path, {})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no such file \(named by --config\)"):
        find_config("nowhere.json")
    monkeypatch.setenv(VARIABLE, "nowhere.json")
    with pytest.raises(ConfigError, match=r"no such file \(named by \$SPOOLRUNNER_CONFIG\)"):
        find_config()


def test_find_nothing(tmp_path, monkeypatch) -> None:
    """Where there is none the error says how to name or make one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "isfile", lambda path: False)
    with pytest.raises(ConfigError, match=r"not found in .*--config.*spoolrunner init"):
        find_config()


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"a": 1,}', b"\xef\xbb\xbf{}"])
def test_load_of_no_json(tmp_path, data) -> None:
    """A file that is no JSON is an error that names the file."""
    path = write(tmp_path, data)
    with pytest.raises(ConfigError, match="not valid JSON") as caught:
        load_config(path)
    assert caught.value.where == path


@pytest.mark.parametrize("key", ["spool", "python_path", "python_binary", "signing_key"])
@pytest.mark.parametrize("path", ["a\0b", "~\0"])
def test_a_path_that_no_system_takes(key, path) -> None:
    """A path with a NUL in it is told with its key, not left to whoever opens it."""
    value = [path] if key == "python_path" else path
    assert problems({"allowed_jobs": JOBS, key: value}) == [f"{key}: holds a NUL, which no path may"]


def test_effective(config, tmp_path) -> None:
    """The effective configuration has every key, with paths as they are used, and can be read again."""
    made = config(concurrency=7, timeout="2m")
    effective = made.effective()
    assert set(effective) == {field.name for field in msgspec.structs.fields(ConfigFile)}
    assert (effective["concurrency"], effective["spool"]) == (7, str(tmp_path / "spool"))
    again = parse_config(os.path.join(os.sep, "elsewhere", FILE_NAME), orjson.loads(orjson.dumps(effective)))
    assert again.effective() == effective
    assert again.allowed == made.allowed


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({}, None),
        ({"timeout": "10m", "max_retries": 5}, None),
        ({"timeout": 601}, "timeout"),
        ({"timeout": "11m"}, "timeout"),
        ({"max_retries": 6}, "max_retries"),
    ],
)
def test_limits(config, keys, wrong) -> None:
    """A document may ask for as much as the operator's limits, and not for more."""
    made = config(timeout_limit="10m", max_retries_limit=5)
    checked = document.check({"job": "app.Report", "method": "build", **keys})
    if wrong is None:
        made.check_limits(checked)
        return
    with pytest.raises(JobFormatError, match=f"more than the operator allows .*{wrong}_limit") as caught:
        made.check_limits(checked)
    assert caught.value.key == wrong


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has them all")
def test_limits_of_a_method_over_those_of_all(config) -> None:
    """Limits are given for all, and by method; sizes become bytes and durations seconds."""
    made = config(
        allowed_jobs={"app.A": {"b": {"memory": "64M", "cpu_time": "1m"}, "c": {}}}, cpu_time=5, open_files=64
    )

    by_method, by_default = made.allowed["app.A"]["b"], made.allowed["app.A"]["c"]
    assert (by_method.memory, by_method.cpu_time, by_method.open_files) == (64 << 20, 60.0, 64)
    assert (by_default.memory, by_default.cpu_time, by_default.no_new_privileges) == (None, 5.0, False)
    assert by_default.limits_its_process


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
def test_faulty_limits_and_environments(config, keys, fault) -> None:
    """A limit or variable that no system takes is a fault of its key."""
    with pytest.raises(ConfigError) as raised:
        config(**keys)
    assert fault in str(raised.value)


@pytest.mark.parametrize("key", ["memory", "cpu_time", "open_files", "no_new_privileges"])
def test_limits_that_a_system_cannot_keep(config, monkeypatch, key) -> None:
    """On Windows a limit is a fault: one that is not kept would be worse than none."""
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ConfigError, match="leave it out"):
        config(**{key: {"memory": "64M", "cpu_time": 5, "open_files": 64, "no_new_privileges": True}[key]})
