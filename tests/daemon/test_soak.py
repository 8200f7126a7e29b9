"""Mixed load for an hour, or for seconds: nothing is lost, doubled or started too often, and nothing grows."""

from __future__ import annotations

import math
import os
import random
import shutil
import sys
from collections import Counter
from dataclasses import replace

import pytest

from tests.daemon.soak import gauges
from tests.daemon.soak.actors import Plan
from tests.daemon.soak.books import Books, Told, read_told
from tests.daemon.soak.gauges import Sample
from tests.daemon.soak.run import PATIENCE, Soak, install

SECONDS = float(os.environ.get("SPOOLRUNNER_SOAK_SECONDS", "3600"))
JOBS_A_SECOND = 28
SEED = int(os.environ.get("SPOOLRUNNER_SOAK_SEED", "20261124"))
needs_proc = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("mv") is None, reason="reads /proc, and moves files with GNU mv"
)


@pytest.fixture
def soak(tmp_path):
    """Make a soak of so many seconds and jobs; whatever it started is ended."""
    made = []

    def start(seconds, jobs):
        plan = Plan.of(seconds, jobs, random.Random(SEED))
        found = Soak(plan, install(tmp_path, plan), SEED)
        made.append(found)
        return found

    yield start
    for found in made:
        found.close()


def judge(ran, tally, name):
    """Run it, count, and assert."""
    found = ran.run()
    tally.add(name, len(ran.books.published), lost=len(found.lost), double=len(found.double), beyond=len(found.beyond))
    summary = "\n".join(ran.summary())
    assert not found.sentences(), "\n".join([summary, *found.sentences()])
    assert not ran.growth(), "\n".join([summary, *ran.growth()])
    return summary


@needs_proc
def test_a_few_seconds_of_mixed_load(soak, tally):
    """With kills, crashes, timeouts, cancels and files moved by hand, every id published is in exactly one place."""
    judge(soak(3.0, 200), tally, "soak, short form")


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 2 * PATIENCE)
@needs_proc
def test_an_hour_of_mixed_load(soak, tally, capsys):
    """The same for an hour and 100,000 jobs; and no dispatcher needs more memory, descriptors, threads or files with time."""
    summary = judge(soak(SECONDS, math.ceil(JOBS_A_SECOND * SECONDS)), tally, "soak")
    with capsys.disabled():
        print(f"\n{summary}")


BOOKS = {"published": {"soak-1": "succeeds", "soak-2": "fails"}}
FINE = {"soak-1": ["done"], "soak-2": ["failed"]}
ENDED = {
    "soak-1": {"attempts": [{"number": 1, "outcome": "succeeded", "verdict": "done"}]},
    "soak-2": {
        "attempts": [
            {"number": 1, "outcome": "failed", "verdict": "retry"},
            {"number": 2, "outcome": "failed", "verdict": "failed"},
        ]
    },
}
LINES = ["soak-1 1 begin 10", "soak-1 1 end 20", "soak-2 1 begin 10", "soak-2 1 end 15", "soak-2 2 begin 16"]


def audit(places=FINE, documents=ENDED, lines=LINES, **books):
    return Books(**{**BOOKS, **books}).audit(places, documents, read_told(lines))


def test_the_audit_finds_nothing_where_nothing_is_wrong():
    """Two jobs that ended as they should lead to no finding."""
    assert audit().sentences() == []


def test_the_audit_sees_a_lost_job():
    """An id that is in no place is lost."""
    assert audit(places={"soak-1": ["done"]}).lost == ["soak-2 is nowhere"]


@pytest.mark.parametrize("where", [["done", "pending"], ["done", "removed"], ["outside", "pruned"]])
def test_the_audit_sees_a_job_in_two_places(where):
    """An id in two folders, or in one although it was counted as removed, is double."""
    assert audit(places={**FINE, "soak-1": where}).double == [f"soak-1 is in {where}"]


def test_the_audit_sees_an_id_that_nobody_published():
    """A numbered copy of a job is not what was published."""
    assert audit(places={**FINE, "soak-1~2": ["done"]}).double == ["soak-1~2 in ['done'] was never published"]


