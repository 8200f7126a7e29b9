"""A desk of the page on a spool of the test, in the test's own time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from spoolrunner.config.load import VARIABLE
from spoolrunner.system import clock as clock_module
from spoolrunner.web.desk import Desk


@pytest.fixture
def desk(tmp_path, spool, clock, monkeypatch) -> Callable[..., Desk]:
    """Make a desk with the keys of config.json that are given; the index is not open."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)

    def make(**keys) -> Desk:
        path = tmp_path / "config.json"
        raw = {"allowed_jobs": {"app.Report": ["build", "send"]}, "fsync": False, **keys}
        path.write_text(json.dumps({**raw, "spool": os.path.basename(spool.layout.root)}))
        monkeypatch.setenv(VARIABLE, str(path))
        return Desk(str(path), clock)

    return make


@pytest.fixture
def home(tmp_path, spool) -> Callable[..., str]:
    """Write config.json of `spool`, and return its path; the keys are those of the file."""

    def make(**keys) -> str:
        path = tmp_path / "config.json"
        raw = {
            "allowed_jobs": {"app.Report": ["build"]},
            "fsync": False,
            "spool": os.path.basename(spool.layout.root),
            **keys,
        }
        path.write_text(json.dumps(raw))
        return str(path)

    return make
