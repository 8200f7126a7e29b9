"""Hooks with real dispatchers: in which process they are called, and what a faulty one keeps from running."""

from __future__ import annotations

import os
import sys

import pytest

from tests.daemon.harness import until

EXECUTORS = ["spawn"] if sys.platform in ("win32", "darwin") else ["fork", "spawn"]
WORKER = """
import contextlib, os
called = []

def prepare():
    called.append(["template", os.getpid()])

def setup():
    called.append(["process", os.getpid()])

@contextlib.contextmanager
def around(job):
    called.append(["around", os.getpid()])
    yield

def look():
    return [[name, pid == os.getpid()] for name, pid in called]

"""
HOOKS = {"setup": {"template": "worker.prepare", "process": "worker.setup"}, "around": "worker.around"}


@pytest.fixture
def hooked(make):
    """An installation with these hooks, and a job that tells which were called, and in which process."""

    def installation(text: str = WORKER, **changes):
        home = make(allowed_jobs={"worker": ["look"], "jobs": ["noop"]}, **{**HOOKS, "max_retries": 0, **changes})
        (home.folder / "worker.py").write_text(text)
        return home

    return installation


def looked(home, daemon, job_id: str) -> dict[str, bool]:
    """Which hooks were called before a job, and whether in its own process."""
    home.drop(job_id, job="worker", method="look")
    daemon.expect("completed", job_id)
    until(lambda: home.where(job_id) == ["done"])
    result = home.document("done", job_id)["result"]
    assert [name for name, _ in result] == ["template", "process", "around"]
    return dict(result)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_where_they_are_called(hooked, executor) -> None:
    """Each once for a job; the template half in the template where there is one, as soon as it is ready."""
    home = hooked(executor=executor)
    daemon = home.start()
    if executor == "fork":
        daemon.expect("preloaded", "worker.prepare()")
        until(lambda: not looked(home, daemon, f"x{os.urandom(4).hex()}")["template"])
    found = looked(home, daemon, "x")
    assert found == {"template": executor != "fork", "process": True, "around": True}
    assert looked(home, daemon, "y") == found


@pytest.mark.skipif(sys.platform != "linux", reason="fork")
def test_changed_code_is_noticed(hooked) -> None:
    """The next job has the new hooks, whether its template has called them yet or not."""
    home = hooked(executor="fork")
    daemon = home.start()
    daemon.expect("preloaded", "worker.prepare()")
    until(lambda: not looked(home, daemon, f"x{os.urandom(4).hex()}")["template"])
    (home.folder / "worker.py").write_text(WORKER.replace('["template"', '["changed"'))
    home.drop("new", job="worker", method="look")
    daemon.expect("completed", "new")
    until(lambda: home.where("new") == ["done"])
    assert home.document("done", "new")["result"][0][0] == "changed"


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("key", ["template", "process", "around"])
def test_a_hook_that_fails(make, executor, key) -> None:
    """It fails the attempts that it is called for, with its own error; commands and the dispatcher go on."""
    hooks = {"around": "worker.fails"} if key == "around" else {"setup": {key: "worker.fails"}}
    command = {"argv": [sys.executable, "-c", "print(5)"], "result": "json"}
    allowed = {"jobs": ["noop"], "shell": {"run": command}}
    home = make(allowed_jobs=allowed, executor=executor, max_retries=0, **hooks)
    (home.folder / "worker.py").write_text("def fails(*job):\n    raise ConnectionError('no database')\n")
    home.drop("x", method="noop")
    home.drop("y", job="shell", method="run")
    home.cli("run", "--drain")
    (attempt,) = home.document("failed", "x")["attempts"]
    assert (attempt["outcome"], attempt["error"]["type"]) == ("failed", "ConnectionError")
    assert home.document("done", "y")["result"] == 5


@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_trace_of_a_stranger(make, executor) -> None:
    """Callables and commands have it in their environment, without a hook; what may not stand there is not."""
    show = "import os; print([os.environ.get(name) for name in ('TRACEPARENT', 'TRACESTATE', 'BAGGAGE')])"
    command = {"argv": [sys.executable, "-c", show], "result": "text"}
    home = make(allowed_jobs={"jobs": ["environment"], "shell": {"run": command}}, executor=executor)
    meta = {"traceparent": "00-1-2-01", "tracestate": "a\nb", "baggage": 5, "order": 7}
    home.drop("x", method="environment", meta=meta)
    home.drop("y", job="shell", method="run", meta=meta)
    home.cli("run", "--drain")
    result = home.document("done", "x")["result"]
    assert (result["TRACEPARENT"], "TRACESTATE" in result, "BAGGAGE" in result) == ("00-1-2-01", False, False)
    assert home.document("done", "y")["result"] == "['00-1-2-01', None, None]"
    assert home.document("done", "y")["meta"] == meta
