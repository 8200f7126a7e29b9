"""Groups, rates, pauses of a part, and jobs that wait for others, with real dispatchers that are killed."""

from __future__ import annotations

import json

import pytest

from spoolrunner.system.times import parse_time
from tests.daemon.harness import until

ALLOWED = {"jobs": {"wait_for": {}, "noop": {}, "echo": {"group": "mail"}, "fail": {}, "fail_until": {}}}
LIMITS = {"mail": {"rate": "2/1s"}, "customer.*": {"concurrency": 1}}


@pytest.fixture
def limited(make):
    return make(allowed_jobs=ALLOWED, limits=LIMITS, concurrency=4, max_retries=0)


def status(home) -> dict:
    path = home.spool / "status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def test_a_group_has_its_limit_over_the_death_of_a_dispatcher(limited):
    """At most one of a customer runs, another customer's job passes; an adopted one counts after the dispatcher was killed."""
    daemon = limited.start().ready()
    limited.drop("a1", method="wait_for", params=["go", "a1"], group="customer.a")
    daemon.expect("started", "id=a1 ")
    limited.drop("a2", method="noop", group="customer.a")
    limited.drop("b1", method="noop", group="customer.b")
    daemon.expect("completed", "id=b1 ")
    assert limited.where("a2") == ["pending"]
    daemon.kill()
    daemon = limited.start().ready()
    daemon.expect("adopted", "id=a1 ")
    limited.drop("b2", method="noop", group="customer.b")
    daemon.expect("completed", "id=b2 ")
    until(lambda: [entry["name"] for entry in status(limited).get("held", [])] == ["customer.a"])
    assert limited.where("a2") == ["pending"]
    assert "group customer.a" in limited.cli("status")
    assert "its group runs as many jobs as it may at once (group customer.a)" in limited.cli("why", "a2")
    (limited.folder / "go").touch()
    daemon.expect("completed", "id=a1 ")
    daemon.expect("completed", "id=a2 ")
    assert limited.outcomes("done", "a2") == ["succeeded"]


def test_a_rate_is_kept_over_the_death_of_a_dispatcher(limited):
    """Within any second no more start than the rate allows, whoever starts them; other jobs are not held up."""
    daemon = limited.start().ready()
    for number in range(6):
        limited.drop(f"r{number}", method="echo", params=[number])
    daemon.expect("completed", "id=r1 ")
    daemon.kill()
    daemon = limited.start().ready()
    limited.drop("other", method="noop")
    daemon.expect("completed", "id=other ")
    until(lambda: all(limited.where(f"r{number}") == ["done"] for number in range(6)))
    starts = [limited.document("done", f"r{number}")["attempts"][0]["started_at"] for number in range(6)]
    moments = sorted(map(parse_time, starts))
    # A start is recorded by the job's own process, a moment after it was counted.
    assert all(later - earlier > 0.8 for earlier, later in zip(moments, moments[2:], strict=False))


def test_a_method_and_a_group_are_paused(limited):
    """What is paused waits, and all else starts; a kill changes nothing, and its end lets them start."""
    limited.cli("pause", "jobs.noop", "--group", "mail")
    daemon = limited.start().ready()
    limited.drop("n", method="noop")
    limited.drop("m", method="echo", params=[1])
    limited.drop("w", method="wait_for", params=["config.json"])
    daemon.expect("completed", "id=w ")
    assert (limited.where("n"), limited.where("m")) == (["pending"], ["pending"])
    assert "its method is paused" in limited.cli("why", "n")
    told = limited.cli("status")
    assert "jobs.noop" in told
    assert "group mail" in told
    daemon.kill()
    daemon = limited.start().ready()
    limited.cli("resume", "--group", "mail")
    daemon.expect("completed", "id=m ")
    assert limited.where("n") == ["pending"]
    limited.cli("resume", "jobs.noop")
    daemon.expect("completed", "id=n ")
    limited.cli("pause", "jobs.nop", code=2)


def test_a_drain_leaves_what_is_paused_and_waits_for_a_rate(limited):
    """`run --drain` ends with 1, what is paused still waiting, and not before what its rate lets start later has run."""
    limited.cli("pause", "jobs.noop")
    limited.drop("n", method="noop")
    for number in range(3):
        limited.drop(f"r{number}", method="echo", params=[number])
    assert limited.start("--drain").wait() == 1
    assert limited.where("n") == ["pending"]
    assert [limited.where(f"r{number}") for number in range(3)] == [["done"]] * 3


def test_after_over_the_death_of_a_dispatcher(limited):
    """A job that waits for others starts when they are done, also when the dispatcher dies in between; so does the next one."""
    daemon = limited.start().ready()
    for name in ("a", "b"):
        limited.drop(name, method="wait_for", params=[f"go-{name}", name])
    limited.drop("x", method="noop", after=["a", "b"])
    limited.drop("y", method="noop", after={"jobs": ["x"]})
    daemon.expect("started", "id=b ")
    (limited.folder / "go-a").touch()
    daemon.expect("completed", "id=a ")
    daemon.kill()
    daemon = limited.start().ready()
    daemon.expect("adopted", "id=b ")
    assert limited.where("x") == ["pending"]
    (limited.folder / "go-b").touch()
    daemon.expect("completed", "id=x ")
    daemon.expect("completed", "id=y ")
    (b,), (x,) = (limited.document("done", name)["attempts"] for name in "bx")
    assert parse_time(x["started_at"]) >= parse_time(b["ended_at"])


def test_a_failure_and_its_retry(limited):
    """What waits for a job that fails fails with it, and runs with it when both are retried."""
    daemon = limited.start().ready()
    limited.drop("a", method="fail_until", params=[2])
    limited.drop("x", method="noop", after=["a"])
    limited.drop("y", method="noop", after={"jobs": ["a"], "when": "ended"})
    daemon.expect("refused", "id=x ", "dependency_failed")
    until(lambda: limited.where("y") == ["done"])
    assert limited.reason("x")["what"] == "after: a failed, so this one can never start"
    limited.cli("retry", "--with-dependants", "a")
    daemon.expect("completed", "id=a ")
    daemon.expect("completed", "id=x ")


def test_one_that_waits_for_nobody_is_let_go(limited):
    """A job that waits for what is nowhere waits, the status says so, and a command lets it start."""
    daemon = limited.start().ready()
    limited.drop("x", method="noop", after=["gone"])
    until(lambda: any(entry["name"] == "gone" for entry in status(limited).get("held", [])))
    assert "it waits for gone, in no folder" in limited.cli("why", "x")
    limited.cli("retry", "--without-after", "x")
    daemon.expect("completed", "id=x ")
    assert "after" not in limited.document("done", "x")
