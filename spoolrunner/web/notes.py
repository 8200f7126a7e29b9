"""What an action has come to, kept for the page that is shown next: an address holds a key, never the text itself."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

MOST = 500
"""Notes that are kept; the oldest makes room."""


class Note(NamedTuple):
    """A sentence on what was done, the command line that does the same, and whether it was refused."""

    text: str
    command: str = ""
    is_refusal: bool = False


Live = Callable[[], Note]
"""A note that is made when it is shown: of what still goes on."""


class Notes:
    """The notes of one page."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Note | Live] = OrderedDict()

    def put(self, note: Note | Live) -> str:
        """Keep a note; returns the key for `?said=` in the address of the next page."""
        key = secrets.token_urlsafe(9)
        with self._lock:
            self._kept[key] = note
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> Note | None:
        """Return the note of that key; None when there is none, or none any more."""
        with self._lock:
            found = self._kept.get(key)
        return found() if callable(found) else found
