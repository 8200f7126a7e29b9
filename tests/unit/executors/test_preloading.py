"""Preloading by a real template: what an import does is named and undone, and one that does harm is done without."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

import pytest

from spoolrunner.attempt.runner import EXIT_MADE
from spoolrunner.executors.plan import runner_settings
from spoolrunner.telling.events import NotPreloaded, Preloaded
from tests.unit.executors.conftest import assigned, left_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

MODULE = "unit_preloaded"
FUNCTIONS = """
import os
imported_in = os.getpid()
def where():
    return imported_in == os.getpid()
"""


@pytest.fixture
def started(config, tmp_path, plan_of, exits):
    """Start an executor that preloads a module with this text, and wait until it has; returns it and what it told."""
    from spoolrunner.executors.fork import ForkExecutor

    executors = []

    def start(text: str, import_timeout: float = 30, preload: list[str] | None = None, **modules: str):
        for name, code in {MODULE: text, **modules}.items():
            (tmp_path / f"{name}.py").write_text(code + FUNCTIONS)
        made = config(allowed_jobs={MODULE: ["where", "look"]}, executor="fork", import_timeout=import_timeout)
        told = []
        preload = [MODULE, *modules] if preload is None else preload
        plan = plan_of(made, preload=preload, notice=told.append, settings=runner_settings(made, "").to_bytes())
        executor = ForkExecutor(plan, exits.put)
        executors.append(executor)
        exits.executors.append(executor)
        executor.prepare()
        exits.until(lambda: executor._next.template is None)
        return executor, told

    yield start
    for executor in executors:
        executor.close()


@pytest.fixture
def run(started, config, exits):
    """Run a function of the module as a job; returns its result."""
    layout = config().layout
    numbers = iter(range(100))

    def run(executor, method: str, module: str = MODULE):
        job_id = f"job{next(numbers)}"
        exits.start(executor, assigned(layout, module, method, job_id=job_id))
        assert exits.get()[:2] == ((job_id, 1), EXIT_MADE)
        return json.loads(left_in(layout, job_id).result)

    return run


HARMFUL = {
    "a thread": (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
        "its import left 1 thread",
    ),
    "a socket": ("import socket\nkept = socket.socket()", "its import left 1 open socket"),
    "a pair": ("import socket\nkept = socket.socketpair()", "its import left 2 open sockets"),
    "a child": (
        "import subprocess, sys\nkept = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)",
        "its import left child processes",
    ),
    "a fork": (
        "import os, signal\nif os.fork() == 0:\n    while True: signal.pause()",
        "its import left child processes",
    ),
    "descriptors": (
        "import os\nos.close(0)",
        "its import left closed descriptors of the template",
    ),
    "an exit": ("import os\nos._exit(3)", "its import ended the template (status 3)"),
    "a signal": ("import os\nos.kill(os.getpid(), 11)", "its import ended the template (SIGSEGV)"),
    "no end": ("import signal\nwhile True: signal.pause()", "its import took longer than 0.5 s"),
    "no end that nothing interrupts": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True: pass",
        "its import took longer than 0.5 s",
    ),
    "no end, and a child": (
        "import os, signal\nos.fork()\nwhile True: signal.pause()",
        "its import took longer than 0.5 s",
    ),
    "nothing open": ("import os\nos.closerange(0, 100)", "its import ended the template (status 1)"),
    "nothing open, and no end": (
        "import os, signal\nos.closerange(0, 100)\nwhile True: signal.pause()",
        "its import took longer than 0.5 s",
    ),
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_a_module_that_does_harm_is_done_without(started, run, kind) -> None:
    """It alone is named and left out, its child processes end, and another module is preloaded all the same."""
    text, why = HARMFUL[kind]
    executor, told = started(f"{text}\n", import_timeout=0.5 if "no end" in kind else 30, another="")
    assert [event for event in told if isinstance(event, NotPreloaded)] == [NotPreloaded(MODULE, why)]
    assert [event.module for event in told if isinstance(event, Preloaded)] == ["another"]
    assert run(executor, "where", "another") is False


UNDONE = {
    "signal handlers": ("import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)", "signal handlers (SIGCHLD)"),
    "blocked signals": (
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])",
        "blocked signals",
    ),
    "timers": ("import signal\nsignal.alarm(1000)", "timers"),
    "environment": (
        "import os\nos.environ['UNIT_NEW'] = '1'\ndel os.environ['PATH']",
        "environment (PATH, UNIT_NEW)",
    ),
    "folder": ("import os\nos.chdir('/')", "working directory"),
    "limits": (
        "import resource as r\nr.setrlimit(r.RLIMIT_NOFILE, (64, r.getrlimit(r.RLIMIT_NOFILE)[1]))",
        "limits (RLIMIT_NOFILE)",
    ),
    "umask": ("import os\nos.umask(0o777)", "umask"),
    "arguments": ("import sys\nsys.argv.append('x')", "sys.argv"),
    "exit handlers": ("import atexit\natexit.register(print)", "exit handlers (1)"),
    "a finalizer": ("import tempfile\nkept = tempfile.TemporaryDirectory(dir='.')", "exit handlers (1)"),
}
LOOK = """
def look():
    import atexit, os, resource, signal, sys, weakref
    return [
        [str(signal.getsignal(n)).split(" at ")[0] for n in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)],
        sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        signal.getitimer(signal.ITIMER_REAL)[0],
        sorted(name for name in os.environ if name != "SPOOLRUNNER_JOB"),
        os.getcwd(),
        [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")],
        os.umask(0o22),
        sys.argv,
        [finalizer.atexit for finalizer in weakref.finalize._registry],
    ]
