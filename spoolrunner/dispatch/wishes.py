"""What may lie in the dispatcher's one inbox, besides the ended processes that executors report."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Wish(Enum):
    """What the inbox may hold besides ended processes."""

    LOOK = "there are hints"
    STOP = "stop; asked again: at once"
    LEAVE = "stop, and let the jobs run on"


class Notice(NamedTuple):
    """Something an operator should know, from another thread."""

    text: str


class CodeLoaded(NamedTuple):
    """The files that a template process has imported."""

    files: list[str]
