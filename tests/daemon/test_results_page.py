"""docs/results.md does what it says: its examples are run as they are printed, with a dispatcher."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from tests.daemon.harness import COMMAND, Daemon

PAGE = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
DEADLINE = 50


def blocks(tag: str) -> list[str]:
    """The code blocks of the page in that language."""
    return re.findall(rf"^```{tag}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def home(tmp_path):
    """A folder with the jobs of the page and a spool that is served."""
    (jobs,) = blocks("python reports.py")
    (tmp_path / "reports.py").write_text(jobs, encoding="utf-8")
    allowed = {"reports.Report": ["build", "sail"]}
    (tmp_path / "config.json").write_text(json.dumps({"allowed_jobs": allowed, "max_retries": 0}), encoding="utf-8")
    Spool(Layout(str(tmp_path / "spool"))).make()
    daemon = Daemon(tmp_path)
    daemon.ready()
    yield tmp_path
    daemon.kill()


def test_the_programs_of_the_page(home) -> None:
    """The examples in Python, one after the other in one program, come to their end without an error."""
    (home / "page.py").write_text("\n".join(blocks("python")), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "page.py"], cwd=home, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "[1066]" in ended.stdout


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
def test_the_commands_of_the_page(home) -> None:
    """Each command ends with 0 and prints no usage: the spool has what they look for, or nothing of it."""
    shim = home / "spoolrunner"
    shim.write_text(f'#!/bin/sh\nexec {COMMAND[0]} -m spoolrunner "$@"\n', encoding="utf-8")
    shim.chmod(0o700)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 8
    ended = subprocess.run(
        ["sh", "-e", "-u", "-x", "-c", "\n".join(lines)],
        cwd=home,
        env={**os.environ, "PATH": f"{home}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert '"pages": 12' in ended.stdout
    assert "it is done" in ended.stdout
