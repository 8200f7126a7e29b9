"""What names may be: those of groups, and those of jobs that others wait for. Touches no disk."""

from __future__ import annotations

import re

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:~[0-9]{1,9})?$"
"""An id, or the name under which a second job of an id lies. Which of them no file can have on Windows is for `spool.ids`."""
ID_RULE = "1 to 100 of A-Z a-z 0-9 . _ - beginning with a letter or digit, then perhaps ~ and 1 to 9 digits"
GROUP_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?$"
"""A name that can end the name of a file on every system."""
GROUP_RULE = "1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or digit, and not ending with a dot"


def is_id(name: object) -> bool:
    """Return whether `name` can be that of a job."""
    return isinstance(name, str) and re.fullmatch(ID_PATTERN, name) is not None


def is_group(name: object) -> bool:
    """Return whether `name` can be that of a group."""
    return isinstance(name, str) and re.fullmatch(GROUP_PATTERN, name) is not None
