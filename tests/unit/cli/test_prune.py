"""`prune` when a person is faster than it is."""

from __future__ import annotations

import json
import os
from argparse import Namespace

import pytest

from spoolrunner.cli import as_typed, prune
from spoolrunner.protocol.states import State


@pytest.mark.usefixtures("arrived_as_written")
def test_prune_names_and_counts_only_what_it_removed(tmp_path, spool, drop, clock, monkeypatch, capsys):
    """A job that a person moved back to pending/ between the look and the removal is neither named nor counted."""
    (tmp_path / "config.json").write_text(json.dumps({"allowed_jobs": {}, "spool": spool.layout.root}))
    for job_id in ("gone", "old"):
        os.utime(drop(State.DONE, job_id), (0, 0))
    outdated = prune.outdated

    def look_then_lose(settings):
        for state, job_id in outdated(settings):
            if job_id == "gone":
                os.rename(settings.layout.job(state, "gone"), settings.layout.job(State.PENDING, "gone"))
            yield state, job_id

    monkeypatch.setattr(prune, "outdated", look_then_lose)

    assert prune.run(Namespace(config=str(tmp_path / "config.json"), dry_run=False)) == 0

    said = capsys.readouterr()
    assert said.out == as_typed.removed(spool.layout.job(State.DONE, "old")) + "\n"
    assert said.err == "removed 1 jobs\n"
    assert spool.exists(State.PENDING, "gone")
