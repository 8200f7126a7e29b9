"""What the verbs do when a person is faster than they are."""

from __future__ import annotations

import json
import os
from argparse import Namespace

from spoolrunner.cli import as_typed, operate
from spoolrunner.protocol.states import State


def test_prune_tells_and_counts_only_what_it_removed(tmp_path, spool, drop, clock, monkeypatch, capsys):
    """A job that a person moved back to pending/ between the look and the removal is neither named nor counted."""
    (tmp_path / "config.json").write_text(json.dumps({"allowed_jobs": {}, "spool": spool.layout.root}))
    for job_id in ("gone", "old"):
        os.utime(drop(State.DONE, job_id), (0, 0))
    older = operate._older

    def look_then_lose(layout, state, *rest):
        found = older(layout, state, *rest)
        if "gone" in found:
            os.rename(layout.job(State.DONE, "gone"), layout.job(State.PENDING, "gone"))
        return found

    monkeypatch.setattr(operate, "_older", look_then_lose)

    assert operate.prune(Namespace(config=str(tmp_path / "config.json"), dry_run=False)) == 0

    said = capsys.readouterr()
    assert said.out == as_typed.removed(spool.layout.job(State.DONE, "old")) + "\n"
    assert said.err == "removed 1 jobs\n"
    assert spool.exists(State.PENDING, "gone")
