"""Ids: which text can be one, which file name has one, and what comes when one is taken. Touches no disk."""

from __future__ import annotations

import re

from spoolrunner.protocol.names import ID_PATTERN, ID_RULE

SUFFIX = ".json"

MAX_ID = 100
"""Characters of an id without the ~ and number that a dispatcher may append."""
_ID = re.compile(ID_PATTERN)
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file lists the names that no file may have there.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def id_problem(job_id: str) -> str | None:
    """Return why `job_id` cannot be the id of a job on every platform, or None when it can."""
    if not _ID.fullmatch(job_id):
        return f"an id is {ID_RULE}"
    if job_id.endswith("."):
        return "an id must not end with a dot"
    if job_id.split(".", maxsplit=1)[0].lower() in _RESERVED:
        return "the part before the first dot is a reserved device name on Windows"
    return None


def is_job_name(name: str) -> bool:
    """Return whether a file of this name in pending/ counts as a job; other files are left alone."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def numbered(stem: str) -> str:
    """Return the next name to try when `stem` is taken: after x comes x~2, then x~3 and so on."""
    base, tilde, number = stem.rpartition("~")
    return f"{base}~{int(number) + 1}" if tilde and number.isascii() and number.isdigit() else f"{stem}~2"
