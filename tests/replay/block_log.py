"""What a disk was told to write, in order, with its flushes and lines of text between: written once, read from the start."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

WRITE, FLUSH, LINE = 1, 2, 3
_ENTRY = struct.Struct("<BQI")


class Entry(NamedTuple):
    """One entry: data that was written at `place`, a flush, or a line of text."""

    kind: int
    place: int = 0
    data: bytes = b""


class Writer:
    """Appends entries to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, place: int, data: bytes) -> None:
        """The disk was told to write that."""
        self._file.write(_ENTRY.pack(WRITE, place, len(data)) + data)

    def flush(self) -> None:
        """The disk was told to keep all that was written before."""
        self._file.write(_ENTRY.pack(FLUSH, 0, 0))
        self._file.flush()

    def line(self, text: str) -> None:
        """Somebody said that meanwhile."""
        data = text.encode()
        self._file.write(_ENTRY.pack(LINE, 0, len(data)) + data)


def entries(path: str) -> Iterator[Entry]:
    """Read the entries of a log from its beginning."""
    with open(path, "rb") as stream:
        while head := stream.read(_ENTRY.size):
            kind, place, size = _ENTRY.unpack(head)
            yield Entry(kind, place, stream.read(size))


class Replay:
    """An image that goes on from prefix to prefix of a log."""

    def __init__(self, image: str, log: str) -> None:
        self._image = os.open(image, os.O_RDWR)
        self._entries = entries(log)
        self._at = 0
        self.lines: list[str] = []
        """What was said before the prefix ends."""

    def go_on_to(self, count: int) -> None:
        """Let the image be what the disk holds after the first `count` entries."""
        while self._at < count:
            entry = next(self._entries)
            self._at += 1
            if entry.kind == WRITE:
                os.pwrite(self._image, entry.data, entry.place)
            elif entry.kind == LINE:
                self.lines.append(entry.data.decode())

    def close(self) -> None:
        """Let the image go."""
        os.close(self._image)
