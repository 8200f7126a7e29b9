"""Messages between a dispatcher and its template: a length in four bytes, then the bytes of `marshal`. Light."""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORK, RETIRE = "fork", "retire"
"""To the template: (FORK, how many), (RETIRE,)."""
FORKED, EXITED, READY, OUTDATED, FAILED = "forked", "exited", "ready", "outdated", "failed"
"""From it: (FORKED, pids, why there are no more, or ""), with the end of a pipe for each; (EXITED, pid, status, seconds of CPU
time, KiB of memory), where the status is None when it cannot be known; (READY, files); (OUTDATED,) when a job found other code
on disk; (FAILED, why) when it ends before it is ready."""
IMPORTING, IMPORTED, SKIPPED, LEFT_OUT = "importing", "imported", "skipped", "left out"
"""From one that preloads: (IMPORTING, module), then (IMPORTED, module, seconds, what it did), (SKIPPED, module, why) or
(LEFT_OUT, module, why); after the last it is of no use any more."""
CALL = "()"
"""What ends a name of what is preloaded that is to be called, not only imported: the template half of the setup."""
_FORMAT = 2
"""Of marshal: every Python since 2.5 reads it, and the template's may be another than the dispatcher's."""

WARM_UP = b"w"
"""To a process that was forked ahead, by its pipe: that there is time. The bytes of an assignment begin otherwise."""


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
