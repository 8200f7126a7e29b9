"""The fork executor with a real template process: starts, reports, and what becomes of jobs when the template dies."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import sys

import pytest

from spoolrunner.attempt.runner import EXIT_LEFT, EXIT_MADE
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Exited
from spoolrunner.executors.plan import runner_settings
from spoolrunner.spool import traces
from tests.unit.executors.conftest import PATIENCE, assigned, left_in, nothing_to_do

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

KEY = AttemptKey("x", 1)
JOBS = "unit_fork_jobs"
MODULE = """
import os

imported_in = os.getpid()

def quick():
    return "done"

def where():
    return imported_in == os.getpid()

def length(text):
    return len(text)

def patient(fifo):
    with open(fifo) as stream:  # returns when the test opens its end
        return stream.read()

def colour():
    return os.environ.get("COLOUR", "none")
"""
METHODS = ["quick", "where", "length", "patient", "colour"]


@pytest.fixture
def made(config, tmp_path):
    """A configuration with jobs."""
    (tmp_path / f"{JOBS}.py").write_text(MODULE)
    return config(allowed_jobs={JOBS: METHODS}, executor="fork")


@pytest.fixture
def make(made, plan_of, exits):
    """Make fork executors, whose templates are ended at the end."""
    from spoolrunner.executors.fork import ForkExecutor

    executors = []

    def make(**changes):
        executors.append(ForkExecutor(plan_of(made, **changes), exits.put))
        exits.executors.append(executors[-1])
        return executors[-1]

    yield make
    for executor in executors:
        executor.close()


@pytest.fixture
def executor(make):
    """A fork executor that preloads nothing."""
    return make()


@pytest.fixture
def fifo(tmp_path) -> str:
    """A pipe by which a patient job is held up until the test opens it."""
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


def let_go(fifo: str) -> None:
    with open(fifo, "w", encoding="ascii") as stream:
        stream.write("go")


def template_pid(executor) -> int:
    return executor._template._process.pid


def test_a_job_runs_in_a_fork(executor, made, exits) -> None:
    """A started attempt runs in a process of its own, which leaves its outcome; its exit and what it used are reported."""
    exits.start(executor, assigned(made.layout, JOBS, "quick"))
    key, status, usage, _ = exits.get()
    assert (key, status) == (KEY, EXIT_MADE)
    assert usage.max_rss_kib > 1024
    assert 0 <= usage.cpu_s < PATIENCE
    left = left_in(made.layout)
    assert (left.outcome, left.result) == ("succeeded", '"done"')
    assert executor.pid(KEY) not in (None, os.getpid(), template_pid(executor))


def test_a_start_before_it_is_ready(executor, exits) -> None:
    """Without a process that waits for a job none is started; the pid of one that is started is known at once."""
    executor.prepare()
    with pytest.raises(StartError, match="has ended"):
        executor.start(nothing_to_do())
    exits.start(executor, nothing_to_do())
    assert executor.pid(KEY) not in (None, template_pid(executor))
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


def test_a_second_start_is_none(executor, made, exits, fifo) -> None:
    """Starting an attempt twice is the same as starting it once."""
    told = assigned(made.layout, JOBS, "patient", fifo)
    exits.start(executor, told)
    executor.start(told)
    let_go(fifo)
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    assert left_in(made.layout).result == '"go"'
    exits.start(executor, nothing_to_do("another"))
    assert exits.get()[:2] == (("another", 1), EXIT_LEFT)


def test_many_jobs_at_once(executor, made, exits) -> None:
    """Each of many attempts that are started in one go is made, and reported once."""
    for number in range(20):
        exits.start(executor, assigned(made.layout, JOBS, "quick", job_id=f"x{number}"))
    ends = [exits.get()[:2] for _ in range(20)]
    assert sorted(ends) == sorted(((f"x{number}", 1), EXIT_MADE) for number in range(20))
    assert exits.empty()


def test_a_start_waits_for_nothing(executor, made, exits) -> None:
    """A process that does not read gets more than its pipe takes: the rest follows when it reads again."""
    size = 3 << 20
    exits.ready(executor)
    waiting = executor._template.spares._ready[0][0]
    os.kill(waiting, signal.SIGSTOP)
    executor.start(assigned(made.layout, JOBS, "length", "x" * size))
    assert executor.pid(KEY) == waiting
    exits.start(executor, nothing_to_do("y"))
    assert exits.get()[:2] == (("y", 1), EXIT_LEFT)
    os.kill(waiting, signal.SIGCONT)
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    assert left_in(made.layout).result == str(size)


def test_one_that_ends_with_a_part_of_its_job(executor, made, exits) -> None:
    """A process that is killed before it has read all of its job is reported as any other, and nothing is left to be sent."""
    exits.ready(executor)
    os.kill(executor._template.spares._ready[0][0], signal.SIGSTOP)
    executor.start(assigned(made.layout, JOBS, "length", "x" * (3 << 20)))
    os.kill(executor.pid(KEY), signal.SIGKILL)
    assert exits.get()[:2] == (KEY, -signal.SIGKILL)
    assert traces.peek(made.layout.lock("x")).marker is None


def test_those_that_wait_may_be_killed(executor, exits) -> None:
    """When somebody ends the processes that wait for jobs, others are forked."""
    exits.ready(executor)
    waiting = [pid for pid, _ in executor._template.spares._ready]
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    exits.until(lambda: not {pid for pid, _ in executor._template.spares._ready} & set(waiting))
    exits.start(executor, nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)
    assert executor.pid(KEY) not in waiting


def test_a_template_that_gives_no_sign(executor, exits, monkeypatch) -> None:
    """One that somebody has stopped forks nothing: it is ended after a while, which is said, and another one serves."""
    exits.ready(executor)
    first = executor._template
    os.kill(first.pid, signal.SIGSTOP)
    for number in range(2):
        exits.start(executor, nothing_to_do(f"x{number}"))
    assert not executor.is_ready
    executor.prepare()
    monkeypatch.setattr(first, "ready_by", 0.0)
    with pytest.raises(StartError, match="gave no sign for 60 s, and was ended"):
        executor.prepare()
    exits.start(executor, nothing_to_do("y"))
    assert {exits.get().key.job_id for _ in range(3)} == {"x0", "x1", "y"}
    exits.until(lambda: first.status == -signal.SIGKILL)


@pytest.mark.parametrize("preload", [[JOBS], []])
def test_a_preloaded_module_is_imported_by_the_template(make, made, exits, preload) -> None:
    """A module that is preloaded was imported by another process than the job's; otherwise each job imports it for itself."""
    files = []
    executor = make(preload=preload, loaded=files.append)
    executor.prepare()
    exits.until(lambda: files and executor._next.template is None)
    exits.start(executor, assigned(made.layout, JOBS, "where"))
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    assert left_in(made.layout).result == str(not preload).lower()
    assert not preload or os.path.join(made.folder, f"{JOBS}.py") in files[-1]


