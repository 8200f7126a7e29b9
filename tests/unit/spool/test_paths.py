"""Names on disk: which ids there may be, and where everything of an id lies."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import FOLDERS, MAX_NAME_BYTES, Layout, id_problem, is_job_name, numbered

ROOT = os.path.join(os.sep, "spool")
LAYOUT = Layout(ROOT)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(~[0-9]{1,5})?", fullmatch=True)
LONGEST = "a" * 100 + "~" + "9" * 9
RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}


@pytest.mark.parametrize(
    "job_id",
    [
        "a",
        "7",
        "A.b_c-d",
        "20261123-174501-123456-7f3a9c",
        "a" * 100,
        LONGEST,
        "x~2",
        "x~12345",
        "console",
        "com10",
        "a.con",
        "a..b",
    ],
)
def test_fit_ids(job_id) -> None:
    """An id of letters, digits, dots, hyphens and underscores, perhaps with a number, is fit."""
    assert id_problem(job_id) is None


@pytest.mark.parametrize(
    "job_id",
    [
        *(
            "",
            ".",
            "..",
            ".a",
            "-a",
            "_a",
            "~2",
            "a~",
            "a~b",
            "a~2~3",
            "a~-1",
            "a~٣",
            "a b",
            "a/b",
            "a\\b",
            "a\0",
            "a\n",
            "é",
        ),
        *("a" * 101, "a.", "con", "CON", "Nul.txt", "aux.tar.gz", "com1", "LPT9.x", "a\udc80", "a:b", "a*"),
    ],
)
def test_unfit_ids(job_id) -> None:
    """An id that no platform could keep, or that reaches out of its folder, is unfit, and it is said why."""
    assert id_problem(job_id)


@given(st.one_of(st.text(max_size=12), IDS))
def test_id_rules(job_id) -> None:
    """The rules are those of the design: the pattern in full, no trailing dot, no reserved name before the first dot."""
    fits = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(~[0-9]{1,9})?", job_id) is not None
    head = job_id.split(".")[0].split("~")[0].lower()
    assert (id_problem(job_id) is None) == (fits and not job_id.endswith(".") and head not in RESERVED)


@pytest.mark.parametrize(
    ("name", "is_job"),
    [
        ("a.json", True),
        ("bad name.json", True),
        ("~.json", True),
        (".json", False),
        (".a.json", False),
        ("a.json.tmp", False),
        ("a.JSON", False),
        ("json", False),
        ("a.json~", False),
        ("a.reason", False),
    ],
)
def test_names_that_are_meant_as_jobs(name, is_job) -> None:
    """A name that starts with a dot or does not end in .json is not a job."""
    assert is_job_name(name) is is_job


@pytest.mark.parametrize(
    ("stem", "following"),
    [
        ("x", "x~2"),
        ("x~2", "x~3"),
        ("x~9", "x~10"),
        ("x~", "x~~2"),
        ("x~b", "x~b~2"),
        ("a~b~3", "a~b~4"),
        ("x~٣", "x~٣~2"),
    ],
)
def test_numbered(stem, following) -> None:
    """A taken name is followed by the next number."""
    assert numbered(stem) == following


@given(IDS)
def test_numbered_never_repeats(job_id) -> None:
    """However often a name is taken, the next one is new, and a fit id stays fit."""
    seen = [job_id]
    for _ in range(12):
        seen.append(numbered(seen[-1]))
    assert len(set(seen)) == len(seen)
    if id_problem(job_id) is None:
        assert not [name for name in seen if id_problem(name)]


def test_folders() -> None:
    """The spool has the folders of the design, and a folder for each state."""
    jobs = os.path.join("logs", "jobs")
    assert set(FOLDERS) == {"pending", "running", "done", "failed", "tmp", "locks", "control", "logs", jobs}
    for state in State:
        assert LAYOUT.folder(state) == os.path.join(ROOT, state.value)


def test_paths() -> None:
    """Everything of an id lies where the design says."""
    assert LAYOUT.job(State.DONE, "x") == os.path.join(ROOT, "done", "x.json")
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


def test_shortened_names_stay_apart() -> None:
    """Two names that must be shortened do not become one."""
    stems = ["x" * 300 + end for end in ("a", "b", "~2")]
    paths = {LAYOUT.reason(stem) for stem in stems}
    assert len(paths) == 3
    assert all(path.endswith(".reason") for path in paths)
