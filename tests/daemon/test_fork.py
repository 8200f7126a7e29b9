"""The fork executor: a template process, and one fresh process a job."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from spoolrunner.spool import traces
from spoolrunner.spool.paths import REHEARSAL, Layout
from spoolrunner.telling import status
from tests.daemon.harness import ALLOWED, is_alive, until
from tests.daemon.surroundings import IS_ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


@pytest.fixture
def home(make):
    return make(executor="fork", max_retries=0)


def template_of(daemon):
    (child,) = psutil.Process(daemon.process.pid).children()
    return child


def job_process(home, job_id):
    return traces.peek(Layout(str(home.spool)).lock(job_id)).marker.pid


def test_each_job_has_a_process_of_its_own(home):
    """Every job has a process, session and random numbers of its own, and the signal handlers of a fresh interpreter."""
    daemon = home.start().ready()
    for job_id in ("one", "two"):
        home.drop(job_id, method="surroundings")
        daemon.expect("completed", f"id={job_id} ")
    one, two = (home.document("done", job_id)["result"] for job_id in ("one", "two"))
    assert one["pid"] == one["session"] != two["pid"]
    assert one["random"] != two["random"]
    assert one["signals"] == ["Python's own", "SIG_DFL", "SIG_DFL", "SIG_DFL", "SIG_IGN"]
    assert one["stdin"] == ""
    assert one["cwd"] == str(home.folder)
    assert one["parent"] == two["parent"] == template_of(daemon).pid


def test_the_status_names_the_process_of_a_running_job(home):
    """The pid that status.json gives for a running job is that of its own process, although that is told later."""
    home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    pid = job_process(home, "one")
    until(lambda: [job["pid"] for job in status.read(Layout(str(home.spool)))["running"]] == [pid])
    (home.folder / "go").touch()


def test_the_template_goes_with_its_dispatcher_and_the_jobs_do_not(home):
    """When the dispatcher is killed the template ends, and what it forked ahead; a job runs on and is adopted."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    template = template_of(daemon)
    spare = [child.pid for child in template.children() if child.pid != job_process(home, "one")]
    daemon.kill()
    until(lambda: not any(is_alive(pid) for pid in [template.pid, *spare]))
    second = home.start().ready()
    second.expect("adopted", "id=one ")
    (home.folder / "go").touch()
    second.expect("completed", "id=one ")
    assert home.notes() == ["begin waited", "end waited"]


def test_the_process_that_was_forked_ahead_is_killed(home):
    """Whoever kills the process that waits for its job costs no job anything."""
    daemon = home.start().ready()
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")
    for child in template_of(daemon).children():
        child.kill()
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
    assert home.outcomes("done", "two") == ["succeeded"]


