"""Writing down who had what done: a line in the log of the spool for each action of the page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock
from spoolrunner.telling.actions import Acted
from spoolrunner.telling.logfiles import add_line

WEB = "web"
"""Who did it, where that is not known better than that it came by way of the page."""
UID = "uid "
"""How it begins where the system says which user it was."""
_MOST = 2000
"""Characters of a command that are written down; parameters may be long."""


def by_socket(uid: int) -> str:
    """Return who it was when the system says which user is at the other end of a unix socket."""
    return f"{UID}{uid}"


def command(*words: str) -> str:
    """Return the command line of these words behind `spoolrunner`, as a person would type it into a shell."""
    return shlex.join(["spoolrunner", *words])


def note(
    layout: Layout, who: str, words: Sequence[str], count: int | None = None, job_id: str = "", problem: str = ""
) -> str:
    """Write down that `who` had done what `spoolrunner WORDS…` does; return why that cannot be written, or "".

    `count` is with how many jobs it was done, `job_id` the one job it was about, `problem` why it was not done. The action
    stands either way: it is not undone because the log is full.
    """
    return note_line(layout, who, command(*words), count, job_id, problem)


def note_line(
    layout: Layout, who: str, line: str, count: int | None = None, job_id: str = "", problem: str = ""
) -> str:
    """Do the same for a line that stands as it is typed: of what no command of ours does, as `touch control/reload`."""
    made = line if len(line) <= _MOST else f"{line[:_MOST]} …"
    try:
        add_line(layout, Acted(who, made, count, job_id, problem), clock.SYSTEM.wall())
    except OSError as error:
        return f"the log cannot be written: {error.strerror or error}"
    return ""
