"""What config.json puts around jobs, in processes of their own: in which order, how often, and what its faults come to."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from spoolrunner.attempt import hooks, runner
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol.states import State
from spoolrunner.spool import traces
from spoolrunner.system import machine

PROGRAM = "from spoolrunner.attempt.runner import main; main()"
JOBS, HOOKS = "unit_hooks_jobs", "unit_hooks_worker"
MODULES = {
    JOBS: """
import os
print("imported")

class Box:
    def __init__(self):
        print("made")
    def say(self, word="x"):
        print("called", word)
        return word

def plain(word):
    print("called", word)
    return word

async def later():
    print("called later")
    return "later"

def fail():
    raise KeyError("the job's own")

def leave(status):
    raise SystemExit(status)

def variables():
    return [os.environ.get(name) for name in ("TRACEPARENT", "TRACESTATE", "BAGGAGE")]
""",
    HOOKS: """
import contextlib, contextvars
print("worker imported")
told = contextvars.ContextVar("told")

def prepare():
    print("prepared")

def setup():
    print("set up")

async def sets_up_later():
    pass

def takes(one):
    pass

def fails():
    raise ValueError("no database")

def leaves(*job):
    raise SystemExit(0)

@contextlib.contextmanager
def around(job):
    print("entered", job.id, job.attempt, job.job, job.method, job.meta)
    try:
        yield
    except Exception as error:
        print("left by", type(error).__name__)
        raise
    else:
        print("left")

@contextlib.contextmanager
def suppresses(job):
    with contextlib.suppress(KeyError):
        yield

@contextlib.contextmanager
def fails_at_the_end(job):
    yield
    raise ValueError("could not commit")

@contextlib.contextmanager
def leaves_inside(job):
    raise SystemExit(0)
    yield

def generates(job):
    yield

class Around:
    def __init__(self, job):
        self.job = job
    def __enter__(self):
        print("entered", self.job.id)
    def __exit__(self, *error):
        print("left")
""",
}


@pytest.fixture
def run(tmp_path, spool, drop):
    """Run a job in a process of its own with these hooks; returns what it left, and what it printed."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    settings = Settings(spool.layout.root, machine.boot_id(), False, 1 << 20, [str(tmp_path)], 30.0)

    def make(method="plain", *params, template="", process="", around="", job=JOBS, variables=None, program=PROGRAM):
        drop(State.RUNNING, "x", {"job": job, "method": method})
        told = Assignment("x", 1, spool.stamp(State.RUNNING, "x"), job, method, list(params), 60.0, meta={"a": 1})
        names = [f"{HOOKS}.{name}" if name else "" for name in (template, process, around)]
        told.hooks = (*names, variables or {})
        (tmp_path / "told").write_bytes(runner.told(settings, told.to_bytes(), os.getpid()))
        with open(tmp_path / "told", "rb") as stream:
            done = subprocess.run(
                [sys.executable, "-c", program], stdin=subprocess.DEVNULL, stdout=stream, timeout=60, check=False
            )
        assert done.returncode == runner.EXIT_MADE
        with open(spool.layout.log("x"), encoding="utf-8") as stream:
            printed = stream.read().splitlines()[1:]
        left = traces.peek(spool.layout.lock("x"))
        assert left.outcome is not None
        return left.outcome, printed

    return make


def error_of(outcome) -> tuple[str, str]:
    assert outcome.outcome == "failed"
    return outcome.error["type"].rpartition(".")[2], outcome.error["message"]


def test_the_order(run) -> None:
    """Both halves of the setup come before the job's module is imported, and the call is within the context."""
    outcome, printed = run("plain", "hello", template="prepare", process="setup", around="around")
    assert (outcome.outcome, json.loads(outcome.result)) == ("succeeded", "hello")
    entered = f"entered x 1 {JOBS} plain {{'a': 1}}"
    assert printed == ["worker imported", "prepared", "set up", "imported", entered, "called hello", "left"]


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [("say", ["y"], ["made", "called y"]), ("later", [], ["called later"])],
)
def test_every_kind_of_callable_is_within(run, method, params, words) -> None:
    """A method of an instance, which is made within, and a coroutine, which is run within."""
    job = f"{JOBS}.Box" if method == "say" else JOBS
    outcome, printed = run(method, *params, job=job, around="Around")
    assert outcome.outcome == "succeeded"
    assert printed == ["imported", "worker imported", "entered x", *words, "left"]