def test_a_job_whose_template_died_can_be_cancelled(home):
    """A job goes on being looked after when the template that forked it is gone: a cancel ends it."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["never"])
    until(lambda: "begin waited" in home.notes())
    template_of(daemon).kill()
    home.cli("cancel", "one")
    until(lambda: home.where("one") == ["failed"])
    assert home.outcomes("failed", "one") == ["cancelled"]


def test_a_template_that_dies_is_replaced(home):
    """A killed template takes no job with it: the running one is settled by its record, the next one is forked anew."""
    daemon = home.start().ready()
    home.drop("one", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    os.kill(template_of(daemon).pid, signal.SIGKILL)
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
    (home.folder / "go").touch()
    daemon.expect("completed", "id=one ")
    assert home.notes() == ["begin waited", "noop", "end waited"]


def test_changed_code_is_run_as_it_is_on_disk(home):
    """A job that starts after its module was saved runs the new code; one that runs is not disturbed."""
    daemon = home.start().ready()
    source = home.folder / "jobs.py"
    home.drop("zero", method="wait_for", params=["go"])
    until(lambda: "begin waited" in home.notes())
    for turn in range(4):
        source.write_text(source.read_text() + f"\n\ndef noop():\n    note('version {turn}')\n")
        home.drop(f"job-{turn}", method="noop")
        daemon.expect("completed", f"id=job-{turn} ")
    (home.folder / "go").touch()
    daemon.expect("completed", "id=zero ")
    assert home.notes() == ["begin waited", *(f"version {turn}" for turn in range(4)), "end waited"]


def test_a_module_that_starts_threads_is_named_and_not_preloaded(make):
    """A thread in the template would be lost in its forks: the module that starts it is left to the jobs."""
    home = make(executor="fork", preload=True, allowed_jobs={**ALLOWED, "threaded": ["work"]})
    code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\ndef work():\n    return 1\n"
    (home.folder / "threaded.py").write_text(code)
    daemon = home.start()
    home.drop("first", method="noop")
    daemon.expect("trouble", "threaded is not preloaded: its import left 1 thread")
    daemon.expect("jobs was preloaded in")
    until(lambda: home.where("first") == ["done"])
    home.drop("second", job="threaded", method="work")
    daemon.expect("completed", "id=second ")
    assert home.document("done", "second")["result"] == 1


def test_a_module_that_cannot_be_imported_fails_its_own_jobs_only(make):
    """A broken module costs its jobs their attempts and nobody else's."""
    home = make(executor="fork", preload=True, max_retries=0, allowed_jobs={**ALLOWED, "broken": ["work"]})
    (home.folder / "broken.py").write_text("raise RuntimeError('broken on purpose')\n")
    daemon = home.start()
    home.drop("good", method="noop")
    home.drop("bad", job="broken", method="work")
    daemon.expect("failed", "id=bad ", "broken on purpose")
    until(lambda: home.where("good") == ["done"])


def test_nothing_is_preloaded_when_that_is_off(make):
    """With preload off the template imports none of the allowed modules, and jobs run all the same."""
    home = make(executor="fork", preload=False)
    daemon = home.start().ready()
    home.drop("one", method="was_preloaded")
    daemon.expect("completed", "id=one ")
    assert home.document("done", "one")["result"] is False


def test_a_preloaded_module_is_imported_once(make):
    """With preload on a job finds its module imported by the template."""
    home = make(executor="fork", preload=True)
    daemon = home.start().ready()
    daemon.expect("jobs.NeedsArguments was preloaded in")
    until(lambda: len(psutil.Process(daemon.process.pid).children()) == 1)  # it serves, and the one before it has ended
    home.drop("one", method="was_preloaded")
    daemon.expect("completed", "id=one ")
    assert home.document("done", "one")["result"] is True


