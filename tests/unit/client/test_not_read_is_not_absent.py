"""A file that decides what becomes of a job, and that cannot be read now, is not taken for one that is missing."""

from __future__ import annotations

import errno
import os

import pytest

from spoolrunner.client import bulk, dependants, operate
from spoolrunner.client.look import look
from spoolrunner.protocol.states import Outcome, State
from spoolrunner.spool import jobfile, reason_files, traces
from spoolrunner.spool.named import named_by_waiting
from spoolrunner.spool.standing import standing
from spoolrunner.spool.twofold import _is_cancelled
from spoolrunner.system import heldfiles

FAULTS = [errno.EIO, errno.EMFILE, errno.ENOMEM]


@pytest.fixture(params=FAULTS, ids=os.strerror)
def refuse(request, monkeypatch):
    """Let the machine refuse to open files whose path ends so."""

    def begin(ending: str) -> None:
        def open_file(path, *arguments, **keys):
            if str(path).endswith(ending):
                raise OSError(request.param, os.strerror(request.param), path)
            return heldfiles.open_file(path, *arguments, **keys)

        monkeypatch.setattr(jobfile, "open_file", open_file)

    return begin


@pytest.fixture
def failed(spool, drop):
    """A job in failed/ that was refused as `outcome`."""

    def put(job_id: str, outcome: Outcome, **keys) -> None:
        drop(State.FAILED, job_id, keys)
        spool.explain(job_id, outcome, "why", f"pending/{job_id}.json", 0.0)

    return put


def test_a_retry(spool, failed, refuse) -> None:
    """An expired job whose reason is not read is not put back: with its expires_at it would only expire again."""
    failed("x", Outcome.EXPIRED, expires_at="2020-01-01T00:00:00Z")
    refuse("x.reason")
    with pytest.raises(OSError, match=r"x\.reason"):
        operate.retry(spool.layout, "x", None)
    assert list(spool.names(State.FAILED)) == ["x"]


def test_a_retry_of_all(spool, failed, refuse) -> None:
    """Nobody knows whether it was cancelled on purpose: it is left, and a look says why."""
    failed("x", Outcome.CANCELLED)
    refuse("x.reason")
    found = look(spool.layout, State.FAILED, "x")
    assert found is not None
    assert found.problem.startswith("x.reason cannot be read: ")
    assert found.document is not None
    assert bulk.retryable(spool.layout, [found]).jobs == []


def test_dependants(spool, drop, failed, refuse) -> None:
    """`retry --with-dependants` leaves none out unseen."""
    drop(State.FAILED, "a")
    failed("b", Outcome.DEPENDENCY_FAILED, after=["a"])
    refuse("b.reason")
    with pytest.raises(OSError, match=r"b\.reason"):
        dependants.of(spool.layout, "a")


def test_which_of_two_counts(spool, drop, refuse) -> None:
    """What became of a job that others wait for is not guessed."""
    drop(State.DONE, "x")
    drop(State.FAILED, "x~2")
    refuse(f"done{os.sep}x.json")
    with pytest.raises(OSError, match=r"x\.json"):
        standing(spool, "x")


def test_one_job_under_two_names(spool, failed, refuse) -> None:
    """A cancelled job is not run since its reason could not be read."""
    failed("x", Outcome.CANCELLED)
    refuse("x.reason")
    with pytest.raises(OSError, match=r"x\.reason"):
        _is_cancelled(spool, "x")


def test_what_waiting_jobs_name(spool, drop, refuse) -> None:
    """What a waiting job may name is not pruned."""
    drop(State.PENDING, "x", {"after": ["a"]})
    refuse("x.json")
    with pytest.raises(OSError, match=r"x\.json"):
        named_by_waiting(spool)


@pytest.mark.parametrize("number", FAULTS, ids=os.strerror)
def test_an_outcome_that_a_link_holds(spool, monkeypatch, number) -> None:
    """It is not taken for a crash since the link could not be read."""
    begun = b'{"marker": "start"}'
    monkeypatch.setattr(traces, "parse", lambda data: traces.NO_TRACES._replace(marker=Started()))
    path = spool.layout.lock("x")
    with open(path, "wb") as stream:
        stream.write(begun)

    def readlink(path):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "readlink", readlink)
    with pytest.raises(OSError, match="x"):
        traces.peek(path)


class Started:
    """A marker that its process began."""

    is_start = True


@pytest.mark.skipif(os.name == "nt", reason="kinds of files of POSIX")
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("elsewhere", path)])
def test_what_is_no_file_hides_no_job(spool, drop, make) -> None:
    """A folder, a pipe or a link in the place of a reason is none."""
    drop(State.FAILED, "x")
    make(spool.layout.reason("x"))
    assert reason_files.read(spool.layout, "x") is None
