"""The registry of verbs: a verb a file, and only the one that was given is loaded."""

from __future__ import annotations

import argparse
import inspect
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from spoolrunner.cli import main
from spoolrunner.cli import main as run
from spoolrunner.cli.main import VERBS
from spoolrunner.protocol.states import State

SHARED = {"__init__", "as_typed", "filters", "found", "main", "out", "render"}
"""Modules of cli/ that are no verbs."""


def test_each_verb_is_a_file() -> None:
    """The registry and the folder name the same verbs."""
    folder = Path(inspect.getfile(run)).parent
    assert {path.stem for path in folder.glob("*.py")} - SHARED == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_arguments_and_its_work(verb) -> None:
    """A verb's module takes a parser, and then what was parsed."""
    module = import_module(f"spoolrunner.cli.{verb}")
    module.add_arguments(argparse.ArgumentParser())
    assert list(inspect.signature(module.run).parameters) in (["arguments"], ["_arguments"])


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_helps(verb, capsys) -> None:
    """`VERB --help` begins with the verb's own usage, and ends with 0."""
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: spoolrunner {verb} ")
    assert "--config" not in told


def test_only_the_verb_that_was_given_is_loaded() -> None:
    """A command loads the modules of no other verb, so that `enqueue` is as cheap as it can be."""
    program = (
        "import sys\nfrom spoolrunner.cli import main\n"
        "try:\n main(['enqueue', '--help'])\nexcept SystemExit:\n pass\n"
        "print(*[name for name in sys.modules if name.startswith('spoolrunner.cli.')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stderr.split()) == {f"spoolrunner.cli.{name}" for name in ("main", "out", "enqueue")}


@pytest.mark.parametrize("words", [[], ["nope"], ["list", "nowhere"], ["show"], ["enqueue", "x"]])
def test_usage(words, capsys) -> None:
    """Words that mean nothing end with 2 and the usage."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: spoolrunner")


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (["J", "M", "--delay", "5m", "2026"], ["2026"]),
        (["J", "M", "a", "--delay", "5m", "b", "c"], ["a", "b", "c"]),
        (["J", "--delay", "5m", "M", "a", "--id", "x", "b"], ["a", "b"]),
        (["J", "M", "a", "--delay", "5m", "--", "-5"], ["a", "-5"]),
        (["J", "M", "--delay", "5m", "-5"], ["-5"]),
    ],
)
def test_words_may_follow_options(words, params, monkeypatch) -> None:
    """Options may stand between words."""
    taken = []
    monkeypatch.setattr("spoolrunner.cli.enqueue.run", lambda arguments: taken.append(arguments) or 0)
    assert main(["enqueue", *words]) == 0
    assert (taken[0].job, taken[0].method, taken[0].params, taken[0].delay) == ("J", "M", params, "5m")


def test_words_of_other_verbs_may_follow_options_too(command, drop, spool) -> None:
    """Also where there is one kind of words: `retry A --all B`, `cancel A --no-wait B`."""
    drop(State.PENDING, "a")
    drop(State.PENDING, "b")
    assert command("cancel", "a", "--no-wait", "b").code == 0
    assert sorted(os.listdir(spool.layout.control)) == ["cancel-a", "cancel-b"]


@pytest.mark.parametrize(
    "words", [["J", "M", "--dealy", "5m"], ["J", "M", "--delay", "5m", "--id"], ["J", "--delay", "5m"]]
)
def test_options_that_there_are_not_stay_errors(words, capsys) -> None:
    """What is no word is not taken for one."""
    with pytest.raises(SystemExit) as caught:
        main(["enqueue", *words])
    assert caught.value.code == 2


@pytest.mark.parametrize("option", ["--json", "--meta"])
@pytest.mark.parametrize(
    "number", ["18446744073709551616", "-9223372036854775809", "1e999", "123456789012345678901234567890"]
)
def test_numbers_on_the_command_line_are_those_of_job_files(command, option, number) -> None:
    """A number that a job file may not hold is refused, and not rounded."""
    text = f'{{"a": [{number}]}}'
    told = command("enqueue", "app.Report", "build", option, text)
    assert told.code == 2
    assert told.err.startswith("spoolrunner: ")


def test_numbers_that_job_files_may_hold_are_kept(command, spool) -> None:
    """The largest ones arrive as they are."""
    job_id = command(
        "enqueue", "app.Report", "build", "--json", "[18446744073709551615, -9223372036854775808, 0.1]"
    ).out.strip()
    with open(spool.layout.job(State.PENDING, job_id), "rb") as stream:
        assert json.loads(stream.read())["params"] == [18446744073709551615, -9223372036854775808, 0.1]