"""


@pytest.mark.parametrize("kind", UNDONE)
def test_what_an_import_changed_is_undone(started, run, kind) -> None:
    """It is named, and a job finds its process as it would be by a fresh import of a module that changes nothing."""
    text, word = UNDONE[kind]
    executor, told = started(f"{text}\n{LOOK}", plain=LOOK)
    did = {event.module: event.did for event in told}
    assert did == {MODULE: f"; undone: {word}", "plain": ""}
    changed = run(executor, "look")
    assert changed[:-1] == run(executor, "look", "plain")[:-1]
    assert not any(changed[-1])


def test_open_files_are_named(started, tmp_path) -> None:
    """They are shared by all jobs: that is said, and no reason to do without the module."""
    (tmp_path / "kept").write_text("")
    _, told = started(f"kept = open({str(tmp_path / 'kept')!r})\n")
    (event,) = told
    assert event.did.startswith("; shared by its jobs: open files (")


def test_what_an_import_wrote_is_written_once(started, run, tmp_path) -> None:
    """What is left in the buffer of a file is not for each job to write; what a job writes there is written at its end."""
    path = tmp_path / "kept"
    executor, _ = started(
        f"kept = open({str(path)!r}, 'w')\nkept.write('begun\\n')\ndef add():\n    kept.write('job\\n')\n    return 1\n"
    )
    run(executor, "add")
    run(executor, "add")
    assert path.read_text() == "begun\njob\njob\n"


def test_a_module_that_raises(started, run, exits, config) -> None:
    """That is told, the others are preloaded, and the job itself meets the error."""
    executor, told = started("1 / 0\n", another="")
    assert told[0] == NotPreloaded(MODULE, "ZeroDivisionError: division by zero")
    assert run(executor, "where", "another") is False
    layout = config().layout
    executor.start(assigned(layout, MODULE, "where", job_id="bad"))
    assert exits.get()[:2] == (("bad", 1), EXIT_MADE)
    assert left_in(layout, "bad").error["type"] == "ZeroDivisionError"


SETUP = """
import os, sys
called_in = []
def prepare():
    called_in.append(os.getpid())
    os.environ["UNIT_PREPARED"] = "1"
def look():
    return [[pid == os.getpid() for pid in called_in], "UNIT_PREPARED" in os.environ]
"""


@pytest.fixture
def run_hooked(run, config, exits):
    """Run the job `look` with the template half of the setup; returns its result, or its error."""
    numbers = iter(range(100))

    def run(executor, name="prepare"):
        layout, job_id = config().layout, f"hooked{next(numbers)}"
        told = assigned(layout, MODULE, "look", job_id=job_id)
        told.hooks = (f"{MODULE}.{name}", "", "", {})
        exits.start(executor, told)
        assert exits.get()[:2] == ((job_id, 1), EXIT_MADE)
        left = left_in(layout, job_id)
        return left.error or json.loads(left.result)

    return run


def test_the_template_half_of_a_setup_is_called_there(started, run_hooked) -> None:
    """Once, and not again in its jobs; what it did to the process is named and undone, as of an import."""
    executor, told = started(SETUP, preload=[f"{MODULE}.prepare()"])
    assert [(event.module, event.did) for event in told] == [
        (f"{MODULE}.prepare()", "; undone: environment (UNIT_PREPARED)")
    ]
    for _ in range(2):
        assert run_hooked(executor) == [[False], False]


def test_a_template_half_that_was_not_called_in_the_template(started, run_hooked) -> None:
    """The process of each job calls it then: where nothing is preloaded, and where that was left out for the harm it does."""
    executor, _ = started(SETUP, preload=[])
    assert run_hooked(executor) == [[True], True]
    starts = """
