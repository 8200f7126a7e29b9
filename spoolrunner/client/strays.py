"""Files in the folders of jobs that are no jobs, so that they lie there for ever: X.JSON, x.json.tmp. Touches nothing."""

from __future__ import annotations

import os

from spoolrunner.protocol.states import State
from spoolrunner.spool import requests
from spoolrunner.spool.ids import SUFFIX, is_job_name
from spoolrunner.spool.paths import Layout

MOST_NAMED = 20
_REASON = ".reason"


def strays(layout: Layout) -> list[str]:
    """Return a sentence for each file that is no job by its name; at most MOST_NAMED and one that counts the others.

    Names that begin with a dot are left out: programs that copy files, and file systems, keep theirs under such.
    """
    found = []
    for state in State:
        with os.scandir(layout.folder(state)) as entries:
            found += [f"{state.value}/{entry.name}" for entry in entries if _is_stray(state, entry.name)]
    found.sort()
    sentences = [f"{name} is no job: {_advice(name)}" for name in found[:MOST_NAMED]]
    if len(found) > MOST_NAMED:
        sentences.append(f"{len(found) - MOST_NAMED} more files are no jobs")
    return sentences + [
        f"control/{name} is a folder, which asks for nothing" for name in requests.clutter(layout)[:MOST_NAMED]
    ]


def _is_stray(state: State, name: str) -> bool:
    if name.startswith(".") or is_job_name(name):
        return False
    return not (state is State.FAILED and name.endswith(_REASON))


def _advice(name: str) -> str:
    if name.lower().endswith(SUFFIX):
        return f"the ending must be {SUFFIX}, in small letters"
    return f"the name of a job file ends in {SUFFIX}"
