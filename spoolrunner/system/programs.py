"""Programs that are started by their name and their words, and waited for. No shell has a part in it. Light.

    path = find("tar", search_path(os.environ), os.curdir); status = run(path, ["tar", "--version"], os.environ)

Only a job that is a command, and `check`, import it.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.system import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Mapping, Sequence

    Take = Callable[[bytes], None]
    """Called with each piece of what a program writes to its standard output."""
else:
    import _signal  # what `signal` dresses in classes

_PIECE = 65536
_MOST_LEFT = 1 << 20
"""Bytes that a pipe may hold when its program has ended; what comes after them comes from another one."""
_LOOK_PAUSE = 50
"""Milliseconds between two looks whether a program has ended, where the system gives no sign of that."""


def search_path(environment: Mapping[str, str]) -> str:
    """Return the folders in which a program is looked for that is named without one."""
    return environment.get("PATH", os.defpath)


if sys.platform == "win32":
    _BATCH_FILES = (".bat", ".cmd")

    def find(name: str, folders: str, start: str) -> str | None:
        """Return the path of a program, None where there is none: with a folder in its name as seen from `start`.

        A batch file is none: Windows has it run by a shell, which reads the words anew.
        """
        import shutil

        path = os.path.join(start, name) if os.path.dirname(name) else name
        found = shutil.which(path, path=folders)
        return None if found is None or found.lower().endswith(_BATCH_FILES) else os.path.abspath(found)

    def run(path: str, words: Sequence[str], environment: Mapping[str, str], take: Take | None = None) -> int:
        """Run the program to its end, with nothing on its standard input; return its exit status. OSError if it cannot start.

        `take` gets what it writes to its standard output, which goes where that of this process goes without it.
        """
        import subprocess
        import threading

        stdout = None if take is None else subprocess.PIPE
        process = subprocess.Popen(
            list(words), executable=path, stdin=subprocess.DEVNULL, stdout=stdout, env=dict(environment)
        )
        reader = threading.Thread(target=_read_all, args=(process.stdout, take), daemon=True)
        if take is not None:
            reader.start()
        status = process.wait()
        if take is not None:
            reader.join(1.0)  # another process may keep the pipe open
        return status

    def _read_all(pipe: object, take: Take) -> None:
        while piece := os.read(pipe.fileno(), _PIECE):  # type: ignore[attr-defined]
            take(piece)

else:

    def find(name: str, folders: str, start: str) -> str | None:
        """Return the path of a program, None where there is none: with a folder in its name as seen from `start`."""
        if os.path.dirname(name):
            path = os.path.join(start, name)
            return path if _is_program(path) else None
        for folder in folders.split(os.pathsep):
            path = os.path.join(start, folder, name)
            if _is_program(path):
                return path
        return None

    def _is_program(path: str) -> bool:
        return os.path.isfile(path) and os.access(path, os.X_OK)

    def run(path: str, words: Sequence[str], environment: Mapping[str, str], take: Take | None = None) -> int:
        """Run the program to its end, with nothing on its standard input; return its exit status, or less than 0 for a signal.

        `take` gets what it writes to its standard output, which goes where that of this process goes without it. OSError if it
        cannot be started.
        """
        if take is None:
            return _waited(_started(path, words, environment, []))
        ours, theirs = os.pipe()
        try:
            try:
                pid = _started(path, words, environment, [(os.POSIX_SPAWN_DUP2, theirs, 1)])
            finally:
                os.close(theirs)
            return _read(pid, ours, take)
        finally:
            os.close(ours)

    def _started(
        path: str, words: Sequence[str], environment: Mapping[str, str], actions: list[tuple[int, ...]]
    ) -> int:
        return os.posix_spawn(
            path,
            [word.encode("utf-8", "surrogateescape") for word in words],
            environment,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), *actions],
            # What Python ignores for itself a program would have to ignore as well.
            setsigdef=[_signal.SIGPIPE, _signal.SIGXFSZ],
            setsigmask=[],
        )

    def _waited(pid: int) -> int:
        try:
            _, status = os.waitpid(pid, 0)
        except BaseException:
            os.kill(pid, _signal.SIGTERM)  # whoever is interrupted here will not wait for it again
            raise
        return os.waitstatus_to_exitcode(status)

    def _read(pid: int, pipe: int, take: Take) -> int:
        """Read until the program has ended, though another process may keep its standard output open; return its status."""
        import select  # paid by those whose output is a result

        os.set_blocking(pipe, False)
        sign = processes.descriptor_of(pid)
        events = select.poll()
        events.register(pipe, select.POLLIN)
        if sign is not None:
            events.register(sign, select.POLLIN)
        try:
            while True:
                events.poll(_LOOK_PAUSE if sign is None else None)
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    break
                if _take_piece(pipe, take) == 0:
                    return _waited(pid)  # it has closed its standard output, and goes on
            left = _MOST_LEFT
            while left > 0 and (size := _take_piece(pipe, take)):
                left -= size
            return os.waitstatus_to_exitcode(status)
        finally:
            if sign is not None:
                os.close(sign)

    def _take_piece(pipe: int, take: Take) -> int | None:
        """Return how many bytes there were: 0 when no more can come, None when there are none now."""
        try:
            piece = os.read(pipe, _PIECE)
        except BlockingIOError:
            return None
        take(piece)
        return len(piece)
