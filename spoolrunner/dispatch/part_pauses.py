"""The pauses of single methods and groups: which files in control/ mean one, and what is done when they come and go.

A pause of everything is a phase of the dispatcher, and one of a schedule is for the schedules.
"""

from __future__ import annotations

from spoolrunner.config.load import Config
from spoolrunner.config.pausable import in_words, pause_problem
from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.spool.requests import SCHEDULE
from spoolrunner.telling.pauses import PartPaused, PartResumed, PauseOfNothing


class PartPauses:
    """Which methods and groups are paused, by what lies in control/."""

    def __init__(self, config: Config, admission: Admission, reporter: Reporter) -> None:
        self._config = config
        self._admission = admission
        self._reporter = reporter
        self._known: frozenset[str] = frozenset()
        self.troubles: list[str] = []
        """A sentence for each file that asks for a pause of something that there is not."""

    def obey(self, asked: frozenset[str]) -> None:
        """Pause these, named as in `requests.Requests`, and no others."""
        asked = frozenset(name for name in asked if not name.startswith(SCHEDULE))
        if asked == self._known:
            return
        before, self._known = self._known, asked
        found = self._pause()
        for name in sorted(asked - before):
            if name in found:
                self._reporter.report(PauseOfNothing(f"control/pause-{name}: {found[name]}"))
            else:
                self._reporter.report(PartPaused(in_words(name)))
        for name in sorted(before - asked):
            if not pause_problem(self._config, name):
                self._reporter.report(PartResumed(in_words(name)))

    def reconfigure(self, _config: Config) -> None:
        """Judge the pauses that are asked for by another configuration, which may have other methods."""
        self._pause()

    def _pause(self) -> dict[str, str]:
        """Pause what can be paused of what is asked for; return what is wrong with each of the others."""
        found = {name: problem for name in sorted(self._known) if (problem := pause_problem(self._config, name))}
        self.troubles = [f"control/pause-{name}: {problem}" for name, problem in found.items()]
        self._admission.pause(self._known.difference(found))
        return found
