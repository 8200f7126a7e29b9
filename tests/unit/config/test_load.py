"""The configuration: found, checked whole, and turned into paths, seconds and policies."""

from __future__ import annotations

import math
import os
import sys

import msgspec
import orjson
import pytest

from spoolrunner.config.load import FILE_NAME, VARIABLE, find_config, find_spool, load_config, parse_config
from spoolrunner.config.shape import ConfigFile
from spoolrunner.errors import ConfigError, JobFormatError
from spoolrunner.protocol import document
from spoolrunner.protocol.policy import Policy
from spoolrunner.spool.retention import Keep

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
    assert made.import_timeout == 60.0
    assert (made.file.executor, made.file.preload) == ("auto", False)
    assert made.layout.root == str(tmp_path / "spool")
    assert made.python_path == [str(tmp_path)]
    assert made.python_binary == sys.executable
    assert made.allowed == {"app.Report": {"build": made.default_policy}}


def test_durations_are_seconds(config) -> None:
    """Durations are seconds wherever they are used, in whichever notation they were written."""
    made = config(timeout="2m", kill_grace=3, stop_grace="1.5s", priority_aging="1m", keep_done="7d", retry_interval=0)
    assert (made.default_policy.timeout, made.kill_grace, made.stop_grace) == (120.0, 3.0, 1.5)
    assert config(import_timeout="90s").import_timeout == 90.0
    assert (made.priority_aging, made.keep_done.age, made.default_policy.retry_interval) == (60.0, 604800.0, 0.0)


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


def test_every_problem_at_once() -> None:
    """All problems are reported together, and the error shows each on a line with the file."""
    raw = {"concurrenci": 1, "timeout": "x", "allowed_jobs": {"app.Report": ["_a", "b c"]}}
    with pytest.raises(ConfigError) as caught:
        parse_config("/etc/c.json", raw)
    text = str(caught.value).splitlines()
    assert all(row.startswith("/etc/c.json: ") for row in text)
    for part in ("concurrenci: unknown key", "timeout: ", "'_a' is not a public", "'b c' is not a public"):
        assert any(part in row for row in text)


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
    assert by_default.process_limits == (None, 5.0, 64, False)


def test_what_is_kept(config) -> None:
    """keep_done and keep_failed are a duration, or limit age and count apart from each other; nothing is pruned unasked."""
    made = config(keep_done={"age": "7d", "count": 100}, keep_failed={"count": 0})
    assert (made.keep_done, made.keep_failed) == (Keep(604800.0, 100), Keep(math.inf, 0))
    assert config(keep_done={"age": 5}).keep_done == Keep(5.0)
    assert (config().keep_done, config().keep_failed) == (Keep(604800.0), Keep(2592000.0))
    assert (config().auto_prune, config(auto_prune=True).auto_prune) == (False, True)


def test_what_is_read_again(tmp_path) -> None:
    """The file is read once more, and the configuration is as before until it becomes the new one; then all see that."""
    path = write(tmp_path, {"allowed_jobs": JOBS, "timeout": "2m"})
    made = load_config(path)
    assert made.allowed["app.Report"]["build"].timeout == 120.0
    write(tmp_path, {"allowed_jobs": {"app.Report": ["send"]}, "timeout": "3m"})
    again = made.read_again()
    assert made.is_changed()
    assert list(made.allowed["app.Report"]) == ["build"]
    made.become(again)
    assert not made.is_changed()
    assert made.allowed == {"app.Report": {"send": made.default_policy}}
    assert made.default_policy.timeout == 180.0


def test_faults_of_what_is_read_again(tmp_path) -> None:
    """They are named as at the first time, and the configuration stays as it is."""
    made = load_config(write(tmp_path, {"allowed_jobs": JOBS}))
    write(tmp_path, {"allowed_jobs": 5, "timeout": "soon"})
    with pytest.raises(ConfigError) as caught:
        made.read_again()
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["timeout", "allowed_jobs"]
    assert made.default_policy.timeout == 3600.0


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root, to give a file to somebody else")
def test_a_stranger_cannot_slip_one_in(tmp_path, monkeypatch) -> None:
    """What was found, not named, is refused when it belongs to somebody else by the time it is read again."""
    path = write(tmp_path, {"allowed_jobs": JOBS})
    monkeypatch.chdir(tmp_path)
    found, named = load_config(to_run=True), load_config(path, to_run=True)
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        found.read_again()
    assert named.read_again().path == path


def test_the_spool_of_an_unfit_file(tmp_path) -> None:
    """What is wrong with the other keys hides no spool; where the spool itself cannot be made out, all faults are named."""
    path = write(tmp_path, {"spool": "jobs", "timeout": "soon", "shout": 1})
    assert find_spool(path).path == path
    assert find_spool(path).layout.root == str(tmp_path / "jobs")
    assert find_spool(write(tmp_path, {"timeout": "soon"})).layout.root == str(tmp_path / "spool")
    for raw, count in (({"spool": 5, "timeout": "soon"}, 3), ([], 1), (b"{", 1)):
        with pytest.raises(ConfigError) as caught:
            find_spool(write(tmp_path, raw))
        assert len(caught.value.problems) == count
