"""Waiting with a real dispatcher, for every end: `spoolrunner wait`, and the functions that docs/job-file.md prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from spoolrunner.config.load import VARIABLE
from tests.daemon.harness import COMMAND

PAGE = (Path(__file__).parents[2] / "docs" / "job-file.md").read_text(encoding="utf-8")
PROGRAMS = {
    "bash": ("wait.sh", ["bash", "wait.sh"], ("bash", "jq", "sleep", "cat")),
    "javascript": ("wait.js", ["node", "wait.js"], ("node",)),
    "php": ("wait.php", ["php", "wait.php"], ("php",)),
}
WAITERS = [*PROGRAMS, "command"]
DEADLINE = 50


@pytest.fixture
def served(make):
    """A dispatcher runs, which tries again at once."""
    home = make(retry_interval=0.2, max_retries=2)
    home.start().ready()
    return home


class Waiter:
    """One of the programs that wait, started in the folder of an installation."""

    def __init__(self, tag: str, home, job_id: str, *seconds: str) -> None:
        if tag == "command":
            words = [*COMMAND, "wait", job_id, "--result", *(["--timeout", *seconds] if seconds else [])]
        else:
            name, command, needs = PROGRAMS[tag]
            missing = [need for need in needs if shutil.which(need) is None]
            if missing:
                pytest.skip(f"not on this machine: {', '.join(missing)}")
            (code,) = re.findall(rf"^```{tag} waiting\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
            (home.folder / name).write_text(code, encoding="utf-8")
            words = [*command, job_id, *seconds]
        environment = {name: value for name, value in os.environ.items() if name not in ("SPOOL", VARIABLE)}
        self.process = subprocess.Popen(
            words, cwd=home.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self) -> tuple[int, str, str]:
        """Its exit code, and what it printed on standard output and standard error."""
        try:
            printed, told = self.process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, printed, told


pytestmark = pytest.mark.parametrize("tag", WAITERS)


def test_a_job_that_is_done(served, tag) -> None:
    """A job that is done ends the wait with 0 and its result, whether it ended before the wait began or later."""
    served.drop("one", method="noop", delay=0.5)
    for _ in range(2):
        code, printed, _ = Waiter(tag, served, "one").end()
        assert (code, json.loads(printed)) == (0, None)
    served.drop("two", method="echo", params=[{"a": ["é", 1.5]}])
    code, printed, _ = Waiter(tag, served, "two").end()
    assert (code, json.loads(printed)) == (0, {"a": ["é", 1.5]})


def test_a_job_that_is_tried_again(served, tag) -> None:
    """A job that failed and will be tried again is not over: the wait goes on to its last attempt."""
    served.drop("one", method="fail_until", params=[3])
    code, _, _ = Waiter(tag, served, "one").end()
    assert code == 0
    assert served.outcomes("done", "one") == ["failed", "failed", "succeeded"]


def test_a_job_that_failed_for_good(served, tag) -> None:
    """A job whose retries are used up ends the wait with 1, and its error is said."""
    served.drop("one", method="fail")
    code, printed, told = Waiter(tag, served, "one").end()
    assert (code, printed) == (1, "")
    assert served.outcomes("failed", "one") == ["failed"] * 3
    assert served.document("failed", "one")["attempts"][-1]["error"]["type"] in told


@pytest.mark.parametrize("content", ['{"no": "job"}', '{"job": "jobs", "method": "forbidden"}'])
def test_a_job_that_is_rejected(served, tag, content) -> None:
    """A job that is rejected ends the wait with 1, and why is said."""
    served.drop("one", content)
    code, printed, told = Waiter(tag, served, "one").end()
    assert (code, printed) == (1, "")
    assert "rejected" in told


def test_a_job_that_is_cancelled(served, tag) -> None:
    """A job that is cancelled while somebody waits for it ends the wait with 1; so does one that expired."""
    served.drop("one", method="noop", delay="1h")
    waiter = Waiter(tag, served, "one")
    (served.spool / "control" / "cancel-one").touch()
    code, _, told = waiter.end()
    assert (code, "cancelled" in told) == (1, True)
    served.drop("late", method="noop", expires_at="2020-01-01T00:00:00Z")
    code, _, told = Waiter(tag, served, "late").end()
    assert (code, "expired" in told) == (1, True)


def test_the_time_is_up(served, tag) -> None:
    """When the time is up before the job is over the wait ends with 124, also without a dispatcher; the job goes on."""
    served.drop("one", method="noop", delay="1h")
    assert Waiter(tag, served, "one", "0").end()[0] == 124
    served.running[-1].stop()
    assert Waiter(tag, served, "one", "1").end()[0] == 124
    assert served.where("one") == ["pending"]


def test_a_job_that_is_nowhere(served, tag) -> None:
    """A job that there never was ends the wait with 2, and one whose file is taken away meanwhile with 1."""
    assert Waiter(tag, served, "nobody").end()[0] == 2
    for seconds in (0.5, 2, 8, 20):  # until it has seen the job before that is taken away
        served.drop("one", method="noop", delay="1h")
        waiter = Waiter(tag, served, "one")
        timer = threading.Timer(seconds, (served.spool / "pending" / "one.json").unlink)
        timer.start()
        code, _, told = waiter.end()
        timer.join()
        if code != 2:
            break
    assert (code, "one" in told) == (1, True)
