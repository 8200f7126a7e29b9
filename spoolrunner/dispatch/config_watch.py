"""Whether config.json is still the one that this dispatcher goes by, and what is said when it is not.

A dispatcher reads the file once. A job that a newer one allows is refused, and nobody would know why.
"""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.config.load import Config
from spoolrunner.telling.events import Event
from spoolrunner.telling.troubles import ConfigChanged

_PERIOD = 5.0
"""Seconds between two looks, while the dispatcher is awake: it is not woken for that."""


class ConfigWatch:
    """Looks at the file of `config` again and again, and reports when it was changed. The work of a chore."""

    def __init__(self, config: Config, report: Callable[[Event], None]) -> None:
        self._config = config
        self._report = report
        self._look_at = 0.0
        self.trouble = ""
        """What to do about a file that was changed; empty while it was not."""

    def work(self, now: float) -> None:
        """Look, if it is time."""
        if now < self._look_at:
            return
        self._look_at = now + _PERIOD
        if not self._config.is_changed():
            self.trouble = ""
        elif not self.trouble:
            event = ConfigChanged(self._config.path)
            self.trouble = event.sentence
            self._report(event)


def advice(config: Config) -> str:
    """Return what to add to the reason why a job is not allowed: nothing, unless config.json was changed since."""
    if not config.is_changed():
        return ""
    return "; config.json was changed since the dispatcher started: restart it, then `spoolrunner retry` the job"