@pytest.mark.parametrize("executor", ["fork", "spawn"])
def test_who_starts_the_dispatcher_may_ignore_and_block_signals(make, executor):
    """Jobs get a Python's own dispositions, their status is known, and the dispatcher stops when it is asked."""
    home = make(executor=executor, max_retries=0)
    prepare = (
        "import os, signal, sys\n"
        "for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM): signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR2])\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    daemon = home.start(prefix=[sys.executable, "-c", prepare]).ready()
    home.drop("one", method="signals")
    daemon.expect("completed", "id=one ")
    assert home.document("done", "one")["result"] == [[], ["SIGPIPE", "SIGXFSZ"]]
    home.drop("two", method="die")
    daemon.expect("failed", "id=two ")
    assert home.document("failed", "two")["attempts"][-1]["signal"] == signal.SIGKILL
    assert daemon.stop() == 0


@pytest.mark.parametrize("preload", [False, True, ["hangs", "dies", "jobs"]])
@pytest.mark.parametrize("executor", ["fork", "spawn"])
def test_modules_that_hang_or_die_when_they_are_imported(make, executor, preload):
    """They fail their own jobs, each by its own bound; others run meanwhile, and cancel and stop work."""
    allowed = {**ALLOWED, "hangs": ["f"], "dies": ["f"]}
    home = make(
        executor=executor, preload=preload, max_retries=0, import_timeout="2s", kill_grace=0.1, allowed_jobs=allowed
    )
    (home.folder / "hangs.py").write_text("import signal\nwhile True:\n    signal.pause()\n")
    (home.folder / "dies.py").write_text("import os\nos._exit(3)\n")
    daemon = home.start().ready()
    home.drop("cancelled", job="hangs", method="f")
    home.drop("hanging", job="hangs", method="f")
    until(lambda: home.where("cancelled") == home.where("hanging") == ["running"])
    home.drop("dying", job="dies", method="f")
    home.drop("good", method="noop")
    home.cli("cancel", "cancelled")
    until(
        lambda: all(home.where(job_id)[0] in ("done", "failed") for job_id in ("cancelled", "hanging", "dying", "good"))
    )
    assert home.outcomes("failed", "cancelled") == ["cancelled"]
    assert home.outcomes("failed", "hanging") == ["timed_out"]
    assert home.document("failed", "dying")["attempts"][-1]["exit_status"] == 3
    assert home.outcomes("done", "good") == ["succeeded"]
    assert daemon.stop() == 0
    assert not [p for p in psutil.process_iter() if _is_of(p, home)]


def test_a_template_that_hangs_in_an_import_ends_with_its_dispatcher(make):
    """Also when the dispatcher is killed, which says nothing to anybody."""
    home = make(executor="fork", preload=["hangs"])
    (home.folder / "hangs.py").write_text("import os, signal\nopen('begun', 'a')\nwhile True:\n    signal.pause()\n")
    daemon = home.start().ready()
    until((home.folder / "begun").exists)
    daemon.kill()
    until(lambda: not [p for p in psutil.process_iter() if _is_of(p, home)])


def _is_of(process, home) -> bool:
    """Whether the process runs in the folder of the installation."""
    try:
        return process.cwd() == str(home.folder) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@pytest.mark.parametrize("executor", ["fork", "spawn", "inline"])
@pytest.mark.parametrize("preload", [False, True])
def test_nothing_but_the_spool_is_needed_to_write_to(make, executor, preload, monkeypatch):
    """Without a folder for temporary files, a home, and an entry for the user the dispatcher and its jobs work."""
    for name in ("TMPDIR", "TEMP", "TMP", "HOME"):
        monkeypatch.setenv(name, "/no/such/folder")
    home = make(executor=executor, preload=preload, max_retries=0)
    (home.folder / "tempfile.py").write_text("raise OSError('no usable temporary directory')\n")
    daemon = home.start(prefix=as_an_unknown_user()).ready()
    home.drop("one", method="noop")
    daemon.expect("completed", "id=one ")
    (home.folder / "jobs.py").write_text((home.folder / "jobs.py").read_text() + "\n")
    home.drop("two", method="noop")
    daemon.expect("completed", "id=two ")
    assert daemon.stop() == 0
    # A template that was let go in its rehearsal leaves that, which is swept.
    left = (path.name for path in (home.spool / "tmp").iterdir())
    assert [name for name in left if not name.startswith(REHEARSAL)] == []


def as_an_unknown_user() -> list[str]:
    """A command prefix: a user without a name, who may read and write all; nothing where that is not to be had."""
    if not IS_ROOT or shutil.which("setpriv") is None:
        return []
    rights = "+dac_override,+dac_read_search,+fowner"
    prefix = [
        "setpriv",
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        f"--inh-caps={rights}",
        f"--ambient-caps={rights}",
    ]
    tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return [] if tried.returncode else prefix


def test_exit_handlers_and_threads_of_a_job_are_waited_for(home):
    """A forked job ends as an interpreter does: its threads are joined and its exit handlers run."""
    daemon = home.start().ready()
    home.drop("one", method="leaves_work_behind")
    daemon.expect("completed", "id=one ")
    assert home.notes() == ["thread", "exit handler"]
