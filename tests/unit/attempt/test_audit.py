"""The audit of the operator's table, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

PROGRAM = "from spoolrunner.attempt.audit import print_audit; print_audit()"
MODULE = """
print("noise of the import", end="")

class Report:
    def build(self): ...
    def _hidden(self): ...
    def stream(self):
        yield 1

class Needy:
    def __init__(self, what): ...
    def work(self): ...
    @staticmethod
    def free(): ...

def plain(a, b): ...
"""


@pytest.fixture
def audit(tmp_path):
    """Audit a table, of modules in a folder of its own; gives the problems."""

    def ask(allowed: dict[str, list[str]]) -> list[str]:
        question = orjson.dumps({"python_path": [str(tmp_path)], "allowed": allowed})
        done = subprocess.run(
            [sys.executable, "-P", "-c", PROGRAM], input=question, capture_output=True, timeout=30, check=True
        )
        assert done.stderr in (b"", b"noise of the import")
        answers = [orjson.loads(line) for line in done.stdout.splitlines()]
        asked = [[job, method] for job, methods in allowed.items() for method in methods]
        assert [answer[:2] for answer in answers[1::2]] == answers[::2] == asked
        return [answer[2] for answer in answers[1::2] if answer[2]]

    (tmp_path / "unit_audit_jobs.py").write_text(MODULE, encoding="ascii")
    (tmp_path / "unit_audit_faulty.py").write_text("1 / 0\n", encoding="ascii")
    return ask


def test_a_table_without_a_fault(audit) -> None:
    """Functions and methods that can be called are no problem, whatever their parameters, and whatever is printed."""
    table = {"unit_audit_jobs": ["plain"], "unit_audit_jobs.Report": ["build"], "unit_audit_jobs.Needy": ["free"]}
    assert audit(table) == []
    assert audit({}) == []


@pytest.mark.parametrize(
    ("job", "method", "problem"),
    [
        ("unit_audit_jobs", "plane", "unit_audit_jobs.plane: the module has no such function (did you mean 'plain'?)"),
        (
            "unit_audit_jobs.Report",
            "_hidden",
            "unit_audit_jobs.Report._hidden: a method whose name begins with _ is private",
        ),
        (
            "unit_audit_jobs.Report",
            "stream",
            "unit_audit_jobs.Report.stream is a generator: calling it would run nothing",
        ),
        (
            "unit_audit_jobs.Needy",
            "work",
            "unit_audit_jobs.Needy.work: Needy: the class must be made without arguments",
        ),
        (
            "unit_audit_faulty",
            "work",
            "unit_audit_faulty.work: importing it raised ZeroDivisionError: division by zero",
        ),
        ("no_such_module_here", "work", "no_such_module_here.work: importing it raised ModuleNotFoundError: No module"),
    ],
)
def test_what_cannot_be_called(audit, job, method, problem) -> None:
    """Each entry that cannot be called is one problem, which names it and says why."""
    (found,) = audit({job: [method], "unit_audit_jobs": ["plain"]} if job != "unit_audit_jobs" else {job: [method]})
    assert found.startswith(problem)


def test_all_problems_come_at_once(audit) -> None:
    """One fault hides no other."""
    found = audit({"unit_audit_faulty": ["work"], "unit_audit_jobs": ["plane", "plain", "planet"]})
    assert [problem.partition(":")[0] for problem in found] == [
        "unit_audit_faulty.work",
        "unit_audit_jobs.plane",
        "unit_audit_jobs.planet",
    ]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ValueError", None),
        ("json.decoder.JSONDecodeError", None),
        ("json.JSONDecodeError", "json.JSONDecodeError: the exception is json.decoder.JSONDecodeError; write that in"),
        ("unit_audit_jobs.Report", "unit_audit_jobs.Report: there is no such exception"),
        ("unit_audit_jobs.Nothing.more", "unit_audit_jobs.Nothing.more: there is no such exception"),
        ("unit_audit_faulty.Error", "unit_audit_faulty.Error: importing it raised ZeroDivisionError"),
        ("unit_audit_nowhere.Error", "unit_audit_nowhere.Error: importing it raised ModuleNotFoundError"),
    ],
)
def test_names_of_exceptions(audit, name, problem) -> None:
    """A name that no exception has, or only as an alias, is a problem: it would never be met."""
    found = audit({"": [name]})
    assert [one.startswith(problem or "?") for one in found] == ([True] if problem else [])