def test_an_error_passes_through(run) -> None:
    """The context sees it, and it is the job's own, with a traceback that begins in the job."""
    outcome, printed = run("fail", around="around")
    assert error_of(outcome) == ("KeyError", '"the job\'s own"')
    assert "left by KeyError" in printed
    first = outcome.error["traceback"].splitlines()[1]
    assert f"{JOBS}.py" in first


def test_a_context_may_suppress(run) -> None:
    """What it suppresses counts as a call that returned nothing."""
    outcome, _ = run("fail", around="suppresses")
    assert (outcome.outcome, outcome.result) == ("succeeded", None)


def test_a_context_may_fail_at_its_end(run) -> None:
    """As one that commits: the job has not done its work then."""
    outcome, _ = run("plain", "x", around="fails_at_the_end")
    assert error_of(outcome) == ("ValueError", "could not commit")


@pytest.mark.parametrize("status", [0, 3])
def test_an_exit_in_the_call_is_the_jobs(run, status) -> None:
    """As without a context: 0 is a success."""
    outcome, _ = run("leave", status, around="Around")
    assert outcome.outcome == ("succeeded" if status == 0 else "failed")


@pytest.mark.parametrize("around", ["around", "Around"])
def test_parameters_that_do_not_fit_are_rejected(run, around) -> None:
    """Also within a context, whatever kind it is."""
    outcome, _ = run("plain", around=around)
    assert outcome.outcome == "rejected"
    assert "params do not fit plain" in outcome.error["message"]


@pytest.mark.parametrize(
    ("key", "name", "kind", "part"),
    [
        ("process", "fails", "ValueError", "no database"),
        ("template", "fails", "ValueError", "no database"),
        (
            "process",
            "leaves",
            "HookError",
            f"setup.process: {HOOKS}.leaves exited with 0, so that the job was not called",
        ),
        ("process", "takes", "HookError", "setup.process: params do not fit takes(one)"),
        (
            "process",
            "stup",
            "HookError",
            f"setup.process: {HOOKS}.stup: the module has no such function (did you mean 'setup'?)",
        ),
        (
            "process",
            "sets_up_later",
            "HookError",
            f"setup.process: {HOOKS}.sets_up_later: the call returned a coroutine",
        ),
        ("around", "setup", "HookError", "around: params do not fit setup()"),
        ("around", "leaves", "HookError", f"around: {HOOKS}.leaves exited with 0"),
        ("around", "leaves_inside", "HookError", f"around: {HOOKS}.leaves_inside exited with 0"),
        (
            "around",
            "takes",
            "HookError",
            f"around: {HOOKS}.takes returned NoneType, which is no context manager: decorate it",
        ),
        ("around", "generates", "HookError", f"around: {HOOKS}.generates is a generator"),
    ],
)
def test_faults_of_hooks(run, key, name, kind, part) -> None:
    """A hook that cannot be used fails the attempt under its key, and the job is not called."""
    outcome, printed = run("plain", "x", **{key: name})
    found, message = error_of(outcome)
    assert found == kind
    assert part in message
    assert "called x" not in printed


def test_variables(run) -> None:
    """The variables are there before anything is imported; those of another trace are not."""
    program = f"import os; os.environ['TRACESTATE'] = 'of another'; {PROGRAM}"
    outcome, _ = run("variables", variables={"TRACEPARENT": "00-1"}, program=program)
    assert json.loads(outcome.result) == ["00-1", None, None]


def test_a_setup_is_called_once(monkeypatch) -> None:
    """A process that makes several attempts, and one that was forked from a template, call it no second time."""
    calls: list[str] = []
    module = type(sys)("unit_hooks_once")
    module.__dict__.update(setup=lambda: calls.append("setup"), fails=lambda: calls.append("fails") or 1 / 0)
    monkeypatch.setitem(sys.modules, "unit_hooks_once", module)
    monkeypatch.setattr(hooks, "_called", set())
    for _ in range(2):
        hooks.prepare(("unit_hooks_once.setup", "unit_hooks_once.setup", "", {}), [])
    assert calls == ["setup", "setup"]  # once for each key
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            hooks.call_once(hooks.PROCESS, "unit_hooks_once.fails")
    assert calls[2:] == ["fails", "fails"]  # what failed is not behind it
