"""A job's process that becomes a new interpreter: what it is told, and what it needs for that."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spoolrunner.executors.plan import runner_settings
from tests.unit.executors.conftest import assigned, left_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork, and so no template")

PROGRAM = """
import sys
sys.path[:0] = [PATH]
from spoolrunner.attempt.settings import Settings
from spoolrunner.executors.afresh import run_afresh
from spoolrunner.spool.paths import Layout
settings = Settings.from_bytes(SETTINGS)
sys.modules["random"] = sys.modules["tempfile"] = None
run_afresh(settings, Layout(settings.root), ASSIGNMENT, 0)
"""


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_nothing_but_the_spool_is_needed(config, spool, tmp_path, size) -> None:
    """The attempt is made as told, with modules of the user's beside it that are named like Python's, and no other place."""
    (tmp_path / "unit_afresh.py").write_text(
        "import sys\ndef f(text):\n    return [len(text), sys.argv, sys.path[0]]\n"
    )
    (tmp_path / "random.py").write_text("1 / 0\n")
    (tmp_path / "tempfile.py").write_text("1 / 0\n")
    told = assigned(spool.layout, "unit_afresh", "f", "x" * size).prepare(spool.layout).to_bytes()
    settings = runner_settings(config(), "").to_bytes()
    program = tmp_path / "program"
    program.write_text(f"PATH, SETTINGS, ASSIGNMENT = {str(tmp_path)!r}, {settings!r}, {told!r}\n{PROGRAM}")
    environment = {**os.environ, "TMPDIR": "/no/such/folder", "HOME": "/no/such/home"}
    subprocess.run([sys.executable, "-P", str(program)], env=environment, timeout=30, check=True)
    assert left_in(spool.layout).result == f'[{size}, ["-c"], "{tmp_path}"]'
    assert os.listdir(spool.layout.tmp) == []
