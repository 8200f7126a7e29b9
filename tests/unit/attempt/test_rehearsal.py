"""Rehearsals: attempts of a job that does nothing, of which nothing may be left."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import mock

import pytest

from spoolrunner.attempt import rehearsal
from spoolrunner.attempt.settings import Settings

PROGRAM = """
import os, sys
from spoolrunner.attempt import rehearsal
from spoolrunner.attempt.current_job import current_job
from spoolrunner.attempt.settings import Settings
from spoolrunner.attempt.binding import Callee
from spoolrunner.spool.paths import Layout
calls = []
real = Callee.call
Callee.call = lambda self, params: (calls.append(1), real(self, params))
settings = Settings.from_bytes(DATA)
open_before = sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []
rehearsal.rehearse(settings, Layout(settings.root), 3)
open_after = sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []
print(len(calls), current_job(), open_before == open_after)
"""


def rehearsed(root: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    settings = Settings(root, "", True, 4096, [], 60.0).to_bytes()
    command = [sys.executable, "-c", f"DATA = {settings!r}\n{program}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def files_in(root: str) -> list[str]:
    return [name for _, _, names in os.walk(root) for name in names]


def test_nothing_is_left(spool) -> None:
    """Each rehearsal calls its job; then the spool has no file more, the process no descriptor more and no job."""
    done = rehearsed(spool.layout.root)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["3", "None", "True"], "")
    assert files_in(spool.layout.root) == []


def test_other_folders_are_not_touched(spool) -> None:
    """A rehearsal needs nothing of the spool but tmp/."""
    for folder in (spool.layout.locks, spool.layout.job_logs, spool.layout.control, spool.layout.pending):
        os.rmdir(folder)
    assert rehearsed(spool.layout.root).returncode == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_nothing_that_others_put_into_tmp_is_met(spool) -> None:
    """tmp/ may be open to a group: no name that a rehearsal uses there can be known before, so no pipe is waited for."""
    before = """
import os
root = Settings.from_bytes(DATA).root
for number in range(3):
    for name in (f"rehearsal-{number}", f"rehearsal-{os.getpid()}-{number}"):
        for ending in ("log", "lock", "json", "progress"):
            os.mkfifo(f"{root}/tmp/{name}.{ending}")
"""
    done = rehearsed(spool.layout.root, PROGRAM.replace("calls = []", before + "calls = []"))
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "3", "")
    assert len(os.listdir(spool.layout.tmp)) == 24, "what was there is there, and nothing more"


def test_what_is_used_in_tmp_belongs_to_us_alone(spool) -> None:
    """The one name in tmp/ is new, random, and that of a folder which nobody else may enter."""
    seen: list[tuple[str, int]] = []
    real = os.mkdir

    def watched(path: str, mode: int = 0o777) -> None:
        seen.append((path, mode))
        real(path, mode)

    settings = Settings(spool.layout.root, "", True, 4096, [], 60.0)
    with mock.patch.object(os, "mkdir", watched), mock.patch.object(rehearsal, "run_here"):
        rehearsal.rehearse(settings, spool.layout, 1)
        rehearsal.rehearse(settings, spool.layout, 1)
    assert [mode for _, mode in seen] == [0o700] * 2
    assert len({path for path, _ in seen}) == 2
    assert os.listdir(spool.layout.tmp) == []


def test_a_spool_that_is_not_there(tmp_path) -> None:
    """Where tmp/ cannot be written the rehearsal is an OSError, and output goes where it went."""
    done = rehearsed(str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "FileNotFoundError" in done.stderr


def test_an_import_is_rehearsed() -> None:
    """The module of the rehearsal is imported anew each time, so that the code of an import is specialised too."""
    seen = []

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            seen.append(name)

    sys.meta_path.insert(0, Finder)
    try:
        rehearsal.rehearse_import(3)
    finally:
        sys.meta_path.remove(Finder)
    assert seen == ["spoolrunner.attempt.no_job"] * 3
