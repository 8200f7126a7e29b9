"""Messages between a dispatcher and its template: a length in four bytes, then the bytes of `marshal`. Light."""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

START, WHO, RETIRE = "start", "who", "retire"
"""To the template: (START, id, number, the assignment's bytes), (WHO,), (RETIRE,)."""
STARTED, EXITED, READY, OUTDATED = "started", "exited", "ready", "outdated"
"""From it: (STARTED, id, number, pid), (EXITED, id, number, pid, status, CPU seconds, KiB of memory), (READY, files),
(OUTDATED,) when a job found other code on disk. The status is None when it cannot be known."""
IMPORTING, IMPORTED, SKIPPED, LEFT_OUT = "importing", "imported", "skipped", "left out"
"""From one that preloads: (IMPORTING, module), then (IMPORTED, module, seconds, what it did), (SKIPPED, module, why) or
(LEFT_OUT, module, why); after the last it is of no use any more."""
CALL = "()"
"""What ends a name of what is preloaded that is to be called, not only imported: the template half of the setup."""
_FORMAT = 2
"""Of marshal: every Python since 2.5 reads it, and the template's may be another than the dispatcher's."""


def framed(*message: Any) -> bytes:
    """Return the message as bytes to be sent."""
    data = marshal.dumps(message, _FORMAT)
    return len(data).to_bytes(4, "little") + data


class Frames:
    """What was received, cut into messages."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def take(self, data: bytes) -> list[tuple[Any, ...]]:
        """Add what was received, and return the messages that are whole now."""
        self._data = data = self._data + data if self._data else data
        found, at = [], 0
        while len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "little")
            if end > len(data):
                break
            found.append(marshal.loads(data[at + 4 : end]))  # noqa: S302 -- our own processes made them
            at = end
        self._data = data[at:]
        return found
