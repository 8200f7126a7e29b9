"""The files of steps: whose one is, where the next free name is, what is read of one that was torn."""

from __future__ import annotations

import os

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import step_files
from spoolrunner.spool.sweeping import sweep_steps

MINE = step_files.first_line("mine", "app.Report", "build", "0")
OTHER = step_files.first_line("other", "app.Report", "build", "0")
STEP = b'{"step":"a","ended_at":"","value":[1]}\n'


@pytest.fixture
def put(spool):
    """Make a file of steps, whole."""

    def make(name: str, data: bytes) -> str:
        path = spool.layout.step_file(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data)
        return path

    return make


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({"created_at": "2026-11-23T17:45:01Z"}, "2026-11-23T17:45:01Z"),
        ({"created_at": "2026-11-23T17:45:01Z", "replaces": [[1, 2, 3]]}, "2026-11-23T17:45:01Z"),
        ({}, "inode 9"),
        ({"replaces": [[1, 2, 3], [4, 5, 6]]}, "inode 1"),
        ({"created_at": "2026-11-23T17:45:01." + "1" * 9000 + "Z"}, "2026-11-23T17:45:01." + "1" * 180),
    ],
)
def test_the_key(raw, key) -> None:
    """A job is known by when it was created, else by its first file, through all its attempts."""
    assert step_files.key_of(raw, 9) == key


def test_nothing(spool) -> None:
    """Where no job has made steps there is no folder; looking makes none."""
    assert step_files.find(spool.layout, "x", "mine") == (spool.layout.step_file("x"), False)
    assert step_files.names(spool.layout) == []
    assert not step_files.remove(spool.layout, "x", "mine")
    assert not os.path.exists(spool.layout.steps)


def test_begin(spool) -> None:
    """A file is made with its folder, for their owner alone, and not where there is one."""
    path = spool.layout.step_file("x")
    step_files.begin(spool.layout, path, MINE, fsync=True)
    assert step_files.find(spool.layout, "x", "mine") == (path, True)
    assert step_files.names(spool.layout) == ["x"]
    if os.name == "posix":
        assert os.stat(spool.layout.steps).st_mode & 0o077 == os.stat(path).st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        step_files.begin(spool.layout, path, OTHER, fsync=False)
    assert os.listdir(spool.layout.tmp) == []


@pytest.mark.parametrize(
    ("there", "job_id", "found"),
    [
        ({"x": MINE}, "x", ("x", True)),
        ({"x": OTHER}, "x", ("x~2", False)),
        ({"x": OTHER, "x~2": MINE}, "x", ("x~2", True)),
        ({"x": OTHER, "x~2": OTHER, "x~3": MINE}, "x", ("x~3", True)),
        ({"x": b"", "x~2": MINE}, "x", ("x~2", True)),
        ({"x": MINE}, "x~2", ("x", True)),
        ({"x": OTHER, "x~2": MINE}, "x~4", ("x~2", True)),
        ({"x": OTHER, "x~2": OTHER}, "x~3", ("x~3", False)),
    ],
)
def test_whose_it_is(spool, put, there, job_id, found) -> None:
    """A job finds its own file beside those of others, also when a crash left it under the name that the job had before."""
    for name, data in there.items():
        put(name, data)
    assert step_files.find(spool.layout, job_id, "mine") == (spool.layout.step_file(found[0]), found[1])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(os.devnull, path)])
def test_no_file(spool, put, make) -> None:
    """What is no file is none of ours, and nothing waits for it."""
    put("y", OTHER)
    make(spool.layout.step_file("x"))
    assert step_files.find(spool.layout, "x", "mine") == (spool.layout.step_file("x~2"), False)


def test_append(spool, put) -> None:
    """A line that comes behind a torn one is read, and the torn one is not."""
    path = put("x", MINE + STEP + b'{"step":"b","va')
    step_files.append(path, STEP.replace(b'"a"', b'"c"'), fsync=True)
    assert [line["step"] for line in step_files.lines(path)] == ["a", "c"]
    step_files.append(path, STEP, fsync=False)
    with open(path, "rb") as stream:
        assert stream.read().count(b"\n") == 5


@pytest.mark.parametrize(
    "torn", [b'{"step":"b","value":1}', b"[]\n", b'{"step":5,"value":1}\n', b'{"step":"b"}\n', b"\xff\n"]
)
def test_lines(put, torn) -> None:
    """A line without its line break, or of another shape, is none."""
    assert [line["step"] for line in step_files.lines(put("x", MINE + STEP + torn))] == ["a"]


def test_follow(spool, put) -> None:
    """The steps go with their job to its new name, unless others lie there; then they are still found."""
    put("x", MINE)
    step_files.follow(spool.layout, "x", "x~2", "mine")
    assert step_files.names(spool.layout) == ["x~2"]
    put("x~3", OTHER)
    step_files.follow(spool.layout, "x~2", "x~3", "mine")
    assert step_files.names(spool.layout) == ["x~2", "x~3"]
    assert step_files.find(spool.layout, "x~3", "mine") == (spool.layout.step_file("x~2"), True)
    step_files.follow(spool.layout, "y", "y~2", "mine")


def test_remove(spool, put) -> None:
    """The file of a job is removed, and that of another one with its id stays."""
    put("x", OTHER)
    put("x~2", MINE)
    assert step_files.remove(spool.layout, "x", "mine")
    assert not step_files.remove(spool.layout, "x", "mine")
    assert step_files.names(spool.layout) == ["x"]


@pytest.mark.parametrize(
    ("job_id", "state", "left"),
    [
        (None, None, []),
        ("x", State.PENDING, ["x"]),
        ("x", State.RUNNING, ["x"]),
        ("x", State.FAILED, ["x"]),
        ("x~2", State.FAILED, ["x"]),
        ("y", State.FAILED, []),
    ],
)
def test_sweep(spool, drop, put, clock, arrived_as_written, job_id, state, left) -> None:
    """Steps whose job is nowhere go, unless they were just written: it may be on its way."""
    path = put("x", MINE)
    if job_id is not None:
        drop(state, job_id)
    os.utime(path, (clock.wall() - 10, clock.wall() - 10))
    assert sweep_steps(spool.layout, clock.wall() - 20) == 0
    assert sweep_steps(spool.layout, clock.wall()) == (not left)
    assert step_files.names(spool.layout) == left
