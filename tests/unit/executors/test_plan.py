"""What an executor is made from: the environment and the settings of every job's process."""

from __future__ import annotations

import os

import pytest

from spoolrunner.attempt.settings import Settings
from spoolrunner.executors.plan import job_environment, runner_settings
from spoolrunner.system import processes

OURS = {"PATH": "/bin", "HOME": "/home/x", "APP_A": "1", "APP_B": "2", "app_a": "3"}


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
    assert made == {name: OURS[name] for name in names}


def test_what_is_set_comes_on_top(config) -> None:
    """What the configuration sets is there whatever is inherited, and wins over it."""
    set_ones = {"PATH": "/usr/bin", "NEW": ""}
    assert job_environment(config(environment=set_ones, inherit_environment=False), OURS) == set_ones
    assert job_environment(config(environment=set_ones), OURS) == {**OURS, **set_ones}


def test_what_the_system_needs_is_always_inherited(config, monkeypatch) -> None:
    """What no Python starts without is inherited even where nothing is named."""
    monkeypatch.setattr(processes, "NEEDED_VARIABLES", ("HOME",))
    assert job_environment(config(inherit_environment=[]), OURS) == {"HOME": "/home/x"}


def test_settings_of_a_configuration(config, tmp_path) -> None:
    """A runner is given the policies, limits and paths in force, and can read them from bytes."""
    made = config(timeout_limit="10m", max_retries_limit=5, max_log_bytes=4096, python_path=["src"], max_retries=2)
    settings = runner_settings(made, "boot")
    assert (settings.root, settings.boot, settings.fsync) == (made.layout.root, "boot", False)
    assert (settings.limits.timeout, settings.limits.max_retries, settings.max_log_bytes) == (600.0, 5, 4096)
    assert settings.python_path == [str(tmp_path / "src")]
    assert settings.allowed == made.allowed
    assert settings.default_policy.max_retries == 2
    assert settings.signing_key is None
    assert Settings.from_bytes(settings.to_bytes()) == settings


def test_the_signing_key_is_given_in_hexadecimal(config, tmp_path) -> None:
    """Where job files are signed, a runner is given the key itself, as the file with it may be out of its reach."""
    (tmp_path / "key").write_text("ab" * 32)
    assert runner_settings(config(signing_key=os.fspath(tmp_path / "key")), "").signing_key == "ab" * 32