def test_jobs_do_not_wait_for_what_is_preloaded(make, made, exits, fifo, tmp_path) -> None:
    """While a module is being preloaded a job of another one runs, by a fresh import; the template goes with the executor."""
    (tmp_path / "unit_fork_slow.py").write_text(f"with open({fifo!r}) as stream: stream.read()\n")
    executor = make(preload=["unit_fork_slow", JOBS])
    exits.start(executor, assigned(made.layout, JOBS, "where"))
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    assert left_in(made.layout).result == "true"
    preloads = executor._next.template
    exits.until(lambda: preloads.importing)
    executor.close()
    assert preloads.status == -signal.SIGKILL


def test_a_template_that_preloads_and_changed_code(make, made, exits, fifo, tmp_path) -> None:
    """When code changes meanwhile, the one that preloads is given up, and another one begins."""
    (tmp_path / "unit_fork_slow.py").write_text(f"with open({fifo!r}) as stream: stream.read()\n")
    executor = make(preload=["unit_fork_slow"])
    executor.prepare()
    first = executor._next.template
    exits.until(lambda: first.importing)
    executor.renew()
    exits.start(executor, nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)
    exits.until(lambda: first.status == -signal.SIGKILL)
    assert executor._next.template not in (None, first)


def test_another_folder_at_the_path(make, made, exits, tmp_path) -> None:
    """When a link on the way to the folder is flipped, the next job runs where it leads now, from a new template."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "unit_fork_link.py").write_text(f"import os\ndef v():\n    return [{name!r}, os.getcwd()]\n")
    link = tmp_path / "current"
    link.symlink_to("one")
    settings = runner_settings(made, "")
    settings.python_path = [str(link)]
    executor = make(folder=str(link), settings=settings.to_bytes(), preload=["unit_fork_link"])
    executor.prepare()
    exits.until(lambda: executor._next.template is None)
    for turn, name in enumerate(["one", "two"]):
        if turn:
            (tmp_path / "new").symlink_to(name)
            (tmp_path / "new").rename(link)
        exits.start(executor, assigned(made.layout, "unit_fork_link", "v", job_id=name))
        assert exits.get()[:2] == ((name, 1), EXIT_MADE)
        assert json.loads(left_in(made.layout, name).result) == [name, str(tmp_path / name)]


def test_a_folder_of_code_that_is_made_later(make, made, exits, tmp_path) -> None:
    """A folder of the import path that is not there when the template starts is searched once it is."""
    settings = runner_settings(made, "")
    settings.python_path = [str(tmp_path / "later")]
    executor = make(settings=settings.to_bytes())
    exits.start(executor, nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "unit_fork_later.py").write_text("def f():\n    return 1\n")
    exits.start(executor, assigned(made.layout, "unit_fork_later", "f", job_id="y"))
    assert exits.get()[:2] == (("y", 1), EXIT_MADE)
    assert left_in(made.layout, "y").result == "1"


def test_a_folder_that_is_gone(make, tmp_path) -> None:
    """The error names the folder, not the interpreter."""
    with pytest.raises(StartError, match=r"cannot start a process in .*gone: No such file"):
        make(folder=str(tmp_path / "gone")).prepare()


def test_a_job_outlives_its_template(executor, made, exits, fifo) -> None:
    """When the template dies, a job that runs is watched until its end, whose status nobody can know then."""
    exits.start(executor, assigned(made.layout, JOBS, "patient", fifo))
    os.kill(template_pid(executor), signal.SIGKILL)
    template = executor._template
    exits.until(lambda: template.is_gone)
    assert exits.empty()
    let_go(fifo)
    assert exits.get() == Exited(KEY, None, None)
    assert left_in(made.layout).result == '"go"'


def test_a_template_that_died_is_replaced(executor, exits) -> None:
    """The first start after the death of a template was heard is made by a new one."""
    exits.ready(executor)
    first = executor._template
    os.kill(first._process.pid, signal.SIGKILL)
    exits.until(lambda: first.is_gone)
    exits.start(executor, nothing_to_do())
    assert executor._template is not first
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


def test_a_start_from_a_template_that_died_unheard(executor, made, exits) -> None:
    """A process that was forked does not need its template any more."""
    exits.ready(executor)
    first = executor._template
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait(PATIENCE)
    executor.start(assigned(made.layout, JOBS, "quick"))
    assert exits.get()[:2] == (KEY, None)
    assert left_in(made.layout).result == '"done"'
    exits.start(executor, nothing_to_do("y"))
    assert exits.get()[:2] == (("y", 1), EXIT_LEFT)
    assert executor._template is not first


def test_changed_code_is_served_by_a_new_template(executor, exits) -> None:
    """After `renew` the next start comes from a new template, and the old one ends by itself."""
    exits.ready(executor)
    first = executor._template
    executor.renew()
    exits.start(executor, nothing_to_do())
    assert executor._template is not first
    assert exits.get()[:2] == (KEY, EXIT_LEFT)
    exits.until(lambda: first.status == 0)


def test_a_retired_template_stays_until_its_last_job_has_ended(executor, made, exits, fifo) -> None:
    """A job that runs while the template is replaced is reported by the old one, with its status."""
    exits.start(executor, assigned(made.layout, JOBS, "patient", fifo))
    first = executor._template
    executor.renew()
    exits.start(executor, nothing_to_do("y"))
    assert exits.get()[:2] == (("y", 1), EXIT_LEFT)
    assert not first.is_gone
    let_go(fifo)
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    exits.until(lambda: first.is_gone)


def test_code_that_changed_after_it_was_preloaded(make, made, exits, tmp_path) -> None:
    """A job whose preloaded code is another on disk by now runs the new one, before anybody said that it changed."""
    executor = make(preload=[JOBS])
    executor.prepare()
    exits.until(lambda: executor._next.template is None)
    (tmp_path / f"{JOBS}.py").write_text(MODULE.replace("done", "done anew"))
    exits.start(executor, assigned(made.layout, JOBS, "quick", job_id="y"))
    assert exits.get()[:2] == (("y", 1), EXIT_MADE)
    assert left_in(made.layout, "y").result == '"done anew"'
    exits.until(lambda: executor._stale)


def test_a_job_is_ended_right_after_its_start(executor, made, exits, fifo) -> None:
    """A job that is asked to end before its process has read what it is to do gets the signal all the same."""
    exits.start(executor, assigned(made.layout, JOBS, "patient", fifo))
    executor.ask_to_end(KEY)
    assert exits.get()[:2] == (KEY, -signal.SIGTERM)
    assert executor.is_gone(KEY)


def test_nothing_of_a_forgotten_attempt_is_kept(executor, exits) -> None:
    """A settled attempt is forgotten, and can be started again under the same number."""
    for _ in range(2):
        exits.start(executor, nothing_to_do())
        assert exits.get()[:2] == (KEY, EXIT_LEFT)
        executor.forget(KEY)
        assert executor.pid(KEY) is None
        assert (executor._pids, executor._serving, executor._exited) == ({}, {}, set())


def test_a_template_goes_with_the_executor(executor) -> None:
    """A template ends when its executor is closed, and a closed executor can be closed again."""
    executor.prepare()
    process = executor._template._process
    executor.close()
    assert process.returncode == 0
    executor.close()


def test_a_program_that_is_not_there(make) -> None:
    """A template that cannot be started is an error that names the program."""
    with pytest.raises(StartError, match="cannot start no-such-python: No such file"):
        make(python="no-such-python").prepare()


def test_another_plan(executor, made, plan_of, exits, fifo) -> None:
    """The next job is forked from a new template, which serves at once and then preloads; what runs is heard of as ever."""
    exits.ready(executor)
    before = template_pid(executor)
    executor.start(assigned(made.layout, JOBS, "patient", fifo))
    executor.replan(plan_of(made, environment={**os.environ, "COLOUR": "red"}, preload=[JOBS]))
    assert template_pid(executor) != before
    exits.start(executor, assigned(made.layout, JOBS, "colour", job_id="y"))
    assert exits.get()[:2] == (("y", 1), EXIT_MADE)
    assert left_in(made.layout, "y").result == '"red"'
    exits.until(lambda: executor._next.template is None)
    exits.start(executor, assigned(made.layout, JOBS, "where", job_id="z"))
    exits.get()
    assert left_in(made.layout, "z").result == "false"
    let_go(fifo)
    assert exits.get()[:2] == (KEY, EXIT_MADE)
    assert left_in(made.layout).result == '"go"'


def test_a_plan_by_which_nothing_can_be_started(executor, made, plan_of, exits) -> None:
    """It is refused, and jobs are started as before, by the template that was there."""
    exits.ready(executor)
    before = template_pid(executor)
    with pytest.raises(StartError, match="no-such-python"):
        executor.replan(plan_of(made, python="no-such-python", environment={"COLOUR": "red"}))
    assert template_pid(executor) == before
    exits.start(executor, assigned(made.layout, JOBS, "colour"))
    exits.get()
    assert left_in(made.layout).result == '"none"'


REFUSES = """
import os
real = os.fork
def fork():
    if os.path.exists({flag!r}):
        raise BlockingIOError({number}, os.strerror({number}))
    return real()
