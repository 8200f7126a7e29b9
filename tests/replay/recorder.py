"""A disk whose writes are recorded: a loop device lies on a file, and that file is this program, by the kernel's FUSE.

The file is the root of a FUSE mount of its own, so that there is nothing but it: no names, no folders. What the loop device
writes goes into an image and, with its place, into a log; so does each flush, and each line that comes by a pipe meanwhile.
The log has all of it in one order, so that any prefix of it is what a disk holds that lost its power then. Speaks the protocol
of `linux/fuse.h` directly: it needs root and /dev/fuse, and no library.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import stat
import struct
from collections.abc import Callable
from typing import BinaryIO

from tests.replay.block_log import Writer

_HEADER = struct.Struct("<IIQQIIII")
_ANSWER = struct.Struct("<IiQ")
_PLACE = struct.Struct("<QQI")
_WRITE_SIZE = 40
_LARGEST = 1 << 20
_BUFFER = _LARGEST + 65536
_GETATTR, _SETATTR, _OPEN, _READ, _WRITE, _STATFS, _RELEASE = 3, 4, 14, 15, 16, 17, 18
_FSYNC, _FLUSH, _INIT, _DESTROY = 20, 25, 26, 38
_UNANSWERED = (2, 36, 42)
"""Forget, interrupt and batch-forget."""
_BIG_WRITES, _MAX_PAGES = 1 << 5, 1 << 22
_STALE_AT_ONCE = 0


def mount_file(path: str) -> int:
    """Mount a FUSE whose root is a file, over the file at `path`; returns the descriptor by which the kernel asks."""
    asked = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={asked},rootmode={stat.S_IFREG | 0o600:o},user_id=0,group_id=0,allow_other,max_read={_LARGEST}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"recorder", os.fsencode(path), b"fuse", 0, options.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return asked


class Recorder:
    """Serves the file whose mount asks by `asked`; what it holds lies in `image`."""

    def __init__(self, asked: int, image: str, log: BinaryIO, pipe: int) -> None:
        self._asked = asked
        self._image = os.open(image, os.O_RDWR)
        self._size = os.fstat(self._image).st_size
        self._log = Writer(log)
        self._pipe = pipe
        self._heard = b""
        self._answers: dict[int, Callable[[bytes], bytes]] = {
            _GETATTR: lambda _: self._attributes(),
            _SETATTR: lambda _: self._attributes(),
            _OPEN: lambda _: struct.pack("<QIi", 0, 0, 0),
            _READ: self._read,
            _WRITE: self._write,
            _STATFS: lambda _: bytes(80),
            _RELEASE: lambda _: b"",
            _FLUSH: lambda _: b"",
            _DESTROY: lambda _: b"",
            _FSYNC: self._sync,
            _INIT: self._init,
        }

    def serve(self) -> None:
        """Answer until the file is unmounted."""
        while True:
            ready, _, _ = select.select([self._asked, self._pipe], [], [])
            if self._pipe in ready:
                self._hear()
            if self._asked in ready:
                try:
                    asked = os.read(self._asked, _BUFFER)
                except OSError as error:
                    if error.errno == errno.ENODEV:
                        return
                    if error.errno in (errno.ENOENT, errno.EINTR):
                        continue  # whoever asked does not wait any more
                    raise
                self._answer(asked)

    def _answer(self, asked: bytes) -> None:
        _, kind, number, *_ = _HEADER.unpack_from(asked)
        if kind in _UNANSWERED:
            return
        answer = self._answers.get(kind)
        code, body = (-errno.ENOSYS, b"") if answer is None else (0, answer(asked[_HEADER.size :]))
        os.write(self._asked, _ANSWER.pack(_ANSWER.size + len(body), code, number) + body)

    def _init(self, asked: bytes) -> bytes:
        _, _, ahead, _ = struct.unpack_from("<IIII", asked)
        flags = _BIG_WRITES | _MAX_PAGES
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, ahead, flags, 16, 12, _LARGEST, 1, _LARGEST // 4096, 0, 0)

    def _attributes(self) -> bytes:
        mode = stat.S_IFREG | 0o600
        times = (0,) * 6
        return struct.pack(
            "<QII6Q3I7I", _STALE_AT_ONCE, 0, 0, 1, self._size, self._size // 512, *times, mode, 1, 0, 0, 0, 4096, 0
        )

    def _read(self, asked: bytes) -> bytes:
        _, place, size = _PLACE.unpack_from(asked)
        return os.pread(self._image, size, place)

    def _write(self, asked: bytes) -> bytes:
        _, place, size = _PLACE.unpack_from(asked)
        data = asked[_WRITE_SIZE : _WRITE_SIZE + size]
        os.pwrite(self._image, data, place)
        self._log.write(place, data)
        return struct.pack("<II", size, 0)

    def _sync(self, asked: bytes) -> bytes:
        self._hear()  # what was told before is older than this
        self._log.flush()
        return b""

    def _hear(self) -> None:
        """Take the lines that lie in the pipe into the log."""
        try:
            while data := os.read(self._pipe, 65536):
                *lines, self._heard = (self._heard + data).split(b"\n")
                for line in lines:
                    self._log.line(line.decode())
        except BlockingIOError:
            return
