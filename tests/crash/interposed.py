"""`os` as the modules of the package see it in a simulated world: each call of a simulated process passes through here.

Operations that change the disk are places to be killed at; every call, reads among them, is a place to fail at. The
dispatcher's own log is only the latter: nothing depends on it.
"""

from __future__ import annotations

import builtins
import errno
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from tests.crash.actors import Process, current

if TYPE_CHECKING:
    from tests.crash.faults import World


class _Status:
    """A stat result with another inode number."""

    def __init__(self, real: os.stat_result, inode: int) -> None:
        self._real = real
        self.st_ino = inode

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _Entries:
    """What scandir returns; reading it is a call of its own."""

    def __init__(self, real: Any, about_to_read: Callable[[], object]) -> None:
        self._real = real
        self._about_to_read = about_to_read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        self._about_to_read()
        yield from self._real


class _Paths:
    """`os.path`: its questions are answered "no" when the system refuses, as in the real one."""

    def __init__(self, look: Callable[[str, Any], object]) -> None:
        self._look = look

    def __getattr__(self, name: str) -> Any:
        return getattr(os.path, name)

    def exists(self, path: Any) -> bool:
        return self._ask(os.path.exists, path)

    def lexists(self, path: Any) -> bool:
        return self._ask(os.path.lexists, path)

    def _ask(self, question: Callable[[Any], bool], path: Any) -> bool:
        try:
            self._look("stat", path)
        except OSError:
            return False
        return question(path)


