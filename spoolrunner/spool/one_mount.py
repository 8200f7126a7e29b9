"""Whether files can be renamed between all folders of a spool in which jobs lie: this is tried.

Each move of a job is a rename. The numbers of the devices do not tell: two mounts of one device have the same, and a rename
from one into the other is refused all the same.
"""

from __future__ import annotations

import errno
import os

from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import Layout
from spoolrunner.system import durable

TRIAL = ".spoolrunner-trial"
"""The name of the file that is renamed: nobody takes it for a job, a lock or a request."""


def try_renames(layout: Layout) -> None:
    """Rename a file from tmp/ into the folder of each state: if that works, every pair of them is on one mount.

    Nothing is renamed into locks/, control/ and logs/, which may be read-only for a while, or a mount of their own.
    OSError when that fails; with errno EXDEV, and a sentence about what to do, when a folder lies on another mount.
    """
    for state in State:
        _try_rename(layout.stage(), layout.folder(state))


def _try_rename(staged: str, folder: str) -> None:
    there = os.path.join(folder, TRIAL)
    durable.write_new(staged, b"", False)
    try:
        durable.rename(staged, there)
    except FileExistsError:
        pass  # of a trial that was killed, or of one that is made this moment: the kernel compares the mounts first
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        what = (
            f"{folder}: lies on another file system, or another mount of it, than tmp/; files cannot be renamed into it"
        )
        raise OSError(errno.EXDEV, f"{what}: mount the whole spool, not its folders", folder) from None
    finally:
        durable.unlink(staged)
    durable.unlink(there)