import threading
def starts():
    called_in.append(os.getpid())
    threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    executor, told = started(SETUP + starts, preload=[f"{MODULE}.starts()"])
    assert told == [NotPreloaded(f"{MODULE}.starts()", "its import left 1 thread")]
    assert run_hooked(executor, "starts") == [[True], False]


def test_a_template_half_that_fails(started, run_hooked) -> None:
    """That is told, and each job meets the error."""
    executor, told = started(f"{SETUP}\ndef fails():\n    1 / 0\n", preload=[f"{MODULE}.fails()"])
    assert told == [NotPreloaded(f"{MODULE}.fails()", "ZeroDivisionError: division by zero")]
    assert run_hooked(executor, "fails")["type"] == "ZeroDivisionError"


def test_exit_handlers_run_once_at_the_end_of_the_template(started, run, tmp_path) -> None:
    """A folder that was made at import is there for each job, and goes with the template."""
    text = """
import atexit, os, tempfile
work = tempfile.TemporaryDirectory(dir=os.getcwd(), prefix="work-")
atexit.register(open, "ended", "a")
def look():
    return [os.path.isdir(work.name), os.path.exists("ended")]
"""
    executor, _ = started(text)
    assert [run(executor, "look") for _ in range(3)] == [[True, False]] * 3
    executor.close()
    assert list(tmp_path.glob("work-*")) == []
    assert (tmp_path / "ended").exists()


def test_exit_handlers_of_a_job_are_its_own(started, run, tmp_path) -> None:
    """What a job registers itself, by the same names that its module has imported, runs at its end."""
    text = """
import weakref
from atexit import register
class Kept: pass
kept = Kept()
def look():
    register(open, "by atexit", "a")
    weakref.finalize(kept, open, "by weakref", "a")
    return True
"""
    executor, _ = started(text)
    run(executor, "look")
    assert (tmp_path / "by atexit").exists()
    assert (tmp_path / "by weakref").exists()


def test_random_numbers_of_each_job_are_its_own(started, run) -> None:
    """Those of random and of numpy, which are stood in for here, also when the module has seeded them."""
    numpy = "import random\nstate = [0]\ndef seed():\n    state[0] = random.SystemRandom().getrandbits(60)\n"
    text = """
import random, sys
import fake_numpy
sys.modules["numpy.random"] = fake_numpy
random.seed(1)
def look():
    return [random.random(), fake_numpy.state[0]]
"""
    executor, _ = started(text, fake_numpy=numpy)
    results = [run(executor, "look") for _ in range(3)]
    assert len({first for first, _ in results}) == len({second for _, second in results}) == 3


def test_a_template_that_hangs_in_an_import_ends_with_its_dispatcher(config, tmp_path) -> None:
    """Also when the dispatcher is killed and says nothing, and the import has left a child that holds all descriptors."""
    from spoolrunner.executors.frames import Frames, framed
    from tests.unit.executors.test_forkserver import template_process

    (tmp_path / "unit_hangs.py").write_text("import os, signal\nos.fork()\nwhile True: signal.pause()\n")
    made = config()
    os.makedirs(made.layout.tmp)
    ours, theirs = socket.socketpair()
    process = template_process(theirs, start_new_session=True)
    ours.sendall(framed(runner_settings(made, "").to_bytes(), ["unit_hangs"], {}))
    ours.settimeout(25)
    assert Frames().take(ours.recv(65536)) == [("importing", "unit_hangs")]
    ours.close()
    try:
        _, said = process.communicate(timeout=25)  # until the last holder of standard error is gone
    finally:
        process.kill()
    assert (process.returncode, said) == (-signal.SIGKILL, b"")


def test_looking_up_imports_nothing(monkeypatch) -> None:
    """A callable is looked up where its module is there: of a listed module, not of what lies below it."""
    from spoolrunner.executors import preloading

    monkeypatch.delitem(sys.modules, "spoolrunner.attempt.no_job", raising=False)
    table = {
        "json": ["dumps", "no_such"],
        "json.JSONDecoder": ["decode"],
        "spoolrunner.attempt.no_job": ["nothing"],
        "no_such_module_at_all": ["x"],
    }
    assert set(preloading.look_up(table)) == {("json", "dumps"), ("json.JSONDecoder", "decode")}
    assert "spoolrunner.attempt.no_job" not in sys.modules
