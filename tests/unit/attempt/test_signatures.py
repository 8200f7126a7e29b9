"""What a process of its own says of a callable: its parameters, or why it cannot be looked at."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = "from spoolrunner.attempt.signatures import print_signature; print_signature()"
MODULE = '''
import functools, os
from typing import Optional
print("noise of the import", end="")
READY = []

class Report:
    def build(self, year: int, name: str = "x", *, tags: list[str] = ["a"], odd: Optional[object] = READY.append, **more):
        """Build the report.

        And more."""
    @staticmethod
    def plain(a, b=2, /): ...
    @classmethod
    def of(cls, what: "int | None" = None): ...
    partial = functools.partialmethod(build, 2026)

def wraps(function):
    @functools.wraps(function)
    def wrapper(*arguments, **named):
        return function(*arguments, **named)
    return wrapper

@wraps
def wrapped(x: float): ...

def prepared(ready=len(READY)): ...
def setup(): READY.append(1)
def exits(a=1): ...
'''


@pytest.fixture
def ask(tmp_path):
    """Ask for the signature of a method of a module in a folder of its own."""
    (tmp_path / "unit_signed.py").write_text(MODULE, encoding="ascii")
    (tmp_path / "unit_exits.py").write_text("import sys; sys.exit(3)", encoding="ascii")
    (tmp_path / "unit_dies.py").write_text("import os; os._exit(3)", encoding="ascii")
    (tmp_path / "unit_setup.py").write_text("import builtins\ndef setup(): builtins.unit_ready = 7\n", encoding="ascii")
    (tmp_path / "unit_needs.py").write_text("def work(x=unit_ready): ...", encoding="ascii")

    def asked(job: str, method: str, setup: tuple = ()) -> dict:
        question = {"python_path": [str(tmp_path)], "job": job, "method": method, "setup": setup}
        done = subprocess.run(
            [sys.executable, "-P", "-c", PROGRAM],
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        last = done.stdout.rstrip(b"\n").rpartition(b"\n")[2]
        return json.loads(last) if last else {"status": done.returncode}

    return asked


def test_a_method(ask, tmp_path) -> None:
    """Each parameter has its name, its type in words, and its default as JSON or in words of Python."""
    found = ask("unit_signed.Report", "build")
    year, name, tags, odd, more = found["parameters"]
    assert year == {"name": "year", "kind": "POSITIONAL_OR_KEYWORD", "words": "int", "required": True}
    assert (name["words"], name["default"]) == ("str", '"x"')
    assert (tags["kind"], tags["words"], tags["default"]) == ("KEYWORD_ONLY", "list[str]", '["a"]')
    assert "object" in odd["words"]
    assert odd["shown"].startswith("<built-in method append")
    assert more["kind"] == "VAR_KEYWORD"
    assert found["summary"] == "Build the report."
    assert found["files"] == [str(tmp_path / "unit_signed.py")]


@pytest.mark.parametrize(
    ("job", "method", "names"),
    [
        ("unit_signed.Report", "plain", [("a", "POSITIONAL_ONLY"), ("b", "POSITIONAL_ONLY")]),
        ("unit_signed.Report", "of", [("what", "POSITIONAL_OR_KEYWORD")]),
        ("unit_signed", "wrapped", [("x", "POSITIONAL_OR_KEYWORD")]),
    ],
)
def test_other_callables(ask, job, method, names) -> None:
    """Neither the instance nor the class is a parameter; of what takes anything, that counts which it wraps."""
    found = ask(job, method)
    assert [(one["name"], one["kind"]) for one in found["parameters"]] == names


@pytest.mark.parametrize(
    ("job", "method", "problem"),
    [
        ("unit_signed", "nothing", "NotAllowedError"),
        ("unit_nowhere", "x", "ModuleNotFoundError"),
        ("unit_exits", "x", "importing it raised SystemExit: 3"),
        ("unit_needs", "work", "NameError"),
    ],
)
def test_what_cannot_be_looked_at(ask, job, method, problem) -> None:
    """Why is said in a sentence."""
    assert problem in ask(job, method)["problem"]


def test_a_module_that_ends_the_process(ask) -> None:
    """Nothing is said then, and the status tells."""
    assert ask("unit_dies", "x") == {"status": 3}


def test_the_setup_comes_first(ask) -> None:
    """What a job's process calls before it imports its module is called here, too."""
    found = ask("unit_needs", "work", (("setup.process", "unit_setup.setup"),))
    assert found["parameters"][0]["default"] == "7"
