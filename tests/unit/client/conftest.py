"""An installation whose configuration is found by programs, in the test's own time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from spoolrunner.config.load import VARIABLE
from spoolrunner.system import clock as clock_module


@pytest.fixture
def home(tmp_path, spool, clock, monkeypatch) -> Callable[..., str]:
    """Write config.json of `spool`, have it found, and return its path; the keys are those of the file."""
    monkeypatch.setattr(clock_module, "SYSTEM", clock)

    def make(**keys) -> str:
        path = tmp_path / "config.json"
        allowed = {"app.Report": ["build", "send"]}
        raw = {"allowed_jobs": allowed, "fsync": False, "spool": os.path.basename(spool.layout.root), **keys}
        path.write_text(json.dumps(raw))
        monkeypatch.setenv(VARIABLE, str(path))
        return str(path)

    make()
    return make
