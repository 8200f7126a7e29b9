"""Commands in allowed_jobs: their faults under their keys, and what is made of them."""

from __future__ import annotations

import sys

import pytest

from spoolrunner.config import commands
from spoolrunner.config.faults import config_faults

linux = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
KEY = "allowed_jobs.shell.thumbnail"


def problems(policy) -> list[str]:
    return [str(fault) for fault in config_faults({"allowed_jobs": {"shell": {"thumbnail": policy}}})]


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ({"argv": "ls"}, "argv: must be a list of words, the program first"),
        ({"argv": []}, "argv: must be a list of words"),
        ({"argv": None}, "argv: must be a list of words"),
        ({"argv": ["{x}"]}, "argv[0]: must be the name or the path of a program"),
        ({"argv": ["a", 1]}, "argv[1]: must be a word"),
        ({"argv": ["a", "{x"]}, "argv[1]: '{x' has a brace that belongs to no {name}"),
        ({"argv": ["~/bin/a"]}, "argv[0]: begins with ~, which only a shell makes a folder of"),
        ({"argv": ["a", "{x}"], "types": {"x": "int"}}, "types.x: 'int' is none; there are string, integer"),
        ({"argv": ["a", "{x}"], "types": {"x": 1}}, "types.x: 1 is none"),
        ({"argv": ["a", "{x}"], "types": ["x"]}, "types: must be an object: parameter -> type"),
        ({"argv": ["a", "{x}"], "types": {"y": "string"}}, "types.y: argv has no {y}"),
        ({"argv": ["a", "{x}"], "allow_options": ["y"]}, "allow_options: argv has no {y}"),
        ({"argv": ["a", "{x}"], "allow_options": "x"}, "allow_options: must be a list of names"),
        ({"argv": ["a"], "result": "xml"}, "result: invalid enum value 'xml'"),
        ({"argv": ["a"], "reslut": "text"}, "reslut: unknown key (did you mean 'result'?)"),
        ({"argv": ["a"], "timeout": 0}, "timeout: must be more than 0 seconds"),
        ({"types": {"x": "integer"}}, 'types: is of a command: it needs "argv" beside it'),
        ({"sandbox": {}}, 'sandbox: is of a command: it needs "argv" beside it'),
        ({"result": "text"}, 'result: is of a command: it needs "argv" beside it'),
    ],
)
def test_faults(policy, problem) -> None:
    """Each fault is named under its key, once."""
    found = problems(policy)
    assert len(found) == 1
    assert found[0].startswith(f"{KEY}.{problem}")


@linux
@pytest.mark.parametrize(
    ("sandbox", "problem"),
    [
        ([], "sandbox: expected `object | null`, got `array`"),
        ({"reed": []}, "sandbox.reed: unknown key (did you mean 'read'?)"),
        ({"read": "x"}, "sandbox.read: expected `array`"),
        ({"write": ["a\0"]}, "sandbox.write: holds a NUL, which no path may"),
        ({"network": "no"}, "sandbox.network: expected `bool`"),
    ],
)
def test_faults_of_a_sandbox(sandbox, problem) -> None:
    """As above."""
    found = problems({"argv": ["a"], "sandbox": sandbox})
    assert len(found) == 1
    assert found[0].startswith(f"{KEY}.{problem}")


def test_a_sandbox_elsewhere(monkeypatch) -> None:
    """A system without bubblewrap refuses the key: nothing is run that was to be kept apart, and is not."""
    monkeypatch.setattr(commands.sys, "platform", "darwin")
    assert problems({"argv": ["a"], "sandbox": {}}) == [
        f"{KEY}.sandbox: bubblewrap, which makes it, is for Linux alone; leave it out"
    ]


def test_all_at_once() -> None:
    """The faults of a command and of its other keys are all named."""
    found = problems({"argv": ["{p}", "{"], "types": {"x": "?"}, "timeout": "x", "colour": "red"})
    assert {problem.split(":")[0].removeprefix(f"{KEY}.") for problem in found} == {
        "argv[0]", "argv[1]", "types.x", "timeout", "colour"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"folder": "/"}, None),
        ({}, "folder: missing; it is required"),
        ({"folder": 5}, "folder: must be a string, not 5"),
        (["/"], "must be an object: a command takes its parameters by name"),
    ],
)
def test_the_parameters_of_a_schedule(params, problem) -> None:
    """They have to fit the command, since nobody would see them refused at night."""
    schedule = {"every": "10m", "job": "shell", "method": "ls", "params": params}
    raw = {"allowed_jobs": {"shell": {"ls": {"argv": ["ls", "{folder}"]}}}, "schedules": {"nightly": schedule}}
    expected = [] if problem is None else [f"schedules.nightly.params: {problem}"]
    assert [str(fault) for fault in config_faults(raw)] == expected


@pytest.mark.parametrize(
    "allowed",
    [
        None,
        [],
        {"shell": ["ls"]},
        {"shell": {"ls": 5}},
        {"shell": {"ls": {"argv": ["{"]}}},
        {"shell": {"ls": {"argv": ["a"], "types": ["x"]}}},
        {"shell": {"ls": {"argv": ["a"], "allow_options": [1]}}},
    ],
)
def test_a_schedule_of_a_wrong_whitelist(allowed) -> None:
    """What is wrong with the whitelist is named there, and nothing is said of parameters."""
    raw = {"allowed_jobs": allowed, "schedules": {"nightly": {"every": 1, "job": "shell", "method": "ls"}, "odd": 5}}
    assert not any("params" in fault.key for fault in config_faults(raw))


def test_a_command(config, tmp_path) -> None:
    """It becomes one part of the policy, beside what any method may set; its paths are absolute."""
    sandbox = (
        {"sandbox": {"read": ["in", "/data"], "write": ["out/"], "network": True}} if sys.platform == "linux" else {}
    )
    made = config(
        allowed_jobs={
            "shell": {"ls": {"argv": ["ls", "{folder}"], "result": "text", "timeout": "5m", **sandbox}, "plain": {}}
        }
    )
    policy = made.allowed["shell"]["ls"]
    assert (policy.timeout, policy.command.result) == (300.0, "text")
    assert policy.command.template.fill({"folder": "/"}) == ["ls", "/"]
    if sandbox:
        assert policy.command.sandbox == ([str(tmp_path / "in"), "/data"], [str(tmp_path / "out")], True)
    assert made.allowed["shell"]["plain"].command is None
    assert made.effective()["allowed_jobs"]["shell"]["ls"]["argv"] == ["ls", "{folder}"]


def test_the_least_command(config) -> None:
    """Its output is no result, and it is in no sandbox."""
    command = config(allowed_jobs={"shell": {"ls": {"argv": ["ls"]}}}).allowed["shell"]["ls"].command
    assert (command.result, command.sandbox) == ("none", None)
