"""A program that runs beside the dispatcher, as the page does: started, started again when it dies, ended with it.

    with Beside("the page", command, report) as page:
        page.trouble

It may die without hurting anybody: a thread waits for it, and nothing else does. Its standard input is a pipe of which we hold
the other end, so that it hears of our end, too, when we are killed.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Event
from spoolrunner.telling.troubles import BesideEnded

_SHORTEST, _LONGEST = 1.0, 300.0
"""Seconds before it is started again; twice as long each time, until it has lived for _LONGEST."""
_LAST = 5.0
"""Seconds for which it is given time to end."""


class Beside:
    """One such program. `trouble` says why it is not there; empty while it is. `report` may be called from any thread.

    As a listener of events, which it is so that its trouble is told, it does nothing.
    """

    def __init__(self, name: str, command: Sequence[str], report: Callable[[Event], object], clock: Clock) -> None:
        self.trouble = ""
        self._name = name
        self._command = list(command)
        self._report = report
        self._clock = clock
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, event: Event, at: float) -> None:
        """Hear of an event."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        process = self._process
        if process is not None:
            process.terminate()
        self._thread.join(_LAST)
        if self._thread.is_alive() and process is not None:
            process.kill()

    def _keep(self) -> None:
        pause = _SHORTEST
        while not self._is_over.is_set():
            began = self._clock.monotonic()
            how = self._run()
            if self._is_over.is_set():
                return
            pause = _SHORTEST if self._clock.monotonic() - began > _LONGEST else pause
            event = BesideEnded(self._name, how, pause)
            self.trouble = event.entry(0.0).note
            self._report(event)
            self._is_over.wait(pause)
            pause = min(pause * 2, _LONGEST)

    def _run(self) -> str:
        """Start it, and wait for its end; return how that came about."""
        try:
            process = self._process = _start(self._command)
        except OSError as error:
            return f"it cannot be started: {error}"
        if self._is_over.is_set():
            process.terminate()
        self.trouble = ""
        with process:
            status = process.wait()
        return f"it was ended by signal {-status}" if status < 0 else f"it ended with exit code {status}"


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start it in a session of its own: a Ctrl-C at our terminal is for us, and we end it then."""
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.PIPE, creationflags=flags)
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
