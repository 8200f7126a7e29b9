"""Ids: which text can be one, which name is meant as a job's, and what comes when a name is taken."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.spool.ids import id_problem, is_job_name, numbered

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