class FaultyOs:
    """`os` as the modules of the package see it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.path = _Paths(self._look)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def getpid(self) -> int:
        process = current()
        return os.getpid() if process is None else process.pid

    def getppid(self) -> int:
        """The process that started this one or, when that is gone, the first of the machine."""
        process = current()
        if process is None:
            return os.getppid()
        parent = getattr(process, "parent", None)
        return 1 if parent is None or parent.is_over else int(parent.pid)

    # -- calls that change the disk

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        process = self._at("open", path)
        descriptor = os.open(path, flags, mode)
        if flags & os.O_CREAT:
            self._changed(os.fspath(path))
        if process is not None:
            process.descriptors[descriptor] = os.fspath(path)
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        process = current()
        if process is None:
            return os.write(descriptor, data)
        process.check_alive()
        path = process.descriptors.get(descriptor)
        if path is None:
            self._refuse_closed(descriptor)
            self._world.said.append(bytes(data).decode("utf-8", "replace"))
            return len(data)
        half = bytes(data)[: len(data) // 2]
        short = self._is_in_spool(path) and process.meets("write", path)
        if not self._is_journal(path):
            process.point("write", path, lambda: os.write(descriptor, half) and None)
        written = os.write(descriptor, half if short else data)
        if written == len(data) and path.endswith(".lock"):
            self._world.was_left(process, bytes(data))
        return written

    def fsync(self, descriptor: int) -> None:
        self._at_descriptor("fsync", descriptor)
        process = current()
        if process is not None:
            self._world.was_synced(process, descriptor, process.descriptors.get(descriptor, ""))

    def ftruncate(self, descriptor: int, length: int) -> None:
        self._at_descriptor("ftruncate", descriptor)
        os.ftruncate(descriptor, length)

    def rename(self, source: str, target: str) -> None:
        self._at("rename", f"{source} -> {target}")
        os.rename(source, target)
        self._changed(source, target)

    def replace(self, source: str, target: str) -> None:
        self._at("replace", f"{source} -> {target}")
        os.replace(source, target)
        self._changed(source, target)

    def link(self, source: str, target: str, **options: Any) -> None:
        self._at("link", f"{source} -> {target}")
        os.link(source, target, **options)
        self._changed(target)

    def unlink(self, path: str) -> None:
        self._at("unlink", path)
        os.unlink(path)
        self._changed(path)

    remove = unlink

    def exclusive_rename(self, real: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def rename(source: str, target: str) -> None:
            self._at("rename", f"{source} -> {target}")
            real(source, target)
            self._changed(source, target)

        return rename

    def exchange(self, real: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def exchange(one: str, other: str) -> None:
            self._at("exchange", f"{one} -> {other}")
            real(one, other)
            self._changed(one, other)

        return exchange

    def try_lock(self, real: Callable[[int], bool]) -> Callable[[int], bool]:
        def lock(descriptor: int) -> bool:
            try:
                self._at_descriptor("flock", descriptor)
            except PermissionError:
                return False  # as the real one takes it
            return real(descriptor)

        return lock

    def sync_file_system(self, descriptor: int) -> None:
        """Syncfs of Linux."""
        self._at_descriptor("syncfs", descriptor)
        if self._world.disk is not None:
            self._world.disk.synced_everything()

    # -- calls that only look, and those that do not reach the disk

    def open_file(self, path: Any, mode: str = "r", **options: Any) -> Any:
        """The `open` that every module has."""
        if "w" not in mode:
            self._look("open", path)
            return builtins.open(path, mode, **options)
        self._at("open", path)
        try:
            return builtins.open(path, mode, **options)
        finally:
            self._changed(os.fspath(path))

    def close(self, descriptor: int) -> None:
        process = current()
        path = None
        if process is not None:
            process.check_alive()
            path = process.descriptors.pop(descriptor, None)
        os.close(descriptor)
        if process is not None and path is not None and self._is_in_spool(path):
            process.meets("close", path)

    def read(self, descriptor: int, length: int) -> bytes:
        short = self._look_at("read", descriptor)
        data = os.read(descriptor, length)
        if not short or not data:
            return data
        kept = max(1, len(data) // 2)
        os.lseek(descriptor, kept - len(data), os.SEEK_CUR)
        return data[:kept]

    def lseek(self, descriptor: int, position: int, how: int) -> int:
        self._look_at("lseek", descriptor)
        return os.lseek(descriptor, position, how)

    def fstat(self, descriptor: int) -> Any:
        self._refuse_closed(descriptor)
        self._look_at("fstat", descriptor)
        return self._told(os.fstat(descriptor))

    def stat(self, path: str, *, follow_symlinks: bool = True) -> Any:
        self._look("stat", path)
        return self._told(os.stat(path, follow_symlinks=follow_symlinks))

    def lstat(self, path: str) -> Any:
        return self.stat(path, follow_symlinks=False)

    def makedirs(self, path: str, **options: Any) -> None:
        self._look("mkdir", path)
        os.makedirs(path, **options)

    def listdir(self, path: str) -> list[str]:
        self._look("readdir", path)
        return os.listdir(path)

    def scandir(self, path: str) -> Any:
        self._look("opendir", path)
        return _Entries(os.scandir(path), lambda: self._look("readdir", path))

    def dup2(self, descriptor: int, onto: int) -> int:
        return onto  # the test's own output stays what it is

    def register_at_fork(self, **hooks: Any) -> None:
        """Simulated processes do not fork."""

    # -- where a process stops, dies or fails

    def _changed(self, *paths: str) -> None:
        if self._world.disk is not None:
            self._world.disk.changed(*paths)

    def _at(self, kind: str, path: Any) -> Process | None:
        process = current()
        if process is None:
            return None
        process.check_alive()
        text = os.fspath(path)
        if self._is_in_spool(text):
            process.meets(kind, text)
            if not self._is_journal(text):
                process.point(kind, text)
        return process

    def _at_descriptor(self, kind: str, descriptor: int) -> None:
        process = current()
        if process is not None:
            process.check_alive()
            self._at(kind, process.descriptors.get(descriptor, ""))

    def _look(self, kind: str, path: Any) -> bool:
        """Whether the call is to be cut short; OSError if it is to fail."""
        process = current()
        text = os.fspath(path)
        return process is not None and self._is_in_spool(text) and process.meets(kind, text)

    def _look_at(self, kind: str, descriptor: int) -> bool:
        process = current()
        return process is not None and self._look(kind, process.descriptors.get(descriptor, ""))

    def _refuse_closed(self, descriptor: int) -> None:
        """OSError if the process has no such descriptor: all simulated ones share those of this process."""
        process = current()
        if process is not None and descriptor > 2 and descriptor not in process.descriptors:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _is_in_spool(self, path: str) -> bool:
        return path.startswith(self._world.layout.root)

    def _is_journal(self, path: str) -> bool:
        return path.startswith(self._world.layout.logs + os.sep) and not path.startswith(self._world.layout.job_logs)

    def _told(self, status: os.stat_result) -> Any:
        told = self._world.inodes.get(status.st_ino)
        return status if told is None else _Status(status, told)
