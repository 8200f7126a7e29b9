"""Errors of commands and of the helper name what to do, in words that are held here: they are what a person goes by."""

from __future__ import annotations

import json

import pytest

from spoolrunner import JobFormatError
from spoolrunner.cli import main
from spoolrunner.client.enqueue import enqueue
from spoolrunner.protocol.states import State


class Report:
    """A job as an application has it."""

    def build(self, year: int) -> int:
        return year


def build(year: int) -> int:
    """A job that is a function."""
    return year


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (
            lambda settings: enqueue(Report, "build", 2026, config=settings),
            "params: int is neither a sequence (by position) nor a mapping (by name): write params=[…]",
        ),
        (
            lambda settings: enqueue(Report, "build", "2026", config=settings),
            "params: str is neither a sequence (by position) nor a mapping (by name): write params=[…]",
        ),
        (
            lambda settings: enqueue(build, 2026, config=settings),
            "method: must be left out when job is a function or method itself; arguments go into params=[2026]",
        ),
        (lambda settings: enqueue(Report, config=settings), "method: missing; name a method of Report"),
    ],
)
def test_positional_arguments_in_place_of_params(tmp_path, spool, call, problem) -> None:
    """Who gives arguments as to the function itself is told where they go, and nothing is written."""
    allowed = {__name__: ["build"], f"{__name__}.Report": ["build"]}
    (tmp_path / "config.json").write_text(json.dumps({"allowed_jobs": allowed, "fsync": False}))
    with pytest.raises(JobFormatError) as caught:
        call(str(tmp_path / "config.json"))
    assert str(caught.value) == problem
    assert list(spool.names(State.PENDING)) == []


def test_a_time_without_a_zone(command, spool) -> None:
    """The error shows how it is written; nothing is published."""
    told = command("enqueue", "app.Report", "build", "--at", "2026-11-23T17:45:01")
    assert (told.code, told.out) == (2, "")
    assert "'2026-11-23T17:45:01' has no offset from UTC; write 2026-11-23T17:45:01Z" in told.err
    assert list(spool.names(State.PENDING)) == []


def test_a_first_pause_above_the_longest(command) -> None:
    """Both keys are named, and which to raise; of a method as of all."""
    told = command("check", retry_interval="2h", retry_max_interval="1h")
    assert told.code == 2
    advice = "is more than retry_max_interval (1h), to which every pause is cut: raise that too"
    assert f"retry_interval: {advice}" in told.err
    allowed = {"app.Report": {"build": {"retry_interval": "2h"}}}
    told = command("check", allowed_jobs=allowed, retry_max_interval="1h")
    assert f"allowed_jobs.app.Report.build.retry_interval: {advice}" in told.err


@pytest.mark.parametrize("verb", ["show", "logs", "cancel", "retry"])
@pytest.mark.parametrize("state", [State.PENDING, State.FAILED])
def test_the_name_of_the_file_in_place_of_the_id(command, drop, verb, state) -> None:
    """`hello.json` given for `hello` is named as what it is, by every verb that takes ids, and nothing is done."""
    drop(state, "hello")
    told = command(verb, "hello.json")
    assert told.code != 0
    assert "an id is the name of the file without .json" in told.err


@pytest.mark.parametrize("verb", ["show", "logs", "cancel", "retry"])
def test_a_path_in_place_of_the_id(command, verb) -> None:
    """A path of a job file is answered with the id to write."""
    told = command(verb, "spool/failed/hello.json")
    assert told.code == 2
    assert "'spool/failed/hello.json' is not the name of a file without .json; write hello" in told.err


def test_a_folder_in_place_of_the_configuration(command, tmp_path, capsys) -> None:
    """The file in it is named, if there is one."""
    command("status")
    assert main(["--config", str(tmp_path), "status"]) == 2
    assert f"{tmp_path}: is a folder; name the file: {tmp_path}" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["--config", str(tmp_path / "empty"), "status"]) == 2
    assert "is a folder without config.json" in capsys.readouterr().err