@pytest.mark.parametrize(
    "more",
    ["soak-1 1 begin 30", "soak-1 2 overlap 15", "soak-2 3 begin 14"],
    ids=["an attempt begun twice", "a witness", "begun before the end of the one before"],
)
def test_the_audit_sees_two_processes_of_one_id(more):
    """What the jobs told betrays an attempt that was begun twice, and two that ran at the same time."""
    assert audit(lines=[*LINES, more]).double


def test_the_audit_sees_a_start_beyond_the_limit():
    """More starts than the budget allows are found, in what the job told and in its document; a retry by hand allows more."""
    third = {"number": 3, "outcome": "failed", "verdict": "failed"}
    attempts = [{**made, "verdict": "retry"} for made in ENDED["soak-2"]["attempts"]]
    documents = {**ENDED, "soak-2": {"attempts": [*attempts, third]}}
    lines = [*LINES, "soak-2 3 begin 30"]

    assert len(audit(lines=lines, documents=documents).beyond) == 2
    after_a_retry = {**ENDED, "soak-2": {"attempts": [*ENDED["soak-2"]["attempts"], third]}}
    assert audit(lines=lines, documents=after_a_retry, retried=Counter({"soak-2": 1})).beyond == []


def test_the_audit_sees_a_start_that_was_not_counted():
    """A start that the job told and its document does not have is beyond the limit, whatever its number."""
    documents = {**ENDED, "soak-1": {"attempts": []}}
    assert audit(documents=documents).beyond == ["soak-1 told the starts [1], which its document does not count"]


def test_the_audit_sees_an_attempt_that_a_kill_of_the_dispatcher_cost():
    """A job that nobody ended must not have crashed, and must not end in failed/."""
    crashed = {"attempts": [{"number": 1, "outcome": "crashed", "verdict": "failed"}]}
    found = audit(places={**FINE, "soak-1": ["failed"]}, documents={**ENDED, "soak-1": crashed})
    assert len(found.wrong) == 2


def test_told_lines_are_read_by_attempt():
    """Begins, ends and what a witness saw are kept by id and attempt."""
    assert read_told(["a 1 begin 5", "a 1 overlap 6", "a 1 end 7"]) == {"a": Told([(1, 5)], {1: 7}, 1)}


STILL = Sample(0.0, 30_000, 14, 5, 20_000, 8, 0, 8, 0, 3_000, 0)


@pytest.mark.parametrize("gauge", list(gauges.MARGINS))
def test_a_leak_is_seen(gauge):
    """A gauge that doubles over a life, and is large to begin with, is found, and no other."""
    life = [replace(STILL, at=float(n), **{gauge: 1_000 + 50 * n}) for n in range(100)]
    if gauge.endswith("pss_kib"):
        life = [replace(sample, **{gauge: 20_000 + 200 * n}) for n, sample in enumerate(life)]

    (found,) = gauges.growth(life)

    assert found.startswith(f"{gauge} rose from ")
    assert gauges.growth([replace(STILL, at=float(n)) for n in range(100)]) == []


def test_memory_for_jobs_that_wait_is_no_leak():
    """A dispatcher that knows of 1,500 waiting jobs more may need five megabytes more, and not twenty."""
    more = [replace(STILL, at=float(n), waiting=30 * n, pss_kib=30_000 + 100 * n) for n in range(100)]
    too_much = [replace(sample, pss_kib=30_000 + 400 * n) for n, sample in enumerate(more)]

    assert gauges.growth(more) == []
    assert len(gauges.growth(too_much)) == 1


def test_short_lives_are_not_judged():
    """A dispatcher that served for less than its caches take to fill is not judged; a long life is."""
    lives = [[replace(STILL, at=second * n) for n in range(100)] for second in (0.1, 2.0)]
    assert [gauges.is_judged(life) for life in lives] == [False, True]


@needs_proc
def test_no_sample_is_taken_of_half_a_dispatcher(tmp_path):
    """A process without a template, or with two while one retires, gives no sample rather than a wrong one."""
    assert gauges.take(tmp_path, os.getpid(), 0.0) is None
