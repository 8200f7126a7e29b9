"""An interpreter that was started for a job: what it says of itself, and what it is told.

made = start(command, plan)      # has_come once it runs our program, else its `error` when it has ended
made.tell(b"its job")
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from spoolrunner.errors import StartError
from spoolrunner.executors.base import Plan
from spoolrunner.executors.places import cannot_start
from spoolrunner.system import processes

_DEFAULTS = (
    "from spoolrunner.system.dispositions import set_defaults; set_defaults()" if sys.platform != "win32" else ""
)
PROGRAM = f"""
import os
try:
    from spoolrunner.attempt import runner
    {_DEFAULTS}
except Exception as error:
    os.write(0, (type(error).__name__ + ": " + str(error)).encode("utf-8", "backslashreplace")[:4000])
    raise
try:
    os.write(0, b"!")
except OSError:
    pass  # the dispatcher is gone: if it has told the job before, that is made
runner.make_null(0, os.O_RDONLY)
runner.main()
"""
"""Says by its standard input that it has come here, or why it could not."""
_COME = b"!"
_MOST_WORDS = 4096
"""Bytes that the words of a process may have."""
_PIPE_TAKES = 4096
"""Bytes that every pipe takes at once; more are written by a thread, since the process may be slow to read them."""
_LETS_GO = 10.0
"""Seconds for one that was let go to end."""


class Spawned:
    """A process that waits for its job, or makes it. `sign` is the descriptor by which it says that it has come."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: int, sign: int) -> None:
        self.process = process
        self.sign = sign
        self.has_come = False
        """Whether it runs our program."""
        self.is_closed = False
        """Whether `sign` is closed."""
        self.is_heard = False
        """Whether it has said so, or can say nothing any more."""
        self._pipe: int | None = pipe
        self._words = ""
        self._end_by: float | None = None

    def hear(self) -> None:
        """Read what it has said. To be called when it has said something, or has ended."""
        if self.is_heard:
            return
        try:
            words = os.read(self.sign, _MOST_WORDS)
        except BlockingIOError:
            words = b""  # it has ended, and something that it started holds its standard input
        self.has_come = words[:1] == _COME
        self._words = "" if self.has_come else words.decode("utf-8", "replace").strip()
        self.is_heard = True

    def close_sign(self) -> None:
        """Hear no more of it."""
        if not self.is_closed:
            self.is_closed = True
            os.close(self.sign)

    def tell(self, data: bytes) -> bool:
        """Tell it its job; False when it has died. StartError when that takes a thread, and there is none to be had."""
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return False
        if len(data) <= _PIPE_TAKES:
            return _write(pipe, data)
        try:
            threading.Thread(target=_write, args=(pipe, data), daemon=True).start()
        except RuntimeError as error:
            os.close(pipe)  # it has been told nothing, and ends
            raise StartError(f"cannot tell a process its job: {error}; see to the limits of threads") from None
        return True

    def let_go(self) -> None:
        """Do without it: it ends, since it is told nothing."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def has_ended(self, now: float) -> bool:
        """Whether it is collected: to be asked, without haste, of one that was let go. One that stays is killed."""
        if self._end_by is None:
            self._end_by = now + _LETS_GO
        if self.process.poll() is None and now >= self._end_by:
            self._end_by = now + _LETS_GO
            self.process.kill()
        return self.process.returncode is not None

    def wait(self) -> None:
        """Wait for its end: for when nothing else is to be done. One that stays is killed."""
        try:
            self.process.wait(_LETS_GO)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def problem(self, python: str, status: int | None) -> str:
        """Why one that has ended so never came to our program, in words."""
        if self._words:
            why = self._words
        elif status is None:
            why = "it ended before it ran our program"
        else:
            code, signal = processes.exit_reason(status)
            how = f"status {code}" if signal is None else processes.signal_name(signal)
            why = f"it ended with {how}; if Python said why, it stands on our standard error"
        return f"{python} cannot run the processes of jobs: {why}"


def start(command: Sequence[str], plan: Plan) -> Spawned:
    """Start an interpreter that waits for its job; StartError when that is not possible."""
    descriptors: list[int] = []
    try:
        for _ in range(2):
            descriptors += os.pipe()
        theirs, ours, sign, their_sign = descriptors
        process = subprocess.Popen(
            command,
            stdin=their_sign,
            stdout=theirs,
            cwd=plan.folder,
            env=plan.environment,
            start_new_session=True,
            creationflags=_creation_flags(),
        )
    except OSError as error:
        for descriptor in descriptors:
            os.close(descriptor)
        raise cannot_start(plan.python, plan.folder, error) from None
    os.close(theirs)
    os.close(their_sign)
    if sys.platform != "win32":
        os.set_blocking(sign, False)
    return Spawned(process, ours, sign)


def _write(pipe: int, data: bytes) -> bool:
    """Write all and close; False when nobody reads it any more."""
    try:
        while data:
            data = data[os.write(pipe, data) :]
    except OSError:
        return False
    finally:
        os.close(pipe)
    return True


def _creation_flags() -> int:
    if sys.platform == "win32":
        return subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return 0
