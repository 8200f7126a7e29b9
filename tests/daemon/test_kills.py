"""The dispatcher killed again and again under load."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest

from spoolrunner.client.enqueue import enqueue_many
from spoolrunner.config.load import load_config
from tests.daemon.harness import until

JOBS, KILLS = 200, 7


@pytest.mark.timeout(300)
def test_no_job_is_lost_or_doubled_when_the_dispatcher_is_killed_again_and_again(make):
    """Of 200 jobs every one ends in exactly one folder and ran as often as counted; one that ran through it all ran once."""
    home = make(max_retries=3)
    config = str(home.folder / "config.json")
    load_config(config)
    daemon = home.start().ready()
    home.drop("long", method="wait_for", params=["go", "long"])
    until(lambda: "begin long" in home.notes())
    ids = [f"job-{number:03}" for number in range(JOBS)]
    enqueue_many([{"job": "jobs", "method": "noop", "id": job_id} for job_id in ids], config=config)

    for kill in range(1, KILLS + 1):
        until(lambda kill=kill: len(os.listdir(home.spool / "done")) >= kill * JOBS // (KILLS + 2))
        daemon.kill()
        daemon = home.start()
    until(lambda: len(os.listdir(home.spool / "done")) + len(os.listdir(home.spool / "failed")) >= JOBS)
    (home.folder / "go").touch()
    daemon.expect("completed", "id=long ")
    assert daemon.stop() == 0

    counted = 0
    for job_id in ids:
        assert home.where(job_id) == ["done"], job_id
        counted += len(home.outcomes("done", job_id))
    notes = Counter(home.notes())
    assert notes["begin long"] == notes["end long"] == 1
    assert JOBS <= notes["noop"] <= counted
    assert home.outcomes("done", "long") == ["succeeded"]
    assert os.listdir(home.spool / "locks") == []
    assert json.loads(home.cli("status", "--json", "--no-dispatcher-ok"))["counts"] == {
        "pending": 0,
        "running": 0,
        "done": JOBS + 1,
        "failed": 0,
    }
