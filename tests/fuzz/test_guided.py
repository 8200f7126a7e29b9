"""Documents that a coverage-guided fuzzer makes out of what it sees them reach."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

RUNS = int(os.environ.get("SPOOLRUNNER_FUZZ_GUIDED", "200000"))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: the extra `fuzz` has it, on Linux")
def test_documents_that_reach_new_branches(tmp_path, tally):
    """No document that is made to reach every branch of the look is lost, changed, or leads to an undocumented error."""
    command = [sys.executable, "-m", "tests.fuzz.guided", str(tmp_path), str(RUNS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    tally.add("documents, guided by coverage", RUNS, lost=int(ended.returncode != 0))
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert f"Done {RUNS} runs" in ended.stderr
