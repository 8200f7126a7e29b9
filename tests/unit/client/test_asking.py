"""Asking a process of its own about what the operator names."""

from __future__ import annotations

import subprocess

import pytest

from spoolrunner.client.asking import ask

ECHO = "import json, os, sys; q = json.load(sys.stdin); print(q['what'], q['python_path'], os.getcwd(), os.environ['COLOUR'])"


def test_it_runs_as_a_job_does(config, tmp_path) -> None:
    """With the folder, the environment and the python_path that jobs have."""
    settings = config(environment={"COLOUR": "red"}, python_path=["lib"])
    done = ask(settings, ECHO, {"what": 7}, 60.0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split() == ["7", str([str(tmp_path / "lib")]), str(tmp_path), "red"]


def test_errors(config) -> None:
    """An interpreter that is not there, and one that takes too long."""
    with pytest.raises(FileNotFoundError):
        ask(config(python_binary="/no/such/python"), ECHO, {}, 60.0)
    with pytest.raises(subprocess.TimeoutExpired):
        ask(config(), "import threading; threading.Event().wait()", {}, 0.2)
