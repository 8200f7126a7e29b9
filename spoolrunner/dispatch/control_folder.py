"""What people ask of a running dispatcher by files in control/: read, and passed on to those who do it."""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.dispatch.cancelling import Cancelling
from spoolrunner.dispatch.phases import Phase, Request
from spoolrunner.spool import requests
from spoolrunner.spool.paths import Layout


class Control:
    """The folder control/. `ask` passes a request on to the table of phases and returns the phase that follows.

    `reload` is called when config.json is to be read again, `pause_parts` with what is paused by itself.
    """

    def __init__(
        self,
        layout: Layout,
        cancelling: Cancelling,
        ask: Callable[[Request], Phase],
        reload: Callable[[], None],
        pause_parts: Callable[[frozenset[str]], None],
    ) -> None:
        self._layout = layout
        self._cancelling = cancelling
        self._ask = ask
        self._reload = reload
        self._pause_parts = pause_parts
        self.is_due = True
        """Whether something may have happened there since it was last looked at."""

    def obey(self, phase: Phase) -> None:
        """Do what lies in control/, in this phase; OSError when the spool cannot be worked on."""
        self.is_due = False
        asked = requests.read(self._layout)
        # A file that lies there while the dispatcher stops is the one that asked for it: only a signal or a call asks again.
        if asked.stop is not None and not phase.is_ending:
            phase = self._ask(Request.LEAVE if asked.stop == requests.LEAVE_RUNNING else Request.STOP)
        if asked.pause != phase.is_paused:
            self._ask(Request.PAUSE if asked.pause else Request.RESUME)
        if asked.reload:
            self._reload()
        self._pause_parts(asked.pauses)
        self._cancelling.cancel_all(asked.cancels)
        if asked.stop is not None:
            requests.clear_stop(self._layout)
