"""The steps of a job: what was made once is not made again by the next attempt, whatever became of the first."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections import Counter

import orjson
import pytest

from spoolrunner import StepError
from spoolrunner.attempt import steps
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.steps import Steps
from spoolrunner.spool import step_files
from spoolrunner.system import clock as clock_module
from spoolrunner.system import durable


@pytest.fixture(autouse=True)
def still(monkeypatch, clock) -> None:
    monkeypatch.setattr(clock_module, "SYSTEM", clock)


@pytest.fixture
def calls() -> list:
    return []


@pytest.fixture
def begin(spool):
    """The steps of an attempt of the job."""

    def make(job_id="x", key="mine", params=(), method="build", *, fsync: bool = False) -> Steps:
        told = Assignment(job_id, 1, (1, 2, 3), "app.Report", method, list(params), 5.0)
        told.key = key
        return Steps(spool.layout, told, fsync=fsync)

    return make


def make(made: Steps, name: str, calls: list, value: object = None) -> object:
    """Make a step that notes its call."""

    def call(value: object) -> object:
        calls.append(name)
        return value

    return made.make(name, call, (value,), {})


def content(spool, name: str = "x") -> list[dict]:
    with open(spool.layout.step_file(name), "rb") as stream:
        return [orjson.loads(line) for line in stream.read().splitlines() if line]


def test_made_once(spool, begin, calls) -> None:
    """A step that an earlier attempt has made is not made again, and returns what it returned; the others are made."""
    first = begin(fsync=True)
    assert make(first, "a", calls, {"n": 1}) == {"n": 1}
    second = begin()
    assert make(second, "a", calls, "another") == {"n": 1}
    assert make(second, "b", calls, None) is None
    assert make(begin(), "b", calls, 5) is None
    assert calls == ["a", "b"]


def test_the_file(spool, begin, calls) -> None:
    """The first line names the job, and each line after it a step: for people, too."""
    make(begin(params=["ü"]), "a", calls, "ü")
    head, line = content(spool)
    assert (head["key"], head["job"], head["method"], len(head["params"])) == ("mine", "app.Report", "build", 64)
    assert line == {"step": "a", "ended_at": "2027-01-15T08:00:00.000000Z", "value": "ü"}
    assert os.listdir(spool.layout.tmp) == []


@pytest.mark.parametrize(
    "value", [(1, 2), Counter("aab"), {1: "a"}, True, 2**64 - 1, 1e300, "\0\n", [[]], {"a": (None,)}]
)
def test_the_value_is_the_same_each_time(begin, calls, value) -> None:
    """What JSON makes of a value is what the first attempt gets, too, so that both go the same way."""
    assert (
        make(begin(), "a", calls, value)
        == make(begin(), "a", calls)
        == orjson.loads(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "Object of type object is not JSON serializable"),
        (b"bytes", "Object of type bytes"),
        (float("nan"), "Out of range float"),
        (2**64, "beyond 64 bits"),
        ("a" * 65535, "more than 65536 bytes"),
        ("\ud800", "surrogates not allowed"),
        ((n for n in "ab"), "a generator that has not run"),
    ],
)
def test_a_value_that_cannot_be_kept(spool, begin, calls, value, why) -> None:
    """The step fails before it counts, and says why."""
    with pytest.raises(StepError, match=f"^step 'a': what it returned cannot be kept: .*{why}"):
        make(begin(), "a", calls, value)
    assert len(content(spool)) == 1
    assert make(begin(), "a", calls, 1) == 1


def test_a_coroutine(begin) -> None:
    """Work that has not run is no value."""

    async def later() -> None: ...

    coroutine = later()
    with pytest.raises(StepError, match="has not run: it needs await"):
        begin().make("a", lambda: coroutine, (), {})
    coroutine.close()


def test_an_async_step(begin, calls) -> None:
    """A step that is an async def is awaited, also when it was made before; one that raises does not count."""

    async def later(value: int) -> int:
        calls.append(value)
        return 10 // value

    async def job() -> list[int]:
        made = begin()
        with pytest.raises(ZeroDivisionError):
            await made.make("a", later, (0,), {})
        return [await made.make("a", later, (5,), {}), await made.make("b", later, (2,), {})]

    assert asyncio.run(job()) == [2, 5]
    again = begin()
    assert asyncio.run(again.make("a", later, (1,), {})) == 2
    assert calls == [0, 5, 2]


def test_the_largest_value(begin, calls) -> None:
    """A value of 64 KiB is kept."""
    assert make(begin(), "a", calls, "a" * 65534) == make(begin(), "a", calls)


def test_a_step_that_raises(begin, calls) -> None:
    """It does not count, and may be tried again in the same attempt."""
    made = begin()
    with pytest.raises(ZeroDivisionError):
        made.make("a", lambda: 1 // 0, (), {})
    assert make(made, "a", calls, 5) == 5


def test_a_name_twice(begin, calls) -> None:
    """Two steps of one name in one attempt are an error, whether they were made now or before."""
    for _ in range(2):
        made = begin()
        make(made, "a", calls)
        with pytest.raises(StepError, match="was made in this attempt already"):
            make(made, "a", calls)
    assert calls == ["a"]


@pytest.mark.parametrize("name", ["", "a" * 201, 5, None, "\ud800"])
def test_no_name(begin, calls, name) -> None:
    """What is no name is said, and nothing is called."""
    with pytest.raises(StepError, match="is no name of a step; it needs a text of 1 to 200 characters"):
        make(begin(), name, calls)
    assert calls == []


@pytest.mark.parametrize("name", ["a" * 200, "ü", '"', "\n", "a b"])
def test_any_text_is_a_name(begin, calls, name) -> None:
    """The name is any text."""
    make(begin(), name, calls, 1)
    assert make(begin(), name, calls) == 1
    assert calls == [name]


@pytest.mark.parametrize(
    "other", [{"key": "another"}, {"params": ["changed"]}, {"method": "send"}, {"key": "another", "params": [5]}]
)
def test_steps_of_another_job(begin, calls, other) -> None:
    """What another job of the id has made, or this one with other parameters, is not taken for its own."""
    make(begin(), "a", calls, 1)
    assert make(begin(**other), "a", calls, 2) == 2
    assert make(begin(**other), "a", calls, 3) == 2


def test_two_jobs_of_an_id_keep_their_steps(spool, begin, calls) -> None:
    """A later job of the id leaves those of an earlier one as they are: that may lie in failed/, and be tried again."""
    make(begin(), "a", calls, 1)
    make(begin(key="another"), "a", calls, 2)
    assert step_files.names(spool.layout) == ["x", "x~2"]
    assert make(begin(), "a", calls) == 1


def test_two_that_begin_at_once(spool, begin, calls, monkeypatch) -> None:
    """A job whose free name is taken just then by the job of that very id takes the next one."""
    make(begin(), "a", calls, 1)
    real, seen = step_files.begin, []

    def slow(layout, path, data, *, fsync) -> None:
        if not seen:
            seen.append(path)
            real(layout, path, step_files.first_line("third", "", "", ""), fsync=fsync)
        real(layout, path, data, fsync=fsync)

    monkeypatch.setattr(step_files, "begin", slow)
    make(begin(key="another"), "a", calls, 2)
    assert [step_files.header(spool.layout.step_file(name))["key"] for name in ("x", "x~2", "x~3")] == [
        "mine",
        "third",
        "another",
    ]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("part", ["append", "sync"])
def test_a_disk_that_refuses(spool, begin, calls, clock, monkeypatch, capfd, code, part) -> None:
    """What was made is not lost to a full disk: the step waits until it is kept, and says so once."""
    made = begin(fsync=True)
    make(made, "a", calls, 1)
    tries = []

    def refuse(*args, **kwargs) -> None:
        tries.append(args)
        if len(tries) <= 3:
            raise OSError(code, os.strerror(code))
        real(*args, **kwargs)

    if part == "append":
        real = step_files.write
        monkeypatch.setattr(step_files, "append", refuse)
        monkeypatch.setattr(step_files, "write", refuse)
        monkeypatch.setattr(steps.step_files, "write", refuse)
    else:
        real = durable.sync
        monkeypatch.setattr(durable, "sync", refuse)
        monkeypatch.setattr(durable, "_sync", lambda descriptor: refuse(descriptor) if len(tries) < 3 else None)
    before = clock.monotonic()
    assert make(made, "b", calls, 2) == 2
    assert clock.monotonic() - before == 3.0
    assert capfd.readouterr().err.count("but cannot be kept yet, trying on") == 1
    assert [line.get("value") for line in content(spool)] == [None, 1, 2]
    assert calls == ["a", "b"]


@pytest.mark.parametrize(("code", "is_waited_for"), [(errno.ENOSPC, True), (errno.EACCES, False)])
def test_a_beginning_that_is_refused(begin, calls, clock, monkeypatch, capfd, code, is_waited_for) -> None:
    """Before the first step a full disk is waited for, and any other error for ten seconds; nothing is called meanwhile."""
    real, tries = step_files.begin, []

    def refuse(*args, **kwargs) -> None:
        tries.append(args)
        if len(tries) <= 60:
            raise OSError(code, os.strerror(code))
        real(*args, **kwargs)

    monkeypatch.setattr(step_files, "begin", refuse)
    if is_waited_for:
        assert make(begin(), "a", calls, 1) == 1
    else:
        with pytest.raises(StepError, match=r"^the steps of the job cannot be read: .*Permission denied"):
            begin()
    assert len(tries) == (61 if is_waited_for else 11)
    assert capfd.readouterr().err.count("cannot be read yet, trying on") == 1


def test_a_file_that_was_removed(spool, begin, calls) -> None:
    """When somebody removes the file it is made anew, with all that this attempt knows."""
    made = begin()
    make(made, "a", calls, 1)
    os.unlink(spool.layout.step_file("x"))
    make(made, "b", calls, 2)
    assert [line.get("value") for line in content(spool)] == [None, 1, 2]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root, to give up its rights")
def test_a_job_that_gave_up_its_user(spool, tmp_path) -> None:
    """A step that was made by a process which may not write its file any more fails, and says that it was made."""
    os.chmod(tmp_path, 0o755)
    program = f"""
import os
from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.steps import Steps
from spoolrunner.spool.paths import Layout
told = Assignment("x", 1, (1, 2, 3), "a", "b", [], 5.0)
made = Steps(Layout({spool.layout.root!r}), told, fsync=False)
try:
    made.make("a", os.setuid, (65534,), {{}})
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("StepError step 'a' was made, but cannot be kept: ")


def test_a_long_history(begin, calls) -> None:
    """Many steps are read at once."""
    made = begin()
    for number in range(2000):
        make(made, f"step {number}", calls, number)
    again = begin()
    assert make(again, "step 1999", calls) == 1999
    assert len(calls) == 2000
