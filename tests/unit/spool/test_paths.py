"""Names on disk: where everything of an id lies."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.protocol.states import State
from spoolrunner.spool.ids import id_problem, numbered
from spoolrunner.spool.paths import FOLDERS, MAX_NAME_BYTES, REHEARSAL, Layout

ROOT = os.path.join(os.sep, "spool")
LAYOUT = Layout(ROOT)
LONGEST = "a" * 100 + "~" + "9" * 9


def test_folders() -> None:
    """The spool has the folders of the design, and a folder for each state."""
    jobs = os.path.join("logs", "jobs")
    assert set(FOLDERS) == {"pending", "running", "done", "failed", "tmp", "locks", "control", "logs", jobs}
    for state in State:
        assert LAYOUT.folder(state) == os.path.join(ROOT, state.value)


def test_paths() -> None:
    """Everything of an id lies where the design says."""
    assert LAYOUT.job(State.DONE, "x") == os.path.join(ROOT, "done", "x.json")
    assert LAYOUT.running("x") == LAYOUT.job(State.RUNNING, "x") == os.path.join(ROOT, "running", "x.json")
    assert LAYOUT.progress("x") == os.path.join(ROOT, "locks", "x.progress")
    assert LAYOUT.reason("x") == os.path.join(ROOT, "failed", "x.reason")
    assert LAYOUT.lock("x") == os.path.join(ROOT, "locks", "x.lock")
    assert LAYOUT.log("x") == os.path.join(ROOT, "logs", "jobs", "x.log")
    assert LAYOUT.cancel("x") == os.path.join(ROOT, "control", "cancel-x")
    assert LAYOUT.dispatcher_lock == os.path.join(ROOT, "dispatcher.lock")
    assert LAYOUT.status == os.path.join(ROOT, "status.json")
    assert (LAYOUT.pause, LAYOUT.stop) == (
        os.path.join(ROOT, "control", "pause"),
        os.path.join(ROOT, "control", "stop"),
    )


def paths_of(job_id: str) -> list[str]:
    """Every path that is made of an id."""
    return [
        *(LAYOUT.job(state, job_id) for state in State),
        LAYOUT.reason(job_id),
        LAYOUT.lock(job_id),
        LAYOUT.progress(job_id),
        LAYOUT.log(job_id),
        LAYOUT.cancel(job_id),
    ]


def too_long(paths: list[str]) -> list[str]:
    return [path for path in paths if len(os.fsencode(os.path.basename(path))) > MAX_NAME_BYTES]


def test_names_of_the_longest_id() -> None:
    """Of the longest id there may be, every file has a legal name; a longer one is unfit."""
    assert id_problem(LONGEST) is None
    assert too_long(paths_of(LONGEST)) == []
    assert id_problem(LONGEST + "9")


def test_staged_names() -> None:
    """No two files are staged under one name, and all of them in tmp/."""
    names = {LAYOUT.stage() for _ in range(100)}
    assert len(names) == 100
    assert {os.path.dirname(name) for name in names} == {os.path.join(ROOT, "tmp")}


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX only")
@given(st.binary(min_size=1, max_size=250).filter(lambda raw: b"/" not in raw and b"\0" not in raw))
def test_refused_names_stay_legal(raw) -> None:
    """Whatever bytes a file's name holds, its place in failed/ and that of its reason have legal names."""
    stem = os.fsdecode(raw)
    for name in (stem, numbered(stem), numbered(numbered(stem))):
        assert too_long([LAYOUT.job(State.FAILED, name), LAYOUT.reason(name)]) == []


def test_a_rehearsal() -> None:
    """What a rehearsal writes for a job that runs lies in a folder of its own; the rest is as it was."""
    folder = LAYOUT.stage(REHEARSAL)
    assert os.path.dirname(folder) == LAYOUT.tmp
    layout = LAYOUT.for_rehearsal(folder)
    paths = [layout.running("x"), layout.lock("x"), layout.progress("x"), layout.log("x"), layout.cancel("x")]
    assert {os.path.dirname(path) for path in paths} == {folder}
    assert len(set(paths)) == len(paths)
    assert layout.job(State.RUNNING, "x") == LAYOUT.job(State.RUNNING, "x")
    assert LAYOUT.running("x") == os.path.join(ROOT, "running", "x.json")


def test_shortened_names_stay_apart() -> None:
    """Two names that must be shortened do not become one."""
    stems = ["x" * 300 + end for end in ("a", "b", "~2")]
    paths = {LAYOUT.reason(stem) for stem in stems}
    assert len(paths) == 3
    assert all(path.endswith(".reason") for path in paths)
