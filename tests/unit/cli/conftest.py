"""The command line in this process, on a spool of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from spoolrunner.cli import main


class Told(NamedTuple):
    """What a command ended with, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(tmp_path, spool, capsys) -> Callable[..., Told]:
    """Run a command on `spool`, whose config.json allows app.Report; keyword arguments are keys of config.json."""

    def run(*words: str, **keys) -> Told:
        path = tmp_path / "config.json"
        allowed = {"app.Report": ["build", "send"]}
        path.write_text(json.dumps({"allowed_jobs": allowed, "fsync": False, **keys}))
        code = main([words[0], "--config", str(path), *words[1:]])
        told = capsys.readouterr()
        return Told(code, told.out, told.err)

    return run
