"""A job's process becomes a new interpreter: what it was forked with is not what lies on the disk by now. Light."""

from __future__ import annotations

import os
import sys

from spoolrunner.attempt import runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from spoolrunner.attempt.settings import Settings
    from spoolrunner.spool.paths import Layout

_PROGRAM = "from spoolrunner.attempt.runner import main; main()"


def run_afresh(settings: Settings, layout: Layout, assignment: bytes, parent: int) -> NoReturn:
    """Make the attempt in a new interpreter, which has our pid. What it is told lies in a file without a name.

    The file is in the spool, since a machine may offer no other place to write; by our own few lines, since the import path
    leads to the user's modules already, and one of them may be named like a module that `tempfile` needs.
    """
    path = layout.stage()
    told = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    os.unlink(path)
    left = runner.told(settings, assignment, parent)
    while left:
        left = left[os.write(told, left) :]
    os.lseek(told, 0, os.SEEK_SET)
    os.dup2(told, 1)
    os.execv(sys.executable, [sys.executable, "-P", "-c", _PROGRAM])
