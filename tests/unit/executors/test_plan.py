"""What an executor is made from: the environment and the settings of every job's process."""

from __future__ import annotations

import sys

import pytest

from spoolrunner.attempt.settings import Settings
from spoolrunner.dispatch.inbox import make_inbox
from spoolrunner.errors import StartError
from spoolrunner.executors.base import Plan
from spoolrunner.executors.plan import find_executor, job_environment, make_plan, runner_settings
from spoolrunner.system import processes

OURS = {"PATH": "/bin", "HOME": "/home/x", "APP_A": "1", "APP_B": "2", "app_a": "3"}


def named_in(config) -> dict[str, str]:
    """What names the config.json that is in force."""
    return {"SPOOLRUNNER_CONFIG": config().path}


@pytest.fixture(autouse=True)
def _nothing_needed(monkeypatch) -> None:
    monkeypatch.setattr(processes, "NEEDED_VARIABLES", ())


@pytest.mark.parametrize(
    ("inherit", "names"),
    [
        (True, {"PATH", "HOME", "APP_A", "APP_B", "app_a"}),
        (False, set()),
        ([], set()),
        (["PATH"], {"PATH"}),
        (["APP_*"], {"APP_A", "APP_B"}),
        (["?OME", "app_a", "NOT_SET"], {"HOME", "app_a"}),
    ],
)
def test_what_is_inherited(config, inherit, names) -> None:
    """A job's process inherits what the configuration names, by whole names or patterns, in the letters they are written in."""
    made = job_environment(config(inherit_environment=inherit), OURS)
    assert made == {name: OURS[name] for name in names} | named_in(config)


def test_what_is_set_comes_on_top(config) -> None:
    """What the configuration sets is there whatever is inherited, and wins over it."""
    set_ones = {"PATH": "/usr/bin", "NEW": ""}
    assert job_environment(config(environment=set_ones, inherit_environment=False), OURS) == named_in(config) | set_ones
    assert job_environment(config(environment=set_ones), OURS) == {**OURS, **named_in(config), **set_ones}


def test_which_config_is_in_force(config, tmp_path) -> None:
    """A job finds the config.json that it runs by, whatever the dispatcher's environment says, unless that sets another."""
    ours = {"SPOOLRUNNER_CONFIG": "/another/config.json"}
    assert job_environment(config(), ours) == {"SPOOLRUNNER_CONFIG": str(tmp_path / "config.json")}
    assert job_environment(config(environment={"SPOOLRUNNER_CONFIG": "x"}), ours) == {"SPOOLRUNNER_CONFIG": "x"}


def test_what_the_system_needs_is_always_inherited(config, monkeypatch) -> None:
    """What no Python starts without is inherited even where nothing is named."""
    monkeypatch.setattr(processes, "NEEDED_VARIABLES", ("HOME",))
    assert job_environment(config(inherit_environment=[]), OURS) == {"HOME": "/home/x"} | named_in(config)


def test_settings_of_a_configuration(config, tmp_path) -> None:
    """A job's process is given the paths and bounds in force, and can read them from bytes."""
    made = config(max_log_bytes=4096, python_path=["src"], import_timeout="90s")
    settings = Settings.from_bytes(runner_settings(made, "boot").to_bytes())
    assert (settings.root, settings.boot, settings.fsync) == (made.layout.root, "boot", False)
    assert (settings.max_log_bytes, settings.import_timeout) == (4096, 90.0)
    assert settings.python_path == [str(tmp_path / "src")]


def plan_for(config) -> Plan:
    """As the dispatcher makes it, of an inbox that nobody waits at."""
    return make_plan(config, "boot", print, print, make_inbox())


def test_what_is_preloaded(config) -> None:
    """By default nothing; all that the table names; or a list, in its order and each once. The table goes along in any case."""
    table = {"app.Report": ["build", "send"], "app.Mail": {"post": {"timeout": 5}}}
    for given, preload in [
        ({}, []),
        ({"preload": False}, []),
        ({"preload": True}, ["app.Report", "app.Mail"]),
        ({"preload": ["numpy", "app", "numpy"]}, ["numpy", "app"]),
    ]:
        made = plan_for(config(allowed_jobs=table, **given))
        assert made.preload == preload
        assert made.jobs == {"app.Report": ["build", "send"], "app.Mail": ["post"]}


def test_commands_are_not_imported(config) -> None:
    """The table of a plan has the callables, and for commands the one function that runs them."""
    command = {"argv": ["ls"]}
    plan = plan_for(config(allowed_jobs={"shell": {"ls": command}, "app.A": {"b": {}, "c": command}}, preload=True))
    assert plan.jobs == {"app.A": ["b"], "spoolrunner.attempt.command": ["run"]}
    assert plan.preload == ["app.A"]


@pytest.mark.parametrize(("preload", "rest"), [(False, []), (True, ["app.A"]), (["numpy"], ["numpy"])])
def test_the_setup_of_a_template_comes_first(config, preload, rest) -> None:
    """It is asked for by its name, so that it runs in a template whatever else is preloaded."""
    made = config(allowed_jobs={"app.A": ["b"]}, preload=preload, setup={"template": "app.prepare", "process": "app.p"})
    assert plan_for(made).preload == ["app.prepare()", *rest]


def test_what_a_plan_names(config) -> None:
    """A plan names the interpreter, the spool and the boot, and has the settings of job's processes as bytes."""
    made = config(environment={"A": "b"}, inherit_environment=False)
    plan = plan_for(made)
    assert (plan.python, plan.root, plan.boot, plan.folder) == (
        made.python_binary,
        made.layout.root,
        "boot",
        made.folder,
    )
    assert plan.environment == {
        "A": "b",
        "SPOOLRUNNER_CONFIG": made.path,
        processes.MARK: f"{made.layout.root}::0:0.0:",
    }
    assert plan.settings == runner_settings(made, "boot").to_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no limits")
def test_a_plan_says_whether_a_job_is_limited(config) -> None:
    """One method with limits makes the whole plan one with limits: an executor that cannot keep them refuses it."""
    assert not plan_for(config(allowed_jobs={"app.A": {"b": {"timeout": 5}}})).is_limited
    assert plan_for(config(allowed_jobs={"app.A": {"b": {"cpu_time": 5}, "c": {}}})).is_limited


@pytest.mark.parametrize("name", ["spawn", "inline"])
def test_executors_by_name(name) -> None:
    """Those that are built in are found by their names."""
    assert find_executor(name).__module__ == f"spoolrunner.executors.{name}"


@pytest.mark.parametrize(("system", "module"), [("linux", "fork"), ("darwin", "spawn"), ("win32", "spawn")])
def test_the_executor_of_a_system(monkeypatch, system, module) -> None:
    """Left to the system it is fork on Linux, and spawn elsewhere."""
    if sys.platform == "win32" and module == "fork":
        pytest.skip("there is no fork")
    find_executor(module)  # imported while the system is still named as it is
    monkeypatch.setattr(sys, "platform", system)
    assert find_executor("auto").__module__ == f"spoolrunner.executors.{module}"


def test_executors_that_are_not_there(monkeypatch) -> None:
    """A name that no package provides is refused, and so is fork on Windows."""
    with pytest.raises(StartError, match="executor 'threads': no installed package provides it"):
        find_executor("threads")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(StartError, match="does not exist on Windows"):
        find_executor("fork")
