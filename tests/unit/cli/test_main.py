"""The registry of verbs: a verb a file, and only the one that was given is loaded."""

from __future__ import annotations

import argparse
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from spoolrunner.cli import main
from spoolrunner.cli import main as run
from spoolrunner.cli.main import VERBS

SHARED = {"__init__", "as_typed", "main", "render"}
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
    assert set(done.stderr.split()) == {"spoolrunner.cli.main", "spoolrunner.cli.enqueue"}


@pytest.mark.parametrize("words", [[], ["nope"], ["list", "nowhere"], ["show"], ["enqueue", "x"]])
def test_usage(words, capsys) -> None:
    """Words that mean nothing end with 2 and the usage."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: spoolrunner")