os.fork = fork
"""


@pytest.fixture
def lib(tmp_path):
    """A folder that comes before ours on the import path of the template, and an environment with it."""
    (tmp_path / "lib").mkdir()
    return tmp_path / "lib"


@pytest.fixture
def hindered(make, lib):
    """A fork executor whose template finds what is in `lib` first."""
    return make(environment={**os.environ, "PYTHONPATH": str(lib)})


# What the module says when it is imported in the place of ours, and what is said of it.
BROKEN = {
    "a module is missing": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "it ends": ("import os; os._exit(7)", "ended with status 7"),
    "it is killed": ("import os; os.kill(os.getpid(), 9)", "ended with SIGKILL"),
    "no memory": ("raise MemoryError", "MemoryError"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_template_that_cannot_start(hindered, exits, lib, how) -> None:
    """Why it cannot is the error of the second look; when it is mended the next one serves."""
    code, why = BROKEN[how]
    (lib / "spoolrunner.py").write_text(code)
    with pytest.raises(StartError) as raised:
        exits.ready(hindered)
    assert why in str(raised.value)
    assert not hindered.is_ready
    (lib / "spoolrunner.py").unlink()
    exits.ready(hindered)
    exits.start(hindered, nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


def test_a_template_whose_settings_are_of_another_release(executor, exits) -> None:
    """Settings that it does not understand are an error in its own words."""
    executor._plan = dataclasses.replace(executor._plan, settings=b"of another release")
    with pytest.raises(StartError, match=r"the template of the jobs' processes cannot start: \w+Error: "):
        exits.ready(executor)


def test_a_template_that_does_not_get_ready_in_time(executor, exits) -> None:
    """One that hangs before it is ready is killed after a while, and that is an error like any other."""
    executor.prepare()
    first = executor._template
    os.kill(first.pid, signal.SIGSTOP)
    executor.prepare()
    assert not executor.is_ready
    first.ready_by = 0.0
    with pytest.raises(StartError, match="gave no sign for 60 s"):
        executor.prepare()
    exits.until(lambda: first.status == -signal.SIGKILL)
    exits.ready(executor)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM])
def test_forks_that_are_refused(hindered, exits, lib, tmp_path, number) -> None:
    """When no more processes can be forked, no more jobs are started, which is said; when they can, the template goes on."""
    flag = tmp_path / "no-forks"
    (lib / "sitecustomize.py").write_text(REFUSES.format(flag=str(flag), number=number))
    exits.ready(hindered)
    flag.touch()
    for index in range(2):
        exits.start(hindered, nothing_to_do(f"x{index}"))
    assert [exits.get().status for _ in range(2)] == [EXIT_LEFT] * 2
    template = hindered._template
    with pytest.raises(StartError, match=f"no process can be forked for a job: {os.strerror(number)}"):
        exits.ready(hindered)
    assert not hindered.is_ready
    flag.unlink()

    def goes_on() -> bool:
        try:
            hindered.prepare()
        except StartError:
            return False  # the answer to what was asked before
        return hindered.is_ready

    exits.until(goes_on)
    assert hindered._template is template
    exits.start(hindered, nothing_to_do())
    assert exits.get()[:2] == (KEY, EXIT_LEFT)


def test_a_kill_where_the_template_does_not_answer(executor, made, exits, fifo) -> None:
    """The end of a job whose template was stopped is seen all the same: the template is killed for that."""
    exits.ready(executor)
    executor.start(assigned(made.layout, JOBS, "patient", fifo))
    exits.until(lambda: traces.peek(made.layout.lock("x")).marker)
    template = executor._template
    os.kill(template.pid, signal.SIGSTOP)
    executor.ask_to_end(KEY)

    def is_killed() -> bool:
        executor.kill(KEY)
        return not exits.empty_so_far

    exits.until(is_killed)
    assert exits.get() == Exited(KEY, None, None)
    exits.until(lambda: template.status == -signal.SIGKILL)


def test_a_template_that_was_stopped_goes_with_the_executor(executor, exits) -> None:
    """It goes on, finds that it is not needed, and ends by itself."""
    exits.ready(executor)
    template = executor._template
    os.kill(template.pid, signal.SIGSTOP)
    executor.close()
    assert template.status == 0


def test_no_descriptor_for_a_template(executor, monkeypatch) -> None:
    """No socket to be had is an error of the start, not of the disk."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("spoolrunner.executors.connection.socket.socketpair", refuse)
    with pytest.raises(StartError, match="Too many open files"):
        executor.prepare()
